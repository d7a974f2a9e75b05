#pragma once

#include <cstddef>
#include <vector>

#include "engine/model/spec.h"
#include "engine/tensor/matrix.h"
#include "engine/train/dataset.h"
#include "engine/train/ridge.h"

namespace tidegate {

// One ridge regression.
struct LinearFit {
  std::size_t context = 0;   // L, readings
  bool per_channel = false;  // a map for each channel
  bool drift = false;        // with a constant beside the levels
  double penalty = 0;        // per row; for the reading a readings ago 1 + (a / 168)^2 times as much
  double error = 0;          // mean squared, of the rows left out, in deviations

  bool SameMap(const LinearFit& other) const {
    return context == other.context && per_channel == other.per_channel && drift == other.drift &&
           penalty == other.penalty;
  }
};

// How a part of the horizon is forecast: by the mean of the maps of these fits, so by one map again.
struct LinearPart {
  std::size_t begin = 0, end = 0;  // steps of the horizon
  std::vector<LinearFit> fits;     // not empty
  double last_value_error = 0;     // of "the last value stays", on the same rows

  // How far a network may be believed beside it, 0 to 1: not at all where no block of rows tells a linear map
  // anything about another, as with a random walk, whatever the few validation rows say; wholly where it
  // takes a tenth off the error of the last value.
  double trust() const;
};

// How a linear path is made, decided by cross-validation for each part of the horizon: what is best a day
// ahead is not what is best one step ahead.
struct LinearChoice {
  std::vector<LinearPart> parts;  // of the horizon, in order

  std::vector<double> trust() const;  // [horizon]
  std::size_t context() const;        // the longest
  bool per_channel() const;           // any of them
};

// The sums of the linear path's regression: the target's last L levels less the last one, against the levels
// of the horizon less the last one. A missing level counts as the last known. In place of the last level less
// itself stands a constant.
class LinearSums {
 public:
  enum class Part {
    kTraining,  // the training rows, to fit on
    kAll,       // the validation rows too
    kBlocks,    // all rows in a few blocks, to choose by: one season's validation rows favour what suits them
  };
  // rows: at most so many origins of all series, evenly spread. data: with level inputs. per_channel: maps
  // for each channel may be asked for.
  LinearSums(const std::vector<PreparedSeries>& data, const ModelSpec& spec, std::size_t context,
             std::size_t rows, Part part, bool per_channel);

  // For each part of the horizon and each of the contexts (up to L) the penalty with the least error on
  // blocks which were left out of the fit; of these fits the best and all that err at most 2 % more. Maps for
  // each channel (only if they may be asked for) are among them if the best of them is better than the best
  // map for all by a percent; maps with a drift if they are so too, and by more than chance. If the best is
  // not a percent better than the last value, or not by more than chance, that alone.
  LinearChoice Choose(const std::vector<std::size_t>& contexts) const;

  // Into how many blocks Part::kBlocks cuts `rows`, each long enough for origins of its own.
  static std::size_t BlocksOf(std::size_t rows, std::size_t horizon);
  // Of block `left` out of the others' fit, one map for all of `context` levels: the mean squared error.
  double Error(std::size_t context, std::size_t left, double penalty) const;

  // [maps] of [horizon, context]: the map's weights, the last one that of the constant.
  std::vector<Matrix> Solve(const LinearChoice& choice) const;

 private:
  // What one way to fit errs on each block when it is left out.
  struct Candidate {
    LinearFit fit;                             // without its error
    std::vector<std::vector<double>> squares;  // [blocks][steps compared]: sums over the rows
  };
  // With each penalty, without and with a drift.
  std::vector<Candidate> Candidates(std::size_t context, bool per_channel,
                                    const std::vector<std::size_t>& steps) const;
  Candidate LastValue(const std::vector<std::size_t>& steps) const;
  // The best penalty for each context, of the candidates that are so, in the steps compared with these
  // numbers.
  std::vector<LinearFit> BestOfEachContext(const std::vector<Candidate>& candidates, bool per_channel,
                                           bool drift, std::size_t first, std::size_t end) const;
  // Sets the part's fits.
  void ChoosePart(const std::vector<Candidate>& candidates, const Candidate& last_value, std::size_t first,
                  std::size_t end, LinearPart& part) const;
  double MeanError(const Candidate& candidate, std::size_t first, std::size_t end) const;
  static const Candidate& Find(const std::vector<Candidate>& candidates, const LinearFit& fit);
  // Whether the gains over `before` are more than chance: their mean over the blocks that were left out is
  // above twice its standard error. Far ahead a block holds few outcomes that do not depend on each other.
  bool Pays(const Candidate& candidate, const Candidate& before, std::size_t first, std::size_t end) const;
  // [horizon, fit.context]: the map of a channel, or that for all.
  Matrix SolveOne(const LinearFit& fit, std::size_t channel) const;

  std::size_t horizon_;
  std::vector<std::vector<RidgeSums>> blocks_;  // [blocks][channels, or 1]
  std::vector<double> rows_;                    // [blocks]
};

// The last L levels of a series' target at row t less the last one, x [L]; before the series its first.
void FillContext(const PreparedSeries& series, std::size_t t, std::size_t target, std::size_t context,
                 float* x);

// The channel of a series' row, 0 without channels.
std::size_t ChannelAt(const PreparedSeries& series, std::size_t row, const ModelSpec& spec);

}  // namespace tidegate
