#include "clients/cli/model_test_run.h"

#include <algorithm>
#include <map>
#include <utility>

#include "engine/model/model.h"

namespace tidegate {

absl::StatusOr<Backtest> TestModel(const TrainedModel& trained, const LearningData& data, std::size_t window,
                                   bool baselines) {
  ModelSpec spec = trained.spec;
  if (window > 0) spec.window = window;
  const auto model = Model::Create(std::move(spec), trained.tensors);
  if (!model.ok()) return model.status();
  return RunBacktest(**model, data.test, {.from = data.from, .baselines = baselines, .origin_losses = true});
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
