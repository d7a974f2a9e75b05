#include "clients/cli/readings.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "clients/cli/csv.h"
#include "clients/cli/repairs.h"
#include "clients/cli/values.h"
#include "server/text/utf8.h"

namespace tidegate {
namespace {

// Places of the columns in the header.
struct Columns {
  std::vector<std::string> names;
  std::size_t time = 0;
  std::optional<std::size_t> stream;
  std::optional<std::size_t> label;
  std::vector<std::size_t> values;
};

absl::StatusOr<std::size_t> FindColumn(absl::string_view file, const std::vector<std::string>& names,
                                       absl::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ":1: no column '", name, "'; the columns are ", absl::StrJoin(names, ", ")));
  }
  if (std::find(found + 1, names.end(), name) != names.end()) {
    return absl::InvalidArgumentError(absl::StrCat(file, ":1: two columns are called '", name, "'"));
  }
  return static_cast<std::size_t>(found - names.begin());
}

absl::StatusOr<Columns> FindColumns(absl::string_view file, std::span<const std::string> header,
                                    const ReadingOptions& options) {
  Columns columns;
  columns.names.assign(header.begin(), header.end());
  for (std::size_t c = 0; c < columns.names.size(); ++c) {
    if (const std::string text = ToUtf8(columns.names[c]); text != columns.names[c]) {
      return absl::InvalidArgumentError(absl::StrCat(file, ":1: the name of column ", c + 1, ", '", text,
                                                     "', is not UTF-8; save the file as UTF-8"));
    }
  }
  const auto find = [&](const std::string& name) { return FindColumn(file, columns.names, name); };
  if (!options.time_column.empty()) {
    const auto time = find(options.time_column);
    if (!time.ok()) return time.status();
    columns.time = *time;
  }
  if (!options.stream_column.empty()) {
    const auto stream = find(options.stream_column);
    if (!stream.ok()) return stream.status();
    columns.stream = *stream;
  }
  if (!options.label_column.empty()) {
    const auto label = find(options.label_column);
    if (!label.ok()) return label.status();
    columns.label = *label;
  }
  std::vector<std::string> values = options.values;
  for (std::size_t c = 0; options.values.empty() && c < columns.names.size(); ++c) {
    if (c != columns.time && c != columns.stream && c != columns.label) values.push_back(columns.names[c]);
  }
  for (const std::string& name : values) {
    const auto value = find(name);
    if (!value.ok()) return value.status();
    if (std::ranges::find(columns.values, *value) != columns.values.end())
      return absl::InvalidArgumentError(absl::StrCat("--values names '", name, "' twice"));
    columns.values.push_back(*value);
  }
  if (columns.values.empty()) {
    const std::string all = absl::StrJoin(columns.names, ", ");
    const char* const hint =
        all.find_first_of(";\t") == std::string::npos ? "" : "; columns are separated by commas";
    return absl::InvalidArgumentError(absl::StrCat(file, ":1: no column of values beside ", all, hint));
  }
  return columns;
}

bool IsLabel(absl::string_view cell) {
  return !cell.empty() && cell != "0" && !absl::EqualsIgnoreCase(cell, "false") &&
         !absl::EqualsIgnoreCase(cell, "no");
}

// Gathers rows into streams.
class Collector {
 public:
  Collector(std::string file, const ReadingOptions& options)
      : file_(std::move(file)), only_(std::filesystem::path(file_).stem().string()), options_(options) {}

  absl::Status Add(const CsvRow& row) {
    if (columns_.names.empty()) {
      auto columns = FindColumns(file_, row.cells, options_);
      if (!columns.ok()) return columns.status();
      columns_ = *std::move(columns);
      return absl::OkStatus();
    }
    const std::string& id = columns_.stream ? row.cells[*columns_.stream] : only_;
    const auto& wanted = options_.streams;
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), id) == wanted.end())
      return absl::OkStatus();
    if (id.empty()) return Error(row, *columns_.stream, "the stream's name is missing");

    const auto [place, is_new] = places_.try_emplace(id, streams_.size());
    if (is_new) streams_.emplace_back().stream = id;
    StreamReadings& stream = streams_[place->second];
    const std::string& time_cell = row.cells[columns_.time];
    const auto time = Time(time_cell);
    if (!time.ok()) return Error(row, columns_.time, time.status().message());
    if (options_.strict && stream.size() > 0 && *time <= stream.timestamp_ns.back()) {
      return Error(row, columns_.time,
                   absl::StrCat("'", time_cell, "' is ",
                                *time == stream.timestamp_ns.back() ? "the same as" : "before",
                                " the time of stream '", id, "' in line ", stream.line.back(),
                                "; the times of a stream must rise"));
    }
    for (const std::size_t c : columns_.values) {
      const auto value = ParseValue(row.cells[c]);
      if (!value.ok()) return Error(row, c, value.status().message());
      stream.values.push_back(*value);
    }
    stream.timestamp_ns.push_back(*time);
    stream.line.push_back(row.line);
    if (columns_.label) {
      const std::string& label = row.cells[*columns_.label];
      stream.label.push_back(IsLabel(label) ? label : "");
    }
    return absl::OkStatus();
  }

  const Columns& columns() const { return columns_; }
  // What the column of times holds.
  std::string times() const {
    if (options_.interval > absl::ZeroDuration())
      return absl::StrCat("row numbers, ", absl::FormatDuration(options_.interval), " apart");
    if (!numbers_.value_or(false)) return "RFC 3339";
    return absl::StrCat(TimeUnitName(unit_), " since 1970", options_.time_unit ? "" : ", told by their size");
  }
  std::vector<StreamReadings> TakeStreams() { return std::move(streams_); }

 private:
  // The first cell says what all of them are.
  absl::StatusOr<std::int64_t> Time(absl::string_view cell) {
    if (options_.interval > absl::ZeroDuration())
      return ParseRowNumber(cell, absl::ToInt64Nanoseconds(options_.interval));
    const bool number = cell.find_first_not_of("0123456789.") == absl::string_view::npos;
    if (!number && options_.time_unit) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", cell, "' is not a number, and --time-unit says what numbers count"));
    }
    if (!numbers_) {
      numbers_ = number;
      unit_ = options_.time_unit.value_or(GuessTimeUnit(cell));
    }
    auto time = ParseTimestamp(cell, unit_);
    if (time.ok() && number && *numbers_ && !options_.time_unit) {
      first_ns_ = first_ns_.value_or(*time);
      if (const TimeUnit unit = GuessTimeUnit(cell); unit != unit_ && *time < *first_ns_ / 100) {
        return absl::InvalidArgumentError(
            absl::StrCat("'", cell, "' looks like ", TimeUnitName(unit), ", the times before it are ",
                         times(), "; a column holds one kind of times, or say --time-unit"));
      }
    }
    if (time.ok() && number != *numbers_) {
      return absl::InvalidArgumentError(absl::StrCat("'", cell, "' is ", *numbers_ ? "RFC 3339" : "a number",
                                                     ", the times before it are ", times(),
                                                     "; a column holds one kind of times"));
    }
    return time;
  }

  absl::Status Error(const CsvRow& row, std::size_t column, absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(file_, ":", row.line, ": column '", columns_.names[column], "': ", what));
  }

  std::string file_;
  std::string only_;  // the stream of a file without a column of them
  const ReadingOptions& options_;
  std::optional<bool> numbers_;  // whether the column holds these, from its first row on
  TimeUnit unit_ = TimeUnit::kSeconds;
  std::optional<std::int64_t> first_ns_;  // time of the first row, if its unit was told by its size
  Columns columns_;
  std::vector<StreamReadings> streams_;
  absl::flat_hash_map<std::string, std::size_t> places_;  // stream id -> index into streams_
};

void Keep(const RowRange& range, std::size_t features, StreamReadings& stream) {
  const std::size_t to = range.to ? PlaceOf(*range.to, stream.size()) : stream.size();
  const std::size_t from = std::min(PlaceOf(range.from, stream.size()), to);
  const auto cut = [&](auto& column, std::size_t width) {
    using Column = std::remove_reference_t<decltype(column)>;
    column = Column(column.begin() + static_cast<std::ptrdiff_t>(from * width),
                    column.begin() + static_cast<std::ptrdiff_t>(to * width));
  };
  cut(stream.values, features);
  cut(stream.timestamp_ns, 1);
  if (!stream.label.empty()) cut(stream.label, 1);
  cut(stream.line, 1);
}

// The median of the times between neighbouring readings of a stream; 0 if no stream has two.
std::int64_t MedianInterval(const std::vector<StreamReadings>& streams) {
  std::vector<std::int64_t> differences;
  for (const StreamReadings& stream : streams) {
    for (std::size_t i = 1; i < stream.size(); ++i) {
      differences.push_back(stream.timestamp_ns[i] - stream.timestamp_ns[i - 1]);
    }
  }
  if (differences.empty()) return 0;
  const auto middle = differences.begin() + static_cast<std::ptrdiff_t>(differences.size() / 2);
  std::nth_element(differences.begin(), middle, differences.end());
  return *middle;
}

// The round duration that an interval stands for, if clocks are read a little early or late: within a
// thousandth of it, and so that its ticks stay with the longest stream's readings to the end. Else the
// interval.
std::int64_t RoundInterval(std::int64_t interval, const std::vector<StreamReadings>& streams) {
  const auto longest = std::ranges::max_element(streams, {}, &StreamReadings::size);
  for (const absl::Duration unit :
       {absl::Hours(24), absl::Hours(1), absl::Minutes(1), absl::Seconds(1), absl::Milliseconds(1)}) {
    const std::int64_t whole = absl::ToInt64Nanoseconds(unit);
    const std::int64_t rounded = (interval + whole / 2) / whole * whole;
    if (rounded == 0 || std::abs(rounded - interval) > rounded / 1000) continue;
    std::int64_t late = 0, most = 0;  // a reading behind its tick
    for (std::size_t i = 1; i < longest->size(); ++i) {
      const std::int64_t difference = longest->timestamp_ns[i] - longest->timestamp_ns[i - 1];
      if (difference >= rounded + rounded / 2) continue;  // a gap, behind which another clock may have begun
      late += difference - rounded;
      most = std::max(most, std::abs(late));
    }
    if (most < rounded / 2) return rounded;
  }
  return interval;
}

}  // namespace

absl::StatusOr<RowRange::Bound> ParseRowBound(absl::string_view text) {
  RowRange::Bound bound;
  bound.percent = absl::ConsumeSuffix(&text, "%");
  std::uint64_t whole = 0;
  const bool number = bound.percent ? absl::SimpleAtod(text, &bound.value) : absl::SimpleAtoi(text, &whole);
  if (!bound.percent) bound.value = static_cast<double>(whole);
  if (!number || !(bound.value >= 0) || (bound.percent && bound.value > 100)) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is neither a row number nor a percentage"));
  }
  return bound;
}

std::size_t PlaceOf(const RowRange::Bound& bound, std::size_t rows) {
  const double place =
      bound.percent ? std::floor(bound.value / 100 * static_cast<double>(rows)) : bound.value;
  return std::min(static_cast<std::size_t>(place), rows);
}

std::size_t Readings::size() const {
  std::size_t sum = 0;
  for (const StreamReadings& stream : streams) sum += stream.size();
  return sum;
}

absl::StatusOr<RowRange> ParseRowRange(absl::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not FROM:TO, like 2200:2600 or 0%:70%"));
  }
  RowRange range;
  range.text = std::string(text);
  if (colon > 0) {
    const auto from = ParseRowBound(text.substr(0, colon));
    if (!from.ok()) return from.status();
    range.from = *from;
  }
  if (colon + 1 < text.size()) {
    const auto to = ParseRowBound(text.substr(colon + 1));
    if (!to.ok()) return to.status();
    range.to = *to;
    if (range.from.percent == to->percent && range.from.value >= to->value) {
      return absl::InvalidArgumentError(absl::StrCat("'", text, "' is empty: FROM must be below TO"));
    }
  }
  return range;
}

absl::StatusOr<Readings> ReadReadings(const std::filesystem::path& file, const ReadingOptions& options) {
  Collector collector(file.string(), options);
  const absl::Status read = ReadCsv(file, [&](const CsvRow& row) { return collector.Add(row); });
  if (!read.ok()) return read;

  if (collector.columns().names.empty())
    return absl::InvalidArgumentError(absl::StrCat(file.string(), ": is empty"));

  Readings readings;
  readings.file = file.string();
  readings.named = !options.stream_column.empty();
  for (const std::size_t c : collector.columns().values)
    readings.features.push_back(collector.columns().names[c]);
  if (!options.target.empty()) {
    const auto target = std::find(readings.features.begin(), readings.features.end(), options.target);
    if (target == readings.features.end()) {
      return absl::InvalidArgumentError(absl::StrCat(file.string(), ":1: the target '", options.target,
                                                     "' is not among the values ",
                                                     absl::StrJoin(readings.features, ", ")));
    }
    readings.target = static_cast<std::size_t>(target - readings.features.begin());
  }
  readings.streams = collector.TakeStreams();
  for (const std::string& wanted : options.streams) {
    if (std::none_of(readings.streams.begin(), readings.streams.end(),
                     [&](const StreamReadings& stream) { return stream.stream == wanted; })) {
      return absl::InvalidArgumentError(absl::StrCat(file.string(), ": no rows of stream '", wanted, "'"));
    }
  }
  Repairs repairs;
  for (StreamReadings& stream : readings.streams) {
    repairs.Add(RepairTimes(stream, readings.features.size()));
    Keep(options.rows, readings.features.size(), stream);
  }
  if (readings.size() == 0) {
    const std::string among = options.rows.text.empty() ? "" : " among --rows " + options.rows.text;
    return absl::InvalidArgumentError(absl::StrCat(file.string(), ": no rows of readings", among));
  }
  readings.interval_ns = options.interval > absl::ZeroDuration() ? absl::ToInt64Nanoseconds(options.interval)
                                                                 : MedianInterval(readings.streams);
  if (readings.interval_ns == 0) {
    return absl::InvalidArgumentError(absl::StrCat(file.string(), ": no stream has two readings"));
  }
  if (options.interval == absl::ZeroDuration()) {
    const std::int64_t median =
        std::exchange(readings.interval_ns, RoundInterval(readings.interval_ns, readings.streams));
    if (median != readings.interval_ns) {
      readings.notes.push_back(absl::StrCat("The interval is taken as ",
                                            absl::FormatDuration(absl::Nanoseconds(readings.interval_ns)),
                                            "; the median time between two readings is ",
                                            absl::FormatDuration(absl::Nanoseconds(median)), "."));
    }
  }
  readings.times = collector.times();
  if (std::string text = repairs.Text(); !text.empty()) readings.notes.push_back(std::move(text));
  for (std::string& note : OddNotes(readings)) readings.notes.push_back(std::move(note));
  return readings;
}

}  // namespace tidegate
