#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "engine/model/spec.h"
#include "engine/tensor/matrix.h"
#include "engine/tensor/tensors.h"
#include "engine/train/dataset.h"
#include "engine/train/ridge.h"

namespace tidegate {

// One ridge regression.
struct LinearFit {
  std::size_t context = 0;   // L, readings
  bool per_channel = false;  // a map for each channel
  double penalty = 0;        // per row; for the reading a readings ago 1 + (a / 168)^2 times as much
  double error = 0;          // mean squared, of the rows left out, in deviations
};

// How a linear path is made, decided by cross-validation: the mean of the maps of these fits, so one map
// again. Not empty.
struct LinearChoice {
  std::vector<LinearFit> fits;
  double last_value_error = 0;  // of "the last value stays", on the same rows

  // How far a network may be believed beside it, 0 to 1: not at all where no block of rows tells a linear map
  // anything about another, as with a random walk, whatever the few validation rows say; wholly where it
  // takes a tenth off the error of the last value.
  double trust() const;

  std::size_t context() const { return std::ranges::max_element(fits, {}, &LinearFit::context)->context; }
  bool per_channel() const { return std::ranges::any_of(fits, &LinearFit::per_channel); }
};

// The sums of the linear path's regression: the target's last L levels less the last one, against the levels
// of the horizon less the last one. A missing level counts as the last known.
class LinearSums {
 public:
  enum class Part {
    kTraining,  // the training rows, to fit on
    kAll,       // the validation rows too
    kBlocks,    // all rows in a few blocks, to choose by: one season's validation rows favour what suits them
  };
  // rows: at most so many origins of all series, evenly spread. data: with level inputs.
  LinearSums(const std::vector<PreparedSeries>& data, const ModelSpec& spec, std::size_t context,
             std::size_t rows, Part part);

  // For each of the contexts (up to L) the penalty with the least error on blocks which were left out of the
  // fit; of these fits the best and all that err at most 2 % more. Maps for each channel (only if `scopes`)
  // are among them if the best of them is better than the best map for all by a percent. If the best is not a
  // percent better than the last value, or not by more than chance, that alone.
  LinearChoice Choose(const std::vector<std::size_t>& contexts, bool scopes) const;

  // Into how many blocks Part::kBlocks cuts `rows`, each long enough for origins of its own.
  static std::size_t BlocksOf(std::size_t rows, std::size_t horizon);
  // Of block `left` out of the others' fit, one map for all of `context` levels: the mean squared error.
  double Error(std::size_t context, std::size_t left, double penalty) const;

  // [maps] of [horizon, context]: the map's weights.
  std::vector<Matrix> Solve(const LinearChoice& choice) const;

 private:
  // The same of a fit's map, for one channel only if the fit has a map for each.
  double Error(const LinearFit& fit, std::size_t left, std::size_t channel) const;
  double LastValueError(std::size_t block) const;
  // Whether a fit's gains over the last value are more than chance: their mean over the blocks that were left
  // out is above twice its standard error. Far ahead a block holds few outcomes that do not depend on each
  // other.
  bool Pays(const LinearFit& fit) const;
  // Of a map for the channels [first, end): the mean squared error of each penalty on blocks left out.
  std::vector<double> Errors(std::size_t context, std::size_t first, std::size_t end) const;
  LinearFit BestPenalty(std::size_t context, bool per_channel) const;
  // [horizon, fit.context]: the map of a channel, or that for all.
  Matrix SolveOne(const LinearFit& fit, std::size_t channel) const;

  std::size_t horizon_;
  std::vector<std::vector<RidgeSums>> blocks_;  // [blocks][channels]
};

// A fitted linear path.
class LinearPath {
 public:
  // Sets spec.linear_context and linear_per_channel; `maps` as LinearSums::Solve gives them.
  LinearPath(const LinearChoice& choice, const std::vector<Matrix>& maps, ModelSpec& spec);

  // forecast: set to [R, horizon], unit of the head, as Model's linear path gives it at these origins.
  void Forecast(const std::vector<PreparedSeries>& data, std::span<const Chunk::Origin> origins,
                Matrix& forecast) const;

  Tensors tensors() const { return tensors_; }  // linear.weight, linear.bias

 private:
  std::size_t target_, context_, horizon_, channels_;
  std::vector<std::size_t> shape_;
  Tensors tensors_;
};

// The channel of a series' row, 0 without channels.
std::size_t ChannelAt(const PreparedSeries& series, std::size_t row, const ModelSpec& spec);

}  // namespace tidegate
