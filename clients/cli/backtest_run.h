#pragma once

#include <array>
#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "clients/cli/season.h"
#include "engine/backtest/backtest.h"
#include "engine/model/spec.h"

namespace tidegate {

// The linear path or the network, alone, without the baselines.
struct BacktestPart {
  std::string name;  // "linear_path", "network"
  Backtest result;
};

// What was tested and how it did.
struct BacktestRun {
  ModelSpec spec;
  std::string model, file, rows;  // as the command names them; rows empty: all
  std::string from = {};          // where the test part begins
  std::size_t readings = 0, streams = 0;
  Season season = {};
  Backtest result = {};
  std::size_t window = 0;  // readings; 0: `windowed` is empty
  Backtest windowed = {};  // forecasts made anew from so many readings, without the baselines
  std::vector<BacktestPart> parts = {};
};

// "model", "last value", "season ago", "linear", by Forecaster.
inline constexpr std::array<const char*, kForecasters> kForecasterNames = {"model", "last value",
                                                                           "season ago", "linear"};

// Whether an interval holds what it says: its share is within 2 points where at least 1,000 origins of a
// stream are scored, elsewhere within two binomial standard errors.
struct CoverageVerdict {
  double nominal = 0, coverage = 0, allowed = 0;  // shares
  bool inside = false;
};
CoverageVerdict JudgeCoverage(const ModelSpec& spec, const HorizonScore& score);

// One sentence over all horizons.
std::string CoverageText(const BacktestRun& run);

// "--from" and what the baselines are made of, in sentences.
std::string TestText(const BacktestRun& run);

// Errors by horizon and forecaster, coverage, cost.
void PrintBacktest(const BacktestRun& run, std::ostream& out);

// Every table as JSON; NaN is null.
std::string BacktestJson(const BacktestRun& run);

// One page with pictures, nothing outside it.
std::string BacktestHtml(const BacktestRun& run);

}  // namespace tidegate
