#include "clients/cli/repairs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "clients/cli/table.h"

namespace tidegate {
namespace {

constexpr double kOddShare = 0.1;  // of intervals, from which on it is said

// The rows of `column`, `width` values each, in `order`.
template <typename Column>
void Reorder(const std::vector<std::size_t>& order, std::size_t width, Column& column) {
  if (column.empty()) return;
  Column ordered;
  ordered.reserve(order.size() * width);
  for (const std::size_t row : order) {
    for (std::size_t i = 0; i < width; ++i) ordered.push_back(std::move(column[row * width + i]));
  }
  column = std::move(ordered);
}

std::string Apart(std::int64_t ns) { return absl::FormatDuration(absl::Nanoseconds(ns)); }

}  // namespace

void Repairs::Add(const Repairs& other) {
  if (unsorted == 0) unsorted_line = other.unsorted_line;
  if (duplicates == 0) duplicate_line = other.duplicate_line;
  unsorted += other.unsorted;
  duplicates += other.duplicates;
}

std::string Repairs::Text() const {
  std::vector<std::string> parts;
  if (duplicates > 0) {
    parts.push_back(
        absl::StrCat(Grouped(duplicates), duplicates == 1 ? " duplicate time" : " duplicate times",
                     " (kept the first; line ", duplicate_line, duplicates == 1 ? ")" : " and on)"));
  }
  if (unsorted > 0) {
    parts.push_back(absl::StrCat(Grouped(unsorted), unsorted == 1 ? " reading" : " readings",
                                 " out of order (sorted; line ", unsorted_line,
                                 unsorted == 1 ? ")" : " and on)"));
  }
  return parts.empty() ? "" : absl::StrCat("repaired: ", absl::StrJoin(parts, ", "), ".");
}

Repairs RepairTimes(StreamReadings& stream, std::size_t features) {
  Repairs repairs;
  std::int64_t latest = std::numeric_limits<std::int64_t>::min();
  bool rising = true;
  for (std::size_t i = 0; i < stream.size(); ++i) {
    const std::int64_t time = stream.timestamp_ns[i];
    if (time < latest && repairs.unsorted++ == 0) repairs.unsorted_line = stream.line[i];
    rising = rising && time > latest;
    latest = std::max(latest, time);
  }
  if (rising) return repairs;
  std::vector<std::size_t> order(stream.size());
  std::iota(order.begin(), order.end(), 0);
  const auto time_of = [&stream](std::size_t row) { return stream.timestamp_ns[row]; };
  std::ranges::stable_sort(order, {}, time_of);
  const auto kept = std::unique(order.begin(), order.end(), [&](std::size_t first, std::size_t again) {
    if (time_of(first) != time_of(again)) return false;
    const std::size_t line = stream.line[again];
    repairs.duplicate_line = repairs.duplicates++ == 0 ? line : std::min(repairs.duplicate_line, line);
    return true;
  });
  order.erase(kept, order.end());
  Reorder(order, features, stream.values);
  Reorder(order, 1, stream.timestamp_ns);
  Reorder(order, 1, stream.label);
  Reorder(order, 1, stream.line);
  return repairs;
}

std::vector<std::string> OddNotes(const Readings& readings) {
  std::vector<std::string> notes;
  std::size_t intervals = 0, others = 0;
  std::int64_t least = std::numeric_limits<std::int64_t>::max(), most = 0;
  const std::size_t features = readings.features.size();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> low(features, kInfinity), high(features, -kInfinity);
  for (const StreamReadings& stream : readings.streams) {
    for (std::size_t i = 1; i < stream.size(); ++i) {
      const std::int64_t apart = stream.timestamp_ns[i] - stream.timestamp_ns[i - 1];
      ++intervals;
      others += 2 * apart < readings.interval_ns || 2 * apart >= 3 * readings.interval_ns ? 1 : 0;
      least = std::min(least, apart);
      most = std::max(most, apart);
    }
    for (std::size_t i = 0; i < stream.values.size(); ++i) {
      if (std::isnan(stream.values[i])) continue;
      low[i % features] = std::min(low[i % features], stream.values[i]);
      high[i % features] = std::max(high[i % features], stream.values[i]);
    }
  }
  if (static_cast<double>(others) > kOddShare * static_cast<double>(intervals)) {
    notes.push_back(absl::StrFormat(
        "mixed intervals: %.0f %% of the readings are not about %s after the one before, but %s to %s.",
        100 * static_cast<double>(others) / static_cast<double>(intervals), Apart(readings.interval_ns),
        Apart(least), Apart(most)));
  }
  for (std::size_t f = 0; f < features; ++f) {
    const std::string column = absl::StrCat("column '", readings.features[f], "' ");
    if (low[f] > high[f]) notes.push_back(absl::StrCat(column, "has no values."));
    if (low[f] == high[f]) notes.push_back(absl::StrCat(column, "never varies, it is always ", low[f], "."));
  }
  return notes;
}

}  // namespace tidegate
