#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tidegate {

// One row of a CSV file: its first line, counted from 1, and its cells without quotes and surrounding blanks.
struct CsvRow {
  std::size_t line;
  std::span<const std::string> cells;
};

// Called with each row; a status that is not OK ends the reading and is passed on.
using CsvRowCallback = std::function<absl::Status(const CsvRow&)>;

// Reads comma-separated text (RFC 4180: quoted cells, "" for a quote, line ends LF, CRLF or CR; a UTF-8 byte
// order mark is skipped, so are empty lines) row by row, the header being the first. `file` is the name in
// messages. InvalidArgument, naming file and line: a stray or unclosed quote, a row that is not as long as
// the header, a NUL.
absl::Status ParseCsv(absl::string_view text, absl::string_view file, const CsvRowCallback& row);

// The same for a file. NotFound: it cannot be opened.
absl::Status ReadCsv(const std::filesystem::path& file, const CsvRowCallback& row);

}  // namespace tidegate
