#include "server/store/store_model.h"

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

ModelMatch Match(const StoredModel& stored, const StoredModel& served) {
  if (served.name != stored.name) return ModelMatch::kMissing;
  if (served.version != stored.version) return ModelMatch::kOtherVersion;
  if (served.checksum != stored.checksum) return ModelMatch::kOtherChecksum;
  return served.build == stored.build ? ModelMatch::kSame : ModelMatch::kOtherBuild;
}

// How near it is; the nearest served model counts.
int Nearness(ModelMatch match) {
  switch (match) {
    case ModelMatch::kSame:
      return 4;
    case ModelMatch::kOtherBuild:
      return 3;
    case ModelMatch::kOtherChecksum:
      return 2;
    case ModelMatch::kOtherVersion:
      return 1;
    case ModelMatch::kMissing:
      break;
  }
  return 0;
}

std::string Message(const StoredModel& stored, const StoredModel& served, ModelMatch match) {
  const std::string model =
      absl::StrCat("the store has streams of model '", stored.name, "' version ", stored.version);
  switch (match) {
    case ModelMatch::kMissing:
      return absl::StrCat(model,
                          ", and no model of that name is served: serve it again, or delete its streams");
    case ModelMatch::kOtherVersion:
      return absl::StrCat(model, "; version ", served.version, " is served: serve version ", stored.version,
                          " again, or delete its streams");
    case ModelMatch::kOtherChecksum:
      return absl::StrCat(model, " with weights and model.json of checksums ", stored.checksum,
                          "; those served are ", served.checksum,
                          ": give the model as it is now a version of its own");
    case ModelMatch::kOtherBuild:
      return absl::StrCat(model, ", stepped by '", stored.build, "'; this server steps by '", served.build,
                          "', so a replay may differ in the last bits");
    case ModelMatch::kSame:
      break;
  }
  return "";
}

}  // namespace

std::vector<ModelComparison> CompareModels(std::span<const StoredModel> stored,
                                           std::span<const StoredModel> served) {
  std::vector<ModelComparison> comparisons;
  comparisons.reserve(stored.size());
  for (const StoredModel& one : stored) {
    ModelMatch best = ModelMatch::kMissing;
    StoredModel nearest;
    for (const StoredModel& other : served) {
      const ModelMatch match = Match(one, other);
      if (Nearness(match) <= Nearness(best)) continue;
      best = match;
      nearest = other;
    }
    comparisons.push_back({one, best, Message(one, nearest, best)});
  }
  return comparisons;
}

}  // namespace tidegate
