#include "engine/train/preparation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/train/cycle.h"
#include "engine/train/linear_robust.h"
#include "engine/train/row_block.h"
#include "engine/train/stacking.h"

namespace tidegate {
namespace {

constexpr double kWorthACycle = 0.003;  // relative gain in both errors together
constexpr double kCyclePenalty = 1e-2;
constexpr std::size_t kRowsAWeight = 2;
constexpr std::size_t kRowsToCompare = 40'000, kRowsToChoose = 40'000, kRowsToFit = 400'000,
                      kRowsToMakeRobust = 100'000, kRowsToStack = 40'000, kRowsToStackEach = 1'000;
constexpr std::size_t kMostWeights = std::size_t{1} << 26;  // of all channels' stacked maps
constexpr std::size_t kMostSeasons = 4;
constexpr std::size_t kFewestOrigins = 32;  // of the longest series in a block

// Whether channels have enough of the rows that are looked at for linear maps of their own: a map of more
// weights than there are rows to each tells nothing, and its sums cost the square of its weights, for each
// channel.
bool EnoughForMaps(const std::vector<PreparedSeries>& data, const ModelSpec& spec, std::size_t context) {
  std::size_t rows = 0;
  for (const PreparedSeries& series : data) rows += series.split;
  return spec.channels > 0 && std::min(rows, kRowsToChoose) >= kRowsAWeight * context * spec.channels;
}

absl::Status Begin(const TrainHooks& hooks, const std::string& part) {
  if (!hooks.part || hooks.part(part)) return absl::OkStatus();
  return absl::CancelledError(absl::StrCat("stopped before the first epoch, at: ", part));
}

double Sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

// Of the periods those that are not about the same as a shorter one, the shortest few.
std::vector<std::size_t> SeasonsOf(const std::vector<std::size_t>& periods) {
  std::vector<std::size_t> seasons;
  for (const std::size_t period : periods) {
    if (seasons.size() == kMostSeasons) break;
    if (seasons.empty() || period > seasons.back() + seasons.back() / 20) seasons.push_back(period);
  }
  return seasons;
}

// The contexts, none longer than a third of all rows: more weights than that are not learnt by so few. None
// so long that a block of the longest series has not kFewestOrigins behind it and a horizon before its end,
// or nothing could be told by leaving it out. Empty: not even of one reading.
std::vector<std::size_t> ContextsFor(const std::vector<std::size_t>& contexts,
                                     const std::vector<Series>& series,
                                     const std::vector<std::size_t>& splits, std::size_t horizon) {
  const std::size_t rows = std::accumulate(splits.begin(), splits.end(), std::size_t{0});
  std::size_t longest = 0;
  for (const Series& one : series) longest = std::max(longest, one.size());
  const std::size_t blocks = LinearRows::BlocksOf(longest, horizon) * (horizon + kFewestOrigins);
  if (longest <= blocks) return {};
  std::vector<std::size_t> usable;
  for (const std::size_t context : contexts) {
    const std::size_t most = std::min({std::max<std::size_t>(rows / 3, 1), longest - blocks, context});
    if (std::ranges::find(usable, most) == usable.end()) usable.push_back(most);
  }
  return usable;
}

// The longest of the contexts that half of the rows of a series hold and that are at most `most`, what tells
// the regression something; 0: none, or the maps of the channels would be too large.
std::size_t StackedContext(const std::vector<PreparedSeries>& data, const std::vector<std::size_t>& contexts,
                           std::size_t most, const ModelSpec& spec) {
  std::size_t rows = 0, longest = 0;
  for (const PreparedSeries& series : data) rows += series.size();
  for (const std::size_t context : contexts) {
    if (context <= most && 2 * context * data.size() <= rows) longest = std::max(longest, context);
  }
  return std::max<std::size_t>(spec.channels, 1) * spec.horizon * longest <= kMostWeights ? longest : 0;
}

// Rows for the weights of each channel, which are few.
LinearRows RowsToStack(const std::vector<PreparedSeries>& data, std::size_t context, LinearRows::Part part,
                       const ModelSpec& spec) {
  const std::size_t most = std::min(kRowsToStack, kRowsToStackEach * std::max<std::size_t>(spec.channels, 1));
  return {data, spec, context, most, part, spec.channels > 0};
}

// FirstKnown of the target as PreparedSeries has it.
std::size_t FirstKnownRow(const Series& series, std::size_t target) {
  std::size_t row = 0;
  while (row < series.size() &&
         (!series.scored[row] || std::isnan(series.values[row * series.features + target])))
    ++row;
  return row;
}

// What a cycle is judged by: on each block of rows but the first what the best share of stacked maps errs
// (StackedErrors) when the block is left out of their fits. The cycle is that of the rows before the block,
// as it would have been then.
struct CycleErrors {
  std::vector<double> errors;
  std::vector<double> rows;  // before the block, of all series
};

// Whether they are less than those of another cycle, or none: by kWorthACycle in the mean, and by more than
// its standard error. A cycle of few rows is a noisy one, so a block counts by the rows that its cycle is
// made of: what is served is made of all. One error is enough, as a period that is none costs in every block.
bool Pays(const CycleErrors& with, const CycleErrors& without) {
  double rows = 0, squares_of_rows = 0, sum = 0, squares = 0;
  for (std::size_t b = 0; b < with.errors.size(); ++b) {
    const double gain = without.errors[b] - with.errors[b], weight = with.rows[b];
    rows += weight;
    squares_of_rows += weight * weight;
    sum += weight * gain;
    squares += weight * gain * gain;
  }
  const double mean = sum / rows, blocks = rows * rows / squares_of_rows;  // that count in effect
  if (blocks <= 1) return mean > kWorthACycle;
  const double error = std::sqrt(std::max(squares / rows - mean * mean, 0.0) / (blocks - 1));
  return mean > std::max(kWorthACycle, error);
}

// Behind a cycle of `period` readings, 0 for none.
absl::StatusOr<CycleErrors> ErrorsWithCycle(const std::vector<Series>& series,
                                            const std::vector<std::size_t>& splits, std::size_t context,
                                            const std::vector<std::size_t>& seasons, std::size_t period,
                                            ModelSpec spec) {
  spec.cycle = period;
  std::size_t longest = 0;
  for (const Series& one : series) longest = std::max(longest, one.size());
  const std::size_t blocks = LinearRows::BlocksOf(longest, spec.horizon);
  std::vector<std::vector<double>> errors;  // [blocks][shares]
  CycleErrors best;
  for (std::size_t left = 1; left < blocks; ++left) {
    std::vector<std::size_t> before;
    before.reserve(series.size());
    for (const Series& one : series) {
      before.push_back(RowBlock{.number = left, .of = blocks, .context = context}.Begin(
          FirstKnownRow(one, spec.target), one.size()));
    }
    best.rows.push_back(static_cast<double>(std::accumulate(before.begin(), before.end(), std::size_t{0})));
    const auto data = PrepareSeries(
        series, splits, period > 0 ? FitCycle(series, before, spec, period) : std::vector<float>(), spec);
    if (!data.ok()) return data.status();
    const auto blocks_of_all = LinearRows::Part::kBlocks;
    const LinearSums sums(LinearRows(*data, spec, context, kRowsToCompare, blocks_of_all, false));
    LinearChoice choice(spec.horizon, {.context = context, .penalty = kCyclePenalty});
    choice.stacked_context = StackedContext(*data, {context}, context, spec);
    errors.push_back(
        StackedErrors(RowsToStack(*data, context, blocks_of_all, spec), sums, seasons, choice, left));
  }
  std::vector<double> of_share;
  for (std::size_t share = 0; share < errors[0].size(); ++share) {
    of_share.clear();
    for (const std::vector<double>& block : errors) of_share.push_back(block[share]);
    if (best.errors.empty() || Sum(of_share) < Sum(best.errors)) best.errors = of_share;
  }
  return best;
}

absl::StatusOr<std::size_t> ChooseCycle(const std::vector<Series>& series,
                                        const std::vector<std::size_t>& splits, std::size_t context,
                                        const std::vector<std::size_t>& periods, const TrainHooks& hooks,
                                        const ModelSpec& spec) {
  const std::vector<std::size_t> seasons = SeasonsOf(periods);
  std::vector<std::size_t> candidates = {0};
  candidates.insert(candidates.end(), periods.begin(), periods.end());
  std::size_t best = 0;
  CycleErrors least;
  for (const std::size_t period : candidates) {
    const std::string part =
        period == 0 ? "forecasts without a cycle" : absl::StrCat("a cycle of ", period, " readings");
    if (auto s = Begin(hooks, part); !s.ok()) return s;
    auto errors = ErrorsWithCycle(series, splits, context, seasons, period, spec);
    if (!errors.ok()) return errors.status();
    if (period > 0 && !Pays(*errors, least)) continue;
    least = *std::move(errors);
    best = period;
  }
  return best;
}

// Sets the choice.
absl::Status ChooseLinear(const std::vector<std::size_t>& contexts, const TrainHooks& hooks,
                          const ModelSpec& spec, Preparation& preparation) {
  if (auto s = Begin(hooks, "the linear path's contexts"); !s.ok()) return s;
  const std::vector<PreparedSeries>& data = preparation.data;
  LinearChoice& choice = preparation.choice;
  const std::size_t longest = *std::ranges::max_element(contexts);
  const auto rows = [&](std::size_t context, bool per_channel) {
    return LinearRows(data, spec, context, kRowsToChoose, LinearRows::Part::kBlocks, per_channel);
  };
  choice = LinearSums(rows(longest, EnoughForMaps(data, spec, longest))).Choose(contexts);
  if (auto s = Begin(hooks, "what large errors count in the linear path"); !s.ok()) return s;
  const LinearRows told_apart = rows(choice.context(), choice.per_channel());
  ChooseRobust(told_apart, LinearSums(told_apart), choice);
  choice.stacked_context = StackedContext(data, contexts, choice.context(), spec);
  if (choice.stacked_context == 0) return absl::OkStatus();
  if (auto s = Begin(hooks, "maps of seasons beside the linear path"); !s.ok()) return s;
  ChooseStacked(RowsToStack(data, choice.context(), LinearRows::Part::kBlocks, spec),
                LinearSums(rows(choice.context(), choice.per_channel())), preparation.periods, choice);
  if (!choice.stacked()) choice.stacked_context = 0;
  return absl::OkStatus();
}

std::vector<Matrix> FitLinear(const Preparation& preparation, bool all, const ModelSpec& spec) {
  using Part = LinearRows::Part;
  const LinearChoice& choice = preparation.choice;
  const auto rows = [&](std::size_t most, Part part, bool per_channel) {
    return LinearRows(preparation.data, spec, choice.context(), most, part, per_channel);
  };
  const Part part = all ? Part::kAll : Part::kTraining;
  std::vector<Matrix> maps =
      LinearSums(rows(kRowsToFit, part, choice.per_channel())).Solve(choice, choice.steps());
  MakeRobust(rows(kRowsToMakeRobust, part, choice.per_channel()), choice, choice.steps(), maps);
  if (!choice.stacked()) return maps;
  const Part blocks = all ? Part::kBlocks : Part::kTrainingBlocks;
  return Stacked(RowsToStack(preparation.data, choice.context(), blocks, spec),
                 LinearSums(rows(kRowsToChoose, blocks, choice.per_channel())), preparation.periods, choice,
                 std::move(maps));
}

}  // namespace

absl::StatusOr<Preparation> Prepare(const std::vector<Series>& series, const std::vector<std::size_t>& splits,
                                    const TrainOptions& options, const TrainHooks& hooks, ModelSpec& spec) {
  spec.cycle = options.cycle;
  Preparation best;
  std::vector<std::size_t> periods;  // only a linear path asks
  const std::vector<std::size_t> contexts =
      ContextsFor(options.linear_contexts, series, splits, spec.horizon);
  if (auto s = Begin(hooks, "the readings"); !s.ok()) return s;
  if (!contexts.empty()) periods = CandidatePeriods(series, splits, spec);
  best.periods = SeasonsOf(periods);
  if (options.find_cycle && !contexts.empty()) {
    const auto period = ChooseCycle(series, splits, contexts.front(), periods, hooks, spec);
    if (!period.ok()) return period.status();
    spec.cycle = *period;
  }
  if (spec.cycle > 0) best.cycle = FitCycle(series, splits, spec, spec.cycle);
  if (options.adapt) spec.bias_period = spec.cycle;
  auto data = PrepareSeries(series, splits, best.cycle, spec);
  if (!data.ok()) return data.status();
  best.data = *std::move(data);
  if (!contexts.empty()) {
    if (auto s = ChooseLinear(contexts, hooks, spec, best); !s.ok()) return s;
    if (auto s = Begin(hooks, "the linear path"); !s.ok()) return s;
    best.linear.emplace(best.choice, FitLinear(best, /*all=*/false, spec), spec);
  }
  return best;
}

void RefitLinear(Preparation& preparation, ModelSpec& spec) {
  if (!preparation.linear) return;
  preparation.linear.emplace(preparation.choice, FitLinear(preparation, /*all=*/true, spec), spec);
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
