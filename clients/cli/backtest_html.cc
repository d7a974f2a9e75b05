// The page of backtest_run.h.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "clients/cli/backtest_run.h"
#include "clients/cli/chart.h"
#include "clients/cli/page.h"
#include "clients/cli/table.h"

namespace tidegate {
namespace {

constexpr const char* kColours[kForecasters] = {"model", "last", "seasonal", "linear"};

// How much less one error is than another.
std::string Gain(double ours, double other) {
  if (!(other > 0)) return "no error to compare with";
  const double less = 100 * (1 - ours / other);
  return absl::StrFormat("%.1f %% %s", std::abs(less), less >= 0 ? "less" : "more");
}

std::string Tiles(const BacktestRun& run) {
  const HorizonScore& score = run.result.horizons.back();
  const Errors& model = score.errors[0];
  std::string html = "<div class='tiles'>\n";
  absl::StrAppend(&html, Tile(Number(model.mae), absl::StrCat("mean absolute error over ", score.horizon,
                                                              " steps, deviations")));
  for (std::size_t f = 1; f < kForecasters; ++f) {
    if (score.errors[f].targets > 0)
      absl::StrAppend(&html, Tile(Gain(model.mae, score.errors[f].mae),
                                  absl::StrCat("error than ", kForecasterNames[f])));
  }
  if (run.spec.quantiles.size() > 1) {
    const CoverageVerdict verdict = JudgeCoverage(run.spec, score);
    absl::StrAppend(&html,
                    Tile(absl::StrFormat("%.1f %%", 100 * verdict.coverage),
                         absl::StrFormat("of the targets in the %.0f %% interval%s", 100 * verdict.nominal,
                                         verdict.inside ? "" : ": outside what is allowed")));
  }
  absl::StrAppend(
      &html,
      Tile(absl::StrFormat("%.1f µs", 1e6 * run.result.seconds / static_cast<double>(run.result.steps)),
           "for each forecast, one thread"),
      "</div>\n");
  return html;
}

std::string TableOf(const BacktestRun& run) {
  std::string html =
      "<div "
      "class='scroll'><table><tr><th>steps</th><th>origins</th><th "
      "class='text'>forecast</th><th>MAE</th><th>RMSE</"
      "th><th>MSE</th>"
      "<th>MASE</th><th>sMAPE %</th><th>pinball</th><th>in interval</th><th>width</th></tr>\n";
  for (const HorizonScore& score : run.result.horizons) {
    for (std::size_t f = 0; f < kForecasters; ++f) {
      const Errors& e = score.errors[f];
      if (e.targets == 0) continue;
      absl::StrAppend(&html, f == 0 ? "<tr class='model'>" : "<tr>");
      const std::string coverage =
          std::isnan(e.coverage) ? "–" : absl::StrFormat("%.1f %%", 100 * e.coverage);
      for (const std::string& cell :
           {f == 0 ? absl::StrCat(score.horizon) : "", f == 0 ? Grouped(score.origins) : "",
            std::string(kForecasterNames[f]), Number(e.mae), Number(std::sqrt(e.mse)), Number(e.mse),
            Number(e.mase), Number(e.smape), Number(e.pinball), coverage, Number(e.width)}) {
        absl::StrAppend(&html, cell == kForecasterNames[f] ? "<td class='text'>" : "<td>", cell, "</td>");
      }
      absl::StrAppend(&html, "</tr>\n");
    }
  }
  return absl::StrCat(html, "</table></div>\n");
}

// The table of forecasts made anew, if there are any.
std::string Windowed(const BacktestRun& run) {
  if (run.window == 0) return "";
  BacktestRun shown = run;
  shown.result = run.windowed;
  return absl::StrFormat(
      "<p class='faint'>The same weights, each forecast made anew from the last %d readings, %.1f µs "
      "each:</p>\n%s",
      run.window, 1e6 * run.windowed.seconds / static_cast<double>(run.windowed.steps), TableOf(shown));
}

// The errors of a forecaster by step.
Chart::Line LineOf(const BacktestRun& run, std::size_t f) {
  Chart::Line line = {
      .name = kForecasterNames[f], .colour = kColours[f], .dots = run.result.steps_ahead.size() <= 30};
  for (std::size_t step = 0; step < run.result.steps_ahead.size(); ++step) {
    const Errors& errors = run.result.steps_ahead[step][f];
    if (errors.targets > 0) line.points.emplace_back(step + 1, errors.mae);
  }
  return line;
}

// One that is far above the model is named, not drawn: it would press the others together.
std::string ErrorByStep(const BacktestRun& run) {
  Chart chart = {.title = "Mean absolute error, each step ahead alone",
                 .x_label = "steps ahead",
                 .y_label = "deviations",
                 .y_from_zero = true,
                 .width = 1080,
                 .height = 340};
  double most = 0;
  for (std::size_t f = 0; f < kForecasters; ++f) {
    const Chart::Line line = LineOf(run, f);
    double least = line.points.empty() ? 0 : line.points[0].second;
    for (const auto& [step, error] : line.points) {
      least = std::min(least, error);
      if (f == 0) most = std::max(most, error);
    }
    if (least > 3 * most) {
      absl::StrAppend(&chart.title, "; ", line.name, " is at ", Number(least), " and more");
    } else if (!line.points.empty()) {
      chart.lines.insert(chart.lines.begin(), line);  // the model's comes last, on top
    }
  }
  return SvgOf(chart);
}

std::string Calibration(const BacktestRun& run) {
  Chart chart = {.title = "Calibration: how much lies below each level",
                 .x_label = "level of the quantile",
                 .y_label = "share of targets below",
                 .x_range = {{0, 1}},
                 .y_range = {{0, 1}},
                 .percent = true,
                 .width = 520,
                 .height = 400};
  chart.lines.push_back({.name = "ideal", .colour = "ideal", .points = {{0, 0}, {1, 1}}, .dashed = true});
  Chart::Line line = {.name = "model", .colour = "model", .dots = true};
  for (std::size_t q = 0; q < run.spec.quantiles.size(); ++q)
    line.points.emplace_back(run.spec.quantiles[q], run.result.below[q]);
  chart.lines.push_back(line);
  return SvgOf(chart);
}

std::string CoverageOverTime(const BacktestRun& run) {
  if (run.spec.quantiles.size() == 1) return "";
  const CoverageVerdict verdict = JudgeCoverage(run.spec, run.result.horizons.back());
  const double nominal = verdict.nominal;
  Chart chart = {.title = absl::StrFormat("Coverage of the %.0f %% interval over time", 100 * nominal),
                 .x_label = "when the forecasts were made (UTC)",
                 .y_label = "share of targets inside",
                 .times = true,
                 .percent = true,
                 .width = 520,
                 .height = 400};
  Chart::Line line = {.name = "model", .colour = "model", .dots = true};
  double least = nominal - 0.1;
  for (const CoverageBlock& block : run.result.blocks) {
    line.points.emplace_back((static_cast<double>(block.begin_ns) + static_cast<double>(block.end_ns)) / 2e9,
                             block.coverage);
    least = std::min(least, block.coverage - 0.02);
  }
  if (line.points.empty()) return "";
  const double begin = static_cast<double>(run.result.blocks.front().begin_ns) / 1e9,
               end = static_cast<double>(run.result.blocks.back().end_ns) / 1e9;
  chart.x_range = {{begin, end}};
  chart.y_range = {{std::max(0.0, least), 1}};
  chart.bands.push_back({.name = absl::StrFormat("within %.1f points", 100 * verdict.allowed),
                         .colour = "ideal",
                         .x = {begin, end},
                         .low = {nominal - verdict.allowed, nominal - verdict.allowed},
                         .high = {nominal + verdict.allowed, nominal + verdict.allowed}});
  chart.lines.push_back(
      {.name = "", .colour = "ideal", .points = {{begin, nominal}, {end, nominal}}, .dashed = true});
  chart.lines.push_back(line);
  return SvgOf(chart);
}

std::string Fan(const BacktestRun& run, const ForecastExample& example) {
  const std::size_t levels = run.spec.quantiles.size(), steps = example.truth.size();
  Chart chart = {
      .title = absl::StrCat(
          example.stream, ", forecast of ",
          absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixNanos(example.origin_ns), absl::UTCTimeZone())),
      .x_label = "steps from the forecast",
      .y_label = run.spec.features[run.spec.target].name,
      .marks = {0},
      .width = 520,
      .height = 300};
  Chart::Line truth = {.name = "truth", .colour = "truth"};
  for (std::size_t i = 0; i < example.before.size(); ++i)
    truth.points.emplace_back(static_cast<double>(i) - static_cast<double>(example.before.size() - 1),
                              example.before[i]);
  for (std::size_t h = 0; h < steps; ++h) truth.points.emplace_back(h + 1, example.truth[h]);
  for (std::size_t q = 0; q < levels / 2; ++q) {
    Chart::Band band = {.name = q == 0 ? absl::StrFormat("%.0f %%", 100 * (run.spec.quantiles.back() -
                                                                           run.spec.quantiles.front()))
                                       : "",
                        .colour = "model"};
    for (std::size_t h = 0; h < steps; ++h) {
      band.x.push_back(static_cast<double>(h + 1));
      band.low.push_back(example.quantiles[h * levels + q]);
      band.high.push_back(example.quantiles[h * levels + levels - 1 - q]);
    }
    chart.bands.push_back(band);
  }
  // A baseline that is far off is left out: it would press the others together.
  const auto [low, high] = std::ranges::minmax(example.quantiles);
  const auto add = [&, low = low, high = high](const char* name, const char* colour, auto value) {
    Chart::Line line = {.name = name, .colour = colour, .dashed = std::string(colour) != "model"};
    for (std::size_t h = 0; h < steps; ++h) {
      if (value(h) > high + (high - low) || value(h) < low - (high - low)) return;
      line.points.emplace_back(h + 1, value(h));
    }
    chart.lines.push_back(line);
  };
  add("season ago", "seasonal", [&](std::size_t h) { return example.seasonal[h]; });
  if (!example.linear.empty()) add("linear", "linear", [&](std::size_t h) { return example.linear[h]; });
  chart.lines.push_back(truth);
  add("model", "model", [&](std::size_t h) { return example.quantiles[h * levels + levels / 2]; });
  return SvgOf(chart);
}

}  // namespace

std::string BacktestHtml(const BacktestRun& run) {
  const ModelSpec& spec = run.spec;
  std::string html = absl::StrCat(
      "<p class='faint'>", Escaped(run.model), " on ", Escaped(run.file), run.rows.empty() ? "" : ", rows ",
      Escaped(run.rows), ": ", Grouped(run.readings), " readings of ", run.streams,
      run.streams == 1 ? " stream" : " streams", ", ",
      absl::FormatDuration(absl::Nanoseconds(spec.interval_ns)),
      " apart. One pass, a forecast after every reading from the state carried on, as a server makes "
      "them.</p>\n");
  absl::StrAppend(&html, Tiles(run), ErrorByStep(run), "<h2>Errors by horizon</h2>\n<p class='faint'>",
                  "Means over the first steps of every forecast, in deviations of the training readings. ",
                  Escaped(TestText(run)), "</p>\n", TableOf(run), Windowed(run), "<h2>Intervals</h2>\n<p>",
                  Escaped(CoverageText(run)), "</p>\n");
  if (spec.quantiles.size() > 1)
    absl::StrAppend(&html, "<div class='two'>\n", Calibration(run), CoverageOverTime(run), "</div>\n");
  absl::StrAppend(&html, "<h2>Forecasts beside what came</h2>\n<div class='two'>\n");
  for (const ForecastExample& example : run.result.examples) absl::StrAppend(&html, Fan(run, example));
  return PageOf(absl::StrCat("Backtest of ", spec.name), absl::StrCat(html, "</div>\n"));
}

}  // namespace tidegate
