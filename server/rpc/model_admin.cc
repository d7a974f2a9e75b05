#include "server/rpc/model_admin.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/blocking_counter.h"
#include "engine/stream/stream.h"
#include "server/fault/fault.h"
#include "server/rpc/admin_thread.h"
#include "server/shard/shard_journal.h"
#include "spdlog/spdlog.h"

namespace tidegate {
namespace {

constexpr std::uint32_t kDeletionSlice = 4096;  // slots whose streams a shard deletes at a time

// What cannot be read is no fault of the request's form.
absl::Status Unusable(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kNotFound) {
    return Refusal(Fault::kModelNotFound, "model", status.message());
  }
  return Refusal(Fault::kModelUnusable, "model", status.message());
}

}  // namespace

ModelInfo MetricsOf(const ServedModel& served) {
  const ModelSpec& spec = served.model->spec();
  const auto cell = [](std::string* out, const LayerSpec& layer) {
    absl::StrAppend(out, KindName(layer.kind));
  };
  const auto units = [](std::string* out, const LayerSpec& layer) { absl::StrAppend(out, layer.units); };
  return {.name = served.name,
          .version = absl::StrCat(served.version),
          .cell = absl::StrJoin(spec.layers, ",", cell),
          .units = absl::StrJoin(spec.layers, ",", units),
          .horizon = absl::StrCat(spec.horizon),
          .sha256 = spec.weights_sha256.substr(0, 12),
          .scored_steps = spec.ScoredSteps(),
          .interval_level = double{spec.quantiles.back()} - double{spec.quantiles.front()}};
}

ModelAdmin::ModelAdmin(std::filesystem::path folder, const Repository& repository, ServingGroup& group,
                       Metrics& metrics, StreamKeeper* keeper)
    : folder_(std::move(folder)),
      repository_(repository),
      group_(group),
      metrics_(metrics),
      keeper_(keeper) {}

void ModelAdmin::OnAll(const std::function<void(ServingLoop&)>& work) {
  absl::BlockingCounter left(static_cast<int>(group_.loops.size()));
  for (const auto& loop : group_.loops) {
    loop->Post([&work, &left, &loop] {
      work(*loop);
      left.DecrementCount();
    });
  }
  left.Wait();
}

void ModelAdmin::Publish() {
  OnAll([this](ServingLoop& loop) { loop.SetRepository(repository_); });
}

absl::Status ModelAdmin::Load(const std::string& name, std::uint64_t version) {
  if (!IsModelName(name)) {
    return Refusal(
        Fault::kInvalidField, "model",
        absl::StrCat("'", absl::CHexEscape(name.substr(0, 64)),
                     "' is no name for a model: expected lower-case letters, digits, '.', '_', '-'"));
  }
  auto read = ReadServedModel(folder_, name, version);
  if (!read.ok()) return Unusable(read.status());
  if (const auto served = repository_.Find(name); served.ok()) {
    const ServedModel& there = repository_.models()[*served];
    const bool same = StateChecksum(*there.model) == StateChecksum(*read->model);
    if (there.version == read->version && same) return absl::OkStatus();
    if (there.version == read->version) {
      return Refusal(
          Fault::kModelServed, "version",
          absl::StrCat(read->version, " of model '", name,
                       "' is served with other weights, or another model.json, than its folder has now: give "
                       "what is new a version of its own"));
    }
    return Refusal(
        Fault::kModelServed, "version",
        absl::StrCat(read->version, "; version ", there.version, " of model '", name,
                     "' is served: unload it first, as its streams' states go on only with the weights "
                     "that made them"));
  }
  const std::size_t index = repository_.models().size();
  if (index >= std::numeric_limits<std::uint16_t>::max()) {
    return Refusal(Fault::kModelsFull, "", "this server has loaded too many models: start it anew");
  }
  absl::StatusOr<std::uint32_t> number = 0;
  if (keeper_ != nullptr) number = keeper_->NumberOf(*read);
  if (!number.ok()) return number.status();
  metrics_.AddModel(MetricsOf(*read));
  OnAll([&](ServingLoop& loop) {
    if (keeper_ != nullptr) loop.shard().journal()->AddModel(*number);
    loop.shard().AddModel(read->model, metrics_.shard(loop.index()).models[index]);
  });
  spdlog::info("model {} version {} loaded: {} parameters, {} bytes of state per stream", name, read->version,
               read->model->parameters(), StreamBytes(*read->model));
  read->served = false;
  repository_.Add(*std::move(read));
  Publish();  // every loop knows it before any loop takes readings of it, which may be of another's streams
  repository_.SetServed(index, true);
  Publish();
  return absl::OkStatus();
}

absl::Status ModelAdmin::Unload(const std::string& name, bool delete_streams, std::uint64_t& deleted) {
  if (name.empty()) return Refusal(Fault::kInvalidField, "model", "empty: name the model to unload");
  const auto found = repository_.Find(name);
  if (!found.ok()) return found.status();
  const auto model = static_cast<std::uint32_t>(*found);
  const Repository before = repository_;
  const auto check = [&]() -> absl::Status {
    deleted = CountStreams(model);
    if (keeper_ != nullptr) {
      const auto there = keeper_->StreamsOf(before.models()[model]);
      if (!there.ok()) return there.status();
      deleted += CountCold(*there);
    }
    if (deleted == 0 || delete_streams) return absl::OkStatus();
    return Refusal(Fault::kModelHasStreams, "delete_streams",
                   absl::StrCat("not set, and model '", name, "' has ", deleted,
                                " streams: delete them first, or set it"));
  };
  // Before anybody notices; then again, as readings may have begun streams.
  if (absl::Status s = check(); !s.ok()) return s;
  absl::Cleanup serve_again = [&] {
    repository_ = before;
    Publish();
  };
  repository_.SetServed(model, false);
  Publish();
  // No loop admits readings of it any more, and what was admitted has reached its shards.
  if (absl::Status s = check(); !s.ok()) return s;
  DeleteStreams(model);
  if (keeper_ != nullptr) {  // looked for once more: some have left memory since
    const auto there = keeper_->StreamsOf(before.models()[model]);
    if (!there.ok()) return there.status();
    DeleteCold(static_cast<std::uint32_t>(model), *there);
  }
  if (group_.admin->draining()) return DrainingStatus();  // with what was deleted so far
  WaitUntilDurable();
  std::move(serve_again).Cancel();
  repository_.Release(model);
  Publish();
  OnAll([&](ServingLoop& loop) { loop.shard().RemoveModel(model); });
  metrics_.RemoveModel(model);
  spdlog::info("model {} unloaded, {} streams deleted", name, deleted);
  return absl::OkStatus();
}

absl::Status ModelAdmin::SetDefault(const std::string& name) {
  if (name.empty()) return Refusal(Fault::kInvalidField, "model", "empty: name the model to be the default");
  const auto index = repository_.Find(name);
  if (!index.ok()) return index.status();
  repository_.SetDefault(*index);
  Publish();
  spdlog::info("model {} is the default", name);
  return absl::OkStatus();
}

std::size_t ModelAdmin::CountStreams(std::uint32_t model) {
  std::atomic<std::size_t> streams{0};
  OnAll([&](ServingLoop& loop) { streams += loop.shard().table().streams(model); });
  return streams;
}

// How many of these streams are not in memory.
std::size_t ModelAdmin::CountCold(const std::vector<std::string>& ids) {
  std::atomic<std::size_t> cold{0};
  InSlices(ids, [&](ServingLoop& loop, const std::string& id) {
    if (!loop.shard().table().Find(id) && !loop.shard().journal()->IsDeleted(id)) ++cold;
  });
  return cold;
}

void ModelAdmin::DeleteCold(std::uint32_t model, const std::vector<std::string>& ids) {
  InSlices(ids, [model](ServingLoop& loop, const std::string& id) {
    const auto key = loop.shard().Find(id);
    if (key && key->model == model) loop.shard().Delete(*key);  // another may have the id by now
  });
}

void ModelAdmin::WaitUntilDurable() {
  absl::BlockingCounter left(static_cast<int>(group_.loops.size()));
  OnAll([&](ServingLoop& loop) { loop.shard().WhenDurable([&] { left.DecrementCount(); }); });
  left.Wait();
}

void ModelAdmin::InSlices(const std::vector<std::string>& ids,
                          const std::function<void(ServingLoop&, const std::string&)>& work) {
  constexpr std::size_t kIds = 256;
  for (std::size_t begin = 0; begin < ids.size() && !group_.admin->draining(); begin += kIds) {
    OnAll([&](ServingLoop& loop) {
      for (std::size_t i = begin; i < std::min(begin + kIds, ids.size()); ++i) {
        if (ShardOf(ids[i], group_.loops.size()) == loop.index()) work(loop, ids[i]);
      }
    });
  }
}

// A slice at a time, so that readings of other models do not wait.
void ModelAdmin::DeleteStreams(std::uint32_t model) {
  std::atomic<bool> more{true};
  for (std::uint32_t begin = 0; more && !group_.admin->draining(); begin += kDeletionSlice) {
    more = false;
    OnAll([&](ServingLoop& loop) {
      if (loop.shard().DeleteSlots(model, begin, begin + kDeletionSlice)) more = true;
    });
  }
}

}  // namespace tidegate
