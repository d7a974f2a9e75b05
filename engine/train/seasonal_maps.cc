#include "engine/train/seasonal_maps.h"

#include <algorithm>

namespace tidegate {
namespace {

constexpr std::size_t kSeasons[] = {1, 2, 4, 7, 14};

class SeasonalMap {
 public:
  SeasonalMap(std::size_t context, std::size_t horizon) : map_(horizon, context) {}

  // At each step: the mean over the last `count` periods at the step's place in them.
  SeasonalMap& Seasons(std::size_t period, std::size_t count) {
    for (std::size_t h = 0; h < map_.rows; ++h) {
      const std::size_t next = (h / period + 1) * period - (h + 1);  // readings from there to now
      for (std::size_t k = 0; k < count; ++k) Weigh(h, next + k * period, Share(count));
    }
    return *this;
  }
  // The mean over the last `length` readings.
  SeasonalMap& Mean(std::size_t length) {
    for (std::size_t i = 0; i < length; ++i) Weigh(i, Share(length));
    return *this;
  }
  // Less the mean over the `length` readings that ended 1 to `count` periods ago.
  SeasonalMap& LessMeans(std::size_t length, std::size_t period, std::size_t count) {
    for (std::size_t k = 1; k <= count; ++k) {
      for (std::size_t i = 0; i < length; ++i) Weigh(k * period + i, -Share(length) * Share(count));
    }
    return *this;
  }
  Matrix map() const { return map_; }

 private:
  static float Share(std::size_t count) { return 1 / static_cast<float>(count); }
  void Weigh(std::size_t back, float weight) {  // at all steps
    for (std::size_t h = 0; h < map_.rows; ++h) Weigh(h, back, weight);
  }
  void Weigh(std::size_t h, std::size_t back, float weight) {
    if (back > 0) map_.row(h)[map_.cols - 1 - back] += weight;  // the last level is what others are less
  }

  Matrix map_;
};

}  // namespace

std::vector<Matrix> SeasonalMaps(std::size_t context, std::size_t horizon,
                                 const std::vector<std::size_t>& periods) {
  const SeasonalMap last_value(context, horizon);
  std::vector<Matrix> maps = {last_value.map()};
  for (const std::size_t period : periods) {
    if (period <= context) maps.push_back(SeasonalMap(last_value).Mean(period).map());
    const std::size_t shortest = periods.front();
    for (const std::size_t count : kSeasons) {
      if (period * count > context) break;
      maps.push_back(SeasonalMap(last_value).Seasons(period, count).map());
      if (period * count + 1 > context) break;
      maps.push_back(SeasonalMap(last_value).Seasons(period, count).LessMeans(1, period, count).map());
      if (period * count + shortest > context) break;
      maps.push_back(SeasonalMap(last_value)
                         .Seasons(period, count)
                         .Mean(shortest)
                         .LessMeans(shortest, period, count)
                         .map());
    }
  }
  return maps;
}

}  // namespace tidegate
