#include "engine/model/spec.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "absl/strings/str_cat.h"
#include "engine/model/json.h"

namespace tidegate {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;

absl::Status Bad(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("model spec: ", field, ": ", what));
}

absl::Status CheckRange(absl::string_view field, std::size_t value, std::size_t low, std::size_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Bad(field, absl::StrCat(value, "; expected ", low, " to ", high));
}

bool Positive(float v) { return std::isfinite(v) && v > 0; }

absl::Status CheckFeatures(const ModelSpec& spec) {
  if (auto s = CheckRange("features: count", spec.features.size(), 1, 1024); !s.ok()) return s;
  if (spec.target >= spec.features.size()) return Bad("target", "not one of the features");
  std::set<std::string> names;
  for (const Feature& feature : spec.features) {
    if (feature.name.empty() || !names.insert(feature.name).second) {
      return Bad("features", absl::StrCat("name '", feature.name, "' is empty or stands twice"));
    }
    if (!std::isfinite(feature.mean) || !Positive(feature.deviation) ||
        !Positive(feature.difference_deviation)) {
      return Bad("features", absl::StrCat("the scale of '", feature.name, "' is not finite and positive"));
    }
  }
  if (!spec.level_inputs && !spec.difference_inputs)
    return Bad("inputs", "none; expected level, difference or both");
  return absl::OkStatus();
}

absl::Status CheckForecast(const ModelSpec& spec) {
  if (auto s = CheckRange("horizon", spec.horizon, 1, 4096); !s.ok()) return s;
  if (spec.quantiles.size() % 2 != 1 || spec.quantiles.size() > 99) {
    return Bad("quantiles", absl::StrCat(spec.quantiles.size(), " levels; expected an odd number up to 99"));
  }
  float before = 0;
  for (const float level : spec.quantiles) {
    if (!(level > before && level < 1)) return Bad("quantiles", "expected rising levels between 0 and 1");
    before = level;
  }
  if (spec.outputs() > 65536)
    return Bad("horizon", absl::StrCat(spec.outputs(), " floats a forecast; at most 65536"));
  if (spec.step_deviation.size() != spec.horizon) {
    return Bad("step_deviation", absl::StrCat(spec.step_deviation.size(),
                                              " values; expected one for each of ", spec.horizon, " steps"));
  }
  for (const float deviation : spec.step_deviation) {
    if (!Positive(deviation)) return Bad("step_deviation", "not finite and positive");
  }
  return absl::OkStatus();
}

const char* CellName(CellKind kind) { return kind == CellKind::kGru ? "gru" : "lstm"; }

json ToJson(const ModelSpec& spec) {
  json features = json::array();
  for (const Feature& f : spec.features) {
    features.push_back({{"name", f.name},
                        {"mean", f.mean},
                        {"deviation", f.deviation},
                        {"difference_deviation", f.difference_deviation}});
  }
  json layers = json::array();
  for (const LayerSpec& layer : spec.layers)
    layers.push_back({{"cell", CellName(layer.cell)}, {"units", layer.units}});
  json inputs = json::array();
  if (spec.level_inputs) inputs.push_back("level");
  if (spec.difference_inputs) inputs.push_back("difference");
  const ValidationScore& v = spec.validation;
  return {{"format", kFormat},
          {"name", spec.name},
          {"interval_ns", spec.interval_ns},
          {"features", features},
          {"target", spec.features.at(spec.target).name},
          {"inputs", inputs},
          {"layers", layers},
          {"horizon", spec.horizon},
          {"quantiles", spec.quantiles},
          {"step_deviation", spec.step_deviation},
          {"warm_up", spec.warm_up},
          {"bridge_limit", spec.bridge_limit},
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
  for (const json& f : j.at("features")) {
    spec.features.push_back({f.at("name").get<std::string>(), f.at("mean").get<float>(),
                             f.at("deviation").get<float>(), f.at("difference_deviation").get<float>()});
  }
  const auto target = j.at("target").get<std::string>();
  while (spec.target < spec.features.size() && spec.features[spec.target].name != target) ++spec.target;
  const auto inputs = j.at("inputs").get<std::set<std::string>>();
  spec.level_inputs = inputs.contains("level");
  spec.difference_inputs = inputs.contains("difference");
  for (const json& layer : j.at("layers")) {
    const auto cell = layer.at("cell").get<std::string>();
    if (cell != "gru" && cell != "lstm")
      return Bad("layers: cell", absl::StrCat("'", cell, "'; expected gru or lstm"));
    spec.layers.push_back(
        {cell == "lstm" ? CellKind::kLstm : CellKind::kGru, layer.at("units").get<std::size_t>()});
  }
  spec.horizon = j.at("horizon").get<std::size_t>();
  spec.quantiles = j.at("quantiles").get<std::vector<float>>();
  spec.step_deviation = j.at("step_deviation").get<std::vector<float>>();
  spec.warm_up = j.at("warm_up").get<std::size_t>();
  spec.bridge_limit = j.at("bridge_limit").get<std::size_t>();
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
  if (spec.interval_ns <= 0)
    return Bad("interval_ns", absl::StrCat(spec.interval_ns, "; expected more than 0"));
  if (auto s = CheckFeatures(spec); !s.ok()) return s;
  if (auto s = CheckRange("layers: count", spec.layers.size(), 1, 16); !s.ok()) return s;
  for (const LayerSpec& layer : spec.layers) {
    if (auto s = CheckRange("layers: units", layer.units, 1, 4096); !s.ok()) return s;
  }
  if (auto s = CheckForecast(spec); !s.ok()) return s;
  if (auto s = CheckRange("warm_up", spec.warm_up, 0, 1u << 20); !s.ok()) return s;
  return CheckRange("bridge_limit", spec.bridge_limit, 0, 1024);
}

std::string WriteSpec(const ModelSpec& spec) { return ToJson(spec).dump(2) + "\n"; }

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
