#include <nlohmann/json.hpp>
#include <string>

#include "clients/cli/push_summary.h"
#include "engine/model/json.h"

namespace tidegate {
namespace {

using Json = nlohmann::ordered_json;

Json RowJson(const PushSummary::Row& row) {
  return {{"stream", row.stream},
          {"timestamp_ns", row.timestamp_ns},
          {"line", row.line},
          {"step", row.step},
          {"forecast", row.forecast.middle},
          {"low", row.forecast.low},
          {"high", row.forecast.high},
          {"actual", row.actual},
          {"anomaly_score", row.anomaly_score},  // null: NaN
          {"label", row.label}};
}

Json StepJson(const Accuracy::Step& step) {
  if (step.forecasts == 0) return {{"forecasts", 0}};
  const auto n = static_cast<double>(step.forecasts);
  return {{"forecasts", step.forecasts},
          {"mae", step.error / n},
          {"persistence_mae", step.persistence_error / n},
          {"coverage", step.inside / n},
          {"width", step.width / n}};
}

template <typename Items, typename ToJson>
Json ArrayOf(const Items& items, ToJson to_json) {
  Json array = Json::array();
  for (const auto& item : items) array.push_back(to_json(item));
  return array;
}

}  // namespace

std::string SummaryJson(const PushSummary& summary) {
  const Json json = {
      {"server", summary.server},
      {"file", summary.file},
      {"target", summary.target},
      {"streams", summary.streams},
      {"readings", summary.readings},
      {"messages", summary.messages},
      {"not_sent", summary.not_sent},
      {"interruptions", summary.interruptions},
      {"interval_ns", summary.model_interval_ns},
      {"quantiles", summary.quantiles},
      {"outcomes", summary.outcomes},
      {"refused",
       ArrayOf(
           summary.refused,
           [](const PushSummary::Refused& refused) {
             return Json{{"stream", refused.stream}, {"line", refused.line}, {"outcome", refused.outcome}};
           })},
      {"steps", ArrayOf(summary.steps, StepJson)},
      {"all_steps", StepJson(summary.total)},
      {"samples", ArrayOf(summary.samples, RowJson)},
      {"unusual", ArrayOf(summary.unusual, RowJson)},
      {"anomaly",
       {{"scored", summary.scored},
        {"labelled", summary.labelled},
        {"labelled_above", summary.labelled_above}}},
      {"latency_seconds",
       {{"p50", summary.Latency(0.5)},
        {"p95", summary.Latency(0.95)},
        {"p99", summary.Latency(0.99)},
        {"max", summary.Latency(1)}}},
      {"seconds", summary.seconds},
      {"readings_per_second", static_cast<double>(summary.readings - summary.not_sent) / summary.seconds}};
  return JsonText(json, 2) + "\n";
}

}  // namespace tidegate
