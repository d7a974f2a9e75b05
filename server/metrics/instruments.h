#pragma once

#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>

namespace tidegate {

// Counters that one thread writes and any thread reads: plain loads and stores instead of locks or locked
// instructions, about a nanosecond an update. A reader may see an update late, never half of a number.

// A number that only grows.
class Counter {
 public:
  void Add(std::uint64_t n) { value_.store(value() + n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// A sum of numbers that are none of them negative.
class Sum {
 public:
  void Add(double v) { value_.store(value() + v, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// A number that rises and falls.
class Gauge {
 public:
  void Set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// CPU time of one thread. Whoever asks reads the thread's clock, which costs the thread itself nothing.
class ThreadTime {
 public:
  // The calling thread's, from now on until it calls End.
  void Begin() {
    clockid_t clock{};
    if (pthread_getcpuclockid(pthread_self(), &clock) == 0) clock_.store(clock, std::memory_order_relaxed);
  }
  void End() {
    ended_.store(seconds(), std::memory_order_relaxed);
    clock_.store(kNone, std::memory_order_release);
  }
  double seconds() const {
    const clockid_t clock = clock_.load(std::memory_order_acquire);
    timespec time{};
    // A thread that has just ended has no clock any more.
    if (clock == kNone || clock_gettime(clock, &time) != 0) return ended_.load(std::memory_order_relaxed);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }

 private:
  static constexpr clockid_t kNone = CLOCK_REALTIME;  // no thread's
  std::atomic<clockid_t> clock_{kNone};
  std::atomic<double> ended_{0};
};

// How often values fell into each of some buckets, and their sum.
class Histogram {
 public:
  static constexpr std::size_t kMaxBounds = 24;

  // bounds: upper limits of the buckets, rising, each belonging to its bucket; at most kMaxBounds; must live
  // as long as the histogram. A last bucket without a limit is added.
  explicit Histogram(std::span<const double> bounds) : bounds_(bounds) {
    assert(bounds.size() <= kMaxBounds);
  }

  // weight: of how many like it the value is a sample.
  void Observe(double value, std::uint64_t weight = 1) {
    const auto bucket = static_cast<std::size_t>(std::ranges::lower_bound(bounds_, value) - bounds_.begin());
    counts_[bucket].Add(weight);
    sum_.store(sum() + value * static_cast<double>(weight), std::memory_order_relaxed);
  }

  std::span<const double> bounds() const { return bounds_; }
  std::uint64_t count(std::size_t bucket) const {
    return counts_[bucket].value();
  }  // bucket <= bounds().size()
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::span<const double> bounds_;
  std::array<Counter, kMaxBounds + 1> counts_;
  std::atomic<double> sum_{0};
};

}  // namespace tidegate
