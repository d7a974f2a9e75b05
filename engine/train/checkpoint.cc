#include "engine/train/checkpoint.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/model/json.h"
#include "engine/model/safetensors.h"
#include "engine/train/trainer.h"

namespace tidegate {
namespace {

using Json = nlohmann::ordered_json;

// FNV-1a (Fowler, Noll, Vo) over words in place of bytes.
class Digest {
 public:
  void Add(std::uint64_t word) { hash_ = (hash_ ^ word) * 1099511628211u; }
  std::string Text() const { return absl::StrCat(absl::Hex(hash_, absl::kZeroPad16)); }

 private:
  std::uint64_t hash_ = 14695981039346656037u;
};

std::string DigestOf(const std::vector<Series>& series) {
  Digest digest;
  for (const Series& one : series) {
    for (const char c : one.stream) digest.Add(static_cast<unsigned char>(c));
    digest.Add(one.features);
    digest.Add(static_cast<std::uint64_t>(one.begin_ns));
    for (const std::int64_t time : one.time_ns) digest.Add(static_cast<std::uint64_t>(time));
    for (const float value : one.values)
      digest.Add(std::isnan(value) ? 0x7fc00000 : std::bit_cast<std::uint32_t>(value));
    for (const bool scored : one.scored) digest.Add(scored ? 1 : 2);
  }
  return digest.Text();
}

Json CalendarOf(const TrainOptions& options) {
  Json calendar = Json::array();
  for (const CalendarFeature feature : options.calendar) calendar.push_back(CalendarName(feature));
  return calendar;
}

Json LayersOf(const TrainOptions& options) {
  Json layers = Json::array();
  for (const LayerSpec& l : options.layers) {
    layers.push_back({KindName(l.kind), l.units, l.dropout, l.kernel, l.stride, l.dilation, l.relative,
                      l.relu, l.residual, l.peepholes, l.projection, l.bidirectional});
  }
  return layers;
}

constexpr const char* kFloats[] = {"weights", "mean", "adam_mean", "adam_squares"};
constexpr std::vector<float> LearnerState::*kFields[] = {
    &LearnerState::weights, &LearnerState::mean, &LearnerState::adam_mean, &LearnerState::adam_squares};

}  // namespace

std::string TrainingIdentity(const std::vector<Series>& series, const TrainOptions& options,
                             std::size_t workers) {
  Json json = {
      {"readings", DigestOf(series)},
      {"features", options.features},
      {"target", options.target},
      {"interval", options.interval_ns},
      {"inputs", {options.level_inputs, options.difference_inputs, options.per_stream}},
      {"calendar", CalendarOf(options)},
      {"layers", LayersOf(options)},
      {"window", {options.window, options.instance_normalisation}},
      {"head", {options.interleaved, static_cast<int>(options.head), options.segment, options.channels}},
      {"cycle", {options.cycle, options.find_cycle}},
      {"linear contexts", options.linear_contexts},
      {"refit", options.refit},
      {"adapt", options.adapt},
      {"horizon", {options.horizon, options.scored_steps}},
      {"quantiles", options.quantiles},
      {"warm-up", options.warm_up},
      {"gaps", {options.bridge_limit, options.reorder_window}},
      {"seed", options.seed},
      {"threads", workers},
      {"epochs", options.epochs},
      {"patience", options.patience},
      {"validation", options.validation_fraction},
      {"sequence", {options.sequence_length, options.epoch_sequences, options.amplitudes}},
      {"truncation", options.truncation},
      {"batch", options.batch},
      {"loss", {LossName(options.loss), options.median_first, options.even_steps}},
      {"learning rate", options.learning_rate},
      {"schedule", {ScheduleName(options.schedule.kind), options.schedule.hold, options.schedule.decay}},
      {"weight decay", options.weight_decay},
      {"averaging", options.averaging},
      {"clip", options.clip}};
  return JsonText(json);
}

absl::Status CheckIdentity(const std::string& made_with, const std::string& now) {
  const Json before = Json::parse(made_with, nullptr, false), after = Json::parse(now, nullptr, false);
  if (before == after) return absl::OkStatus();
  for (const auto& [name, value] : after.items()) {
    const Json was = before.is_object() && before.contains(name) ? before[name] : Json();
    if (was != value) {
      return absl::InvalidArgumentError(absl::StrCat("the checkpoint is of another training: ", name, " was ",
                                                     was.dump(), ", now it is ", value.dump(),
                                                     "; train as before, or anew without resuming"));
    }
  }
  return absl::InvalidArgumentError("the checkpoint is of another training");
}

std::string WriteCheckpoint(const Checkpoint& checkpoint) {
  const LearnerState& learner = checkpoint.learner;
  const Json json = {{"made_with", checkpoint.made_with},
                     {"epoch", checkpoint.epoch},
                     {"best_epoch", checkpoint.best_epoch},
                     {"best_loss", checkpoint.best_loss},
                     {"adam_steps", learner.adam_steps},
                     {"updates", learner.updates},
                     {"random", learner.random}};
  Tensors tensors;
  for (const auto& [name, tensor] : checkpoint.best) tensors[absl::StrCat("best.", name)] = tensor;
  for (std::size_t f = 0; f < std::size(kFields); ++f) {
    const std::vector<float>& values = learner.*kFields[f];
    if (!values.empty()) tensors[absl::StrCat("learner.", kFloats[f])] = {{values.size()}, values};
  }
  return absl::StrCat(JsonText(json), "\n", WriteSafetensors(tensors));
}

absl::StatusOr<Checkpoint> ParseCheckpoint(absl::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  const Json json = Json::parse(bytes.substr(0, end), nullptr, false);
  const absl::Status damaged = absl::InvalidArgumentError("not a checkpoint, or a damaged one");
  if (end == absl::string_view::npos || !json.is_object()) return damaged;
  auto tensors = ParseSafetensors(bytes.substr(end + 1));
  if (!tensors.ok()) return tensors.status();
  Checkpoint checkpoint;
  try {
    checkpoint.made_with = json.at("made_with").get<std::string>();
    checkpoint.epoch = json.at("epoch").get<std::size_t>();
    checkpoint.best_epoch = json.at("best_epoch").get<std::size_t>();
    checkpoint.best_loss = json.at("best_loss").get<double>();
    checkpoint.learner.adam_steps = json.at("adam_steps").get<std::size_t>();
    checkpoint.learner.updates = json.at("updates").get<std::size_t>();
    checkpoint.learner.random = json.at("random").get<std::vector<std::string>>();
  } catch (const Json::exception&) {
    return damaged;
  }
  for (auto& [name, tensor] : *tensors) {
    if (name.starts_with("best.")) checkpoint.best[name.substr(5)] = std::move(tensor);
  }
  for (std::size_t f = 0; f < std::size(kFields); ++f) {
    const auto found = tensors->find(absl::StrCat("learner.", kFloats[f]));
    if (found != tensors->end()) checkpoint.learner.*kFields[f] = std::move(found->second.values);
  }
  return checkpoint;
}

}  // namespace tidegate
