#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/layers/layer_spec.h"
#include "engine/stream/calendar.h"
#include "engine/tensor/precision.h"

namespace tidegate {

// Most readings that a model looks back on, or ahead; most readings of a cycle.
inline constexpr std::size_t kMostSteps = 4096, kMostCycle = 65'536;

// One input of a model and its scale, fixed from the training readings.
struct Feature {
  std::string name;
  float mean = 0;                  // unit of the feature
  float deviation = 1;             // standard deviation of the values, > 0
  float difference_deviation = 1;  // standard deviation of value minus previous value, > 0
  float resolution = 0;            // least difference of two values that the sensor tells apart; 0: not known
};

enum class HeadKind {
  kDirect,    // "direct": a dense map from the network's output to the whole forecast
  kParallel,  // "parallel": a further step of the topmost layer for each segment of the horizon, all from the
              // same state, each told its place (SegRNN, Lin et al. 2023, arXiv:2308.11200)
  kRecursive,  // "recursive": one step ahead, then the network runs on with its own forecast as input
};

// Error of the model on its validation readings, for people who choose between models.
struct ValidationScore {
  double mae = 0;              // of the median, over all steps; unit of the target
  double persistence_mae = 0;  // of "the last value stays", same origins
  double pinball = 0;          // mean over steps and quantiles; unit of the target
  double coverage = 0;         // share of targets between the lowest and the highest quantile
  std::size_t origins = 0;     // forecasts scored
};

// Everything about a model but its weights: what it reads, how it is built, what it answers. Written as JSON
// (`model.json`) beside the weights. A plain value.
struct ModelSpec {
  std::string name;               // ^[a-z0-9][a-z0-9._-]{0,63}$
  std::int64_t interval_ns = 0;   // time between two readings of a stream, > 0
  std::vector<Feature> features;  // F, 1-1024
  std::size_t target = 0;         // index into features of what is forecast
  bool level_inputs = false;      // the network sees (value - mean) / deviation
  bool difference_inputs = true;  // the network sees (value - previous) / difference_deviation
  // The network sees sine and cosine of these of a reading's time, behind levels and differences. Not under a
  // relative layer or instance normalisation, which take away what stays the same; not with the recursive
  // head.
  std::vector<CalendarFeature> calendar;
  // Mean and deviations are each stream's own, running (see ScaleInputs), so that sensors of different ranges
  // share a model; step_deviation then is in the stream's difference deviations times the feature's.
  bool per_stream = false;
  float input_limit = 8;          // deviations: what the model sees at most of an outlier; 1 to 1000
  std::vector<LayerSpec> layers;  // in order from the input, 1-16

  // 0: stateful, the state of a stream lives for ever. Otherwise windowed: every forecast is made anew from
  // the last `window` readings (2-4096), from zero states.
  std::size_t window = 0;
  // Windowed only: each input of the window less its mean, divided by its deviation over the window; the
  // forecast is made in that scale. Kim et al. 2022 (RevIN) without its affine part. Wants level inputs.
  bool instance_normalisation = false;
  // Layers above a strided convolution run as one chain of states for each phase (layer_stack.h).
  bool interleaved = false;

  HeadKind head = HeadKind::kDirect;
  std::size_t segment = 0;  // parallel head: steps of the horizon from one network step, divides the horizon
  std::size_t channels =
      0;  // parallel head: C > 0: the last feature of a reading is no input of the layers but
          // the number of its channel, 0 to C - 1, for which the head learns an embedding
  // The target's scale in each channel [C], in place of the feature's, for channels of different units or
  // ranges; forecasts then are in the channel's deviation by the feature's. Empty: one scale for all. Wants
  // one feature beside the channel's number.
  std::vector<Feature> channel_scales;
  std::size_t linear_context = 0;  // L > 0: a linear map of the target's last L levels, less the last one, is
                                   // mixed with the network's forecast, by a weight for each step; 1-4096
  bool linear_per_channel = false;  // the map and the mixing are each channel's own
  std::size_t cycle = 0;  // n > 0: a table of n values for each feature, indexed by the timestamp in
                          // intervals modulo n, is subtracted before the network and added to the forecast;
                          // with channel_scales a table for each channel; 1-65536
  std::size_t bias_period = 0;  // readings of a season, n > 0: each stream corrects its forecasts by what
                                // they have been wrong by at each of min(n, 48) parts of it, see
                                // seasonal_bias.h; 1-65536

  std::size_t horizon = 0;       // steps of a forecast, 1-4096
  std::vector<float> quantiles;  // Q, rising, within (0, 1); odd count, the middle one is the point forecast
  std::vector<float>
      step_deviation;  // [horizon] standard deviation of target(t+h) - target(t): unit of the head
  std::vector<std::size_t> scored_steps;  // steps of the horizon whose forecasts are scored and calibrated,
                                          // rising, the first is 1; empty: the first and the last
  std::size_t warm_up = 0;                // steps before a stream's forecasts are trusted
  std::size_t bridge_limit = 0;           // missing readings a stream steps over; more of them restart it
  std::size_t reorder_window = 0;  // ticks by which a reading may come after later ones, 0-64: what came
                                   // too early waits in the stream's floats, see stream.h
  Precision precision = Precision::kF32;  // of the weights, see precision.h
  std::string trained_on;                 // free text: file, rows, streams
  ValidationScore validation;
  std::string weights_sha256;  // hex, of the whole weights file; empty before it is written

  // Features that the layers see: all, or all but the channel's number.
  std::size_t input_features() const { return features.size() - (channels > 0 ? 1 : 0); }
  // The channel that a reading's number means: what is no channel's number counts as the nearest that is,
  // NaN as the first.
  std::size_t ChannelOf(float number) const {
    const auto most = static_cast<float>(channels > 0 ? channels - 1 : 0);
    return number > 0 ? static_cast<std::size_t>(number < most ? number : most) : 0;
  }
  // The target's scale in the channel that this number means.
  const Feature& TargetOf(float number) const {
    return channel_scales.empty() ? features[target] : channel_scales[ChannelOf(number)];
  }
  // Columns of the cycle's table: the features or, with scales of their own, the channels.
  std::size_t cycle_columns() const { return channel_scales.empty() ? features.size() : channels; }
  // Maps of the linear path.
  std::size_t linear_maps() const { return linear_per_channel ? channels : 1; }
  // Inputs from values: input_features() for each kind that is on. The width of the layers' input: with the
  // calendar's behind them.
  std::size_t value_inputs() const {
    return input_features() * ((level_inputs ? 1 : 0) + (difference_inputs ? 1 : 0));
  }
  std::size_t layer_inputs() const { return value_inputs() + 2 * calendar.size(); }
  // Width of the model's input: the layers', then the channel's number.
  std::size_t inputs() const { return layer_inputs() + (channels > 0 ? 1 : 0); }
  std::vector<std::size_t> ScoredSteps() const {
    if (!scored_steps.empty()) return scored_steps;
    return horizon == 1 ? std::vector<std::size_t>{1} : std::vector<std::size_t>{1, horizon};
  }
  // Biases that a stream keeps.
  std::size_t biases() const { return bias_period < 48 ? bias_period : 48; }
  // Floats in one forecast, [horizon, Q].
  std::size_t outputs() const { return horizon * quantiles.size(); }
};

// InvalidArgument naming the field: a value outside the range given above, or sizes that disagree.
absl::Status CheckSpec(const ModelSpec& spec);

std::string WriteSpec(const ModelSpec& spec);  // JSON, indented, ends with a newline

// Parses and checks. InvalidArgument: not JSON, nested deeper than 32, an unknown or missing field, a wrong
// type.
absl::StatusOr<ModelSpec> ParseSpec(absl::string_view json);

}  // namespace tidegate
