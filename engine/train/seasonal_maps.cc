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
  // sign times the level of the reading at the end of each of the last `count` periods, their mean.
  SeasonalMap& Ends(std::size_t period, std::size_t count, float sign) {
    for (std::size_t h = 0; h < map_.rows; ++h) {
      for (std::size_t k = 1; k <= count; ++k) Weigh(h, k * period, sign * Share(count));
    }
    return *this;
  }
  // sign times the mean over `length` readings that end `back` readings ago.
  SeasonalMap& Mean(std::size_t length, std::size_t back, float sign) {
    for (std::size_t h = 0; h < map_.rows; ++h) {
      for (std::size_t i = 0; i < length; ++i) Weigh(h, back + i, sign * Share(length));
    }
    return *this;
  }
  Matrix map() const { return map_; }

 private:
  static float Share(std::size_t count) { return 1 / static_cast<float>(count); }
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
    if (period <= context) maps.push_back(SeasonalMap(last_value).Mean(period, 0, 1).map());
    const std::size_t shortest = periods.front();
    for (const std::size_t count : kSeasons) {
      if (period * count > context) break;
      maps.push_back(SeasonalMap(last_value).Seasons(period, count).map());
      if (period * count + 1 > context) break;
      maps.push_back(SeasonalMap(last_value).Seasons(period, count).Ends(period, count, -1).map());
      if (period * count + shortest > context) break;
      SeasonalMap moved = SeasonalMap(last_value).Seasons(period, count).Mean(shortest, 0, 1);
      for (std::size_t k = 1; k <= count; ++k)
        moved.Mean(shortest, k * period, -1 / static_cast<float>(count));
      maps.push_back(moved.map());
    }
  }
  return maps;
}

}  // namespace tidegate
