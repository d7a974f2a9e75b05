#pragma once

#include <cstddef>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "engine/backtest/backtest.h"
#include "engine/tune/candidate.h"

namespace tidegate {

// What a search has found, for people and programs.
struct TuneReport {
  struct Point {            // a candidate as far as it was trained
    std::size_t trial = 0;  // from 1
    Candidate candidate = {};
    std::string origin = {};
    std::size_t rungs = 0;
    double loss = 0;  // TrainedModel::validation_loss
    double step_seconds = 0;
    std::size_t parameters = 0;
  };
  struct Finalist {
    Point point = {};
    bool front = false;  // no other is at once more accurate, faster and smaller
    double step_seconds = 0, step_seconds_together = 0;  // of a reading alone, of one among 64; quiet
    std::size_t stream_bytes = 0;
    Backtest test = {};

    const Errors& errors(Forecaster who = Forecaster::kModel) const {  // over the whole horizon
      return test.horizons.back().errors[static_cast<std::size_t>(who)];
    }
  };
  std::string file, name;
  std::size_t readings = 0, streams = 0, horizon = 0;
  double seconds = 0, budget = 0, latency_budget = 0;   // 0: none
  std::size_t refused = 0;                              // candidates, by the latency budget
  std::vector<Point> points = {};                       // of every candidate with a loss
  std::vector<std::pair<double, double>> history = {};  // seconds, the lowest loss so far
  std::vector<Finalist> finalists = {};                 // by loss, the first is the winner
  std::string winner = {};                              // its folder
};

// The points that no other beats in loss, step time and parameters at once, by loss.
std::vector<TuneReport::Point> FrontOf(std::vector<TuneReport::Point> points);

void PrintTune(const TuneReport& report, std::ostream& out);
std::string TuneJson(const TuneReport& report);
std::string TuneHtml(const TuneReport& report);  // one page with pictures, nothing outside it

}  // namespace tidegate
