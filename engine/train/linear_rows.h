#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "engine/model/spec.h"
#include "engine/tensor/matrix.h"
#include "engine/train/dataset.h"

namespace tidegate {

// The rows of the linear path's regression. x [context]: at an origin the target's last levels less the last
// one, in place of which (less itself) stands a constant, 1. y: the levels of the horizon less the last one.
// A missing level counts as the last known in x, as in serving; in y it, or one that is not scored, lies on
// the line between those around it: what was not seen is not to be learnt as "stays as it is". Thread-safe.
class LinearRows {
 public:
  enum class Part {
    kTraining,        // the training rows, to fit on
    kTrainingBlocks,  // these in a few blocks
    kAll,             // the validation rows too
    kBlocks,  // all rows in a few blocks, to choose by: one season's validation rows favour what suits them
  };
  // data: with level inputs; must outlive it. most: at most so many origins of all series, evenly spread.
  // per_channel: rows are told apart by their channel.
  LinearRows(const std::vector<PreparedSeries>& data, const ModelSpec& spec, std::size_t context,
             std::size_t most, Part part, bool per_channel);

  std::size_t context() const { return context_; }
  std::size_t horizon() const { return horizon_; }
  std::size_t blocks() const { return blocks_; }
  std::size_t maps() const { return maps_; }  // channels, or 1

  // Calls each(map, x [R, context], y [R, steps]) for the rows of a block, some together. steps: of the
  // horizon, from 0.
  using Each = std::function<void(std::size_t map, const Matrix& x, const Matrix& y)>;
  void ForEach(std::size_t block, const std::vector<std::size_t>& steps, const Each& each) const;

  // Into how many blocks kBlocks cuts so many rows, each long enough for origins of its own.
  static std::size_t BlocksOf(std::size_t rows, std::size_t horizon);

 private:
  const std::vector<PreparedSeries>& data_;
  std::size_t context_, horizon_, target_;
  Part part_;
  std::size_t blocks_, maps_, stride_;
  std::vector<std::size_t> map_of_;  // of the series
  std::vector<std::size_t> begin_;   // of the series: its first row that is known
  std::vector<std::vector<float>>
      bridged_;  // of the series [n]: its levels as y has them; empty: as they are
};

// The last `context` levels of a series' target at row t less the last one, x [context]; before the series
// its first.
void FillContext(const PreparedSeries& series, std::size_t t, std::size_t target, std::size_t context,
                 float* x);

// Which of the maps is a channel's: its own, or the only one.
inline std::size_t MapOf(std::size_t channel, const std::vector<Matrix>& maps) {
  return maps.size() == 1 ? 0 : channel;
}

// y: set to [R, steps], what a map [steps, context] forecasts of x [R, context].
void ForecastRows(const Matrix& map, const Matrix& x, Matrix& y);

// The channel of a series' row, 0 without channels.
std::size_t ChannelAt(const PreparedSeries& series, std::size_t row, const ModelSpec& spec);

}  // namespace tidegate
