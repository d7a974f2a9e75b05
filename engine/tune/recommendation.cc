#include "engine/tune/recommendation.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/model/model.h"
#include "engine/tune/context_probe.h"

namespace tidegate {
namespace {

// Gradients flow through 64 readings of a training sequence (TrainOptions::truncation). What lies further
// back must be kept by a cell that forgets nothing unasked: the LSTM's state is carried on by addition
// (Hochreiter & Schmidhuber 1997) and has no bound, where a GRU's is a mean of values within -1 and 1 (Weiss,
// Goldberg & Yahav 2018, arXiv:1805.04908). Below it both forecast alike (Chung et al. 2014,
// arXiv:1412.3555) and the GRU has three quarters of the weights.
constexpr std::size_t kLongMemory = 64;

// A convolution pays where the shape of the last readings explains a tenth of what can be explained, and
// where the memory is longer than a few of its filters: else the recurrent layer sees all of it anyway (the
// CNN below a recurrent layer of LSTNet, Lai et al. 2018, arXiv:1703.07015).
constexpr double kLocalPattern = 0.1;
constexpr std::size_t kBeyondFilters = 4 * kLocalReadings;

// A filter over K readings is whole with probability (1 - missing)^K; less than half the time and it mostly
// sees the last value repeated.
constexpr double kWholeFilters = 0.5;

// A window is run through anew for every forecast, so its length is what a forecast costs.
constexpr std::size_t kLongestWindow = 128;
constexpr std::size_t kLeastContext = 16, kMostContext = 512;

// As training stops early, more weights than readings do no harm: the validation error of GRUs on five series
// of 1,800 to 18,000 readings still fell from 32 to 64 units, up to ten weights a reading. From 64 to 128 it
// hardly moved, so these want readings in plenty.
constexpr double kParametersPerReading = 8, kParametersPerReadingIfLarge = 1;
constexpr std::size_t kLargeUnits = 128;
constexpr std::size_t kUnitsToTry[] = {8, 16, 32, 64, kLargeUnits};
// Where a linear model takes less than this off the last value's error there is little to learn, and a large
// network learns the noise.
constexpr double kHardlyPredictable = 0.05;
constexpr std::size_t kUnitsOfNoise = 16;

// What else a reading costs in messages of 256: 0.65 us all in all where the step of a GRU of 64 units takes
// 0.3 (serve_against_echo.py, one core of an AMD EPYC). A reading in a message of its own costs 4 us.
constexpr double kServingSeconds = 0.35e-6;
constexpr double kUtilisation = 0.7;     // of a core, so that readings that come together need not wait long
constexpr double kShareOfLatency = 0.5;  // the other half is the wire's

// Seconds of a core that one reading's step may take. A reading waits for the whole batch that it is part of.
double AllowedSeconds(const DataProfile& profile, const Budget& budget) {
  double allowed = std::numeric_limits<double>::infinity();
  if (budget.streams_per_core > 0) {
    const double interval = static_cast<double>(profile.interval_ns) * 1e-9;
    allowed = kUtilisation * interval / budget.streams_per_core - kServingSeconds;
  }
  if (budget.latency > absl::ZeroDuration())
    allowed = std::min(allowed, kShareOfLatency * absl::ToDoubleSeconds(budget.latency) / kStepsTogether);
  return std::max(allowed, 0.0);
}

bool FiltersAreWhole(const DataProfile& profile) {
  return std::pow(1 - profile.missing, kLocalReadings) >= kWholeFilters;
}

ChoiceReason FamilyByData(const DataProfile& profile, const Budget& budget, Recommendation& shape) {
  const std::string memory = absl::StrCat("a memory of ", profile.memory_probe, " readings");
  const auto choose = [&](Family family, std::string because, std::string rule) -> ChoiceReason {
    shape.family = family;
    return {"family", FamilyName(family), std::move(because), std::move(rule)};
  };
  if (budget.bounded_window) {
    return choose(Family::kBidirectionalGru, "forecasts may be made anew from a bounded window",
                  "both directions only offline or over a bounded window: no state is carried backwards");
  }
  if (profile.local_pattern >= kLocalPattern && profile.memory_probe >= kBeyondFilters &&
      FiltersAreWhole(profile)) {
    shape.kernel = kLocalReadings;
    return choose(Family::kCnnGru,
                  absl::StrFormat("%.0f %% of what is predictable only by the shape of the last %d readings, "
                                  "and %s",
                                  100 * profile.local_pattern, kLocalReadings, memory),
                  absl::StrFormat("local patterns (at least %.0f %%) and a memory of at least %d readings: "
                                  "cnn_gru, unless missing readings break more than half of the filters",
                                  100 * kLocalPattern, kBeyondFilters));
  }
  if (profile.memory_probe > kLongMemory) {
    return choose(Family::kLstm, memory,
                  absl::StrFormat("a memory of more than %d readings, through which training's gradients do "
                                  "not flow: lstm, whose state is carried on by addition",
                                  kLongMemory));
  }
  return choose(Family::kGru, memory,
                absl::StrFormat("a memory of at most %d readings: gru, which forecasts as well as an lstm "
                                "there with three quarters of the weights",
                                kLongMemory));
}

ChoiceReason ContextByMemory(const DataProfile& profile, Recommendation& shape) {
  const bool window = shape.family == Family::kBidirectionalGru;
  const std::size_t most = window ? kLongestWindow : kMostContext;
  shape.context = std::clamp(std::bit_ceil(profile.memory_probe), kLeastContext, most);
  std::string because = absl::StrCat("a memory of ", profile.memory_probe, " readings");
  if (profile.memory_autocorrelation > 0)
    absl::StrAppend(&because, "; the autocorrelation lasts ", profile.memory_autocorrelation);
  return {"context", absl::StrCat(shape.context, " readings"), std::move(because),
          absl::StrCat("the probe's memory, not the autocorrelation's, which also lasts where the last value "
                       "tells all; a power of two from ",
                       kLeastContext, " to ", most,
                       window ? ", as a window is run through for every forecast"
                              : ", beyond which the state is carried on all the same")};
}

ChoiceReason InputsByLevel(Recommendation& shape) {
  shape.level_inputs = true;
  return {"inputs", "both", "the level takes 1 % or more off the probe's error",
          "levels beside differences where values return to a level; else differences alone, which hold "
          "where it drifts"};
}

std::size_t Parameters(const DataProfile& profile, const Recommendation& shape) {
  std::size_t count = 0;
  for (const auto& [name, sizes] : Model::ParameterShapes(UntrainedSpec(profile, shape)))
    count += ValuesOf(sizes);
  return count;
}

bool ReadingsAreEnough(const DataProfile& profile, const Recommendation& shape) {
  const double each = shape.units >= kLargeUnits ? kParametersPerReadingIfLarge : kParametersPerReading;
  return static_cast<double>(Parameters(profile, shape)) <= each * static_cast<double>(profile.readings);
}

ChoiceReason UnitsByReadings(const DataProfile& profile, Recommendation& shape) {
  const bool noise = profile.gain < kHardlyPredictable;
  shape.units = kUnitsToTry[0];
  for (const std::size_t units : kUnitsToTry) {
    Recommendation larger = shape;
    larger.units = units;
    if (ReadingsAreEnough(profile, larger) && !(noise && units > kUnitsOfNoise)) shape.units = units;
  }
  std::string because =
      absl::StrCat(Parameters(profile, shape), " parameters for ", profile.readings, " readings");
  if (noise) {
    absl::StrAppendFormat(&because, "; a linear model takes but %.1f %% off the last value's squared error",
                          100 * profile.gain);
  }
  return {
      "units", absl::StrCat(shape.units), std::move(because),
      absl::StrFormat("from %d up, at most %.0f parameters a reading, for %d units %.0f; at most %d units "
                      "where a linear model gains less than %.0f %%",
                      kUnitsToTry[0], kParametersPerReading, kLargeUnits, kParametersPerReadingIfLarge,
                      kUnitsOfNoise, 100 * kHardlyPredictable)};
}

std::string Microseconds(double seconds) { return absl::StrFormat("%.2f us", 1e6 * seconds); }

bool IsTooSlow(const Recommendation& shape) { return shape.step_seconds > shape.allowed_seconds; }

std::string TimeText(absl::string_view what, const Recommendation& shape) {
  return absl::StrCat("a step of ", what, " takes ", Microseconds(shape.step_seconds), " and may take ",
                      Microseconds(shape.allowed_seconds));
}

std::string BudgetRule() {
  return absl::StrFormat(
      "%.0f %% of a core, less %s a reading beside its step, is for the streams, %.0f %% of the latency for "
      "a "
      "batch of %d steps: else a gru, then fewer units",
      100 * kUtilisation, Microseconds(kServingSeconds), 100 * kShareOfLatency, kStepsTogether);
}

ChoiceReason FamilyByBudget(Recommendation& shape) {
  std::string because = TimeText(FamilyName(shape.family), shape);
  shape.family = Family::kGru;
  shape.kernel = 0;
  return {"family", FamilyName(shape.family), std::move(because), BudgetRule()};
}

ChoiceReason UnitsByBudget(absl::FunctionRef<void()> measure, Recommendation& shape) {
  std::string because = TimeText(absl::StrCat(shape.units, " units"), shape);
  while (IsTooSlow(shape) && shape.units > kUnitsToTry[0]) {
    shape.units /= 2;
    measure();
  }
  return {"units", absl::StrCat(shape.units), std::move(because), BudgetRule()};
}

ChoiceReason BudgetKept(const DataProfile& profile, Recommendation& shape) {
  shape.within_budget = !IsTooSlow(shape);
  const double streams =
      kUtilisation * static_cast<double>(profile.interval_ns) * 1e-9 / (shape.step_seconds + kServingSeconds);
  return {"budget", shape.within_budget ? "kept" : "not kept",
          absl::StrFormat("%s; a core does for %.0f streams", TimeText("this model", shape), streams),
          BudgetRule()};
}

// Of the shape's family: context, inputs and units.
std::vector<ChoiceReason> SizeByData(const DataProfile& profile, Recommendation& shape) {
  std::vector<ChoiceReason> reasons = {ContextByMemory(profile, shape)};
  if (profile.level) reasons.push_back(InputsByLevel(shape));
  reasons.push_back(UnitsByReadings(profile, shape));
  return reasons;
}

ChoiceReason CycleBySeason(const DataProfile& profile, Recommendation& shape) {
  shape.cycle = profile.season;
  return {"cycle", absl::StrCat(profile.season, " readings"),
          profile.season_share > 0
              ? absl::StrFormat("a season explains %.0f %% of the variance around the trend",
                                100 * profile.season_share)
              : "there is a season",
          "a season that explains at least 10 % is taken out by a table, so that the network need not "
          "remember it"};
}

}  // namespace

ModelSpec UntrainedSpec(const DataProfile& profile, const Recommendation& shape) {
  ModelSpec spec;
  spec.name = "untrained";
  spec.interval_ns = profile.interval_ns;
  spec.features.resize(profile.features);
  for (std::size_t f = 0; f < profile.features; ++f) spec.features[f].name = absl::StrCat("feature_", f);
  spec.level_inputs = shape.level_inputs;
  if (shape.kernel > 0) {
    spec.layers.push_back(
        {.kind = LayerKind::kConv1d, .units = shape.units, .kernel = shape.kernel, .relu = true});
  }
  spec.layers.push_back({.kind = shape.family == Family::kLstm ? LayerKind::kLstm : LayerKind::kGru,
                         .units = shape.units,
                         .bidirectional = shape.family == Family::kBidirectionalGru});
  if (shape.family == Family::kBidirectionalGru) spec.window = shape.context;
  spec.horizon = profile.horizon;
  spec.quantiles = {0.1f, 0.5f, 0.9f};
  spec.step_deviation.assign(spec.horizon, 1.0f);
  return spec;
}

Recommendation Recommend(const DataProfile& profile, const Budget& budget,
                         absl::FunctionRef<double(const ModelSpec&)> step_seconds) {
  Recommendation shape;
  shape.allowed_seconds = AllowedSeconds(profile, budget);
  shape.reasons.push_back(FamilyByData(profile, budget, shape));
  std::vector<ChoiceReason> size = SizeByData(profile, shape);
  const auto measure = [&] { shape.step_seconds = step_seconds(UntrainedSpec(profile, shape)); };
  measure();
  if (IsTooSlow(shape) && shape.family != Family::kGru) {
    shape.reasons.push_back(FamilyByBudget(shape));
    size = SizeByData(profile, shape);
    measure();
  }
  for (ChoiceReason& reason : size) shape.reasons.push_back(std::move(reason));
  if (IsTooSlow(shape) && shape.units > kUnitsToTry[0])
    shape.reasons.push_back(UnitsByBudget(measure, shape));
  if (std::isfinite(shape.allowed_seconds)) shape.reasons.push_back(BudgetKept(profile, shape));
  if (profile.season > 0) shape.reasons.push_back(CycleBySeason(profile, shape));
  return shape;
}

}  // namespace tidegate
