#include "clients/cli/model_test_run.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "engine/model/model.h"

namespace tidegate {
namespace {

constexpr std::size_t kWarmUpRows = 1'024;  // before the test part, more than any window; states forget

// The baselines' errors of `from`; the model's stay.
void TakeBaselines(const ErrorsOfAll& from, ErrorsOfAll& to) {
  for (const Forecaster who : {Forecaster::kLastValue, Forecaster::kSeasonal, Forecaster::kLinear})
    to[static_cast<std::size_t>(who)] = from[static_cast<std::size_t>(who)];
}

}  // namespace

absl::StatusOr<Backtest> TestModel(const TrainedModel& trained, const LearningData& data, std::size_t window,
                                   bool baselines) {
  ModelSpec spec = trained.spec;
  if (window > 0) spec.window = window;
  const auto model = Model::Create(std::move(spec), trained.tensors);
  if (!model.ok()) return model.status();
  std::vector<Series> test;
  std::vector<std::size_t> from;
  for (std::size_t s = 0; s < data.test.size(); ++s) {
    const std::size_t begin = data.from[s] - std::min(data.from[s], kWarmUpRows);
    test.push_back(Rows(data.test[s], begin, data.test[s].size(), data.options.interval_ns));
    from.push_back(data.from[s] - begin);
  }
  auto result = RunBacktest(**model, test, {.from = from, .baselines = false, .origin_losses = true});
  if (!result.ok() || !baselines) return result;
  const auto whole =
      RunBacktest(**model, data.test, {.from = data.from, .baselines = true, .deviation_rows = kWarmUpRows});
  if (!whole.ok()) return whole.status();
  TakeBaselines(whole->horizons.back().errors, result->horizons.back().errors);
  for (std::size_t step = 0; step < result->steps_ahead.size(); ++step)
    TakeBaselines(whole->steps_ahead[step], result->steps_ahead[step]);
  result->linear_context = whole->linear_context;
  result->linear_penalty = whole->linear_penalty;
  return result;
}

DieboldMariano CompareModels(const Backtest& one, const Backtest& other, std::size_t horizon) {
  struct Sum {
    double difference = 0;
    std::size_t streams = 0;
  };
  std::map<std::int64_t, Sum> sums;
  absl::flat_hash_map<std::pair<std::size_t, std::int64_t>, double> others;
  for (const OriginLoss& loss : other.origin_losses) others.try_emplace({loss.stream, loss.tick}, loss.mae);
  for (const OriginLoss& loss : one.origin_losses) {
    const auto found = others.find({loss.stream, loss.tick});
    if (found == others.end()) continue;
    Sum& sum = sums[loss.tick];
    sum.difference += loss.mae - found->second;
    ++sum.streams;
  }
  std::vector<double> differences;
  differences.reserve(sums.size());
  for (const auto& [tick, sum] : sums)
    differences.push_back(sum.difference / static_cast<double>(sum.streams));
  return CompareLosses(differences, horizon);
}

}  // namespace tidegate
