#include "clients/cli/train_flags.h"

#include <algorithm>
#include <iostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace tidegate {

std::vector<LayerSpec> LayersOf(const TrainCommand& command) {
  std::vector<LayerSpec> layers;
  if (command.segment > 0) {
    layers.push_back({.kind = LayerKind::kConv1d,
                      .units = command.units,
                      .kernel = command.segment,
                      .stride = command.segment,
                      .relative = true,
                      .relu = true});
  }
  if (command.filters > 0) {
    layers.push_back({.kind = LayerKind::kConv1d,
                      .units = command.filters,
                      .kernel = command.kernel,
                      .dilation = command.dilation,
                      .stride = command.stride,
                      .relu = true});
  }
  LayerSpec recurrent = {.units = command.units,
                         .peepholes = command.peepholes,
                         .projection = command.projection,
                         .bidirectional = command.bidirectional};
  for (const LayerKind kind : kLayerKinds) {
    if (command.cell == KindName(kind)) recurrent.kind = kind;
  }
  layers.insert(layers.end(), command.layers, recurrent);
  if (command.residual && command.layers > 0) {  // between recurrent layers, which are equally wide
    for (std::size_t i = layers.size() - command.layers + 1; i < layers.size(); ++i)
      layers[i].residual = true;
  }
  if (command.bidirectional && command.segment > 0) {  // a decoder cannot run backwards
    recurrent.bidirectional = false;
    layers.push_back(recurrent);
  }
  for (std::size_t i = command.segment > 0 ? 1 : 0; i + 1 < layers.size(); ++i)
    layers[i].dropout = command.dropout;                             // between the layers
  if (command.segment > 0) layers.back().dropout = command.dropout;  // before the decoder's dense map
  return layers;
}

void SetSegments(const TrainCommand& command, TrainOptions& options) {
  if (const std::size_t rest = options.horizon % command.segment; rest > 0) {
    options.horizon += command.segment - rest;
    std::cout << "Horizon: " << options.horizon << " steps, as segments of " << command.segment
              << " are forecast whole.\n";
  }
  if (const std::size_t rest = options.sequence_length % command.segment; rest > 0) {
    options.sequence_length += command.segment - rest;
    std::cout << "Sequence: " << options.sequence_length << " readings, so many whole segments.\n";
  }
  options.interleaved = options.window == 0 && command.segment > 1;  // of one reading there is one chain
  options.head = HeadKind::kParallel;
  options.segment = command.segment;
  options.level_inputs = true;
  options.difference_inputs = false;
  // A hop is a step; of single readings a whole sequence, with each one's decoder, would take gigabytes.
  if (command.segment > 1) options.truncation = options.sequence_length;
}

absl::Status SetCycle(const std::string& cycle, TrainOptions& options) {
  options.find_cycle = cycle == "auto";
  if (cycle == "auto" || cycle == "none") return absl::OkStatus();
  if (absl::SimpleAtoi(cycle, &options.cycle) && options.cycle > 0 && options.cycle <= kMostCycle)
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--cycle is '", cycle, "', expected auto, none or a number of readings, 1 to ", kMostCycle));
}

absl::Status CheckFlags(const TrainCommand& command) {
  if (command.each_column && !command.readings.target.empty()) {
    return absl::InvalidArgumentError(
        "--target with --each-column: every column is forecast; choose them with --values");
  }
  if ((command.segment > 0 || command.each_column) && command.inputs != "difference") {
    return absl::InvalidArgumentError(
        absl::StrCat("--inputs ", command.inputs,
                     " with --segment or --each-column: these see values less the last of their segment"));
  }
  if (command.dropout > 0 && command.segment == 0 && !command.each_column && command.layers == 1 &&
      command.filters == 0) {
    return absl::InvalidArgumentError(
        "--dropout leaves out between layers, and there is one: give --layers 2, --conv-filters or "
        "--segment");
  }
  if (command.residual && command.layers == 1) {
    return absl::InvalidArgumentError(
        "--residual adds the input of every recurrent layer but the first, and there is one: give --layers "
        "2");
  }
  const TrainOptions& options = command.options;
  const TrainOptions usual;
  const bool sequence = options.sequence_length != usual.sequence_length;
  if (options.window > 0 && (sequence || options.truncation != usual.truncation)) {
    return absl::InvalidArgumentError(absl::StrCat(sequence ? "--sequence" : "--truncation",
                                                   " with --window: a window is learnt from by itself"));
  }
  if (command.segment > 1 && options.truncation != usual.truncation) {
    return absl::InvalidArgumentError(
        "--truncation with --segment: gradients flow through a whole --sequence of segments");
  }
  if (options.schedule.kind == ScheduleKind::kCosine &&
      (options.schedule.hold != usual.schedule.hold || options.schedule.decay != usual.schedule.decay)) {
    return absl::InvalidArgumentError(
        "--schedule-hold and --schedule-decay are of --schedule exponential and step, and it is cosine");
  }
  const std::vector<float>& quantiles = command.options.quantiles;
  if (command.options.loss != LossKind::kPinball && (quantiles.size() != 1 || quantiles[0] != 0.5f)) {
    return absl::InvalidArgumentError(absl::StrCat("--loss ", LossName(command.options.loss),
                                                   " makes a single forecast: give --quantiles 0.5"));
  }
  return absl::OkStatus();
}

}  // namespace tidegate
