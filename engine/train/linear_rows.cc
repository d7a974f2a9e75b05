#include "engine/train/linear_rows.h"

#include <algorithm>
#include <cmath>

#include "engine/tensor/gemm.h"
#include "engine/train/row_block.h"

namespace tidegate {
namespace {

constexpr std::size_t kRowsTogether = 1024;
constexpr std::size_t kMostBlocks = 4;

float Level(const PreparedSeries& series, std::size_t t, std::size_t target) {
  return series.inputs.row(t)[target];
}

// Levels of a series with those that are missing or not scored on the line between the ones around them;
// after the last as it. Empty: none is missing from the first known one on.
std::vector<float> Bridged(const PreparedSeries& series, std::size_t begin, std::size_t target) {
  const auto missing = [](float value) { return std::isnan(value); };
  const auto first = series.values.begin() + static_cast<std::ptrdiff_t>(begin);
  if (std::none_of(first, series.values.end(), missing)) return {};
  std::vector<float> levels(series.size());
  for (std::size_t t = 0; t < levels.size(); ++t) levels[t] = Level(series, t, target);
  std::size_t last = begin;  // known
  for (std::size_t t = begin + 1; t < levels.size(); ++t) {
    if (missing(series.values[t])) {
      levels[t] = levels[last];
      continue;
    }
    const float slope = (levels[t] - levels[last]) / static_cast<float>(t - last);
    for (std::size_t i = last + 1; i < t; ++i) levels[i] += slope * static_cast<float>(i - last);
    last = t;
  }
  return levels;
}

}  // namespace

std::size_t ChannelAt(const PreparedSeries& series, std::size_t row, const ModelSpec& spec) {
  return spec.channels == 0 ? 0 : spec.ChannelOf(series.inputs.row(row)[series.inputs.cols - 1]);
}

void FillContext(const PreparedSeries& series, std::size_t t, std::size_t target, std::size_t context,
                 float* x) {
  const float last = Level(series, t, target);
  for (std::size_t i = 0; i < context; ++i) {
    const std::size_t back = context - 1 - i;
    x[i] = Level(series, t > back ? t - back : 0, target) - last;
  }
}

std::size_t LinearRows::BlocksOf(std::size_t rows, std::size_t horizon) {
  return std::clamp<std::size_t>(rows / (2 * horizon + 1), 2, kMostBlocks);
}

void ForecastRows(const Matrix& map, const Matrix& x, Matrix& y) {
  y.Resize(x.rows, map.rows);
  Gemm(Transpose::kNo, Transpose::kYes, x.rows, map.rows, map.cols, x.data(), map.data(), y.data(), false);
}

LinearRows::LinearRows(const std::vector<PreparedSeries>& data, const ModelSpec& spec, std::size_t context,
                       std::size_t most, Part part, bool per_channel)
    : data_(data),
      context_(context),
      horizon_(spec.horizon),
      target_(spec.target),
      part_(part),
      maps_(per_channel ? std::max<std::size_t>(spec.channels, 1) : 1) {
  std::size_t all = 0, longest = 0;
  for (const PreparedSeries& series : data) {
    all += series.size();
    longest = std::max(longest, series.size());
    map_of_.push_back(per_channel ? ChannelAt(series, 0, spec) : 0);
    begin_.push_back(FirstKnown(series.values));
    bridged_.push_back(Bridged(series, begin_.back(), target_));
  }
  const bool in_blocks = part == Part::kBlocks || part == Part::kTrainingBlocks;
  blocks_ = in_blocks ? BlocksOf(longest, horizon_) : 1;
  stride_ = 1 + all / most;
}

void LinearRows::ForEach(std::size_t block, const std::vector<std::size_t>& steps, const Each& each) const {
  Matrix x, y;
  for (std::size_t s = 0; s < data_.size(); ++s) {
    const PreparedSeries& series = data_[s];
    const bool training = part_ == Part::kTraining || part_ == Part::kTrainingBlocks;
    const std::size_t n = training ? series.split : series.size();
    if (begin_[s] >= n) continue;
    const RowBlock part{.number = block, .of = blocks_, .context = context_};
    const std::size_t end_of_block = part.End(begin_[s], n);
    const std::size_t end = end_of_block > horizon_ ? end_of_block - horizon_ : 0;
    for (std::size_t t = part.Begin(begin_[s], n); t < end;) {
      const std::size_t count = std::min(kRowsTogether, (end - t + stride_ - 1) / stride_);
      x.Resize(count, context_);
      y.Resize(count, steps.size());
      for (std::size_t r = 0; r < count; ++r, t += stride_) {
        FillContext(series, t, target_, context_, x.row(r));
        x.row(r)[context_ - 1] = 1;
        for (std::size_t i = 0; i < steps.size(); ++i) {
          const std::size_t row = t + 1 + steps[i];
          const float ahead = bridged_[s].empty() ? Level(series, row, target_) : bridged_[s][row];
          y.row(r)[i] = ahead - Level(series, t, target_);
        }
      }
      each(map_of_[s], x, y);
    }
  }
}

}  // namespace tidegate
