#include "engine/model/spec.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/model/json.h"

namespace tidegate {
namespace {

using nlohmann::json;

constexpr int kFormat = 2;
constexpr std::int64_t kMostInterval = std::int64_t{366} * 86'400 * 1'000'000'000;  // ns
constexpr std::size_t kMostChannels = 65'536;
constexpr std::size_t kMostEmbedding = std::size_t{1} << 28;  // floats, of all channels and segments
constexpr char kFixed[] = "fixed", kPerStream[] = "per_stream";

absl::Status Bad(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("model spec: ", field, ": ", what));
}

absl::Status CheckRange(absl::string_view field, std::size_t value, std::size_t low, std::size_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Bad(field, absl::StrCat(value, "; expected ", low, " to ", high));
}

bool Positive(float v) { return std::isfinite(v) && v > 0; }

bool IsScale(const Feature& feature) {
  return std::isfinite(feature.mean) && Positive(feature.deviation) &&
         Positive(feature.difference_deviation) && feature.resolution >= 0 && !std::isinf(feature.resolution);
}

absl::Status CheckFeatures(const ModelSpec& spec) {
  if (auto s = CheckRange("features: count", spec.features.size(), 1, 1024); !s.ok()) return s;
  if (spec.target >= spec.features.size()) return Bad("target", "not one of the features");
  std::set<std::string> names;
  for (const Feature& feature : spec.features) {
    if (feature.name.empty() || !names.insert(feature.name).second) {
      return Bad("features", absl::StrCat("name '", feature.name, "' is empty or stands twice"));
    }
    if (!IsScale(feature)) {
      return Bad("features", absl::StrCat("the scale of '", feature.name, "' is not finite and positive"));
    }
  }
  if (!spec.level_inputs && !spec.difference_inputs)
    return Bad("inputs", "none; expected level, difference or both");
  return absl::OkStatus();
}

absl::Status CheckForecast(const ModelSpec& spec) {
  if (auto s = CheckRange("horizon", spec.horizon, 1, kMostSteps); !s.ok()) return s;
  if (spec.quantiles.size() % 2 != 1 || spec.quantiles.size() > 99) {
    return Bad("quantiles", absl::StrCat(spec.quantiles.size(), " levels; expected an odd number up to 99"));
  }
  float before = 0;
  for (const float level : spec.quantiles) {
    if (!(level > before && level < 1)) return Bad("quantiles", "expected rising levels between 0 and 1");
    before = level;
  }
  if (spec.quantiles.size() > 1 && spec.quantiles[spec.quantiles.size() / 2] != 0.5f)
    return Bad("quantiles", "expected 0.5, the median, in the middle of several");
  if (spec.outputs() > 65536)
    return Bad("horizon", absl::StrCat(spec.outputs(), " floats a forecast; at most 65536"));
  if (spec.step_deviation.size() != spec.horizon) {
    return Bad("step_deviation", absl::StrCat(spec.step_deviation.size(),
                                              " values; expected one for each of ", spec.horizon, " steps"));
  }
  std::size_t before_step = 0;
  for (const std::size_t step : spec.scored_steps) {
    if (step <= before_step || step > spec.horizon || spec.scored_steps.front() != 1)
      return Bad("scored_steps", "expected rising steps of the horizon, the first of them 1");
    before_step = step;
  }
  for (const float deviation : spec.step_deviation) {
    if (!Positive(deviation)) return Bad("step_deviation", "not finite and positive");
  }
  return absl::OkStatus();
}

// What only some networks can do, and why.
absl::Status CheckNetwork(const ModelSpec& spec) {
  if (auto s = CheckRange("layers: count", spec.layers.size(), 1, 16); !s.ok()) return s;
  std::size_t inputs = spec.layer_inputs();
  std::size_t strided = 0;
  for (const LayerSpec& layer : spec.layers) {
    if (auto s = CheckLayer(layer, inputs); !s.ok()) return Bad("layers", s.message());
    if (layer.bidirectional && spec.window == 0) {
      return Bad(
          "layers: bidirectional",
          "a layer that runs backwards changes all of its past with every reading, so its state cannot be "
          "carried on; set a window");
    }
    if (layer.stride > 1) ++strided;
    inputs = OutputsOf(layer);
  }
  if (strided > 1)
    return Bad("layers: stride", absl::StrCat(strided, " layers are strided; at most one may be"));
  if (strided == 0 && spec.interleaved) return Bad("interleaved", "no layer is strided");
  if (spec.window == 1 || spec.window > kMostSteps) {
    return Bad("window",
               absl::StrCat(spec.window, "; expected 0 (stateful) or 2 to ", kMostSteps, " readings"));
  }
  if (spec.instance_normalisation && spec.window == 0) {
    return Bad(
        "instance_normalisation",
        "the mean and deviation of a window change with every reading, and with them all inputs of the past, "
        "so a state cannot be carried on; set a window");
  }
  if (spec.instance_normalisation && !spec.level_inputs)
    return Bad("instance_normalisation", "wants level inputs");
  const bool relative = std::ranges::any_of(spec.layers, &LayerSpec::relative);
  if (!spec.calendar.empty() &&
      (relative || spec.instance_normalisation || spec.head == HeadKind::kRecursive)) {
    return Bad(
        "calendar",
        "goes with no relative layer and no instance normalisation, which take away what stays the same, "
        "and with no recursive head; a cycle by the timestamp does");
  }
  return absl::OkStatus();
}

absl::Status CheckHead(const ModelSpec& spec) {
  const LayerSpec& top = spec.layers.back();
  if (spec.head == HeadKind::kParallel) {
    if (spec.segment == 0 || spec.horizon % spec.segment != 0) {
      return Bad("head: segment",
                 absl::StrCat(spec.segment, " steps do not divide the horizon, ", spec.horizon));
    }
    if (!IsRecurrent(top.kind) || top.residual || top.bidirectional) {
      return Bad("head: parallel",
                 "decodes by further steps of the topmost layer, which must be recurrent, not "
                 "residual and not bidirectional");
    }
    const std::size_t width =
        spec.layers.size() == 1 ? spec.layer_inputs() : OutputsOf(spec.layers.end()[-2]);
    if (auto s = CheckRange("channels", spec.channels, 0, kMostChannels); !s.ok()) return s;
    if (spec.channels > 0 && width < 2)
      return Bad("channels", "the topmost layer has no room for an embedding");
    if (spec.channels * (spec.horizon / spec.segment) * width > kMostEmbedding) {
      return Bad("channels", absl::StrCat(spec.channels, " of ", spec.horizon / spec.segment, " segments of ",
                                          width, " inputs; expected at most ", kMostEmbedding, " together"));
    }
  } else if (spec.segment != 0 || spec.channels != 0) {
    return Bad("head: segment, channels", "are the parallel head's alone");
  }
  if (spec.channels > 0 && (spec.features.size() < 2 || spec.target + 1 == spec.features.size())) {
    return Bad("channels",
               "the last feature is the channel's number: expected one more, the target among them");
  }
  if (spec.head == HeadKind::kRecursive && (spec.features.size() != 1 || spec.window != 0)) {
    return Bad("head: recursive",
               "runs on with its own forecast as input: expected one feature, and no window");
  }
  if (!spec.channel_scales.empty()) {
    if (spec.channel_scales.size() != spec.channels || spec.input_features() != 1 || spec.per_stream) {
      return Bad("channel_scales", absl::StrCat(spec.channel_scales.size(), " for ", spec.channels,
                                                " channels; expected one for each, one feature beside the "
                                                "channel's number, and normalisation fixed"));
    }
    for (const Feature& scale : spec.channel_scales) {
      if (!IsScale(scale))
        return Bad("channel_scales", absl::StrCat("'", scale.name, "' is not finite and positive"));
    }
  }
  if (spec.linear_per_channel && (spec.linear_context == 0 || spec.channels == 0))
    return Bad("linear_per_channel", "wants a linear path and channels");
  if (spec.linear_context > kMostSteps)
    return Bad("linear_context", absl::StrCat("expected at most ", kMostSteps));
  if (spec.linear_context > 0 && !spec.level_inputs) return Bad("linear_context", "wants level inputs");
  if (spec.per_stream && (spec.cycle > 0 || spec.linear_context > 0 || spec.head == HeadKind::kRecursive)) {
    return Bad(
        "normalisation",
        "per_stream: a scale that moves goes with no cycle, linear path or recursive head, whose numbers "
        "are in one scale for all streams");
  }
  if (auto s = CheckRange("cycle", spec.cycle, 0, kMostCycle); !s.ok()) return s;
  if (!(spec.input_limit >= 1 && spec.input_limit <= 1000))
    return Bad("input_limit", absl::StrCat(spec.input_limit, "; expected 1 to 1000 deviations"));
  return CheckRange("bias_period", spec.bias_period, 0, kMostCycle);
}

const char* HeadName(HeadKind kind) {
  switch (kind) {
    case HeadKind::kDirect:
      return "direct";
    case HeadKind::kParallel:
      return "parallel";
    case HeadKind::kRecursive:
      return "recursive";
  }
  return "";
}

// Only what differs from the default, beside kind and units.
json ToJson(const LayerSpec& layer) {
  json j = {{"layer", KindName(layer.kind)}, {"units", layer.units}};
  const LayerSpec plain;
  const auto put = [&j](const char* name, auto value, auto usual) {
    if (value != usual) j[name] = value;
  };
  put("peepholes", layer.peepholes, plain.peepholes);
  put("projection", layer.projection, plain.projection);
  put("bidirectional", layer.bidirectional, plain.bidirectional);
  put("kernel", layer.kernel, plain.kernel);
  put("dilation", layer.dilation, plain.dilation);
  put("stride", layer.stride, plain.stride);
  put("relative", layer.relative, plain.relative);
  put("relu", layer.relu, plain.relu);
  put("dropout", layer.dropout, plain.dropout);
  put("residual", layer.residual, plain.residual);
  return j;
}

absl::StatusOr<LayerSpec> LayerFromJson(const json& j) {
  LayerSpec layer;
  const auto name = j.at("layer").get<std::string>();
  const auto* const kind = std::find_if(std::begin(kLayerKinds), std::end(kLayerKinds),
                                        [&](LayerKind k) { return name == KindName(k); });
  if (kind == std::end(kLayerKinds)) {
    const auto names =
        absl::StrJoin(kLayerKinds, ", ", [](std::string* out, LayerKind k) { *out += KindName(k); });
    return Bad("layers: layer", absl::StrCat("'", name, "'; expected one of ", names));
  }
  layer.kind = *kind;
  layer.units = j.at("units").get<std::size_t>();
  const auto get = [&j](const char* field, auto& value) {
    if (j.contains(field)) j.at(field).get_to(value);
  };
  get("peepholes", layer.peepholes);
  get("projection", layer.projection);
  get("bidirectional", layer.bidirectional);
  get("kernel", layer.kernel);
  get("dilation", layer.dilation);
  get("stride", layer.stride);
  get("relative", layer.relative);
  get("relu", layer.relu);
  get("dropout", layer.dropout);
  get("residual", layer.residual);
  static const std::set<std::string> kFields = {"layer",    "units",    "peepholes", "projection",
                                                "kernel",   "dilation", "stride",    "bidirectional",
                                                "relative", "relu",     "dropout",   "residual"};
  for (const auto& [key, value] : j.items()) {
    if (!kFields.contains(key)) return Bad("layers", absl::StrCat("unknown field '", key, "'"));
  }
  return layer;
}

json ToJson(const std::vector<Feature>& features) {
  json list = json::array();
  for (const Feature& f : features) {
    list.push_back({{"name", f.name},
                    {"mean", f.mean},
                    {"deviation", f.deviation},
                    {"difference_deviation", f.difference_deviation},
                    {"resolution", f.resolution}});
  }
  return list;
}

std::vector<Feature> FeaturesFromJson(const json& list) {
  std::vector<Feature> features;
  for (const json& f : list) {
    features.push_back({f.at("name").get<std::string>(), f.at("mean").get<float>(),
                        f.at("deviation").get<float>(), f.at("difference_deviation").get<float>(),
                        f.value("resolution", 0.0f)});
  }
  return features;
}

json ToJson(const ModelSpec& spec) {
  json layers = json::array();
  for (const LayerSpec& layer : spec.layers) layers.push_back(ToJson(layer));
  json inputs = json::array();
  if (spec.level_inputs) inputs.push_back("level");
  if (spec.difference_inputs) inputs.push_back("difference");
  json calendar = json::array();
  for (const CalendarFeature feature : spec.calendar) calendar.push_back(CalendarName(feature));
  const ValidationScore& v = spec.validation;
  return {{"format", kFormat},
          {"name", spec.name},
          {"interval_ns", spec.interval_ns},
          {"features", ToJson(spec.features)},
          {"target", spec.features.at(spec.target).name},
          {"inputs", inputs},
          {"calendar", calendar},
          {"input_limit", spec.input_limit},
          {"normalisation", spec.per_stream ? kPerStream : kFixed},
          {"layers", layers},
          {"window", spec.window},
          {"instance_normalisation", spec.instance_normalisation},
          {"interleaved", spec.interleaved},
          {"head", HeadName(spec.head)},
          {"segment", spec.segment},
          {"channels", spec.channels},
          {"channel_scales", ToJson(spec.channel_scales)},
          {"linear_context", spec.linear_context},
          {"linear_per_channel", spec.linear_per_channel},
          {"cycle", spec.cycle},
          {"bias_period", spec.bias_period},
          {"horizon", spec.horizon},
          {"quantiles", spec.quantiles},
          {"step_deviation", spec.step_deviation},
          {"scored_steps", spec.scored_steps},
          {"warm_up", spec.warm_up},
          {"bridge_limit", spec.bridge_limit},
          {"reorder_window", spec.reorder_window},
          {"precision", PrecisionName(spec.precision)},
          {"trained_on", spec.trained_on},
          {"validation",
           {{"mae", v.mae},
            {"persistence_mae", v.persistence_mae},
            {"pinball", v.pinball},
            {"coverage", v.coverage},
            {"origins", v.origins}}},
          {"weights_sha256", spec.weights_sha256}};
}

// Throws json::exception on a wrong type or a missing field; ParseSpec catches it.
absl::StatusOr<ModelSpec> FromJson(const json& j) {
  ModelSpec spec;
  spec.name = j.at("name").get<std::string>();
  spec.interval_ns = j.at("interval_ns").get<std::int64_t>();
  spec.features = FeaturesFromJson(j.at("features"));
  const auto target = j.at("target").get<std::string>();
  while (spec.target < spec.features.size() && spec.features[spec.target].name != target) ++spec.target;
  const auto inputs = j.at("inputs").get<std::set<std::string>>();
  spec.level_inputs = inputs.contains("level");
  spec.difference_inputs = inputs.contains("difference");
  for (const json& name : j.value("calendar", json::array())) {  // older files have none
    const auto* const feature = std::ranges::find(kCalendarFeatures, name.get<std::string>(), CalendarName);
    if (feature == std::end(kCalendarFeatures))
      return Bad("calendar",
                 absl::StrCat(name.dump(), "; expected hour_of_day, day_of_week or month_of_year"));
    spec.calendar.push_back(*feature);
  }
  const std::string normalisation = j.value("normalisation", std::string(kFixed));
  spec.per_stream = normalisation == kPerStream;
  if (!spec.per_stream && normalisation != kFixed) {
    return Bad("normalisation", absl::StrCat("'", normalisation, "'; expected fixed or per_stream"));
  }
  spec.input_limit = j.value("input_limit", 8.0f);  // older files have none
  for (const json& layer : j.at("layers")) {
    auto read = LayerFromJson(layer);
    if (!read.ok()) return read.status();
    spec.layers.push_back(*std::move(read));
  }
  spec.window = j.at("window").get<std::size_t>();
  spec.instance_normalisation = j.at("instance_normalisation").get<bool>();
  spec.interleaved = j.at("interleaved").get<bool>();
  const auto head = j.at("head").get<std::string>();
  for (const HeadKind kind : {HeadKind::kDirect, HeadKind::kParallel, HeadKind::kRecursive}) {
    if (head == HeadName(kind)) spec.head = kind;
  }
  if (head != HeadName(spec.head)) {
    return Bad("head", absl::StrCat("'", head, "'; expected direct, parallel or recursive"));
  }
  spec.segment = j.at("segment").get<std::size_t>();
  spec.channels = j.at("channels").get<std::size_t>();
  spec.channel_scales = FeaturesFromJson(j.value("channel_scales", json::array()));
  spec.linear_context = j.at("linear_context").get<std::size_t>();
  spec.linear_per_channel = j.value("linear_per_channel", false);
  spec.cycle = j.at("cycle").get<std::size_t>();
  spec.bias_period = j.value("bias_period", std::size_t{0});  // older files have none
  spec.horizon = j.at("horizon").get<std::size_t>();
  spec.quantiles = j.at("quantiles").get<std::vector<float>>();
  spec.step_deviation = j.at("step_deviation").get<std::vector<float>>();
  spec.scored_steps = j.value("scored_steps", std::vector<std::size_t>());
  spec.warm_up = j.at("warm_up").get<std::size_t>();
  spec.bridge_limit = j.at("bridge_limit").get<std::size_t>();
  spec.reorder_window = j.value("reorder_window", std::size_t{0});  // older files have none
  const auto precision =
      j.value("precision", std::string(PrecisionName(Precision::kF32)));  // older files have none
  const auto found = FindPrecision(precision);
  if (!found) return Bad("precision", absl::StrCat("'", precision, "'; expected f32, bf16 or int8"));
  spec.precision = *found;
  spec.trained_on = j.at("trained_on").get<std::string>();
  const json& v = j.at("validation");
  spec.validation = {v.at("mae").get<double>(), v.at("persistence_mae").get<double>(),
                     v.at("pinball").get<double>(), v.at("coverage").get<double>(),
                     v.at("origins").get<std::size_t>()};
  spec.weights_sha256 = j.at("weights_sha256").get<std::string>();
  return spec;
}

}  // namespace

absl::Status CheckSpec(const ModelSpec& spec) {
  static const std::regex kName("[a-z0-9][a-z0-9._-]{0,63}");
  if (!std::regex_match(spec.name, kName)) {
    return Bad("name", absl::StrCat("'", spec.name,
                                    "'; expected 1-64 of a-z 0-9 . _ -, the first a letter or digit"));
  }
  if (spec.interval_ns <= 0 || spec.interval_ns > kMostInterval)
    return Bad("interval_ns",
               absl::StrCat(spec.interval_ns, "; expected 1 to ", kMostInterval, ", 366 days"));
  if (auto s = CheckFeatures(spec); !s.ok()) return s;
  if (auto s = CheckNetwork(spec); !s.ok()) return s;
  if (auto s = CheckForecast(spec); !s.ok()) return s;
  if (auto s = CheckHead(spec); !s.ok()) return s;
  if (auto s = CheckRange("warm_up", spec.warm_up, 0, 1u << 20); !s.ok()) return s;
  if (auto s = CheckRange("bridge_limit", spec.bridge_limit, 0, 1024); !s.ok()) return s;
  if (spec.reorder_window <= 64) return absl::OkStatus();
  return Bad("reorder_window",
             absl::StrCat(spec.reorder_window,
                          "; expected 0 (readings come in order) to 64 ticks, as a stream's memory holds all "
                          "that may wait"));
}

std::string WriteSpec(const ModelSpec& spec) { return JsonText(ToJson(spec), 2) + "\n"; }

absl::StatusOr<ModelSpec> ParseSpec(absl::string_view text) {
  const auto parsed = ParseJson(text, 32);
  if (!parsed.ok()) return Bad("file", parsed.status().message());
  if (!parsed->is_object() || !parsed->contains("format"))
    return Bad("format", "missing; is this a model.json?");
  if ((*parsed)["format"] != kFormat) {
    return Bad("format", absl::StrCat((*parsed)["format"].dump(), "; this version reads format ", kFormat));
  }
  absl::StatusOr<ModelSpec> spec;
  try {
    spec = FromJson(*parsed);
  } catch (const json::exception& e) {
    return Bad("file", e.what());
  }
  if (!spec.ok()) return spec.status();
  if (auto s = CheckSpec(*spec); !s.ok()) return s;
  const json known = ToJson(*spec);
  for (const auto& [key, value] : parsed->items()) {
    if (!known.contains(key)) return Bad(key, "unknown field");
  }
  return spec;
}

}  // namespace tidegate
