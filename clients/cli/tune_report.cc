#include "clients/cli/tune_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "clients/cli/table.h"
#include "engine/model/json.h"

namespace tidegate {
namespace {

using Json = nlohmann::ordered_json;

Json JsonOf(const TuneReport::Point& point) {
  return {{"trial", point.trial},
          {"origin", point.origin},
          {"rungs", point.rungs},
          {"validation_loss", point.loss},
          {"step_seconds", point.step_seconds},
          {"parameters", point.parameters},
          {"candidate", Json::parse(CandidateJson(point.candidate))}};
}

}  // namespace

std::vector<TuneReport::Point> FrontOf(std::vector<TuneReport::Point> points) {
  std::ranges::sort(points, {}, &TuneReport::Point::loss);
  std::vector<TuneReport::Point> front;
  for (const TuneReport::Point& point : points) {
    const bool beaten = std::ranges::any_of(front, [&](const TuneReport::Point& other) {
      return other.step_seconds <= point.step_seconds && other.parameters <= point.parameters;
    });
    if (!beaten) front.push_back(point);
  }
  return front;
}

void PrintTune(const TuneReport& report, std::ostream& out) {
  out << absl::StrFormat("%d candidates were trained in %s", report.points.size(), Seconds(report.seconds));
  if (report.refused > 0) out << absl::StrFormat(", %d did not fit the latency budget", report.refused);
  out << ". The best, on the test part that nothing was chosen by:\n\n";
  Table table({"candidate", "", "validation pinball", "test MAE", "in interval", "us alone", "us of 64",
               "parameters", "bytes a stream"},
              2);
  for (const TuneReport::Finalist& finalist : report.finalists) {
    const Errors& errors = finalist.errors();
    table.Add({TextOf(finalist.point.candidate), finalist.front ? "front" : "",
               absl::StrFormat("%.4g", finalist.point.loss), absl::StrFormat("%.4f", errors.mae),
               errors.interval_targets == 0 ? "-" : absl::StrFormat("%.1f %%", 100 * errors.coverage),
               absl::StrFormat("%.1f", 1e6 * finalist.step_seconds),
               absl::StrFormat("%.2f", 1e6 * finalist.step_seconds_together),
               Grouped(finalist.point.parameters), Grouped(finalist.stream_bytes)});
  }
  table.Print(out);
  const TuneReport::Finalist& winner = report.finalists.front();
  out << absl::StrFormat("\nOf the last value the test MAE is %.4f",
                         winner.errors(Forecaster::kLastValue).mae);
  if (winner.errors(Forecaster::kLinear).targets > 0)
    out << absl::StrFormat(", of a linear autoregression %.4f", winner.errors(Forecaster::kLinear).mae);
  out << " (deviations).\nModel: " << report.winner << '\n';
}

std::string TuneJson(const TuneReport& report) {
  Json json = {{"file", report.file},
               {"readings", report.readings},
               {"streams", report.streams},
               {"horizon", report.horizon},
               {"seconds", report.seconds},
               {"budget_seconds", report.budget},
               {"latency_budget_seconds", report.latency_budget},
               {"refused_by_latency", report.refused},
               {"model", report.winner}};
  for (const TuneReport::Finalist& finalist : report.finalists) {
    Json one = JsonOf(finalist.point);
    one["front"] = finalist.front;
    one["step_seconds"] = finalist.step_seconds;
    one["step_seconds_of_64"] = finalist.step_seconds_together;
    one["stream_bytes"] = finalist.stream_bytes;
    one["test"] = {{"mae", finalist.errors().mae},
                   {"pinball", finalist.errors().pinball},
                   {"coverage", finalist.errors().coverage}};
    for (const auto& [key, who] : {std::pair("last_value_mae", Forecaster::kLastValue),
                                   std::pair("linear_mae", Forecaster::kLinear)}) {
      if (finalist.errors(who).targets > 0) one["test"][key] = finalist.errors(who).mae;
    }
    json["finalists"].push_back(std::move(one));
  }
  for (const TuneReport::Point& point : report.points) json["candidates"].push_back(JsonOf(point));
  for (const auto& [seconds, loss] : report.history)
    json["history"].push_back({{"seconds", seconds}, {"lowest_loss", loss}});
  return JsonText(json, 2) + "\n";
}

}  // namespace tidegate
