#include "clients/cli/accuracy.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace tidegate {

void Accuracy::Step::Add(const Step& other) {
  forecasts += other.forecasts;
  error += other.error;
  persistence_error += other.persistence_error;
  inside += other.inside;
  width += other.width;
}

Accuracy::Accuracy(std::size_t streams, std::size_t horizon, std::size_t quantiles)
    : quantiles_(quantiles), steps_(horizon), remembered_(streams) {}

void Accuracy::Observe(std::size_t stream, std::int64_t tick, float actual, float reach) {
  if (std::isnan(actual)) return;
  for (const Forecast& forecast : remembered_[stream]) {
    const std::int64_t ahead = tick - forecast.tick;
    if (ahead < 1 || ahead > static_cast<std::int64_t>(steps_.size())) continue;
    const auto [low, middle, high] = forecast.steps[static_cast<std::size_t>(ahead - 1)];
    steps_[static_cast<std::size_t>(ahead - 1)].Add(
        {.forecasts = 1,
         .error = std::abs(middle - actual),
         .persistence_error = std::abs(forecast.last - actual),
         .inside = low - reach <= actual && actual <= high + reach ? 1.0 : 0.0,
         .width = high - low});
  }
}

void Accuracy::Remember(std::size_t stream, std::int64_t tick, float last, std::span<const float> forecast) {
  assert(forecast.size() == steps_.size() * quantiles_);
  if (std::isnan(last) || std::isnan(forecast.front())) return;
  std::deque<Forecast>& remembered = remembered_[stream];
  const auto horizon = static_cast<std::int64_t>(steps_.size());
  while (!remembered.empty() && remembered.front().tick + horizon <= tick) remembered.pop_front();
  Forecast entry{tick, last, {}};
  for (const float* q = forecast.data(); q != forecast.data() + forecast.size(); q += quantiles_) {
    entry.steps.push_back({q[0], q[quantiles_ / 2], q[quantiles_ - 1]});
  }
  remembered.push_back(std::move(entry));
}

const Accuracy::Quantiles* Accuracy::Find(std::size_t stream, std::int64_t tick, std::size_t steps) const {
  const auto& remembered = remembered_[stream];
  const auto found = std::find_if(remembered.begin(), remembered.end(), [&](const Forecast& forecast) {
    return forecast.tick + static_cast<std::int64_t>(steps) == tick;
  });
  return found == remembered.end() ? nullptr : &found->steps[steps - 1];
}

Accuracy::Step Accuracy::total() const {
  Step sum;
  for (const Step& step : steps_) sum.Add(step);
  return sum;
}

}  // namespace tidegate
