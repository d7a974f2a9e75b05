#include "engine/stream/calibration.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "engine/stream/layout.h"
#include "engine/stream/pinball.h"
#include "engine/tensor/nan.h"

namespace tidegate {
namespace {

constexpr float kMemory = 10'000;       // forecasts that a running mean looks back on
constexpr float kTrimReadings = 2'000;  // see calibration.h
constexpr float kMostTrim = 1.5f;
constexpr float kMostExcess = 0.01f;     // see calibration.h
constexpr std::size_t kMostLevels = 99;  // CheckSpec allows no more
constexpr std::size_t kCounts = sizeof(TrackedStep) / sizeof(float);

// Number of quantile q among those that are not the median.
std::size_t SideOf(const ModelSpec& spec, std::size_t q) {
  return q - (q > spec.quantiles.size() / 2 ? 1 : 0);
}

// What the widths of the outermost levels are multiplied with for what the interval owes. by: of a reading.
float Trim(const ModelSpec& spec, const TrackedStep& mean, float by) {
  const float share = spec.quantiles.back() - spec.quantiles.front();
  const float owed = (share - mean.coverage) * std::min(mean.scored, kTrimReadings);
  const float trim = std::clamp(by * owed, -kMostTrim, kMostTrim);
  return trim >= 0 ? 1 + trim : 1 / (1 - trim);
}

// The error of the reading before as the forecast; NaN: there was none.
float FollowNaive(const StreamLayout& layout, float target, float* kept) {
  const float error = std::abs(target - kept[layout.last_target]);
  kept[layout.last_target] = target;
  if (!std::isfinite(error)) return kNaN;
  float& mean = kept[layout.naive_error];
  float& count = kept[layout.naive_error + 1];
  count = std::min(count + 1, kMemory);
  mean += (error - mean) / count;
  return error;
}

// Levels that a biased stream has moved across each other: the outermost two stand, and what lies between
// them is moved in between. If the lower one has come above the higher they meet, at the median if it lies
// there.
void PutInOrder(std::span<float> row) {
  float& low = row.front();
  float& high = row.back();
  if (low > high) low = high = std::clamp(row[row.size() / 2], high, low);
  float before = low;
  for (float& value : row) before = value = std::clamp(value, before, high);
}

}  // namespace

float InnerShare(const ModelSpec& spec, std::size_t q) {
  return q < spec.quantiles.size() / 2 ? 1 - spec.quantiles[q] : spec.quantiles[q];
}

void StartCalibration(const Model& model, float* kept) {
  const StreamLayout& layout = model.layout();
  const ModelSpec& spec = model.spec();
  kept[layout.residual_size] = model.residuals().mean();
  kept[layout.naive_error] = kept[layout.naive_error + 1] = 0;
  for (std::size_t k = 0; k < layout.steps.size(); ++k) {
    float* const tracked = kept + layout.tracked + k * layout.tracked_width;
    std::fill_n(tracked, kCounts, 0.0f);
    for (std::size_t q = 0; q < spec.quantiles.size(); ++q) {
      if (q != spec.quantiles.size() / 2) tracked[kCounts + SideOf(spec, q)] = InnerShare(spec, q);
    }
  }
  std::fill_n(kept + layout.bias, layout.biases, 0.0f);
}

void ForgetForecasts(const Model& model, float* rings) {
  std::fill_n(rings, model.layout().held - model.layout().kept, kNaN);
}

void ScoreReading(const Model& model, std::uint32_t step, float target, float* kept, const float* rings,
                  std::span<ScoreTotals> totals) {
  if (std::isnan(target)) return;
  const StreamLayout& layout = model.layout();
  const ModelSpec& spec = model.spec();
  const std::size_t levels = spec.quantiles.size(), middle = levels / 2;
  // The channel's number stands behind the values.
  const float half = spec.TargetOf(kept[layout.last_values + spec.features.size() - 1]).resolution / 2;
  const float naive = FollowNaive(layout, target, kept);
  const double per_level = 1.0 / static_cast<double>(levels);
  const float most = spec.quantiles.back() - spec.quantiles.front() + kMostExcess;
  for (std::size_t k = 0; k < layout.steps.size(); ++k) {
    const float* const forecast = rings + layout.rings[k] + layout.RingRow(k, step) * levels;
    const float error = std::abs(target - forecast[middle]);
    const float width = forecast[levels - 1] - forecast[0];
    if (!std::isfinite(error) || !std::isfinite(width)) continue;  // none was made, or beyond all numbers

    float* const tracked = kept + layout.tracked + k * layout.tracked_width;
    TrackedStep mean;
    std::memcpy(&mean, tracked, sizeof mean);
    const auto pinball = static_cast<float>(Pinball(target, spec.quantiles, forecast) * per_level);
    const float covered = target >= forecast[0] - half && target <= forecast[levels - 1] + half ? 1 : 0;
    mean.scored = std::min(mean.scored + 1, kMemory);
    const float weight = 1 / mean.scored;
    mean.mae += weight * (error - mean.mae);
    mean.pinball += weight * (pinball - mean.pinball);
    mean.coverage += (covered - mean.coverage) / std::min(mean.scored, kTrimReadings);
    mean.width += weight * (width - mean.width);
    std::memcpy(tracked, &mean, sizeof mean);
    for (std::size_t q = 0; q < levels; ++q) {
      if (q == middle) continue;
      const float reach = forecast[q] == forecast[middle] && mean.coverage <= most ? 0 : half;
      const bool hit = q < middle ? target >= forecast[q] - reach : target <= forecast[q] + reach;
      if (hit && width == 0) continue;  // it can become no narrower: levels would move across the median
      float& position = tracked[kCounts + SideOf(spec, q)];
      position += layout.rates[k] * (InnerShare(spec, q) - (hit ? 1.0f : 0.0f));
      position = std::clamp(position, CalibrationTable::kLeastPosition, CalibrationTable::kMostPosition);
    }
    if (totals.empty()) continue;
    totals[k].scored += 1;
    totals[k].absolute_error += error;
    totals[k].naive_error += std::isnan(naive) ? 0 : naive;
    totals[k].pinball += pinball;
    totals[k].width += width;
    totals[k].covered += covered;
  }
}

void CalibrateForecast(const Model& model, const float* kept, std::span<float> forecast) {
  const StreamLayout& layout = model.layout();
  const ModelSpec& spec = model.spec();
  const std::size_t levels = spec.quantiles.size(), middle = levels / 2;
  if (levels == 1) return;
  const auto ratio = [&](std::size_t k, std::size_t q) {
    if (q == middle) return 0.0f;  // of no width
    const float* const tracked = kept + layout.tracked + k * layout.tracked_width;
    const std::size_t side = SideOf(spec, q);
    const float own =
        model.calibration().Ratio(k * (levels - 1) + side, tracked[kCounts + side], InnerShare(spec, q));
    if (q != 0 && q != levels - 1) return own;
    TrackedStep mean;
    std::memcpy(&mean, tracked, sizeof mean);
    return own + std::abs(own) *
                     (Trim(spec, mean, layout.trims[k]) - 1);  // wider also where it lies across the median
  };
  std::array<float, kMostLevels> width, slope;
  for (std::size_t q = 0; q < levels; ++q) width[q] = ratio(0, q);
  std::size_t h = 0;
  for (std::size_t k = 0; k < layout.steps.size(); ++k) {  // from the scored step k to the next
    const bool last = k + 1 == layout.steps.size();
    const std::size_t end = last ? spec.horizon : layout.steps[k + 1] - 1;
    const float distance = last ? 1 : static_cast<float>(layout.steps[k + 1] - layout.steps[k]);
    for (std::size_t q = 0; q < levels; ++q) slope[q] = last ? 0 : (ratio(k + 1, q) - width[q]) / distance;
    for (; h < end; ++h) {
      float* const row = forecast.data() + h * levels;
      const float median = row[middle];
      bool ordered = true;
      for (std::size_t q = 0; q < levels; ++q) {
        row[q] = median + width[q] * (row[q] - median);
        width[q] += slope[q];
        ordered &= q == 0 || row[q - 1] <= row[q];
      }
      if (!ordered) PutInOrder({row, levels});
    }
  }
}

void RememberForecast(const Model& model, std::uint32_t step, std::span<const float> forecast, float* rings) {
  const StreamLayout& layout = model.layout();
  const std::size_t levels = model.spec().quantiles.size();
  for (std::size_t k = 0; k < layout.steps.size(); ++k) {
    const std::size_t ahead = layout.steps[k];
    std::copy_n(forecast.data() + (ahead - 1) * levels, levels,
                rings + layout.rings[k] + layout.RingRow(k, step) * levels);
  }
}

bool IsCalibration(const Model& model, const float* kept) {
  const StreamLayout& layout = model.layout();
  const auto usual = [](float v) { return std::isfinite(v) && v >= 0; };
  if (!usual(kept[layout.residual_size]) && !model.residuals().quantiles().empty()) return false;
  if (!usual(kept[layout.naive_error]) || !usual(kept[layout.naive_error + 1])) return false;
  for (std::size_t k = 0; k < layout.steps.size(); ++k) {
    const float* const tracked = kept + layout.tracked + k * layout.tracked_width;
    if (!std::all_of(tracked, tracked + kCounts, usual)) return false;
    const auto position = [](float p) {
      return p >= CalibrationTable::kLeastPosition && p <= CalibrationTable::kMostPosition;
    };
    if (!std::all_of(tracked + kCounts, tracked + layout.tracked_width, position)) return false;
  }
  const auto finite = [](float v) { return std::isfinite(v); };
  return std::all_of(kept + layout.bias, kept + layout.bias + layout.biases, finite);
}

}  // namespace tidegate
