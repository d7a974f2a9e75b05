#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace tidegate {

struct ModelSpec;

// Intervals between two times, rounded to the nearest, half up; 0 if `later` is not later. 0: of one tick.
std::int64_t TicksBetween(const ModelSpec& spec, std::int64_t earlier_ns, std::int64_t later_ns);

// The readings of one stream that came before ones that are missing, as a view of its floats (StreamLayout):
// up to W = reorder_window entries, in order of time, no two of one tick, the first NaN after them:
//   time [3]    nanoseconds, 21 bits in each float, the highest first; NaN: no entry
//   values [F]  as they came
class HeldReadings {
 public:
  static constexpr std::size_t kTimeFloats = 3;
  static constexpr std::size_t Width(std::size_t features) { return kTimeFloats + features; }

  HeldReadings() = default;  // of a stream that never holds any

  // entries: the floats [W, Width(F)]; not read before a call that asks for them.
  HeldReadings(const ModelSpec& spec, const float* entries);

  bool empty() const { return window_ == 0 || std::isnan(entries_[0]); }
  std::size_t size() const;

  // Of entry i, 0 the oldest. Require i < size().
  std::int64_t timestamp_ns(std::size_t i) const;
  std::span<const float> values(std::size_t i) const { return {entry(i) + kTimeFloats, features_}; }

  // The entry that is of one tick with a time; the older one if there are two.
  std::optional<std::size_t> SameTick(std::int64_t timestamp_ns) const;

  // Whether the floats can be what the functions below make of them, in a stream whose last applied reading
  // is of last_ns.
  bool IsValid(std::int64_t last_ns) const;

 private:
  const float* entry(std::size_t i) const { return entries_ + i * Width(features_); }

  const ModelSpec* spec_ = nullptr;
  const float* entries_ = nullptr;
  std::size_t window_ = 0;
  std::size_t features_ = 0;
};

// Changes of the entries. InsertHeld requires fewer than W of them, none of the same tick, and
// timestamp_ns >= 0.
void InsertHeld(const ModelSpec& spec, float* entries, std::int64_t timestamp_ns,
                std::span<const float> values);
void RemoveOldestHeld(const ModelSpec& spec, float* entries);  // requires that there is one
void ClearHeld(const ModelSpec& spec, float* entries);

}  // namespace tidegate
