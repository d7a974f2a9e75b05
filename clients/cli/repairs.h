#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "clients/cli/readings.h"

namespace tidegate {

// What was done to make the times of streams rise.
struct Repairs {
  std::size_t unsorted = 0;        // readings before an earlier one's time: sorted
  std::size_t duplicates = 0;      // readings with the time of another: the first of them is kept
  std::size_t unsorted_line = 0;   // of the first such
  std::size_t duplicate_line = 0;  // of the first that was left out

  void Add(const Repairs& other);
  // A sentence that begins with "repaired:"; empty: nothing was.
  std::string Text() const;
};

// Makes the times of a stream rise.
Repairs RepairTimes(StreamReadings& stream, std::size_t features);

// What looks odd: intervals that differ, columns that never vary or have no values.
std::vector<std::string> OddNotes(const Readings& readings);

}  // namespace tidegate
