// The page of tune_report.h.
#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "clients/cli/chart.h"
#include "clients/cli/page.h"
#include "clients/cli/table.h"
#include "clients/cli/tune_report.h"

namespace tidegate {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Dots without a line between them.
void AddDot(Chart::Line& line, double x, double y) {
  line.points.emplace_back(x, y);
  line.points.emplace_back(x, kNaN);
}

std::string Micros(double seconds) { return absl::StrFormat("%.1f", 1e6 * seconds); }

std::string Tiles(const TuneReport& report) {
  const TuneReport::Finalist& winner = report.finalists.front();
  const double ours = winner.errors().mae;
  const auto against = [&](Forecaster who, const char* name) {
    const Errors& other = winner.errors(who);
    if (other.targets == 0) return std::string();
    return Tile(absl::StrFormat("%+.1f %%", 100 * (ours / other.mae - 1)),
                absl::StrCat("test error against ", name));
  };
  return absl::StrCat("<div class='tiles'>\n",
                      Tile(FamilyName(winner.point.candidate.family), "the most accurate family"),
                      Tile(Number(ours), "its mean absolute error on the test part, deviations"),
                      against(Forecaster::kLastValue, "the last value"),
                      against(Forecaster::kLinear, "a linear autoregression"),
                      Tile(absl::StrCat(Micros(winner.step_seconds), " µs"), "a reading alone, one thread"),
                      Tile(Grouped(winner.point.parameters), "parameters"), "</div>\n");
}

// Accuracy against cost; candidates that would press the others together are left out.
std::string Front(const TuneReport& report) {
  Chart chart = {
      .title = "Accuracy against the time of a reading",
      .x_label = "µs for a reading alone, one thread (those far slower than the front are left out)",
      .y_label = "pinball loss on validation",
      .width = 560,
      .height = 380};
  std::vector<double> losses;
  losses.reserve(report.points.size());
  for (const TuneReport::Point& point : report.points) losses.push_back(point.loss);
  std::ranges::sort(losses);
  const double least = losses.front();
  const double most = std::max(losses[losses.size() * 9 / 10], least * 1.01);
  // Here of loss and time alone: smaller networks that are neither better nor faster are not drawn.
  std::vector<TuneReport::Point> by_time = report.points;
  std::ranges::sort(by_time, {}, &TuneReport::Point::step_seconds);
  Chart::Line front = {.name = "front", .colour = "model", .dots = true};
  double lowest = most, slowest = 0;
  for (const TuneReport::Point& point : by_time) {
    if (point.loss > lowest) continue;
    lowest = point.loss;
    slowest = 3 * point.step_seconds;
    front.points.emplace_back(1e6 * point.step_seconds, point.loss);
  }
  Chart::Line all = {.name = "candidates", .colour = "last", .dots = true};
  for (const TuneReport::Point& point : report.points) {
    if (point.loss <= most && point.step_seconds <= slowest)
      AddDot(all, 1e6 * point.step_seconds, point.loss);
  }
  chart.lines = {all, front};
  chart.y_range = {{least - (most - least) * 0.05, most}};
  return SvgOf(chart);
}

std::string History(const TuneReport& report) {
  Chart chart = {.title = "The lowest validation loss so far",
                 .x_label = "seconds",
                 .y_label = "pinball loss on validation",
                 .width = 560,
                 .height = 380};
  Chart::Line line = {.name = "", .colour = "best"};
  double last = report.history.front().second;
  for (const auto& [seconds, loss] : report.history) {
    line.points.emplace_back(seconds, last);  // a step
    line.points.emplace_back(seconds, loss);
    last = loss;
  }
  line.points.emplace_back(report.seconds, last);
  chart.lines.push_back(line);
  return SvgOf(chart);
}

std::string Row(const std::vector<std::string>& cells, std::size_t text, bool stands_out = false) {
  std::string html = stands_out ? "<tr class='model'>" : "<tr>";
  for (std::size_t i = 0; i < cells.size(); ++i)
    absl::StrAppend(&html, i < text ? "<td class='text'>" : "<td>", Escaped(cells[i]), "</td>");
  return html + "</tr>\n";
}

std::string Finalists(const TuneReport& report) {
  std::string html =
      "<div class='scroll'><table><tr><th class='text'>candidate</th><th "
      "class='text'>from</th><th>validation "
      "loss</th><th>test MAE</th><th>test pinball</th><th>in interval</th><th>µs alone</th><th>µs of 64</th>"
      "<th>parameters</th><th>bytes a stream</th></tr>\n";
  for (const TuneReport::Finalist& finalist : report.finalists) {
    const Errors& errors = finalist.errors();
    absl::StrAppend(
        &html,
        Row({TextOf(finalist.point.candidate), finalist.point.origin, Number(finalist.point.loss),
             Number(errors.mae), Number(errors.pinball),
             errors.interval_targets == 0 ? "–" : absl::StrFormat("%.1f %%", 100 * errors.coverage),
             Micros(finalist.step_seconds), absl::StrFormat("%.2f", 1e6 * finalist.step_seconds_together),
             Grouped(finalist.point.parameters), Grouped(finalist.stream_bytes)},
            2, finalist.front));
  }
  return html + "</table></div>\n";
}

std::string Families(const TuneReport& report) {
  struct Best {
    const TuneReport::Point* point = nullptr;
    std::size_t candidates = 0, rungs = 0;
  };
  std::map<Family, Best> families;
  for (const TuneReport::Point& point : report.points) {
    Best& best = families[point.candidate.family];
    if (best.point == nullptr || point.loss < best.point->loss) best.point = &point;
    ++best.candidates;
    best.rungs += point.rungs;
  }
  std::vector<std::pair<Family, Best>> ordered(families.begin(), families.end());
  std::ranges::sort(ordered, {}, [](const auto& family) { return family.second.point->loss; });
  std::string html =
      "<div class='scroll'><table><tr><th class='text'>family</th><th class='text'>its best candidate</th>"
      "<th>validation loss</th><th>candidates</th><th>rungs trained</th></tr>\n";
  for (const auto& [family, best] : ordered) {
    absl::StrAppend(&html, Row({FamilyName(family), TextOf(best.point->candidate), Number(best.point->loss),
                                Grouped(best.candidates), Grouped(best.rungs)},
                               2));
  }
  return html + "</table></div>\n";
}

}  // namespace

std::string TuneHtml(const TuneReport& report) {
  std::string html = absl::StrCat(
      "<p class='faint'>", Escaped(report.file), ": ", Grouped(report.readings), " readings of ",
      report.streams, report.streams == 1 ? " stream" : " streams", ", forecasts of ", report.horizon,
      " steps; ", report.points.size(), " candidates in ", Seconds(report.seconds),
      report.refused > 0 ? absl::StrCat(", ", report.refused, " more did not fit the latency budget of ",
                                        Seconds(report.latency_budget))
                         : "",
      ". Chosen by validation; the test part was only looked at in the end.</p>\n", Tiles(report));
  absl::StrAppend(
      &html, "<div class='two'>\n", Front(report), History(report), "</div>\n",
      "<h2>The candidates to decide between</h2>\n<p class='faint'>The front in bold: none of the "
      "others is at once more accurate, faster and smaller. Test errors in deviations of the "
      "training readings. The first is written to ",
      Escaped(report.winner), ".</p>\n", Finalists(report),
      "<h2>Families</h2>\n<p class='faint'>A family that fell behind early was trained less: more "
      "rungs are more training.</p>\n",
      Families(report));
  return PageOf(absl::StrCat("Search for ", report.name), html);
}

}  // namespace tidegate
