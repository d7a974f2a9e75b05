#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/readings.h"
#include "engine/train/series.h"
#include "engine/train/trainer.h"

namespace CLI {
class App;
}

namespace tidegate {

// What models are to be chosen for, the same for every command that does.
struct LearningFlags {
  std::string file;
  ReadingOptions readings;
  TrainOptions options;  // horizon, quantiles, seed, per_stream
  std::string normalisation = "fixed";
  double test = 0.2;  // share of each stream's readings, its last, that nothing is learnt or chosen by
};

void AddLearningFlags(CLI::App& command, LearningFlags& flags);

// Rows [begin, end) of a series.
Series Rows(const Series& series, std::size_t begin, std::size_t end, std::int64_t interval_ns);

// The readings of a file in two parts, on the time grid.
struct LearningData {
  // What is forecast from what; the rest as in LearningFlags. cycle: that of the readings, if there is one.
  TrainOptions options = {};
  std::vector<Series> learn = {};      // without the test part; of its last share models are chosen
  std::vector<Series> test = {};       // the test part, with readings before it where there is no gap
  std::vector<std::size_t> from = {};  // its first row in each of `test`
  std::size_t readings = 0, streams = 0;
};

// Says on standard output what was read. Errors of ReadReadings; InvalidArgument: too few readings.
absl::StatusOr<LearningData> ReadLearningData(const LearningFlags& flags);

}  // namespace tidegate
