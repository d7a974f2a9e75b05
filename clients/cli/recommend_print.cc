#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "clients/cli/recommend_run.h"
#include "clients/cli/table.h"
#include "engine/model/json.h"
#include "engine/model/model.h"
#include "engine/train/trainer.h"

namespace tidegate {
namespace {

using Json = nlohmann::ordered_json;

// A word of a shell's command line.
std::string ShellQuoted(const std::string& word) {
  constexpr absl::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:=+%@";
  if (!word.empty() && word.find_first_not_of(kPlain.data(), 0, kPlain.size()) == std::string::npos)
    return word;
  return absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

// The flags that AddReadingFlags would parse into `options`.
std::vector<std::string> ReadingWords(const ReadingOptions& options) {
  std::vector<std::string> words;
  const auto add = [&](const char* flag, const std::string& value) {
    if (value.empty()) return;
    words.emplace_back(flag);
    words.push_back(value);
  };
  add("--time-column", options.time_column);
  if (options.time_unit) add("--time-unit", TimeUnitFlag(*options.time_unit));
  if (options.interval > absl::ZeroDuration()) add("--interval", absl::FormatDuration(options.interval));
  if (options.strict) words.emplace_back("--strict");
  add("--stream-column", options.stream_column);
  add("--values", absl::StrJoin(options.values, ","));
  add("--target", options.target);
  add("--label-column", options.label_column);
  add("--rows", options.rows.text);
  add("--streams", absl::StrJoin(options.streams, ","));
  return words;
}

std::string IntervalText(const DataProfile& profile) {
  return absl::FormatDuration(absl::Nanoseconds(profile.interval_ns));
}

std::string Span(const DataProfile& profile, std::size_t readings) {
  return absl::StrCat(
      Grouped(readings), " readings, ",
      absl::FormatDuration(absl::Nanoseconds(profile.interval_ns) * static_cast<std::int64_t>(readings)));
}

std::string RoughPercent(double share) { return absl::StrFormat("%.3g %%", 100 * share); }

void PrintProfile(const RecommendRun& run, std::ostream& out) {
  const DataProfile& profile = run.profile;
  const bool measured = !run.file.empty();
  out << (measured ? absl::StrCat("Measured in ", run.file, " (", Seconds(run.profile_seconds), "):\n")
                   : "As described; what was left out is taken to be harmless:\n");
  Table table(
      measured ? std::vector<std::string>{"what", "value", "how"} : std::vector<std::string>{"what", "value"},
      3);
  const auto add = [&](const char* what, const std::string& value, const char* how) {
    measured ? table.Add({what, value, how}) : table.Add({what, value});
  };
  add("readings",
      absl::StrCat(Grouped(profile.readings), " of ", Grouped(profile.streams),
                   profile.streams == 1 ? " stream" : " streams"),
      "rows on the time grid");
  add("features", absl::StrCat(profile.features), "values of a reading");
  add("interval", IntervalText(profile),
      run.readings.interval > absl::ZeroDuration() ? "as asked" : "median time between two readings");
  add("missing", RoughPercent(profile.missing), "share of the grid without a value of the target");
  if (measured) add("longer gaps", Grouped(profile.breaks), "longer than a stream steps over");
  add("season", profile.season > 0 ? Span(profile, profile.season) : "none",
      "most variance around the trend explained, out of sample");
  if (measured && profile.season > 0)
    add("  it explains", RoughPercent(profile.season_share), "of that variance");
  if (measured) {
    add("memory", Span(profile, profile.memory_autocorrelation),
        "autocorrelation less the season below 0.2 from there on");
  }
  add("memory, probe", Span(profile, profile.memory_probe),
      "shortest context of a linear model within 1 % of the best");
  if (measured) add("  longest tried", Span(profile, profile.longest_probe), "that the data allow");
  add("predictable", RoughPercent(profile.gain),
      "of the last value's squared error that the probe takes away");
  add("local pattern", RoughPercent(profile.local_pattern),
      "of that only by the shape of the last 8 readings");
  table.Print(out);
}

Json JsonOf(const DataProfile& profile) {
  return {{"interval_ns", profile.interval_ns},
          {"horizon", profile.horizon},
          {"streams", profile.streams},
          {"readings", profile.readings},
          {"features", profile.features},
          {"missing", profile.missing},
          {"breaks", profile.breaks},
          {"season", profile.season},
          {"season_share", profile.season_share},
          {"memory_autocorrelation", profile.memory_autocorrelation},
          {"memory_probe", profile.memory_probe},
          {"longest_probe", profile.longest_probe},
          {"gain", profile.gain},
          {"level", profile.level},
          {"local_pattern", profile.local_pattern}};
}

}  // namespace

std::string TrainCommandOf(const RecommendRun& run) {
  const Recommendation& shape = run.recommendation;
  std::vector<std::string> words = {"tidegate", "train", run.file.empty() ? "READINGS.csv" : run.file};
  for (std::string& word : ReadingWords(run.readings)) words.push_back(std::move(word));
  const auto add = [&](const char* flag, std::size_t value) {
    words.emplace_back(flag);
    words.push_back(absl::StrCat(value));
  };
  words.insert(words.end(), {"--cell", shape.family == Family::kLstm ? "lstm" : "gru"});
  add("--units", shape.units);
  if (shape.kernel > 0) {
    add("--conv-filters", shape.units);
    add("--conv-kernel", shape.kernel);
  }
  if (shape.family == Family::kBidirectionalGru) {
    words.emplace_back("--bidirectional");
    add("--window", shape.context);
  }
  if (shape.level_inputs) words.insert(words.end(), {"--inputs", "both"});
  add("--horizon", run.profile.horizon);
  add("--warm-up", shape.context);
  const std::size_t sequence = 4 * shape.context;  // most of it behind the warm-up
  if (shape.family != Family::kBidirectionalGru && sequence > TrainOptions().sequence_length)
    add("--sequence", sequence);
  if (shape.cycle > 0) add("--cycle", shape.cycle);
  return absl::StrJoin(
      words, " ", [](std::string* out, const std::string& word) { absl::StrAppend(out, ShellQuoted(word)); });
}

void PrintRecommendation(const RecommendRun& run, std::ostream& out) {
  PrintProfile(run, out);
  const Recommendation& shape = run.recommendation;
  out << absl::StrFormat("\nRecommended: %s, %d units, context %d readings.\n", FamilyName(shape.family),
                         shape.units, shape.context)
      << absl::StrFormat("A step takes %.2f us of a core of this machine (%s), %d streams together.\n\n",
                         1e6 * shape.step_seconds, StepBuild(), kStepsTogether);
  for (const ChoiceReason& reason : shape.reasons) {
    out << absl::StrFormat("  %s: %s\n    because  %s\n    rule     %s\n", reason.what, reason.choice,
                           reason.because, reason.rule);
  }
  out << "\nTrain it:\n  " << TrainCommandOf(run) << '\n';
}

std::string RecommendJson(const RecommendRun& run) {
  const Recommendation& shape = run.recommendation;
  Json json = {{"file", run.file.empty() ? Json() : Json(run.file)}, {"data", JsonOf(run.profile)}};
  json["budget"] = {{"latency_seconds", absl::ToDoubleSeconds(run.budget.latency)},
                    {"streams_per_core", run.budget.streams_per_core},
                    {"bounded_window", run.budget.bounded_window},
                    {"device", StepBuild()}};
  json["recommendation"] = {{"family", FamilyName(shape.family)},
                            {"units", shape.units},
                            {"context", shape.context},
                            {"kernel", shape.kernel},
                            {"cycle", shape.cycle},
                            {"level_inputs", shape.level_inputs},
                            {"step_seconds", shape.step_seconds},
                            {"allowed_seconds", nullptr},
                            {"within_budget", shape.within_budget},
                            {"reasons", Json::array()}};
  if (std::isfinite(shape.allowed_seconds)) json["recommendation"]["allowed_seconds"] = shape.allowed_seconds;
  for (const ChoiceReason& reason : shape.reasons) {
    json["recommendation"]["reasons"].push_back({{"what", reason.what},
                                                 {"choice", reason.choice},
                                                 {"because", reason.because},
                                                 {"rule", reason.rule}});
  }
  json["train_command"] = TrainCommandOf(run);
  return JsonText(json, 2) + "\n";
}

}  // namespace tidegate
