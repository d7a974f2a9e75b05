#include "engine/train/preparation.h"

#include <algorithm>
#include <utility>

#include "engine/train/cycle.h"
#include "engine/train/linear_robust.h"

namespace tidegate {
namespace {

constexpr double kWorthACycle = 0.998;  // of the error without it
constexpr double kCyclePenalty = 1e-2;
constexpr std::size_t kRowsAWeight = 2;
constexpr std::size_t kRowsToCompare = 6'000, kRowsToChoose = 20'000, kRowsToFit = 400'000,
                      kRowsToMakeRobust = 100'000;

// The mean squared error of a linear path behind a cycle of `period` readings, 0 for none, on blocks that
// were left out of the fits of both: a table of many rows explains the rows it was made from too well.
absl::StatusOr<double> ErrorWithCycle(const std::vector<Series>& series,
                                      const std::vector<std::size_t>& splits, std::size_t context,
                                      std::size_t period, ModelSpec spec) {
  std::vector<std::size_t> ends;
  ends.reserve(series.size());
  for (const Series& one : series) ends.push_back(one.size());
  spec.cycle = period;
  double sum = 0;
  const std::size_t blocks = LinearRows::BlocksOf(*std::ranges::max_element(ends), spec.horizon);
  for (std::size_t left = 0; left < blocks; ++left) {
    std::vector<float> cycle;
    if (period > 0) {
      const auto place = [&](std::size_t block) {
        return static_cast<double>(block) / static_cast<double>(blocks);
      };
      cycle = FitCycle(series, ends, spec, period, {place(left), place(left + 1)});
    }
    const auto data = PrepareSeries(series, splits, cycle, spec);
    if (!data.ok()) return data.status();
    const LinearSums sums(LinearRows(*data, spec, context, kRowsToCompare, LinearRows::Part::kBlocks,
                                     /*per_channel=*/false));
    if (period == 0) {
      for (std::size_t block = 0; block < blocks; ++block) sum += sums.Error(context, block, kCyclePenalty);
      return sum / static_cast<double>(blocks);
    }
    sum += sums.Error(context, left, kCyclePenalty);
  }
  return sum / static_cast<double>(blocks);
}

absl::StatusOr<std::size_t> ChooseCycle(const std::vector<Series>& series,
                                        const std::vector<std::size_t>& splits, std::size_t context,
                                        const ModelSpec& spec) {
  std::size_t best = 0;
  const auto none = ErrorWithCycle(series, splits, context, 0, spec);
  if (!none.ok()) return none.status();
  double least = *none;
  for (const std::size_t period : CandidatePeriods(series, splits, spec)) {
    const auto error = ErrorWithCycle(series, splits, context, period, spec);
    if (!error.ok()) return error.status();
    if (*error >= kWorthACycle * least) continue;
    least = *error;
    best = period;
  }
  return best;
}

// Whether channels are long enough for linear maps of their own: a map of more weights than there are rows to
// each tells nothing, and its sums cost the square of its weights, for each channel.
bool EnoughForMaps(const std::vector<PreparedSeries>& data, const ModelSpec& spec, std::size_t context) {
  std::size_t rows = 0;
  for (const PreparedSeries& series : data) rows += series.split;
  return spec.channels > 0 && rows >= kRowsAWeight * context * spec.channels;
}

LinearChoice ChooseLinear(const std::vector<PreparedSeries>& data, const std::vector<std::size_t>& contexts,
                          const ModelSpec& spec) {
  const std::size_t longest = *std::ranges::max_element(contexts);
  LinearChoice choice = LinearSums(LinearRows(data, spec, longest, kRowsToChoose, LinearRows::Part::kBlocks,
                                              EnoughForMaps(data, spec, longest)))
                            .Choose(contexts);
  const LinearRows rows(data, spec, choice.context(), kRowsToChoose, LinearRows::Part::kBlocks,
                        choice.per_channel());
  ChooseRobust(rows, LinearSums(rows), choice);
  return choice;
}

std::vector<Matrix> FitLinear(const Preparation& preparation, LinearRows::Part part, const ModelSpec& spec) {
  const LinearChoice& choice = preparation.choice;
  const auto rows = [&](std::size_t most) {
    return LinearRows(preparation.data, spec, choice.context(), most, part, choice.per_channel());
  };
  std::vector<Matrix> maps = LinearSums(rows(kRowsToFit)).Solve(choice, choice.steps());
  MakeRobust(rows(kRowsToMakeRobust), choice, maps);
  return maps;
}

}  // namespace

absl::StatusOr<Preparation> Prepare(const std::vector<Series>& series, const std::vector<std::size_t>& splits,
                                    const TrainOptions& options, ModelSpec& spec) {
  spec.cycle = options.cycle;
  Preparation best;
  if (options.find_cycle) {
    const auto period = ChooseCycle(series, splits, options.linear_contexts.front(), spec);
    if (!period.ok()) return period.status();
    spec.cycle = *period;
  }
  if (spec.cycle > 0) best.cycle = FitCycle(series, splits, spec, spec.cycle);
  auto data = PrepareSeries(series, splits, best.cycle, spec);
  if (!data.ok()) return data.status();
  best.data = *std::move(data);
  if (!options.linear_contexts.empty()) {
    best.choice = ChooseLinear(best.data, options.linear_contexts, spec);
    best.linear.emplace(best.choice, FitLinear(best, LinearRows::Part::kTraining, spec), spec);
  }
  return best;
}

void RefitLinear(Preparation& preparation, ModelSpec& spec) {
  if (!preparation.linear) return;
  preparation.linear.emplace(preparation.choice, FitLinear(preparation, LinearRows::Part::kAll, spec), spec);
}

void AddPaths(const ModelSpec& spec, const Preparation& preparation, const std::vector<float>& mixing,
              Tensors& tensors) {
  if (spec.cycle > 0) tensors["cycle.table"] = {{spec.cycle, spec.cycle_columns()}, preparation.cycle};
  if (!preparation.linear) return;
  tensors.merge(preparation.linear->tensors());
  Tensor weights = {tensors.at("linear.bias").shape, mixing};
  tensors["mixing.network"] = std::move(weights);
}

}  // namespace tidegate
