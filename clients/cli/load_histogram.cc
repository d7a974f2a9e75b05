#include "clients/cli/load_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tidegate {
namespace {

constexpr int kBits = 7;  // of each power of two, 2^7 buckets
constexpr std::size_t kBuckets = (64 - kBits + 1) << kBits;

// Values below 2^8 have a bucket each; from there on the first 8 bits of a value and its length choose it.
std::size_t BucketOf(std::uint64_t value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kBits - 1);
  return (static_cast<std::size_t>(shift) << kBits) + static_cast<std::size_t>(value >> shift);
}

std::uint64_t HighestOf(std::size_t bucket) {
  if (bucket < (std::size_t{2} << kBits)) return bucket;
  const std::size_t shift = (bucket >> kBits) - 1;
  return ((static_cast<std::uint64_t>(bucket - (shift << kBits)) + 1) << shift) - 1;
}

}  // namespace

LoadHistogram::LoadHistogram() : buckets_(kBuckets, 0) {}

void LoadHistogram::Add(std::uint64_t nanoseconds) {
  ++buckets_[BucketOf(nanoseconds)];
  ++count_;
  max_ = std::max(max_, nanoseconds);
  sum_ += static_cast<double>(nanoseconds);
}

double LoadHistogram::mean_seconds() const {
  return count_ == 0 ? 0 : 1e-9 * sum_ / static_cast<double>(count_);
}

double LoadHistogram::Percentile(double percent) const {
  const double share = percent * static_cast<double>(count_) / 100;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share - 1e-6));  // 99.9 % of 1,000 are 999
  std::uint64_t below = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    below += buckets_[bucket];
    if (below > 0 && below >= wanted) return 1e-9 * static_cast<double>(std::min(max_, HighestOf(bucket)));
  }
  return max_seconds();
}

}  // namespace tidegate
