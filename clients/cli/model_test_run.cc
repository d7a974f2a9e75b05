#include "clients/cli/model_test_run.h"

#include <algorithm>
#include <map>
#include <utility>

#include "engine/model/model.h"

namespace tidegate {
namespace {

constexpr std::size_t kWarmUpRows = 1'024;  // before the test part, more than any window; states forget

}  // namespace

absl::StatusOr<Backtest> TestModel(const TrainedModel& trained, const LearningData& data, std::size_t window,
                                   bool baselines) {
  ModelSpec spec = trained.spec;
  if (window > 0) spec.window = window;
  const auto model = Model::Create(std::move(spec), trained.tensors);
  if (!model.ok()) return model.status();
  if (baselines)
    return RunBacktest(**model, data.test, {.from = data.from, .baselines = true, .origin_losses = true});
  std::vector<Series> test;
  std::vector<std::size_t> from;
  for (std::size_t s = 0; s < data.test.size(); ++s) {
    const std::size_t begin = data.from[s] - std::min(data.from[s], kWarmUpRows);
    test.push_back(Rows(data.test[s], begin, data.test[s].size(), data.options.interval_ns));
    from.push_back(data.from[s] - begin);
  }
  return RunBacktest(**model, test, {.from = from, .baselines = false, .origin_losses = true});
}

DieboldMariano CompareModels(const Backtest& one, const Backtest& other, std::size_t horizon) {
  struct Sum {
    double difference = 0;
    std::size_t streams = 0;
  };
  std::map<std::int64_t, Sum> sums;
  for (std::size_t i = 0; i < std::min(one.origin_losses.size(), other.origin_losses.size()); ++i) {
    Sum& sum = sums[one.origin_losses[i].tick];
    sum.difference += one.origin_losses[i].mae - other.origin_losses[i].mae;
    ++sum.streams;
  }
  std::vector<double> differences;
  differences.reserve(sums.size());
  for (const auto& [tick, sum] : sums)
    differences.push_back(sum.difference / static_cast<double>(sum.streams));
  return CompareLosses(differences, horizon);
}

}  // namespace tidegate
