#pragma once

#include <cstdint>
#include <vector>

namespace tidegate {

// Counts of durations in buckets that are at most 1/128 of their value wide (log-linear, as in HdrHistogram),
// so that percentiles out to the rarest are right to 0.8 % however many values there are. Not thread-safe.
class LoadHistogram {
 public:
  LoadHistogram();

  void Add(std::uint64_t nanoseconds);

  std::uint64_t count() const { return count_; }
  double max_seconds() const { return 1e-9 * static_cast<double>(max_); }
  double mean_seconds() const;  // 0 if empty

  // The least value that `percent` (0 to 100) of all values do not exceed, rounded up within its bucket; 0 if
  // empty.
  double Percentile(double percent) const;

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace tidegate
