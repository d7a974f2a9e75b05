// The tables of backtest_run.h.
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "clients/cli/backtest_run.h"
#include "clients/cli/table.h"

namespace tidegate {
namespace {

constexpr std::size_t kOriginsForTwoPoints = 1'000;

std::string NumberCell(double value, const char* unit = "") {
  if (std::isnan(value)) return "-";
  return absl::StrCat(absl::StrFormat("%#.4g", value), unit);
}

std::string Percent(double share) {
  return std::isnan(share) ? "-" : absl::StrFormat("%.1f %%", 100 * share);
}

}  // namespace

CoverageVerdict JudgeCoverage(const ModelSpec& spec, const HorizonScore& score) {
  CoverageVerdict verdict;
  verdict.nominal = spec.quantiles.back() - spec.quantiles.front();
  verdict.coverage = score.errors[0].coverage;
  verdict.allowed =
      score.origins >= kOriginsForTwoPoints
          ? 0.02
          : 2 * std::sqrt(verdict.nominal * (1 - verdict.nominal) / static_cast<double>(score.origins));
  verdict.inside = std::abs(verdict.coverage - verdict.nominal) <= verdict.allowed;
  return verdict;
}

std::string CoverageText(const BacktestRun& run) {
  if (run.spec.quantiles.size() == 1) return "The model has one quantile: no interval.";
  std::vector<std::string> outside;
  for (const HorizonScore& score : run.result.horizons) {
    const CoverageVerdict verdict = JudgeCoverage(run.spec, score);
    if (verdict.inside) continue;
    outside.push_back(absl::StrFormat("%.1f %% over %d %s (%.1f points allowed)", 100 * verdict.coverage,
                                      score.horizon, score.horizon == 1 ? "step" : "steps",
                                      100 * verdict.allowed));
  }
  const double nominal = run.spec.quantiles.back() - run.spec.quantiles.front();
  const std::string rule = run.result.horizons.back().origins >= kOriginsForTwoPoints
                               ? "2 points"
                               : "two standard errors, as there are fewer than 1,000 origins,";
  if (outside.empty()) {
    return absl::StrFormat("Coverage of the %.0f %% interval: within %s of it at every horizon.",
                           100 * nominal, rule);
  }
  return absl::StrFormat("Coverage of the %.0f %% interval: OUTSIDE what is allowed: %s.", 100 * nominal,
                         absl::StrJoin(outside, ", "));
}

std::string TestText(const BacktestRun& run) {
  std::string text =
      absl::StrCat("Test part: from ", run.from,
                   " of each stream on; the rows before it warm the model up and teach the baselines.\n",
                   "Season ago: ", Grouped(run.season.readings),
                   run.season.readings == 1 ? " reading" : " readings", " (", run.season.why, "). Linear: ");
  if (run.result.linear_context == 0)
    return absl::StrCat(text, "not fitted, the rows before the test part are too few.\n");
  return absl::StrCat(text, "a ridge regression on the last ", run.result.linear_context, " values (penalty ",
                      run.result.linear_penalty, ").\n");
}

void PrintBacktest(const BacktestRun& run, std::ostream& out) {
  Table table({"steps", "origins", "forecast", "MAE", "RMSE", "MSE", "MASE", "sMAPE", "pinball",
               absl::StrFormat("in %.0f %%", 100 * (run.spec.quantiles.back() - run.spec.quantiles.front())),
               "width"},
              0);
  for (const HorizonScore& score : run.result.horizons) {
    for (std::size_t f = 0; f < kForecasters; ++f) {
      const Errors& errors = score.errors[f];
      if (errors.targets == 0) continue;
      table.Add({f == 0 ? absl::StrCat(score.horizon) : "", f == 0 ? Grouped(score.origins) : "",
                 kForecasterNames[f], NumberCell(errors.mae), NumberCell(std::sqrt(errors.mse)),
                 NumberCell(errors.mse), NumberCell(errors.mase), NumberCell(errors.smape, " %"),
                 NumberCell(errors.pinball), Percent(errors.coverage), NumberCell(errors.width)});
    }
  }
  table.Print(out);
  if (const Errors& model = run.result.horizons.back().errors[0]; model.mase_targets < model.targets) {
    out << absl::StrFormat(
        "MASE: over %.0f %% of the targets; streams that did not vary before the test part, or had no whole "
        "season there, have none.\n",
        100 * static_cast<double>(model.mase_targets) / static_cast<double>(model.targets));
  }
  out << CoverageText(run) << '\n';
  const std::size_t forecasts = run.result.steps;
  out << absl::StrFormat("%s forecasts, %.1f us each, one thread.\n\n", Grouped(forecasts),
                         1e6 * run.result.seconds / static_cast<double>(forecasts));
}

}  // namespace tidegate
