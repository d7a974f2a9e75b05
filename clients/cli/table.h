#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace tidegate {

// Text in columns as wide as their widest cell. The first `left` columns are aligned left, the others right.
class Table {
 public:
  Table(std::vector<std::string> header, std::size_t left) : rows_{std::move(header)}, left_(left) {}

  void Add(std::vector<std::string> row);  // requires as many cells as the header has

  void Print(std::ostream& out) const;  // header, a line, the rows; each indented by two blanks

 private:
  std::vector<std::vector<std::string>> rows_;
  std::size_t left_;
};

// 12345678 -> "12,345,678".
std::string Grouped(std::uint64_t number);

// Nanoseconds since 1970 -> "2026-11-29 03:04:05.25", in UTC.
std::string UtcTime(std::int64_t timestamp_ns);

// Seconds in the unit that suits: "85 us", "1.25 ms", "3.4 s".
std::string Seconds(double seconds);

}  // namespace tidegate
