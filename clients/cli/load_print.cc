#include "clients/cli/load_print.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "clients/cli/table.h"
#include "engine/model/json.h"

namespace tidegate {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<const char*, double> kPercentiles[] = {
    {"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}};

std::string Rate(double per_second) { return Grouped(static_cast<std::uint64_t>(std::llround(per_second))); }

// Finer than Seconds: two microseconds apart are worth telling apart.
std::string Latency(double seconds) {
  return seconds < 1e-3 ? absl::StrFormat("%.1f us", seconds * 1e6) : Seconds(seconds);
}

Json LatencyJson(const LoadHistogram& latency) {
  Json json;
  for (const auto& [name, percent] : kPercentiles) json[name] = latency.Percentile(percent);
  json["max"] = latency.max_seconds();
  json["mean"] = latency.mean_seconds();
  return json;
}

}  // namespace

void PrintLoad(const LoadOptions& options, const LoadResult& result, std::ostream& out) {
  Table latency({"latency", "p50", "p90", "p99", "p99.9", "max"}, 1);
  std::vector<std::string> row = {options.rate > 0 ? "from the time it was to be sent" : "from sending"};
  for (const auto& [name, percent] : kPercentiles) row.push_back(Latency(result.latency.Percentile(percent)));
  row.push_back(Latency(result.latency.max_seconds()));
  latency.Add(row);
  latency.Print(out);

  out << '\n';
  Table rates({"per second", "asked", "answered"}, 1);
  const double batch = static_cast<double>(options.batch);
  const auto asked = [&](double per_second) { return options.rate > 0 ? Rate(per_second) : "max"; };
  rates.Add({"readings", asked(options.rate), Rate(result.readings_per_second)});
  rates.Add({"messages", asked(options.rate / batch), Rate(result.readings_per_second / batch)});
  rates.Print(out);

  out << "\nOutcomes: "
      << absl::StrJoin(result.outcomes, ", ",
                       [](std::string* text, const auto& outcome) {
                         absl::StrAppend(text, outcome.first, " ", Grouped(outcome.second));
                       })
      << (result.outcomes.empty() ? "none" : "") << ".\n";
  if (result.unanswered > 0) {
    out << "Not sent, or not answered 10 s after the last was due: " << Grouped(result.unanswered)
        << " messages.\n";
  }
  if (options.rate > 0) {
    out << "Sent more than 1 ms late: " << Grouped(result.late) << " of " << Grouped(result.messages)
        << " messages, the latest by " << Latency(result.latest_seconds) << ".\n";
  }
  out << absl::StrFormat("This client took %.0f %% of a core.\n", 100 * result.cpu_seconds / result.seconds);
}

std::string LoadJson(const LoadOptions& options, const LoadResult& result) {
  Json outcomes = Json::object();
  for (const auto& [name, count] : result.outcomes) outcomes[name] = count;
  const Json json = {
      {"server", options.connection.server},
      {"model", options.model},
      {"streams", options.streams},
      {"batch", options.batch},
      {"calls", options.calls},
      {"connections", options.connections},
      {"unary", options.unary},
      {"window", options.rate > 0 ? Json() : Json(options.window)},
      {"arrivals", options.rate <= 0 ? "closed"
                   : options.poisson ? "poisson"
                                     : "fixed"},
      {"seed", options.seed},
      {"interval_ns", result.interval_ns},
      {"horizon", result.horizon},
      {"quantiles", result.quantiles},
      {"seconds", result.seconds},
      {"asked_readings_per_second", options.rate > 0 ? Json(options.rate) : Json()},
      {"readings_per_second", result.readings_per_second},
      {"messages", result.messages},
      {"readings", result.readings},
      {"latency_seconds", LatencyJson(result.latency)},
      {"outcomes", outcomes},
      {"refused_messages", result.refused},
      {"unanswered_messages", result.unanswered},
      {"late_messages", result.late},
      {"latest_seconds", result.latest_seconds},
      {"answer_bytes", result.answer_bytes},
      {"cpu_seconds", result.cpu_seconds},
  };
  return JsonText(json, 2) + "\n";
}

std::string LoadCsv(const LoadOptions& options, const LoadResult& result) {
  const auto applied = result.outcomes.find("APPLIED");
  std::string header =
      "streams,batch,calls,connections,unary,asked_readings_per_second,readings_per_second,messages,readings,"
      "applied,refused_messages,unanswered_messages,late_messages,cpu_seconds";
  std::string values = absl::StrCat(
      options.streams, ",", options.batch, ",", options.calls, ",", options.connections, ",",
      options.unary ? 1 : 0, ",", options.rate, ",", result.readings_per_second, ",", result.messages, ",",
      result.readings, ",", applied == result.outcomes.end() ? 0 : applied->second, ",", result.refused, ",",
      result.unanswered, ",", result.late, ",", result.cpu_seconds);
  for (const auto& [name, percent] : kPercentiles) {
    absl::StrAppend(&header, ",", name, "_seconds");
    absl::StrAppend(&values, ",", result.latency.Percentile(percent));
  }
  return absl::StrCat(header, ",max_seconds\n", values, ",", result.latency.max_seconds(), "\n");
}

}  // namespace tidegate
