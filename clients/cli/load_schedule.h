#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace tidegate {

// When the messages of an open loop are to be sent, whether or not those before have been answered: evenly
// spaced, or as a Poisson process (gaps of exponential length), which is how many independent sensors come
// together. The same for equal seeds. Not thread-safe.
class LoadSchedule {
 public:
  // messages_per_second > 0.
  LoadSchedule(double messages_per_second, bool poisson, std::uint64_t seed)
      : rate_(messages_per_second), poisson_(poisson), random_(seed), gap_(messages_per_second) {}

  // Time of the next message since the beginning. Evenly spaced, the first is at 0.
  std::chrono::nanoseconds Next();

 private:
  double rate_;
  bool poisson_;
  std::mt19937_64 random_;
  std::exponential_distribution<double> gap_;
  double seconds_ = 0;
  std::uint64_t sent_ = 0;
};

}  // namespace tidegate
