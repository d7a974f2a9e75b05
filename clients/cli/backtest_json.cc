// Every table of backtest_run.h as JSON.
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "clients/cli/backtest_run.h"
#include "engine/model/json.h"

namespace tidegate {
namespace {

using Json = nlohmann::ordered_json;

// NaN becomes null.
Json JsonOf(const Errors& errors) {
  return {{"targets", errors.targets},     {"mae", errors.mae},
          {"rmse", std::sqrt(errors.mse)}, {"mse", errors.mse},
          {"mase", errors.mase},           {"mase_targets", errors.mase_targets},
          {"smape_percent", errors.smape}, {"pinball", errors.pinball},
          {"coverage", errors.coverage},   {"width", errors.width}};
}

Json JsonOf(const ErrorsOfAll& errors) {
  constexpr const char* kKeys[kForecasters] = {"model", "last_value", "season_ago", "linear"};
  Json json = Json::object();
  for (std::size_t f = 0; f < kForecasters; ++f) {
    if (errors[f].targets > 0) json[kKeys[f]] = JsonOf(errors[f]);
  }
  return json;
}

std::string TimeOf(std::int64_t ns) {
  return absl::FormatTime(absl::RFC3339_sec, absl::FromUnixNanos(ns), absl::UTCTimeZone());
}

// Errors by horizon, and with intervals whether they hold.
Json HorizonsOf(const ModelSpec& spec, const Backtest& result) {
  Json json = Json::array();
  for (const HorizonScore& score : result.horizons) {
    Json horizon = {{"steps", score.horizon}, {"origins", score.origins}, {"errors", JsonOf(score.errors)}};
    if (spec.quantiles.size() > 1) {
      const CoverageVerdict verdict = JudgeCoverage(spec, score);
      horizon["coverage_nominal"] = verdict.nominal;
      horizon["coverage_allowed_difference"] = verdict.allowed;
      horizon["coverage_inside"] = verdict.inside;
    }
    json.push_back(std::move(horizon));
  }
  return json;
}

}  // namespace

std::string BacktestJson(const BacktestRun& run) {
  const Backtest& result = run.result;
  Json json = {{"model", run.model}, {"name", run.spec.name},        {"file", run.file},
               {"rows", run.rows},   {"readings", run.readings},     {"streams", run.streams},
               {"from", run.from},   {"season", run.season.readings}};
  json["linear"] = {{"context", result.linear_context}, {"penalty", result.linear_penalty}};
  json["forecasts"] = result.steps;
  json["seconds_per_forecast"] = result.seconds / static_cast<double>(result.steps);
  const bool intervals = run.spec.quantiles.size() > 1;
  json["horizons"] = HorizonsOf(run.spec, result);
  if (run.window > 0) {
    json["windowed"] = {
        {"readings", run.window},
        {"seconds_per_forecast", run.windowed.seconds / static_cast<double>(run.windowed.steps)},
        {"horizons", HorizonsOf(run.spec, run.windowed)}};
  }
  for (const BacktestPart& part : run.parts)
    json["parts"][part.name] = {{"horizons", HorizonsOf(run.spec, part.result)}};
  for (std::size_t step = 0; step < result.steps_ahead.size(); ++step)
    json["steps_ahead"].push_back({{"step", step + 1}, {"errors", JsonOf(result.steps_ahead[step])}});
  for (std::size_t q = 0; q < run.spec.quantiles.size(); ++q)
    json["calibration"].push_back({{"level", run.spec.quantiles[q]}, {"share_below", result.below[q]}});
  for (const CoverageBlock& block : intervals ? result.blocks : std::vector<CoverageBlock>()) {
    json["coverage_over_time"].push_back({{"begin", TimeOf(block.begin_ns)},
                                          {"end", TimeOf(block.end_ns)},
                                          {"targets", block.targets},
                                          {"coverage", block.coverage}});
  }
  return JsonText(json, 2) + "\n";
}

}  // namespace tidegate
