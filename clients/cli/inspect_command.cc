#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "clients/cli/commands.h"
#include "clients/cli/table.h"
#include "engine/model/convert.h"
#include "engine/model/json.h"
#include "engine/model/model_file.h"
#include "engine/stream/stream.h"

namespace tidegate {
namespace {

void PrintJson(const Model& model) {
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(WriteSpec(model.spec()));
  json["parameters"] = model.parameters();
  json["stream_bytes"] = StreamBytes(model);
  json["checksum"] = "verified";
  json["golden_pair"] = "verified";
  std::cout << JsonText(json, 2) << '\n';
}

std::string LayersText(const ModelSpec& spec) {
  return absl::StrJoin(spec.layers, ", ", [](std::string* out, const LayerSpec& layer) {
    absl::StrAppend(out, KindName(layer.kind), " ", layer.units);
    const auto say = [out](bool is, absl::string_view what) {
      if (is) absl::StrAppend(out, " ", what);
    };
    say(layer.peepholes, "peepholes");
    say(layer.projection > 0, absl::StrCat("projected to ", layer.projection));
    say(layer.bidirectional, "bidirectional");
    say(layer.kernel > 1, absl::StrCat("kernel ", layer.kernel));
    say(layer.dilation > 1, absl::StrCat("dilation ", layer.dilation));
    say(layer.stride > 1, absl::StrCat("stride ", layer.stride));
    say(layer.relative, "relative");
    say(layer.relu, "relu");
    say(layer.residual, "residual");
  });
}

std::string RunsText(const ModelSpec& spec) {
  if (spec.window == 0) {
    return spec.interleaved ? "statefully, a chain of states for each phase of the stride" : "statefully";
  }
  return absl::StrCat("over the last ", spec.window, " readings",
                      spec.instance_normalisation ? ", normalised by their mean and deviation" : "");
}

std::string HeadText(const ModelSpec& spec) {
  std::string text = "direct";
  if (spec.head == HeadKind::kRecursive) text = "recursive, one step after the other";
  if (spec.head == HeadKind::kParallel) {
    text = absl::StrCat("parallel, segments of ", spec.segment, " steps");
    if (spec.channels > 0) absl::StrAppend(&text, ", ", spec.channels, " channels");
  }
  if (spec.linear_context > 0)
    absl::StrAppend(&text, "; linear path over ", spec.linear_context, " readings");
  if (spec.cycle > 0) absl::StrAppend(&text, "; cycle of ", spec.cycle, " steps");
  return text;
}

// What a stream's bytes are for.
std::string StreamText(const Model& model) {
  const StreamLayout& layout = model.layout();
  const auto bytes = [](std::size_t floats) { return Grouped(floats * sizeof(float)); };
  return absl::StrCat(
      Grouped(StreamBytes(model)), " bytes: ", bytes(layout.last_values), " of the network's state, ",
      bytes(layout.last_target - layout.last_values), " of last values and scale, ",
      bytes(layout.bias - layout.last_target), " of accuracy and calibration, ",
      layout.biases > 0 ? absl::StrCat(bytes(layout.biases), " of the season's biases, ") : "",
      bytes(layout.held - layout.kept), " of forecasts that wait for their readings (steps ",
      absl::StrJoin(layout.steps, ", "), "), ",
      layout.floats > layout.held
          ? absl::StrCat(bytes(layout.floats - layout.held), " of readings that came early, ")
          : "",
      sizeof(StreamHeader), " beside them");
}

std::string InputsText(const ModelSpec& spec) {
  const std::string what = spec.level_inputs && spec.difference_inputs ? "levels and differences"
                           : spec.level_inputs                         ? "levels"
                                                                       : "differences";
  std::string text = spec.per_stream ? what + ", in each stream's own scale," : what;
  for (const CalendarFeature feature : spec.calendar) absl::StrAppend(&text, " and ", CalendarName(feature));
  return text;
}

void Print(const Model& model, const std::string& folder) {
  const ModelSpec& spec = model.spec();
  const auto line = [](absl::string_view name, const std::string& value) {
    std::cout << absl::StrFormat("  %-14s %s\n", name, value);
  };
  const auto span = [&](std::size_t steps) {
    return absl::StrCat(steps, " steps, ", absl::FormatDuration(absl::Nanoseconds(spec.interval_ns) * steps));
  };
  std::cout << "Model '" << spec.name << "' in " << folder << '\n';
  line("interval", absl::FormatDuration(absl::Nanoseconds(spec.interval_ns)));
  line("layers", absl::StrCat(LayersText(spec), "; ", Grouped(model.parameters()), " parameters"));
  line("weights in", PrecisionName(spec.precision));
  line("runs", RunsText(spec));
  line("head", HeadText(spec));
  line("sees", absl::StrCat(InputsText(spec), " of ", spec.features.size(), " features"));
  line("forecasts", absl::StrCat(spec.features[spec.target].name, ", ", span(spec.horizon), "; quantiles ",
                                 absl::StrJoin(spec.quantiles, ", ")));
  line("warm-up", span(spec.warm_up));
  line("bridges",
       absl::StrCat("up to ", span(spec.bridge_limit), " without a reading; more restart a stream"));
  if (spec.reorder_window > 0)
    line("reorders",
         absl::StrCat("readings that come up to ", span(spec.reorder_window), " after later ones"));
  line("per stream", StreamText(model));
  line("trained on", spec.trained_on);
  const ValidationScore& score = spec.validation;
  line("validation",
       absl::StrFormat("MAE %.4g (last value: %.4g), pinball %.4g, %.1f %% within the interval; %s forecasts",
                       score.mae, score.persistence_mae, score.pinball, 100 * score.coverage,
                       Grouped(score.origins)));
  line("residuals",
       absl::StrFormat("%s one-step errors, median %.4g, largest %.4g: the anomaly score's yardstick",
                       Grouped(model.residuals().count()),
                       model.residuals().quantiles()[ResidualTable::kLevels / 2],
                       model.residuals().quantiles().back()));
  line("weights", absl::StrCat("SHA-256 ", spec.weights_sha256, ", verified"));
  line("golden pair", "verified: the stored readings lead to the stored forecast");

  std::cout << '\n';
  Table table({"feature", "mean", "deviation", "of differences"}, 1);
  for (const Feature& feature : spec.features) {
    table.Add({feature.name, absl::StrFormat("%.5g", feature.mean),
               absl::StrFormat("%.5g", feature.deviation),
               absl::StrFormat("%.5g", feature.difference_deviation)});
  }
  table.Print(std::cout);
}

absl::Status Convert(const std::string& folder, const std::string& precision, const std::string& output) {
  const auto files = ReadModelFiles(folder);
  if (!files.ok()) return files.status();
  const auto converted = ConvertModel(*files, *FindPrecision(precision));  // --convert takes no other name
  if (!converted.ok()) return converted.status();
  if (std::filesystem::exists(std::filesystem::path(output) / "model.json")) {
    return absl::AlreadyExistsError(absl::StrCat(output, " holds a model already; name another folder"));
  }
  if (auto s = WriteModel(output, converted->files.spec, converted->files.tensors); !s.ok()) return s;
  const auto bytes = [](const std::string& in) {
    return Grouped(std::filesystem::file_size(std::filesystem::path(in) / "weights.safetensors"));
  };
  const PrecisionLoss& loss = converted->loss;
  std::cout
      << absl::StrFormat("Wrote %s: weights in %s, %s bytes (f32: %s)\n", output, precision, bytes(output),
                         bytes(folder))
      << absl::StrFormat(
             "Over %d golden forecasts the answers change by %.3g %% of a step's deviation in the mean, "
             "%.3g %% at most\n",
             loss.forecasts, 100 * loss.mean_change, 100 * loss.largest_change);
  if (loss.scored > 0) {
    std::cout << absl::StrFormat("MAE against the golden readings: %.5g, with f32 %.5g (%+.2f %%)\n",
                                 loss.mae_after, loss.mae_before,
                                 100 * (loss.mae_after / std::max(loss.mae_before, 1e-30) - 1));
  }
  return absl::OkStatus();
}

}  // namespace

void AddInspectCommand(CLI::App& app, Run& run) {
  auto folder = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  CLI::App* inspect = app.add_subcommand("inspect", "Check a model and say what it is");
  inspect->add_option("MODEL", *folder, "Folder of one version, like models/motes/1")->required();
  inspect->add_flag("--json", *json, "As JSON");
  auto precision = std::make_shared<std::string>();
  auto output = std::make_shared<std::string>();
  CLI::Option* const convert =
      inspect
          ->add_option("--convert", *precision,
                       "Write the model with weights in bf16 or int8 to --output, and say what that costs")
          ->check(CLI::IsMember({"bf16", "int8"}));
  CLI::Option* const output_option =
      inspect->add_option("--output", *output, "Folder of the converted version, like models/motes/2");
  convert->needs(output_option);
  output_option->needs(convert);
  inspect->callback([&run, folder, json, precision, output] {
    run = [folder, json, precision, output]() -> absl::Status {
      if (!precision->empty()) return Convert(*folder, *precision, *output);
      const auto model = ReadModel(*folder);
      if (!model.ok()) return model.status();
      *json ? PrintJson(**model) : Print(**model, *folder);
      return absl::OkStatus();
    };
  });
}

}  // namespace tidegate
