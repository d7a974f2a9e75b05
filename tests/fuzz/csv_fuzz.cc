// Text as a CSV file: rows are as long as the header, lines rise, and the cells, written with quotes, come
// back the same.

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "clients/cli/csv.h"
#include "tests/fuzz/fuzz_target.h"

namespace tidegate {
namespace {

using Rows = std::vector<std::vector<std::string>>;

absl::Status Parse(absl::string_view text, Rows& rows) {
  std::size_t line = 0;
  return ParseCsv(text, "input.csv", [&](const CsvRow& row) {
    Require(row.line > line, "lines rise");
    line = row.line;
    Require(rows.empty() || rows.front().size() == row.cells.size(), "rows are as long as the header");
    rows.emplace_back(row.cells.begin(), row.cells.end());
    return absl::OkStatus();
  });
}

std::string Write(const Rows& rows) {
  std::string text;
  for (const auto& row : rows) {
    const char* before = "";
    for (const std::string& cell : row) {
      absl::StrAppend(&text, before, "\"", absl::StrReplaceAll(cell, {{"\"", "\"\""}}), "\"");
      before = ",";
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::vector<std::string> Seeds() {
  return {"time,a,b\n1,2,3\n2,,nan\n",
          "a;b\r\n\"1\",\"two\nlines\"\r\n",
          "\xEF\xBB\xBFx , y\r1, \"q\"\"q\"\r",
          "",
          std::string("a\n\0\n", 4),
          "a\n\n\n1"};
}

void Fuzz(absl::string_view input) {
  Rows rows, again;
  const absl::Status status = Parse(input, rows);
  if (!status.ok()) {
    return Require(absl::StartsWith(status.message(), "input.csv:"), "an error names file and line");
  }
  Require(Parse(Write(rows), again).ok(), "what is written can be read");
  Require(again == rows, "what is written and read again is the same");
}

}  // namespace tidegate
