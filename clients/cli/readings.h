#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "clients/cli/values.h"

namespace tidegate {

// A part of each stream's rows: from `from` (the first row is 0) up to `to`, which is left out.
struct RowRange {
  struct Bound {
    double value = 0;
    bool percent = false;
  };
  Bound from;
  std::optional<Bound> to;  // none: the last row is included
  std::string text;         // as it was written; empty: all rows
};

// Parses "2200:2600", "0%:70%", "70%:" or ":100". InvalidArgument: anything else, or a range that is empty.
absl::StatusOr<RowRange> ParseRowRange(absl::string_view text);

// The same of one place: "2200", "70%".
absl::StatusOr<RowRange::Bound> ParseRowBound(absl::string_view text);

// That row of `rows`; at most `rows`.
std::size_t PlaceOf(const RowRange::Bound& bound, std::size_t rows);

// Which columns of a CSV file mean what.
struct ReadingOptions {
  std::string time_column;            // empty: the first column
  std::optional<TimeUnit> time_unit;  // of numbers in it; none: by the size of the first
  absl::Duration interval;            // zero: the column holds times; else row numbers, times this interval
  bool strict = false;                // times that do not rise are an error, not repaired
  std::string stream_column;          // empty: all rows are one stream, named after the file
  std::vector<std::string> values;    // empty: every column that has no other meaning
  std::string target;                 // empty: the first of `values`
  std::string label_column;           // empty: nothing is labelled
  RowRange rows;                      // of each stream
  std::vector<std::string> streams;   // empty: all
};

// The readings of one stream, times rising.
struct StreamReadings {
  std::string stream;
  std::vector<std::int64_t> timestamp_ns;  // [n] since 1970-01-01 UTC
  std::vector<float> values;               // [n, F]; NaN: missing
  std::vector<std::string> label;          // [n] empty: not labelled; no n: none is
  std::vector<std::size_t> line;           // [n] in the file, from 1

  std::size_t size() const { return timestamp_ns.size(); }
  bool labelled(std::size_t i) const { return !label.empty() && !label[i].empty(); }
};

struct Readings {
  std::string file;
  std::vector<std::string> features;    // names, [F]
  std::size_t target = 0;               // index into features
  std::int64_t interval_ns = 0;         // given, or the median difference between readings of a stream
  std::vector<StreamReadings> streams;  // in order of their first row
  bool named = false;                   // streams, by a column of the file; else its one stream is the file
  std::string times;                    // what its column of them holds, as "RFC 3339"
  std::vector<std::string> notes;       // sentences: what was repaired, and what looks odd

  std::size_t size() const;  // over all streams
};

// Reads the streams of a CSV file. Times are RFC 3339 (also with a blank for the T, and without a zone: UTC),
// seconds, milli-, micro- or nanoseconds since 1970, or whole row numbers, one kind in a file. Readings out
// of order are sorted, of those with one time the first is kept; how many is noted. Empty cells, NA, N/A,
// null and nan are missing values; an empty label, 0, false and no are no label. InvalidArgument, naming
// file, line and column: a cell that is not what its column holds, if strict times that do not rise within a
// stream, a column that the header lacks or has twice, no readings. NotFound: no such file.
absl::StatusOr<Readings> ReadReadings(const std::filesystem::path& file, const ReadingOptions& options);

}  // namespace tidegate
