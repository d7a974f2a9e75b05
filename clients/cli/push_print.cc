#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "clients/cli/push_summary.h"
#include "clients/cli/table.h"

namespace tidegate {
namespace {

using Step = Accuracy::Step;

double Mean(double sum, const Step& step) {
  return sum / static_cast<double>(std::max<std::size_t>(1, step.forecasts));
}

bool PersistenceWins(const Step& step) { return step.forecasts > 0 && step.error >= step.persistence_error; }

std::string Level(const PushSummary& summary) {
  return absl::StrFormat("%.0f %%", 100 * (summary.quantiles.back() - summary.quantiles.front()));
}

// As many decimals as the target's resolution has, and one more.
std::string Value(double value, const PushSummary& summary) {
  int decimals = 3;
  if (summary.resolution > 0) {
    decimals = std::clamp(1 + static_cast<int>(std::ceil(-std::log10(summary.resolution) - 0.05)), 0, 9);
  }
  return absl::StrFormat("%.*f", decimals, value);
}

std::string TimeText(std::int64_t timestamp_ns, const PushSummary& summary) {
  if (summary.row_numbers) return absl::StrCat(timestamp_ns / summary.interval_ns);
  return UtcTime(timestamp_ns);
}

std::string Interval(const PushSummary::Row& row, const PushSummary& summary) {
  return absl::StrCat(Value(row.forecast.low, summary), " .. ", Value(row.forecast.high, summary));
}

void PrintSamples(const PushSummary& summary, std::ostream& out) {
  if (summary.samples.empty()) return;
  out << "\nForecasts of " << summary.target << " beside what then came (some, spread over the feed):\n";
  Table table({"stream", summary.row_numbers ? "reading" : "time (UTC)", "made", "forecast",
               Level(summary) + " interval", "actual", "error", "inside", "anomaly score"},
              1);
  for (const PushSummary::Row& row : summary.samples) {
    table.Add({row.stream, TimeText(row.timestamp_ns, summary),
               absl::StrCat(row.step, row.step == 1 ? " step" : " steps", " before"),
               Value(row.forecast.middle, summary), Interval(row, summary), Value(row.actual, summary),
               Value(row.actual - row.forecast.middle, summary), row.inside() ? "yes" : "no",
               absl::StrFormat("%.2f", row.anomaly_score)});
  }
  table.Print(out);
}

void AddStep(Table& table, const std::string& name, const Step& step, const PushSummary& summary) {
  const double mae = Mean(step.error, step);
  const double persistence = Mean(step.persistence_error, step);
  table.Add({name, Grouped(step.forecasts), absl::StrFormat("%.4g", mae),
             absl::StrFormat("%.4g", persistence), PersistenceWins(step) ? "last value" : "model",
             persistence > 0 ? absl::StrFormat("%+.1f %%", 100 * (mae / persistence - 1)) : "-",
             absl::StrFormat("%.1f %%", 100 * Mean(step.inside, step)),
             Value(Mean(step.width, step), summary)});
}

// "1-3, 7" for the steps at which the last value is the better forecast.
std::string StepsLost(const PushSummary& summary) {
  std::vector<std::string> runs;
  for (std::size_t h = 0; h < summary.steps.size(); ++h) {
    if (!PersistenceWins(summary.steps[h])) continue;
    const std::size_t begin = h;
    while (h + 1 < summary.steps.size() && PersistenceWins(summary.steps[h + 1])) ++h;
    runs.push_back(h == begin ? absl::StrCat(h + 1) : absl::StrCat(begin + 1, "-", h + 1));
  }
  return absl::StrJoin(runs, ", ");
}

// Says where and why persistence is the better forecast.
void PrintLost(const PushSummary& summary, std::ostream& out) {
  const std::string lost = StepsLost(summary);
  if (lost.empty()) {
    out << "  The model is better than the last value at every step.\n";
    return;
  }
  const auto first = std::find_if(summary.steps.begin(), summary.steps.end(), PersistenceWins);
  out << "  Step " << lost << ": the last value is the better forecast.";
  if (Mean(first->persistence_error, *first) < 3 * summary.resolution) {
    out << absl::StrFormat(
        " The sensor tells steps of %.2g apart\n  and %.0f %% of its readings equal the one before: so soon "
        "the value has "
        "hardly moved, and what is left is rounding.",
        summary.resolution, 100 * summary.unchanged);
  }
  out << '\n';
}

void PrintSteps(const PushSummary& summary, std::ostream& out) {
  if (summary.total.forecasts == 0) return;
  out << "\nError per step ahead, mean absolute, against persistence (\"the last value stays\"):\n";
  Table table({"step", "forecasts", "model", "persistence", "better", "difference",
               "in " + Level(summary) + " interval", "mean width"},
              1);
  const std::size_t horizon = summary.steps.size();
  const auto add = [&](std::size_t h) {  // a feed may be shorter than the horizon
    const Step& step = summary.steps[h - 1];
    if (step.forecasts > 0) AddStep(table, absl::StrCat(h), step, summary);
  };
  for (const std::size_t h : {1, 2, 3, 6, 12, 18, 24, 48, 96, 192, 336, 720}) {
    if (h < horizon) add(h);
  }
  add(horizon);
  AddStep(table, "all", summary.total, summary);
  table.Print(out);
  PrintLost(summary, out);
}

void PrintUnusual(const PushSummary& summary, std::ostream& out) {
  if (summary.unusual.empty()) return;
  out << "\nReadings with the highest anomaly score:\n";
  Table table({"stream", summary.row_numbers ? "reading" : "time (UTC)", "line", "forecast",
               Level(summary) + " interval", "actual", "anomaly score", "label"},
              1);
  for (const PushSummary::Row& row : summary.unusual) {
    table.Add({row.stream, TimeText(row.timestamp_ns, summary), absl::StrCat(row.line),
               Value(row.forecast.middle, summary), Interval(row, summary), Value(row.actual, summary),
               absl::StrFormat("%.5f", row.anomaly_score), row.label.empty() ? "-" : row.label});
  }
  table.Print(out);
  if (summary.labelled > 0 && summary.labelled < summary.scored) {
    out << absl::StrFormat(
        "  %s of %s scored readings are labelled; a labelled one scores higher than another in %.1f %% of "
        "pairs.\n",
        Grouped(summary.labelled), Grouped(summary.scored), 100 * summary.labelled_above);
  }
}

void PrintOutcomes(const PushSummary& summary, std::ostream& out) {
  std::vector<std::string> counts;
  for (const auto& [name, count] : summary.outcomes)
    counts.push_back(absl::StrCat(name, " ", Grouped(count)));
  out << "\nOutcomes: " << absl::StrJoin(counts, ", ") << ".\n";
  if (summary.not_sent > 0) {
    out << "  " << Grouped(summary.not_sent) << (summary.not_sent == 1 ? " reading was" : " readings were")
        << " not sent: the server has later ones of their streams.\n";
  }
  for (const PushSummary::Refused& refused : summary.refused) {
    out << "  " << summary.file << ":" << refused.line << ": stream '" << refused.stream
        << "': " << refused.outcome << '\n';
  }
}

}  // namespace

double PushSummary::Latency(double level) const {
  const double rank = std::ceil(level * static_cast<double>(latency_seconds.size()));
  return latency_seconds[std::max<std::size_t>(1, static_cast<std::size_t>(rank)) - 1];
}

void PrintSummary(const PushSummary& summary, std::ostream& out) {
  PrintSamples(summary, out);
  PrintSteps(summary, out);
  PrintUnusual(summary, out);
  PrintOutcomes(summary, out);
  out << "End to end, from sending a message to having its answer: p50 " << Seconds(summary.Latency(0.5))
      << ", p95 " << Seconds(summary.Latency(0.95)) << ", p99 " << Seconds(summary.Latency(0.99)) << ", max "
      << Seconds(summary.Latency(1)) << " over " << Grouped(summary.messages)
      << " messages, one after the other; "
      << Grouped(static_cast<std::uint64_t>(static_cast<double>(summary.readings - summary.not_sent) /
                                            std::max(1e-9, summary.seconds)))
      << " readings/s.\n";
}

}  // namespace tidegate
