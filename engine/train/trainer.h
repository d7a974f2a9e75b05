#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/model/spec.h"
#include "engine/tensor/tensors.h"
#include "engine/train/checkpoint.h"
#include "engine/train/loss.h"
#include "engine/train/schedule.h"
#include "engine/train/series.h"

namespace tidegate {

// What to train. The defaults suit a few thousand readings.
struct TrainOptions {
  std::string name = "model";
  std::int64_t interval_ns = 0;
  std::vector<std::string> features;  // names, [F]
  std::size_t target = 0;             // index into features
  bool level_inputs = false;
  bool difference_inputs = true;
  bool per_stream = false;  // normalisation, see ModelSpec
  bool instance_normalisation = false;
  bool interleaved = false;               // see ModelSpec; each chain then trains as a sequence of its own
  std::vector<CalendarFeature> calendar;  // see ModelSpec
  std::vector<LayerSpec> layers = {{.kind = LayerKind::kGru, .units = 32}};
  std::size_t window = 0;  // readings; see ModelSpec
  HeadKind head = HeadKind::kDirect;
  std::size_t segment = 0;            // steps, of the parallel head
  std::vector<std::string> channels;  // names; the last feature is the number of one of them, see ModelSpec
  std::size_t cycle = 0;              // readings; 0: none
  bool find_cycle = false;  // the best of some candidates by validation, or none; wants a linear path
  // Contexts of a linear path to choose from by validation, each cut to a third of all training rows and to
  // what leaves each block of cross-validation a horizon; empty, or nothing left: none. So are the penalty of
  // its ridge regression, with channels its scope (one map for all, or one for each), and its mixing with the
  // network. A cycle is chosen behind the first of them.
  std::vector<std::size_t> linear_contexts;
  // When all is chosen, mixed and scored, go on with the validation rows too: the linear path is fitted anew,
  // and the network learns for a quarter as many epochs more, at the last ones' learning rate.
  bool refit = false;
  // Streams correct their forecasts by their own errors at each part of the cycle (ModelSpec::bias_period),
  // if there is one: without a season errors far ahead come in runs, which a bias would be too late for.
  bool adapt = false;
  std::size_t horizon = 24;  // steps
  // How many steps of the horizon are scored and calibrated in a stream (ModelSpec::scored_steps): the first,
  // the last and others between, each as many times later than the one before. Each costs the stream as many
  // forecasts in memory as it is steps ahead.
  std::size_t scored_steps = 2;
  std::vector<float> quantiles = {0.1f, 0.5f, 0.9f};
  std::size_t warm_up = 48;        // steps left out of the loss at the start of a sequence
  std::size_t bridge_limit = 12;   // readings
  std::size_t reorder_window = 0;  // ticks, see ModelSpec
  std::string trained_on;          // free text for the spec

  std::uint64_t seed = 1;             // same seed, same machine, same thread count: same bits
  std::size_t epochs = 40;            // at most
  std::size_t patience = 10;          // epochs without a better validation loss before it stops
  double validation_fraction = 0.15;  // the last part of each series, for early stopping and residuals
  std::size_t sequence_length = 512;  // readings of one training sequence, its state zero at the start; with
                                      // a window that, and the same for truncation
  std::size_t truncation = 64;        // steps through which gradients flow; the state is carried on
  std::size_t batch = 16;             // sequences per update
  std::size_t epoch_sequences = 0;    // most of an epoch, so that long series take no longer; 0: no limit
  LossKind loss = LossKind::kPinball;
  bool median_first = false;  // the median alone shapes the layers, see median_first.h
  bool even_steps = false;    // errors count in deviations of the target, not of what each step moves it
  // a > 0: levels and targets of each training sequence are multiplied by a random factor from e^-a to e^a,
  // so that the network learns shapes whatever their size; for one feature.
  double amplitudes = 0;
  double learning_rate = 3e-3;  // Adam's, of the first epoch
  Schedule schedule = {};
  double weight_decay = 0;  // AdamW's
  double averaging = 0;     // in [0, 1): what is kept is a running mean of the weights that keeps so much of
                            // itself at each update; 0: the weights themselves
  double clip = 1.0;        // largest norm of the gradient
};

struct TrainProgress {
  std::size_t epoch = 0;       // from 1
  std::size_t epochs = 0;      // at most
  double training_loss = 0;    // in units of step_deviation
  double validation_loss = 0;  // same; of this epoch
  double best_loss = 0;        // the lowest validation loss so far
  std::size_t best_epoch = 0;
  double learning_rate = 0;
};

// Where a training is within an epoch.
struct TrainMoment {
  std::size_t epoch = 0, epochs = 0;  // from 1; those of a refit count on after the others
  double share = 0;                   // of the epoch
  bool refit = false;
};

// What happens while it trains; each may be null.
struct TrainHooks {
  std::function<bool(const TrainProgress&)> progress = nullptr;  // after every epoch; false: it stops there
  std::function<bool(const TrainMoment&)> within = nullptr;      // after every batch; false: it stops there
  // Before every part of what comes before the first epoch and after the last, with its name; false, before
  // the first: Train ends with Cancelled.
  std::function<bool(const std::string& part)> part = nullptr;
  std::function<absl::Status(const Checkpoint&)> checkpoint =
      nullptr;                         // after every epoch; an error ends the training
  const Checkpoint* resume = nullptr;  // goes on after this one
};

struct TrainedModel {
  ModelSpec spec;
  Tensors tensors = {};  // everything that Model::Create wants
  // Pinball loss on validation, mean over steps and quantiles, by which models for the same readings may be
  // compared: in the target's unit, or, where each stream has a scale of its own, in those.
  double validation_loss = 0;
};

// What the options alone say of the model: its scales are all 1. To be checked with CheckSpec.
ModelSpec SpecOf(const TrainOptions& options);

// Trains a network, and with it a cycle and a linear path, on `series` by truncated back-propagation through
// time (Williams & Peng 1990) with Adam (Kingma & Ba 2014, arXiv:1412.6980) on the pinball loss, and keeps
// the weights with the lowest validation loss. `progress` is called after every epoch; it returns false to
// stop there. Uses the OpenMP threads that the calling thread has set. InvalidArgument, naming the stream and
// the number: no series, too few readings, a feature that never varies.
absl::StatusOr<TrainedModel> Train(const std::vector<Series>& series, const TrainOptions& options,
                                   const std::function<bool(const TrainProgress&)>& progress);

// The same with all hooks. Stopped within an epoch it keeps the best of those before, of the first epoch what
// it has; stopped at all it does not refit. Gone on with from a checkpoint it makes the same bits as without
// the interruption. InvalidArgument: a checkpoint of another training.
absl::StatusOr<TrainedModel> Train(const std::vector<Series>& series, const TrainOptions& options,
                                   const TrainHooks& hooks);

}  // namespace tidegate
