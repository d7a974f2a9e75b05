#include "engine/train/trainer.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/model/model.h"
#include "engine/model/model_file.h"
#include "engine/stream/residual_table.h"
#include "engine/train/learner.h"
#include "engine/train/linear_path.h"
#include "engine/train/loss.h"
#include "engine/train/network.h"
#include "engine/train/preparation.h"
#include "engine/train/score.h"

namespace tidegate {
namespace {

constexpr std::size_t kGoldenReadings = 64;
constexpr float kLinearInputLimit = 1000;  // ModelSpec::input_limit with a linear path

// 1, horizon and what lies between, evenly by its logarithm; without those that fall together.
std::vector<std::size_t> StepsBetween(std::size_t horizon, std::size_t count) {
  std::vector<std::size_t> steps = {1};
  for (std::size_t i = 1; i < count; ++i) {
    const double power = static_cast<double>(i) / static_cast<double>(count - 1);
    const auto step = static_cast<std::size_t>(std::llround(std::pow(static_cast<double>(horizon), power)));
    if (step > steps.back()) steps.push_back(step);
  }
  return steps;
}

// What CheckSpec does not see.
absl::Status CheckOptions(const TrainOptions& options, const ModelSpec& spec) {
  const auto positive = [](const char* what, std::size_t value) {
    return value > 0 ? absl::OkStatus()
                     : absl::InvalidArgumentError(absl::StrCat(what, " is 0, expected at least 1"));
  };
  for (const auto& [what, value] :
       {std::pair("epochs", options.epochs), std::pair("patience", options.patience),
        std::pair("truncation", options.truncation), std::pair("batch", options.batch)}) {
    if (absl::Status status = positive(what, value); !status.ok()) return status;
  }
  if (!(options.validation_fraction > 0 && options.validation_fraction < 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("validation_fraction is ", options.validation_fraction, ", expected between 0 and 1"));
  }
  if (options.window == 0 && options.sequence_length <= options.warm_up) {
    return absl::InvalidArgumentError(absl::StrCat("sequence_length is ", options.sequence_length,
                                                   ", expected more than the warm-up, ", options.warm_up));
  }
  if (!(options.learning_rate > 0 && options.learning_rate <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("learning_rate is ", options.learning_rate, ", expected above 0 and at most 1"));
  }
  if (options.schedule.hold == 0 || !(options.schedule.decay > 0 && options.schedule.decay <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("schedule: hold is ", options.schedule.hold, ", decay ",
                                                   options.schedule.decay,
                                                   ", expected at least 1, and above 0 and at most 1"));
  }
  if (!(options.clip > 0)) {
    return absl::InvalidArgumentError(absl::StrCat("clip is ", options.clip, ", expected above 0"));
  }
  if (!(options.weight_decay >= 0 && options.weight_decay <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("weight_decay is ", options.weight_decay, ", expected 0 to 1"));
  }
  if (!(options.averaging >= 0 && options.averaging < 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("averaging is ", options.averaging, ", expected 0 up to but not including 1"));
  }
  if (options.loss != LossKind::kPinball && options.quantiles.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("loss is ", LossName(options.loss), " of ",
                                                   options.quantiles.size(),
                                                   " quantiles; only pinball is for several"));
  }
  if (!options.linear_contexts.empty() && !options.level_inputs)
    return absl::InvalidArgumentError("linear_contexts: a linear path wants level inputs");
  if (std::ranges::find(options.linear_contexts, 0u) != options.linear_contexts.end())
    return absl::InvalidArgumentError("linear_contexts: 0 readings, expected 1 or more");
  if (options.find_cycle && options.linear_contexts.empty())
    return absl::InvalidArgumentError("find_cycle: cycles are compared by the linear path; give it contexts");
  for (const LayerSpec& layer : options.layers) {
    const auto& [what, steps] = options.window > 0 ? std::pair("window", options.window)
                                                   : std::pair("truncation", options.truncation);
    if (steps % layer.stride != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " is ", steps, ", expected a multiple of the stride, ", layer.stride));
    }
  }
  if (options.amplitudes < 0 || (options.amplitudes > 0 && spec.input_features() != 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("amplitudes is ", options.amplitudes,
                     ", expected 0 or, for one feature beside the channel's number, more"));
  }
  return absl::OkStatus();
}

double LearningRate(const TrainOptions& options, std::size_t epoch) {
  return options.learning_rate * options.schedule.Factor(epoch, options.epochs);
}

std::size_t Workers() { return static_cast<std::size_t>(omp_get_max_threads()); }

std::size_t RefitEpochs(const TrainOptions& options) {
  return options.refit ? std::max<std::size_t>(1, options.epochs / 4) : 0;
}

// One training from its first epoch, or from a checkpoint, to the best weights.
class Training {
 public:
  Training(const ModelSpec& spec, const TrainOptions& options, const Loss& loss, const TrainHooks& hooks)
      : spec_(spec), options_(options), loss_(loss), hooks_(hooks) {}

  // identity: for checkpoints. Sets at().best to the weights with the lowest validation loss.
  absl::Status Learn(const std::vector<PreparedSeries>& data, Validator& validator, std::string identity) {
    Learner learner(spec_, options_, data, loss_, Workers());
    at_ = {.made_with = std::move(identity),
           .best_loss = std::numeric_limits<double>::infinity(),
           .best = learner.weights()};
    if (hooks_.resume != nullptr) {
      if (absl::Status status = learner.SetState(hooks_.resume->learner); !status.ok()) return status;
      at_ = *hooks_.resume;
    }
    while (!stopped_ && at_.epoch < options_.epochs && at_.epoch - at_.best_epoch < options_.patience) {
      if (absl::Status status = OneEpoch(learner, validator); !status.ok()) return status;
    }
    if (at_.best_epoch > 0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("training diverged: the validation loss was never a number; lower learning_rate, ",
                     options_.learning_rate));
  }

  // Goes on learning with all rows.
  void Refit(std::vector<PreparedSeries> data) {
    for (PreparedSeries& series : data) series.split = series.size();
    Learner learner(spec_, options_, data, loss_, Workers());
    learner.SetWeights(at_.best);
    const std::size_t epochs = RefitEpochs(options_);
    for (std::size_t epoch = 1; epoch <= epochs && !stopped_; ++epoch)
      learner.Epoch(LearningRate(options_, options_.epochs - epochs + epoch - 1),
                    Within(epoch + options_.epochs));
    if (!stopped_) at_.best = learner.weights();
  }

  bool stopped() const { return stopped_; }
  Tensors& best() { return at_.best; }

 private:
  std::function<bool(double)> Within(std::size_t epoch) {
    if (!hooks_.within) return nullptr;
    return [this, epoch](double share) {
      stopped_ = !hooks_.within({.epoch = epoch,
                                 .epochs = options_.epochs + RefitEpochs(options_),
                                 .share = share,
                                 .refit = epoch > options_.epochs});
      return !stopped_;
    };
  }

  absl::Status OneEpoch(Learner& learner, Validator& validator) {
    TrainProgress now{.epoch = at_.epoch + 1,
                      .epochs = options_.epochs,
                      .learning_rate = LearningRate(options_, at_.epoch)};
    now.training_loss = learner.Epoch(now.learning_rate, Within(now.epoch));
    if (stopped_ && at_.best_epoch > 0) return absl::OkStatus();
    const Tensors weights = learner.weights();
    now.validation_loss = validator.MeanLoss(weights);
    at_.epoch = now.epoch;
    if (now.validation_loss < at_.best_loss) {
      at_.best = weights;
      at_.best_loss = now.validation_loss;
      at_.best_epoch = now.epoch;
    }
    now.best_loss = at_.best_loss;
    now.best_epoch = at_.best_epoch;
    const bool whole = !stopped_;
    if (hooks_.progress && !hooks_.progress(now)) stopped_ = true;
    if (!hooks_.checkpoint || !whole) return absl::OkStatus();
    at_.learner = learner.state();
    return hooks_.checkpoint(at_);
  }

  const ModelSpec& spec_;
  const TrainOptions& options_;
  const Loss& loss_;
  const TrainHooks& hooks_;
  Checkpoint at_;
  bool stopped_ = false;
};

// The last training readings of a series [T, F]; missing values as serving would see them.
Tensor GoldenValues(const Series& series, std::size_t split, const ModelSpec& spec) {
  const std::size_t features = series.features;
  const std::size_t readings = std::min(kGoldenReadings, split);
  Tensor golden{{readings, features}, {}};
  std::vector<float> last;
  for (const Feature& feature : spec.features) last.push_back(feature.mean);
  for (std::size_t i = (split - readings) * features; i < split * features; ++i) {
    float& known = last[i % features];
    if (!std::isnan(series.values[i])) known = series.values[i];
    golden.values.push_back(known);
  }
  return golden;
}

// That make errors, in deviations of each step, errors in deviations of the target.
std::vector<float> EvenWeights(const ModelSpec& spec) {
  const Feature& target = spec.features[spec.target];
  const float deviation = spec.per_stream ? target.difference_deviation : target.deviation;
  std::vector<float> weights;
  for (const float step : spec.step_deviation) weights.push_back(step / deviation);
  return weights;
}

Tensors TensorsOf(const ModelSpec& spec, Tensors tensors, Validator::Report report, Tensor golden) {
  const ResidualTable table = ResidualTable::From(std::move(report.residuals));
  tensors["residuals.quantiles"] = {{table.quantiles().size()},
                                    {table.quantiles().begin(), table.quantiles().end()}};
  tensors["residuals.count"] = {{1}, {static_cast<float>(table.count())}};
  if (!report.ratios.empty()) {
    const std::size_t rows = report.ratios.size() / CalibrationTable::kLevels;
    tensors["calibration.ratios"] = {{rows, CalibrationTable::kLevels}, std::move(report.ratios)};
  }
  tensors["golden.values"] = std::move(golden);
  tensors["golden.forecast"] = {{spec.horizon, spec.quantiles.size()}, std::vector<float>(spec.outputs())};
  return tensors;
}

}  // namespace

ModelSpec SpecOf(const TrainOptions& options) {
  ModelSpec spec;
  spec.name = options.name;
  spec.interval_ns = options.interval_ns;
  for (const std::string& name : options.features) {
    Feature feature;
    feature.name = name;
    spec.features.push_back(std::move(feature));
  }
  spec.target = options.target;
  spec.level_inputs = options.level_inputs;
  spec.difference_inputs = options.difference_inputs;
  spec.calendar = options.calendar;
  spec.per_stream = options.per_stream;
  // Of a value that is cut off a line knows neither how far it jumped nor how far it has to come back.
  if (!options.linear_contexts.empty()) spec.input_limit = kLinearInputLimit;
  spec.layers = options.layers;
  spec.interleaved = options.interleaved;
  spec.window = options.window;
  spec.instance_normalisation = options.instance_normalisation;
  spec.head = options.head;
  spec.segment = options.segment;
  spec.channels = options.channels.size();
  for (const std::string& name : options.channels) spec.channel_scales.push_back({.name = name});
  spec.horizon = options.horizon;
  spec.quantiles = options.quantiles;
  spec.step_deviation.assign(options.horizon, 1.0f);
  if (options.scored_steps > 2) spec.scored_steps = StepsBetween(options.horizon, options.scored_steps);
  spec.warm_up = options.warm_up;
  spec.bridge_limit = options.bridge_limit;
  spec.reorder_window = options.reorder_window;
  spec.trained_on = options.trained_on;
  return spec;
}

absl::StatusOr<TrainedModel> Train(const std::vector<Series>& series, const TrainOptions& options,
                                   const std::function<bool(const TrainProgress&)>& progress) {
  return Train(series, options, TrainHooks{.progress = progress});
}

absl::StatusOr<TrainedModel> Train(const std::vector<Series>& series, const TrainOptions& options,
                                   const TrainHooks& hooks) {
  TrainedModel trained;
  ModelSpec& spec = trained.spec;
  spec = SpecOf(options);
  if (absl::Status status = CheckSpec(spec); !status.ok()) return status;
  if (absl::Status status = CheckOptions(options, spec); !status.ok()) return status;
  std::string identity;  // of many readings it takes a moment
  if (hooks.checkpoint || hooks.resume != nullptr) identity = TrainingIdentity(series, options, Workers());
  if (hooks.resume != nullptr) {
    if (absl::Status status = CheckIdentity(hooks.resume->made_with, identity); !status.ok()) return status;
  }
  const auto splits = FitScales(series, options.validation_fraction, spec);
  if (!splits.ok()) return splits.status();
  auto preparation = Prepare(series, *splits, options, hooks, spec);
  if (!preparation.ok()) return preparation.status();
  const std::vector<PreparedSeries>& data = preparation->data;
  if (absl::Status status = CheckSpec(spec); !status.ok()) return status;  // with cycle and linear path

  std::vector<float> step_weights;
  if (options.even_steps) step_weights = EvenWeights(spec);
  const Loss loss = {.kind = options.loss, .quantiles = spec.quantiles, .weights = step_weights};
  // States forget: twice a training sequence is as good as all the past.
  Validator validator(spec, data, options.truncation, 2 * options.sequence_length, loss);
  Training training(spec, options, loss, hooks);
  if (absl::Status status = training.Learn(data, validator, std::move(identity)); !status.ok()) return status;
  Tensors& weights = training.best();
  const LinearPath* const linear = preparation->linear ? &*preparation->linear : nullptr;
  std::vector<float> mixing;
  bool stopped = training.stopped();
  const auto begin = [&](const char* part) { stopped |= hooks.part && !hooks.part(part); };
  begin("the mixing of network and linear path, and the validation");
  if (linear != nullptr) mixing = validator.FitMixing(weights, *linear, preparation->choice.trust());
  Validator::Report report = validator.Score(weights, linear, mixing);
  spec.validation = report.score;
  trained.validation_loss = spec.per_stream ? report.scaled_pinball : report.score.pinball;
  if (absl::Status status = CheckSpec(spec); !status.ok()) return status;

  if (options.refit && !stopped) {
    training.Refit(data);
    if (!training.stopped()) {
      begin("the linear path, with the validation readings");
      RefitLinear(*preparation, spec);
    }
  }
  AddPaths(spec, *preparation, mixing, weights);
  trained.tensors = TensorsOf(spec, std::move(weights), std::move(report),
                              GoldenValues(series.front(), data.front().split, spec));
  const auto model = Model::Create(spec, trained.tensors);  // its golden forecast is still to come
  if (!model.ok()) return model.status();
  trained.tensors["golden.forecast"].values = ForecastAfter(**model, trained.tensors["golden.values"].values);
  return trained;
}

}  // namespace tidegate
