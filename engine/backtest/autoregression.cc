#include "engine/backtest/autoregression.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/tensor/gemm.h"
#include "engine/train/ridge.h"
#include "engine/train/spread_rows.h"

namespace tidegate {
namespace {

constexpr std::size_t kContexts[] = {336, 96, 24, 6};
constexpr double kPenalties[] = {1e-4, 1e-3, 1e-2, 1e-1, 1};
constexpr std::size_t kMostOrigins = 60'000, kChunk = 2'048;

// The inputs at row t [context], oldest first; in place of the last value, which is 0, the constant.
// False: there are not as many known values.
bool FillInputs(const Target& target, std::size_t t, std::span<float> inputs) {
  if (t + 1 < inputs.size() || std::isnan(target.known[t + 1 - inputs.size()])) return false;
  const float* const first = &target.known[t + 1 - inputs.size()];
  const auto unit = static_cast<float>(1 / target.deviation);
  for (std::size_t i = 0; i + 1 < inputs.size(); ++i) inputs[i] = (first[i] - target.known[t]) * unit;
  inputs.back() = 1;
  return true;
}

// Adds the rows of a target whose share of the rows before the test part is in [begin, end).
void AddRows(const Target& target, double begin, double end, std::size_t stride, RidgeSums& sums) {
  const std::size_t horizon = sums.outputs();
  const auto place = [&](double share) {
    return static_cast<std::size_t>(share * static_cast<double>(target.from));
  };
  Matrix x(kChunk, sums.inputs()), y(kChunk, horizon);
  std::size_t rows = 0;
  const auto flush = [&] {
    x.Resize(rows, x.cols);
    y.Resize(rows, y.cols);
    if (rows > 0) sums.Add(x, y);
    x.Resize(kChunk, x.cols);
    y.Resize(kChunk, y.cols);
    rows = 0;
  };
  const auto unit = static_cast<float>(1 / target.deviation);
  const std::size_t last = target.from > horizon ? target.from - horizon : 0;
  const SpreadRows origins(place(begin), std::min(place(end), last), stride);
  for (std::size_t k = 0; k < origins.size(); ++k) {
    const std::size_t t = origins[k];
    if (!FillInputs(target, t, std::span(x.row(rows), x.cols))) continue;
    for (std::size_t h = 0; h < horizon; ++h)
      y.row(rows)[h] = (target.known[t + 1 + h] - target.known[t]) * unit;
    if (++rows == kChunk) flush();
  }
  flush();
}

}  // namespace

std::optional<Autoregression> Autoregression::Fit(std::span<const Target> targets, std::size_t horizon) {
  std::size_t rows = 0, longest = 0;
  for (const Target& target : targets) {
    rows += target.from;
    longest = std::max(longest, target.from);
  }
  std::vector<std::size_t> contexts;
  for (const std::size_t context : kContexts) {
    if (longest >= 4 * context + horizon) contexts.push_back(context);
  }
  if (contexts.empty()) return std::nullopt;
  RidgeSums learnt(contexts[0], horizon), held_out(contexts[0], horizon);
  for (const Target& target : targets) {
    AddRows(target, 0, 0.8, 1 + rows / kMostOrigins, learnt);
    AddRows(target, 0.8, 1, 1 + rows / kMostOrigins, held_out);
  }
  if (learnt.rows() == 0 || held_out.rows() == 0) return std::nullopt;
  RidgeSums all = learnt;
  all.Add(held_out);
  std::vector<std::size_t> outputs(horizon);
  std::iota(outputs.begin(), outputs.end(), 0);
  double least = std::numeric_limits<double>::infinity();
  std::optional<Autoregression> best;
  for (const std::size_t context : contexts) {
    const RidgeSums part = learnt.Part(context, outputs), judge = held_out.Part(context, outputs);
    for (const double penalty : kPenalties) {
      const double error = judge.Error(part.Solve(penalty));
      if (error >= least) continue;
      least = error;
      best = Autoregression(Matrix(horizon, context), penalty);
    }
  }
  if (best) best->map_ = all.Part(best->context(), outputs).Solve(best->penalty_);
  return best;
}

void Autoregression::Forecast(std::span<const Origin> origins, Matrix& forecasts) {
  inputs_.Resize(origins.size(), map_.cols);
  forecasts.Resize(origins.size(), map_.rows);
  for (std::size_t i = 0; i < origins.size(); ++i) {
    const std::span<float> row(inputs_.row(i), inputs_.cols);
    if (!FillInputs(*origins[i].target, origins[i].row, row)) std::ranges::fill(row, 0.0f);
  }
  Gemm(Transpose::kNo, Transpose::kYes, origins.size(), map_.rows, map_.cols, inputs_.data(), map_.data(),
       forecasts.data(), false);
  for (std::size_t i = 0; i < origins.size(); ++i) {
    const auto [target, row] = origins[i];
    for (std::size_t h = 0; h < map_.rows; ++h) {
      float& forecast = forecasts.row(i)[h];
      forecast = target->known[row] + forecast * static_cast<float>(target->deviation);
    }
  }
}

}  // namespace tidegate
