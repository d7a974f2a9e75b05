#include "engine/stream/held.h"

#include <algorithm>
#include <cassert>

#include "engine/model/spec.h"
#include "engine/tensor/nan.h"

namespace tidegate {
namespace {

constexpr int kPieceBits = 21;  // a float holds 24 exactly, and three times 21 are all of a time from 1970 on
constexpr std::int64_t kPiece = std::int64_t{1} << kPieceBits;

bool IsPiece(float v) { return v >= 0 && v < static_cast<float>(kPiece) && v == std::floor(v); }

}  // namespace

std::int64_t TicksBetween(const ModelSpec& spec, std::int64_t earlier_ns, std::int64_t later_ns) {
  const std::int64_t elapsed = later_ns - earlier_ns;
  if (elapsed == spec.interval_ns) return 1;  // most often, and to divide is slow
  // Written so that it cannot overflow.
  const std::int64_t half = spec.interval_ns / 2 + spec.interval_ns % 2;
  return elapsed < 0 ? 0 : elapsed / spec.interval_ns + (elapsed % spec.interval_ns >= half ? 1 : 0);
}

HeldReadings::HeldReadings(const ModelSpec& spec, const float* entries)
    : spec_(&spec), entries_(entries), window_(spec.reorder_window), features_(spec.features.size()) {}

std::size_t HeldReadings::size() const {
  std::size_t n = 0;
  while (n < window_ && !std::isnan(*entry(n))) ++n;
  return n;
}

std::int64_t HeldReadings::timestamp_ns(std::size_t i) const {
  std::int64_t time = 0;
  for (std::size_t k = 0; k < kTimeFloats; ++k)
    time = time << kPieceBits | static_cast<std::int64_t>(entry(i)[k]);
  return time;
}

std::optional<std::size_t> HeldReadings::SameTick(std::int64_t time) const {
  const std::size_t n = size();
  for (std::size_t i = 0; i < n; ++i) {
    const auto [earlier, later] = std::minmax({time, timestamp_ns(i)});
    if (TicksBetween(*spec_, earlier, later) == 0) return i;
  }
  return std::nullopt;
}

bool HeldReadings::IsValid(std::int64_t last_ns) const {
  const std::size_t n = size();
  for (std::size_t i = 0; i < n; ++i) {
    if (!std::all_of(entry(i), entry(i) + kTimeFloats, IsPiece)) return false;
    const std::int64_t before = i == 0 ? last_ns : timestamp_ns(i - 1);
    if (TicksBetween(*spec_, before, timestamp_ns(i)) == 0) return false;
  }
  for (std::size_t i = n; i < window_; ++i) {
    if (!std::isnan(*entry(i))) return false;
  }
  return true;
}

void InsertHeld(const ModelSpec& spec, float* entries, std::int64_t timestamp_ns,
                std::span<const float> values) {
  const HeldReadings held(spec, entries);
  const std::size_t n = held.size(), width = HeldReadings::Width(spec.features.size());
  assert(n < spec.reorder_window && timestamp_ns >= 0);
  std::size_t i = n;
  while (i > 0 && held.timestamp_ns(i - 1) > timestamp_ns) --i;
  float* const added = entries + i * width;
  std::copy_backward(added, entries + n * width, entries + (n + 1) * width);
  for (std::size_t k = 0; k < HeldReadings::kTimeFloats; ++k) {
    const int below = kPieceBits * static_cast<int>(HeldReadings::kTimeFloats - 1 - k);
    added[k] = static_cast<float>((timestamp_ns >> below) % kPiece);
  }
  std::copy(values.begin(), values.end(), added + HeldReadings::kTimeFloats);
}

void RemoveOldestHeld(const ModelSpec& spec, float* entries) {
  const std::size_t n = HeldReadings(spec, entries).size(), width = HeldReadings::Width(spec.features.size());
  assert(n > 0);
  std::copy(entries + width, entries + n * width, entries);
  std::fill_n(entries + (n - 1) * width, width, kNaN);
}

void ClearHeld(const ModelSpec& spec, float* entries) {
  std::fill_n(entries, spec.reorder_window * HeldReadings::Width(spec.features.size()), kNaN);
}

}  // namespace tidegate
