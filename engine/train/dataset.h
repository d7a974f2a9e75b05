#pragma once

#include <cstddef>
#include <limits>
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
  Matrix inputs;              // [n, I], scaled as in serving
  std::vector<float> values;  // [n] the target less the cycle, its unit; NaN: missing or not scored
  std::vector<float> origin;  // [n] the last known one; NaN: none, or nothing is forecast from here
  std::vector<float> scale;   // [n] see OutputScale
  std::size_t split = 0;      // rows before it train, the others validate; no target reaches across

  std::size_t size() const { return values.size(); }
  // (target(t+h) - last known target(t)) / scale[t], h from 1; NaN: not scored.
  float Ahead(std::size_t t, std::size_t h) const {
    const std::size_t end = t < split ? split : size();
    return t + h < end ? (values[t + h] - origin[t]) / scale[t] : std::numeric_limits<float>::quiet_NaN();
  }
};

// Rows of a series of n that are trained on; the others validate, enough for one whole forecast at least.
std::size_t TrainingRows(std::size_t n, double validation_fraction, std::size_t horizon);

// Whether a forecast that is made in rows [warm_up, end) can be learnt from: the target is known there, and
// has a scored value at most `horizon` rows on.
bool CanLearn(const Series& series, std::size_t target, std::size_t warm_up, std::size_t end,
              std::size_t horizon);

// Checks `series` and takes the scales of the features and the channels from their training rows; requires a
// spec that passes CheckSpec with any scales. Returns each one's split.
absl::StatusOr<std::vector<std::size_t>> FitScales(const std::vector<Series>& series,
                                                   double validation_fraction, ModelSpec& spec);

// Prepares inputs and targets of series whose scales and splits FitScales gave, and sets spec.step_deviation.
// cycle: the model's table, or empty.
// A difference is scaled by its root mean square, its deviation from zero, because no mean is subtracted from
// it. A target is scored where both its rows are, and its own value is not missing. InvalidArgument, naming
// the stream: shapes that disagree, an infinite value, too few rows; a target that never varies; nothing to
// score.
absl::StatusOr<std::vector<PreparedSeries>> PrepareSeries(const std::vector<Series>& series,
                                                          const std::vector<std::size_t>& splits,
                                                          std::span<const float> cycle, ModelSpec& spec);

// Rows [begin, end) of one series, run from a zero state; the rows before `scored` only warm the state up.
struct Sequence {
  std::size_t series = 0;
  std::size_t begin = 0;
  std::size_t scored = 0;
  std::size_t end = 0;
  float scale = 1;  // see Amplify
};

// The training sequences of one epoch, shuffled: in each series one every `spacing` rows from random rows on,
// so that the sequences of two epochs differ. A series shorter than `length` gives one of its own length.
std::vector<Sequence> DrawSequences(const std::vector<PreparedSeries>& data, std::size_t length,
                                    std::size_t spacing, std::size_t warm_up, Random& random);

// The training windows of one epoch, shuffled: of `window` rows, the last one scored, one every `spacing`
// rows.
std::vector<Sequence> DrawWindows(const std::vector<PreparedSeries>& data, std::size_t window,
                                  std::size_t spacing, Random& random);

// Windows that end at validation rows: at every one, or at `most` of all series together, evenly spread.
std::vector<Sequence> ValidationWindows(const std::vector<PreparedSeries>& data, std::size_t window,
                                        std::size_t most);

// The validation rows of each series, scored, after `before` rows before them (or all there are); `phases`
// sequences of each, begun one row after the other. With one phase a series that is not long runs from its
// first row on. Of very many validation rows (over 16,384 of a series) parts of 4,096, evenly spread, some
// dozens in all.
std::vector<Sequence> ValidationSequences(const std::vector<PreparedSeries>& data, std::size_t phases,
                                          std::size_t before);

// A few steps of some sequences, time-major (row t * B + b).
struct Chunk {
  struct Origin {
    std::size_t series, row;
  };
  Matrix inputs;   // [T*B, I]; its last row again after a sequence's end
  Matrix targets;  // [T/every*B, horizon]: PreparedSeries::Ahead / step_deviation[h]; NaN where not scored
  std::vector<Origin> origins;  // [T/every*B]: where the targets are counted from
  std::size_t known = 0;        // targets that are not NaN
};

// Fills `chunk` with T = `steps` steps of B sequences, from step `first` of each; step 0 is a sequence's
// begin. every: readings from one row of targets to the next, the first after so many; T a multiple of it.
void FillChunk(const std::vector<PreparedSeries>& data, std::span<const Sequence> sequences,
               std::span<const float> step_deviation, std::size_t first, std::size_t steps, std::size_t every,
               Chunk& chunk);

// Multiplies the first `columns` inputs of each sequence of a filled chunk, and its targets, by its scale.
void Amplify(std::span<const Sequence> sequences, std::size_t columns, Chunk& chunk);

}  // namespace tidegate
