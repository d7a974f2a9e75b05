#include "clients/cli/table.h"

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

namespace tidegate {

void Table::Add(std::vector<std::string> row) {
  assert(row.size() == rows_.front().size());
  rows_.push_back(std::move(row));
}

void Table::Print(std::ostream& out) const {
  std::vector<std::size_t> width(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  }
  std::size_t total = 2 * (width.size() - 1);
  for (const std::size_t w : width) total += w;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    std::string line = "  ";
    for (std::size_t c = 0; c < width.size(); ++c) {
      const std::string fill(width[c] - rows_[r][c].size(), ' ');
      absl::StrAppend(&line, c > 0 ? "  " : "", c < left_ ? "" : fill, rows_[r][c], c < left_ ? fill : "");
    }
    out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
    if (r == 0) out << "  " << std::string(total, '-') << '\n';
  }
}

std::string Grouped(std::uint64_t number) {
  std::string text = absl::StrCat(number);
  for (std::size_t place = text.size(); place > 3;) text.insert(place -= 3, 1, ',');
  return text;
}

std::string Seconds(double seconds) {
  if (seconds < 1e-3) return absl::StrFormat("%.0f us", seconds * 1e6);
  if (seconds < 1) return absl::StrFormat("%.2f ms", seconds * 1e3);
  return absl::StrFormat("%.1f s", seconds);
}

std::string UtcTime(std::int64_t timestamp_ns) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%E*S", absl::FromUnixNanos(timestamp_ns), absl::UTCTimeZone());
}

}  // namespace tidegate
