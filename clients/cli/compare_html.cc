// The page of compare_report.h.
#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "clients/cli/chart.h"
#include "clients/cli/compare_report.h"
#include "clients/cli/page.h"
#include "clients/cli/table.h"

namespace tidegate {
namespace {

std::string TableOf(const CompareReport& report) {
  std::string html =
      "<div class='scroll'><table><tr><th class='text'>family</th><th>parameters</th><th>bytes a "
      "stream</th><th>training step</th><th>µs alone</th><th>µs of 64</th>";
  for (const char* context : {"last 64 readings", "last 256 readings", "state carried on"})
    absl::StrAppend(&html, "<th>", context, "</th><th>to GRU (p)</th>");
  absl::StrAppend(&html, "</tr>\n");
  for (const CompareReport::Row& row : report.rows) {
    const bool is_gru = row.family == Family::kGru;
    absl::StrAppend(&html, is_gru ? "<tr class='model'>" : "<tr>", "<td class='text'>",
                    FamilyName(row.family));
    for (const std::string& cell :
         {Grouped(row.parameters), Grouped(row.stream_bytes), Seconds(row.update_seconds),
          absl::StrFormat("%.1f", 1e6 * row.step_seconds),
          absl::StrFormat("%.2f", 1e6 * row.step_seconds_together)}) {
      absl::StrAppend(&html, "</td><td>", cell);
    }
    for (const auto& score : row.scores) {
      if (!score) {
        absl::StrAppend(&html, "</td><td>–</td><td>");
      } else if (is_gru || !score->against_gru) {
        absl::StrAppend(&html, "</td><td>", Number(score->errors().mae), is_gru ? "</td><td>" : "</td><td>–");
      } else {
        const std::string difference = absl::StrFormat("%+.1f %%", 100 * *score->against_gru);
        absl::StrAppend(&html, "</td><td>", Number(score->errors().mae), "</td><td>",
                        score->significant() ? absl::StrCat("<b>", difference, "</b>") : difference,
                        absl::StrFormat(" (%.2g)", *score->p));
      }
    }
    absl::StrAppend(&html, "</td></tr>\n");
  }
  return html + "</table></div>\n";
}

// The GRU, the LSTM and the best, each step ahead alone.
std::string ErrorByStep(const CompareReport& report) {
  Chart chart = {.title = "Mean absolute error, each step ahead alone, state carried on",
                 .x_label = "steps ahead",
                 .y_label = "deviations",
                 .y_from_zero = true,
                 .width = 560,
                 .height = 380};
  const CompareReport::Row* best = nullptr;
  for (const CompareReport::Row& row : report.rows) {
    const auto& score = row.scores[CompareReport::kCarried];
    if (score &&
        (best == nullptr || score->errors().mae < best->scores[CompareReport::kCarried]->errors().mae))
      best = &row;
  }
  const auto add = [&](const CompareReport::Row& row, const char* colour) {
    Chart::Line line = {.name = FamilyName(row.family), .colour = colour};
    const auto& steps = row.scores[CompareReport::kCarried]->test.steps_ahead;
    for (std::size_t step = 0; step < steps.size(); ++step)
      line.points.emplace_back(step + 1, steps[step][0].mae);
    chart.lines.push_back(line);
  };
  for (const CompareReport::Row& row : report.rows) {
    if (!row.scores[CompareReport::kCarried]) continue;
    if (row.family == Family::kGru) add(row, "model");
    if (row.family == Family::kLstm) add(row, "linear");
  }
  if (best != nullptr && best->family != Family::kGru && best->family != Family::kLstm) add(*best, "best");
  return chart.lines.empty() ? "" : SvgOf(chart);
}

std::string Cost(const CompareReport& report) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  Chart chart = {.title = "Accuracy against the time of a reading among 64",
                 .x_label = "µs",
                 .y_label = "mean absolute error, deviations",
                 .width = 560,
                 .height = 380};
  for (const CompareReport::Row& row : report.rows) {
    const auto& score = row.scores[CompareReport::kCarried];
    if (!score) continue;
    const bool named = row.family == Family::kGru || row.family == Family::kLstm;
    const char* const colour = row.family == Family::kGru ? "model" : named ? "linear" : "last";
    const double x = 1e6 * row.step_seconds_together;
    chart.lines.push_back({.name = named ? FamilyName(row.family) : "",
                           .colour = colour,
                           .points = {{x, score->errors().mae}, {x, kNaN}},
                           .dots = true});
  }
  return chart.lines.empty() ? "" : SvgOf(chart);
}

}  // namespace

std::string CompareHtml(const CompareReport& report) {
  return PageOf(
      absl::StrCat("Families on ", report.file),
      absl::StrCat("<p class='faint'>", Grouped(report.readings), " readings of ", report.streams,
                   report.streams == 1 ? " stream" : " streams", ", forecasts of ", report.horizon,
                   " steps. Each model was trained for at most ", Seconds(report.training_seconds),
                   " on one thread; errors are of the test part, in deviations of the training readings. A "
                   "difference to "
                   "the GRU in bold is not chance (p under 0.05 by the test of Diebold and Mariano, with "
                   "Holm's correction "
                   "for all families at once).</p>\n",
                   TableOf(report), "<p>", BaselinesText(report), "</p>\n<div class='two'>\n",
                   ErrorByStep(report), Cost(report), "</div>\n"));
}

}  // namespace tidegate
