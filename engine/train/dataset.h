#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/spec.h"
#include "engine/tensor/matrix.h"
#include "engine/train/random.h"
#include "engine/train/series.h"

namespace tidegate {

// One series as the network sees it. Plain value.
struct PreparedSeries {
  Matrix inputs;   // [n, I], scaled as in serving
  Matrix targets;  // [n, horizon]: (target(t+h) - last known target(t)) / (step_deviation[h] scale[t]);
                   // NaN: not scored
  std::vector<float> scale;  // [n] see OutputScale
  std::size_t split = 0;     // rows before it train, the others validate; no target reaches across
};

// Checks `series`, takes the scales from their training rows into spec.features and spec.step_deviation, and
// prepares inputs and targets. Requires a spec that passes CheckSpec with any scales.
// A difference is scaled by its root mean square, its deviation from zero, because no mean is subtracted from
// it. A target is scored where both its rows are, and its own value is not missing. InvalidArgument, naming
// the stream: shapes that disagree, an infinite value, too few rows; a target that never varies; nothing to
// score.
absl::StatusOr<std::vector<PreparedSeries>> PrepareSeries(const std::vector<Series>& series,
                                                          double validation_fraction, ModelSpec& spec);

// Rows [begin, end) of one series, run from a zero state; the rows before `scored` only warm the state up.
struct Sequence {
  std::size_t series = 0;
  std::size_t begin = 0;
  std::size_t scored = 0;
  std::size_t end = 0;
};

// The training sequences of one epoch, shuffled: in each series one every length / 4 rows from a random row
// on, so that the sequences of two epochs differ. A series shorter than `length` gives one of its own length.
std::vector<Sequence> DrawSequences(const std::vector<PreparedSeries>& data, std::size_t length,
                                    std::size_t warm_up, Random& random);

// Each whole series, its validation rows scored.
std::vector<Sequence> ValidationSequences(const std::vector<PreparedSeries>& data);

// A few steps of some sequences, time-major (row t * B + b).
struct Chunk {
  Matrix inputs;             // [T*B, I]; zero after a sequence's end
  Matrix targets;            // [T*B, horizon]; NaN where not scored
  std::vector<float> scale;  // [T*B]
  std::size_t known = 0;     // targets that are not NaN
};

// Fills `chunk` with T = `steps` steps of B sequences, from step `first` of each; step 0 is a sequence's
// begin.
void FillChunk(const std::vector<PreparedSeries>& data, std::span<const Sequence> sequences,
               std::size_t first, std::size_t steps, Chunk& chunk);

}  // namespace tidegate
