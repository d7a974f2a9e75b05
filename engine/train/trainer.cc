#include "engine/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/model/model.h"
#include "engine/model/model_file.h"
#include "engine/stream/residual_table.h"
#include "engine/train/adam.h"
#include "engine/train/cycle.h"
#include "engine/train/dataset.h"
#include "engine/train/linear_path.h"
#include "engine/train/loss.h"
#include "engine/train/network.h"
#include "engine/train/random.h"
#include "engine/train/score.h"

namespace tidegate {
namespace {

constexpr std::size_t kGoldenReadings = 64;

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
  spec.per_stream = options.per_stream;
  spec.layers = options.layers;
  spec.interleaved = options.interleaved;
  spec.head = options.head;
  spec.segment = options.segment;
  spec.channels = options.channels.size();
  for (const std::string& name : options.channels) spec.channel_scales.push_back({.name = name});
  spec.horizon = options.horizon;
  spec.quantiles = options.quantiles;
  spec.step_deviation.assign(options.horizon, 1.0f);
  spec.warm_up = options.warm_up;
  spec.bridge_limit = options.bridge_limit;
  spec.trained_on = options.trained_on;
  return spec;
}

// What CheckSpec does not see.
absl::Status CheckOptions(const TrainOptions& options) {
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
  if (options.sequence_length <= options.warm_up) {
    return absl::InvalidArgumentError(absl::StrCat("sequence_length is ", options.sequence_length,
                                                   ", expected more than the warm-up, ", options.warm_up));
  }
  if (!(options.learning_rate > 0 && options.learning_rate <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("learning_rate is ", options.learning_rate, ", expected above 0 and at most 1"));
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
  if (options.find_cycle && options.linear_contexts.empty())
    return absl::InvalidArgumentError("find_cycle: cycles are compared by the linear path; give it contexts");
  for (const LayerSpec& layer : options.layers) {
    if (options.truncation % layer.stride != 0) {
      return absl::InvalidArgumentError(absl::StrCat("truncation is ", options.truncation,
                                                     ", expected a multiple of the stride, ", layer.stride));
    }
  }
  return absl::OkStatus();
}

// The learning rate of one epoch (from 0): along a cosine from the whole to a tenth.
double LearningRate(const TrainOptions& options, std::size_t epoch) {
  const double done = static_cast<double>(epoch) / static_cast<double>(options.epochs);
  return options.learning_rate * (0.55 + 0.45 * std::cos(std::numbers::pi * done));
}

// The weights, their gradient and what moves them.
class Learner {
 public:
  Learner(const ModelSpec& spec, const TrainOptions& options, const std::vector<PreparedSeries>& data,
          const Loss& loss)
      : spec_(spec),
        options_(options),
        data_(data),
        loss_(loss),
        random_(options.seed),
        network_(spec, RowsOf(spec)),
        gradients_(network_.Gradients()),
        adam_(network_.Weights(), gradients_, options.weight_decay) {
    network_.Randomise(random_);
  }
  Learner(const Learner&) = delete;  // adam_ points into it
  Learner& operator=(const Learner&) = delete;

  // Those to keep: the running mean, if there is one.
  Tensors weights() {
    const Tensors now = network_.WeightTensors();
    if (mean_.empty()) return now;
    const auto put = [this](const std::vector<float>& values) {
      std::size_t at = 0;
      for (const auto array : network_.Weights()) {
        std::copy_n(&values[at], array.size(), array.data());
        at += array.size();
      }
    };
    put(mean_);
    Tensors kept = network_.WeightTensors();
    network_.SetWeights(now);
    return kept;
  }

  // One pass over the training rows; returns the mean loss.
  double Epoch(double learning_rate) {
    // Of hops a sequence scores few rows, and an epoch scores about every row once.
    const std::size_t every = OutputStride(spec_), length = options_.sequence_length;
    const std::size_t spacing = every == 1 ? length / 4 : (length - options_.warm_up) / every;
    const auto sequences =
        DrawSequences(data_, length, std::max<std::size_t>(spacing, 1), options_.warm_up, random_);
    Sum sum;
    for (std::size_t begin = 0; begin < sequences.size(); begin += options_.batch) {
      Learn(std::span(sequences).subspan(begin, std::min(options_.batch, sequences.size() - begin)),
            learning_rate, sum);
    }
    return sum.loss / static_cast<double>(sum.count);
  }

 private:
  struct Sum {
    double loss = 0;
    std::size_t count = 0;
  };

  // One batch of sequences, from zero states, with an update after every chunk of steps.
  void Learn(std::span<const Sequence> batch, double learning_rate, Sum& sum) {
    std::size_t steps = 0;
    for (const Sequence& sequence : batch) steps = std::max(steps, sequence.end - sequence.begin);
    network_.Start(batch.size());
    for (std::size_t first = 0; first < steps; first += options_.truncation) {
      FillChunk(data_, batch, spec_.step_deviation, first,
                network_.WholeHops(std::min(options_.truncation, steps - first)), OutputStride(spec_),
                chunk_);
      network_.Forward(chunk_.inputs, &random_);
      if (chunk_.known == 0) continue;
      network_.Decode(outputs_, &random_);
      const std::size_t count = chunk_.known * spec_.quantiles.size();
      d_outputs_ = outputs_;
      sum.loss += LossGradient(loss_, chunk_.targets, 1.0f / static_cast<float>(count), d_outputs_);
      sum.count += count;
      network_.ClearGradients();
      network_.Backward(chunk_.inputs, outputs_, d_outputs_);
      ClipNorm(gradients_, options_.clip);
      adam_.Step(learning_rate);
      Average();
    }
  }

  // Moves the running mean towards the weights; at first it is their plain mean.
  void Average() {
    if (options_.averaging == 0) return;
    ++updates_;
    const double keep = std::min(options_.averaging, 1 - 1 / static_cast<double>(updates_));
    const auto kept = static_cast<float>(keep), taken = static_cast<float>(1 - keep);
    std::size_t at = 0;
    for (const auto array : network_.Weights()) {
      if (mean_.size() < at + array.size()) mean_.resize(at + array.size());
      for (const float weight : array) {
        mean_[at] = kept * mean_[at] + taken * weight;
        ++at;
      }
    }
  }

  const ModelSpec& spec_;
  const TrainOptions& options_;
  const std::vector<PreparedSeries>& data_;
  const Loss& loss_;
  Random random_;
  Network network_;
  Arrays gradients_;  // of network_
  Adam adam_;
  Chunk chunk_;
  Matrix outputs_;
  Matrix d_outputs_;
  std::size_t updates_ = 0;
  std::vector<float> mean_;  // of the weights, all arrays in order; empty: not kept
};

// The weights with the lowest validation loss.
absl::StatusOr<Tensors> Learn(const ModelSpec& spec, const TrainOptions& options,
                              const std::vector<PreparedSeries>& data, const Loss& loss, Validator& validator,
                              const std::function<bool(const TrainProgress&)>& progress) {
  Learner learner(spec, options, data, loss);
  Tensors best = learner.weights();
  double best_loss = std::numeric_limits<double>::infinity();
  std::size_t best_epoch = 0;
  for (std::size_t epoch = 1; epoch <= options.epochs && epoch - best_epoch <= options.patience; ++epoch) {
    TrainProgress now{.epoch = epoch, .epochs = options.epochs};
    now.training_loss = learner.Epoch(LearningRate(options, epoch - 1));
    now.validation_loss = validator.MeanLoss(learner.weights());
    if (now.validation_loss < best_loss) {
      best = learner.weights();
      best_loss = now.validation_loss;
      best_epoch = epoch;
    }
    now.best_loss = best_loss;
    if (progress && !progress(now)) break;
  }
  if (best_epoch == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("training diverged: the validation loss was never a number; lower learning_rate, ",
                     options.learning_rate));
  }
  return best;
}

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

// What is made before the network.
struct Preparation {
  std::vector<float> cycle;  // the model's table, or empty
  std::vector<PreparedSeries> data;
  std::optional<LinearPath> linear;
};

constexpr std::size_t kRowsToChoose = 20'000, kRowsToFit = 400'000;

// Chooses and fits cycle and linear path, and sets them in the spec.
absl::StatusOr<Preparation> Prepare(const std::vector<Series>& series, const std::vector<std::size_t>& splits,
                                    const TrainOptions& options, ModelSpec& spec) {
  std::vector<std::size_t> periods = {options.cycle};
  if (options.find_cycle) {
    periods = CandidatePeriods(series, splits, spec);
    periods.insert(periods.begin(), 0);
  }
  const std::size_t longest =
      options.linear_contexts.empty() ? 0 : *std::ranges::max_element(options.linear_contexts);
  Preparation best;
  LinearChoice choice;
  std::size_t best_period = 0;
  for (const std::size_t period : periods) {
    Preparation now;
    spec.cycle = period;
    if (period > 0) now.cycle = FitCycle(series, splits, spec, period);
    auto data = PrepareSeries(series, splits, now.cycle, spec);
    if (!data.ok()) return data.status();
    now.data = *std::move(data);
    LinearChoice choice_now;
    if (longest > 0) {
      choice_now = LinearSums(now.data, spec, longest, kRowsToChoose)
                       .Choose(options.linear_contexts, spec.channels > 0);
    }
    // A cycle has to be worth a percent.
    if (best.data.empty() || choice_now.error < 0.99 * choice.error) {
      best = std::move(now);
      choice = choice_now;
      best_period = period;
    }
  }
  spec.cycle = best_period;
  auto data = PrepareSeries(series, splits, best.cycle, spec);  // its step_deviation
  if (!data.ok()) return data.status();
  if (choice.context > 0) {
    const LinearSums sums(best.data, spec, choice.context, kRowsToFit);
    best.linear.emplace(choice, sums.Solve(choice), spec);
  }
  return best;
}

// Steps of a validation chunk: of hops so few that what the decoder keeps of them stays in bounds.
std::size_t ValidationSteps(const ModelSpec& spec, const TrainOptions& options, std::size_t series) {
  const std::size_t every = OutputStride(spec);
  if (every == 1) return options.truncation;
  constexpr std::size_t kRows = 16'384;
  const std::size_t rows = series * every * (spec.segment > 0 ? spec.horizon / spec.segment : 1);
  return std::max<std::size_t>(1, kRows / rows) * every;
}

// Adds the tensors of the cycle and the linear path to those of the network.
void AddPaths(const ModelSpec& spec, const Preparation& preparation, const std::vector<float>& mixing,
              Tensors& tensors) {
  if (spec.cycle > 0) tensors["cycle.table"] = {{spec.cycle, spec.cycle_columns()}, preparation.cycle};
  if (!preparation.linear) return;
  tensors.merge(preparation.linear->tensors());
  Tensor weights = {tensors.at("linear.bias").shape, mixing};
  tensors["mixing.network"] = std::move(weights);
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

absl::StatusOr<TrainedModel> Train(const std::vector<Series>& series, const TrainOptions& options,
                                   const std::function<bool(const TrainProgress&)>& progress) {
  TrainedModel trained;
  ModelSpec& spec = trained.spec;
  spec = SpecOf(options);
  if (absl::Status status = CheckSpec(spec); !status.ok()) return status;
  if (absl::Status status = Network::CheckTrainable(spec); !status.ok()) return status;
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  const auto splits = FitScales(series, options.validation_fraction, spec);
  if (!splits.ok()) return splits.status();
  auto preparation = Prepare(series, *splits, options, spec);
  if (!preparation.ok()) return preparation.status();
  const std::vector<PreparedSeries>& data = preparation->data;

  std::vector<float> step_weights;
  if (options.even_steps) step_weights = spec.step_deviation;
  const Loss loss = {.kind = options.loss, .quantiles = spec.quantiles, .weights = step_weights};
  Validator validator(spec, data, ValidationSteps(spec, options, data.size()), loss);
  auto weights = Learn(spec, options, data, loss, validator, progress);
  if (!weights.ok()) return weights.status();
  const LinearPath* const linear = preparation->linear ? &*preparation->linear : nullptr;
  std::vector<float> mixing;
  if (linear != nullptr) mixing = validator.FitMixing(*weights, *linear);
  Validator::Report report = validator.Score(*weights, linear, mixing);
  spec.validation = report.score;
  if (absl::Status status = CheckSpec(spec); !status.ok()) return status;

  AddPaths(spec, *preparation, mixing, *weights);
  trained.tensors = TensorsOf(spec, *std::move(weights), std::move(report),
                              GoldenValues(series.front(), data.front().split, spec));
  const auto model = Model::Create(spec, trained.tensors);  // its golden forecast is still to come
  if (!model.ok()) return model.status();
  trained.tensors["golden.forecast"].values = ForecastAfter(**model, trained.tensors["golden.values"].values);
  return trained;
}

}  // namespace tidegate
