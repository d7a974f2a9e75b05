#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace tidegate {

// Compares forecasts with the readings that came later, and with persistence: "the last value stays". The
// interval of a forecast lies between its lowest and its highest quantile, its point is the middle one.
// Remembers as many forecasts per stream as the horizon is long. Not thread-safe.
class Accuracy {
 public:
  // Sums over forecasts of one step, in the target's unit.
  struct Step {
    std::size_t forecasts = 0;
    double error = 0;              // |point - actual|
    double persistence_error = 0;  // |last value - actual|
    double inside = 0;             // 1 for an actual value within the interval, see Observe
    double width = 0;              // of the interval

    void Add(const Step& other);
  };

  // One step of a forecast.
  struct Quantiles {
    float low, middle, high;
  };

  Accuracy(std::size_t streams, std::size_t horizon, std::size_t quantiles);

  // Scores every remembered forecast of `actual`, which stream `stream` read at `tick`; ignores NaN. Ticks
  // count the model's intervals and rise per stream. A value up to `reach` beyond an interval's end counts as
  // inside: half the sensor's resolution, as what it reads stands for all that rounds to it.
  void Observe(std::size_t stream, std::int64_t tick, float actual, float reach = 0);

  // Remembers a forecast [horizon, Q] made at `tick` with `last` as the last known value; ignores NaN.
  void Remember(std::size_t stream, std::int64_t tick, float last, std::span<const float> forecast);

  // What was forecast for `tick` so many `steps` before; null: nothing. Good until the stream's next
  // Remember.
  const Quantiles* Find(std::size_t stream, std::int64_t tick, std::size_t steps) const;

  std::span<const Step> steps() const { return steps_; }  // [horizon], step 1 first
  Step total() const;

 private:
  struct Forecast {
    std::int64_t tick;
    float last;
    std::vector<Quantiles> steps;  // [horizon]
  };

  std::size_t quantiles_;
  std::vector<Step> steps_;
  std::vector<std::deque<Forecast>> remembered_;  // per stream, oldest first
};

}  // namespace tidegate
