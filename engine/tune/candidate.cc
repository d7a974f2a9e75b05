#include "engine/tune/candidate.h"

#include <algorithm>
#include <array>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace tidegate {
namespace {

// What the properties may be. Contexts and strides go together: see CheckOptions of the trainer.
constexpr std::array<std::size_t, 5> kUnits = {16, 32, 64, 96, 128};
constexpr std::array<std::size_t, 3> kLayers = {1, 1, 2};
constexpr std::array<std::size_t, 4> kContexts = {32, 64, 128, 256};
constexpr std::array<std::size_t, 4> kKernels = {3, 5, 9, 17};
constexpr std::array<std::size_t, 3> kStrides = {1, 1, 2};
constexpr std::array<double, 5> kRates = {1e-3, 2e-3, 3e-3, 5e-3, 1e-2};
constexpr std::array<double, 3> kDecays = {0, 1e-4, 1e-2};
constexpr std::array<float, 3> kDropouts = {0, 0.1f, 0.3f};
constexpr std::size_t kMostWindow = 128;  // a window is stepped through for every forecast

bool HasConvolution(Family family) { return family == Family::kCnnGru || family == Family::kCnnLstm; }

LayerKind KindOf(const Candidate& candidate) {
  switch (candidate.family) {
    case Family::kLstm:
    case Family::kPeepholeLstm:
    case Family::kCnnLstm:
      return LayerKind::kLstm;
    case Family::kLayerNormLstm:
      return LayerKind::kLstmLayerNorm;
    case Family::kLayerNormGru:
      return LayerKind::kGruLayerNorm;
    case Family::kGluGru:
      return LayerKind::kGluGru;
    case Family::kGru:
    case Family::kCnnGru:
    case Family::kBidirectionalGru:
      break;
  }
  return candidate.reset_before ? LayerKind::kGruResetBefore : LayerKind::kGru;
}

// Another point has the same network: what does not count is as in the default.
Candidate Plain(Candidate candidate) {
  const Candidate usual = DefaultOf(candidate.family);
  if (!HasConvolution(candidate.family)) {
    candidate.kernel = usual.kernel;
    candidate.stride = usual.stride;
  }
  if (candidate.family != Family::kGru && candidate.family != Family::kCnnGru)
    candidate.reset_before = usual.reset_before;
  if (candidate.layers == 1 || candidate.family == Family::kBidirectionalGru)
    candidate.residual = usual.residual;
  if (candidate.layers == 1 && !HasConvolution(candidate.family)) candidate.dropout = usual.dropout;
  if (candidate.family == Family::kBidirectionalGru)
    candidate.context = std::min(candidate.context, kMostWindow);
  return candidate;
}

template <typename Values>
auto Any(const Values& values, Random& random) {
  return values[random.Below(values.size())];
}

using Change = std::function<void(Candidate&, Random&)>;

// One for each property but the family.
const std::vector<Change>& Changes() {
  static const auto* const changes = new std::vector<Change>{
      [](Candidate& c, Random& r) { c.units = Any(kUnits, r); },
      [](Candidate& c, Random& r) { c.layers = Any(kLayers, r); },
      [](Candidate& c, Random& r) { c.context = Any(kContexts, r); },
      [](Candidate& c, Random& r) { c.reset_before = r.Below(2) == 1; },
      [](Candidate& c, Random& r) { c.residual = r.Below(2) == 1; },
      [](Candidate& c, Random& r) { c.kernel = Any(kKernels, r); },
      [](Candidate& c, Random& r) { c.stride = Any(kStrides, r); },
      [](Candidate& c, Random& r) { c.level_inputs = r.Below(2) == 1; },
      [](Candidate& c, Random& r) { c.season = r.Below(2) == 1; },
      [](Candidate& c, Random& r) { c.learning_rate = Any(kRates, r); },
      [](Candidate& c, Random& r) { c.weight_decay = Any(kDecays, r); },
      [](Candidate& c, Random& r) { c.dropout = Any(kDropouts, r); },
  };
  return *changes;
}

}  // namespace

Candidate DefaultOf(Family family) {
  Candidate candidate;
  candidate.family = family;
  if (family == Family::kBidirectionalGru) candidate.context = 64;
  return candidate;
}

Candidate DrawCandidate(Random& random) {
  Candidate candidate = DefaultOf(kFamilies[random.Below(std::size(kFamilies))]);
  for (const Change& change : Changes()) change(candidate, random);
  return Plain(candidate);
}

Candidate Mutate(const Candidate& candidate, Random& random) {
  Candidate changed = candidate;
  while (changed == candidate) {
    const std::size_t property = random.Below(Changes().size() + 1);
    if (property < Changes().size()) {
      Changes()[property](changed, random);
    } else {
      changed.family = kFamilies[random.Below(std::size(kFamilies))];
    }
    changed = Plain(changed);
  }
  return changed;
}

void Apply(const Candidate& candidate, TrainOptions& options) {
  options.layers.clear();
  if (HasConvolution(candidate.family)) {
    options.layers.push_back({.kind = LayerKind::kConv1d,
                              .units = candidate.units,
                              .kernel = candidate.kernel,
                              .stride = candidate.stride,
                              .relu = true});
  }
  for (std::size_t i = 0; i < candidate.layers; ++i) {
    options.layers.push_back({.kind = KindOf(candidate),
                              .units = candidate.units,
                              .peepholes = candidate.family == Family::kPeepholeLstm,
                              .bidirectional = candidate.family == Family::kBidirectionalGru,
                              .residual = i > 0 && candidate.residual});
  }
  for (std::size_t i = 0; i + 1 < options.layers.size(); ++i) options.layers[i].dropout = candidate.dropout;
  options.interleaved = candidate.stride > 1;
  options.window = candidate.family == Family::kBidirectionalGru ? candidate.context : 0;
  options.truncation = candidate.context;
  options.sequence_length = std::max<std::size_t>(options.sequence_length, 2 * candidate.context);
  options.level_inputs = candidate.level_inputs;
  options.difference_inputs = true;
  if (!candidate.season) options.cycle = 0;
  options.learning_rate = candidate.learning_rate;
  options.weight_decay = candidate.weight_decay;
}

std::string TextOf(const Candidate& candidate) {
  std::string text;
  if (candidate.layers > 1) absl::StrAppend(&text, candidate.layers, " x ");
  absl::StrAppend(&text, FamilyName(candidate.family), " ", candidate.units, ", context ", candidate.context);
  if (candidate.reset_before) absl::StrAppend(&text, ", reset before");
  if (candidate.residual) absl::StrAppend(&text, ", residual");
  if (HasConvolution(candidate.family)) absl::StrAppend(&text, ", kernel ", candidate.kernel);
  if (candidate.stride > 1) absl::StrAppend(&text, ", stride ", candidate.stride);
  if (candidate.level_inputs) absl::StrAppend(&text, ", levels");
  if (candidate.season) absl::StrAppend(&text, ", season");
  absl::StrAppendFormat(&text, ", rate %g", candidate.learning_rate);
  if (candidate.weight_decay > 0) absl::StrAppendFormat(&text, ", decay %g", candidate.weight_decay);
  if (candidate.dropout > 0) absl::StrAppendFormat(&text, ", dropout %g", candidate.dropout);
  return text;
}

std::string CandidateJson(const Candidate& candidate) {
  const nlohmann::ordered_json json = {
      {"family", FamilyName(candidate.family)},
      {"units", candidate.units},
      {"layers", candidate.layers},
      {"context", candidate.context},
      {"reset_before", candidate.reset_before},
      {"residual", candidate.residual},
      {"kernel", candidate.kernel},
      {"stride", candidate.stride},
      {"season", candidate.season},
      {"level_inputs", candidate.level_inputs},
      {"learning_rate", candidate.learning_rate},
      {"weight_decay", candidate.weight_decay},
      {"dropout", candidate.dropout},
  };
  return json.dump();
}

absl::StatusOr<Candidate> ParseCandidate(absl::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto bad = [&] {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text.substr(0, 200), "' is no candidate of a search"));
  };
  if (!json.is_object()) return bad();
  Candidate candidate;
  try {
    const auto family = FamilyOf(json.at("family").get<std::string>());
    if (!family) return bad();
    candidate.family = *family;
    json.at("units").get_to(candidate.units);
    json.at("layers").get_to(candidate.layers);
    json.at("context").get_to(candidate.context);
    json.at("reset_before").get_to(candidate.reset_before);
    json.at("residual").get_to(candidate.residual);
    json.at("kernel").get_to(candidate.kernel);
    json.at("stride").get_to(candidate.stride);
    json.at("level_inputs").get_to(candidate.level_inputs);
    json.at("season").get_to(candidate.season);
    json.at("learning_rate").get_to(candidate.learning_rate);
    json.at("weight_decay").get_to(candidate.weight_decay);
    json.at("dropout").get_to(candidate.dropout);
  } catch (const nlohmann::json::exception&) {
    return bad();
  }
  return candidate;
}

}  // namespace tidegate
