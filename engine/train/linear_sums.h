#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "engine/tensor/matrix.h"
#include "engine/train/linear_rows.h"
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
  bool robust = false;             // see MakeRobust
  double stacked = 0;              // how far the maps go to the stacked ones, 0 to 1; see stacking.h
  double stacked_gain = 0;         // relative, of that, the mean of those in squared and absolute errors

  bool last_value() const { return fits[0].context == 1; }

  // How far a network may be believed beside it, 0 to 1: not at all where no block of rows tells a linear map
  // anything about another, as with a random walk, whatever the few validation rows say; wholly where it
  // takes a tenth off the error of the last value.
  double trust() const;
};

// How a linear path is made, decided by cross-validation for each part of the horizon: what is best a day
// ahead is not what is best one step ahead.
struct LinearChoice {
  LinearChoice() = default;
  // Of one fit for all parts of a horizon.
  LinearChoice(std::size_t horizon, const LinearFit& fit);

  std::vector<LinearPart> parts;    // of the horizon, in order
  std::size_t stacked_context = 0;  // of the seasons' maps, readings

  std::vector<double> trust() const;       // [horizon]
  std::vector<std::size_t> steps() const;  // all of the horizon
  std::size_t context() const;             // the longest
  bool per_channel() const;                // any of the fits
  bool stacked() const;                    // any of the parts
};

// Sums over the rows of the linear path's regression. Thread-safe.
class LinearSums {
 public:
  // Maps for each channel may be asked for if the rows are told apart by channel.
  explicit LinearSums(const LinearRows& rows);

  // For each part of the horizon and each of the contexts (up to L) the penalty with the least error on
  // blocks which were left out of the fit; of these fits the best and all that err at most 2 % more. Maps for
  // each channel (only if they may be asked for) are among them if the best of them is better than the best
  // map for all by a percent; maps with a drift if they are so too, and by more than chance. If the best is
  // not a percent better than the last value, or in no part by more than chance, as of a random walk, that
  // alone.
  LinearChoice Choose(const std::vector<std::size_t>& contexts) const;

  // [maps] of [steps, choice.context()]: the map's weights, the last one that of the constant. By least
  // squares alone: see MakeRobust. left: a block that is left out of the fit.
  std::vector<Matrix> Solve(const LinearChoice& choice, const std::vector<std::size_t>& steps,
                            std::optional<std::size_t> left = {}) const;

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
  // Sets the part's fits. Whether they are better than the last value by more than chance.
  bool ChoosePart(const std::vector<Candidate>& candidates, const Candidate& last_value, std::size_t first,
                  std::size_t end, LinearPart& part) const;
  double MeanError(const Candidate& candidate, std::size_t first, std::size_t end) const;
  static const Candidate& Find(const std::vector<Candidate>& candidates, const LinearFit& fit);
  // Whether the blocks' relative gains over `before` are more than chance: their mean is above twice its
  // standard error. Far ahead a block holds few outcomes that do not depend on each other.
  bool Pays(const Candidate& candidate, const Candidate& before, std::size_t first, std::size_t end) const;
  // Whether what is gained in the sum of all blocks' errors is above twice its standard error, that of a
  // ratio estimator (Cochran 1977, chapter 6): a block counts by its errors.
  bool PaysInAll(const Candidate& candidate, const Candidate& before, std::size_t first,
                 std::size_t end) const;
  // [steps, fit.context]: the map of a channel, or that for all.
  Matrix SolveOne(const LinearFit& fit, std::size_t channel, const std::vector<std::size_t>& steps,
                  std::optional<std::size_t> left) const;

  std::size_t horizon_;
  std::vector<std::vector<RidgeSums>> blocks_;  // [blocks][channels, or 1]
  std::vector<double> rows_;                    // [blocks]
};

// Of values[first] to values[end - 1].
double Sum(const std::vector<double>& values, std::size_t first, std::size_t end);

// What a choice that makes the squared and the absolute error together least may cost in one of them: where
// few values are far from all others, a map towards the median gains less of one than it loses of the other.
inline constexpr double kMayCost = 0.01;

// What is compared when choices are made, without fitting every step of a long horizon: a few of each part.
struct StepsToCompare {
  explicit StepsToCompare(const std::vector<LinearPart>& parts);

  std::vector<std::size_t> steps;  // of the horizon
  std::vector<std::size_t> begin;  // [parts + 1] in `steps`
};

// What a weight of the map costs, by the age of its reading: old ones tell less, so that a long context does
// not lose to a short one by the noise it adds. [context]
std::vector<double> Dearness(std::size_t context, bool drift);

}  // namespace tidegate
