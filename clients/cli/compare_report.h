#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "engine/backtest/backtest.h"
#include "engine/tune/family.h"

namespace tidegate {

// Every family beside the others on one set of readings, for people and programs.
struct CompareReport {
  // What a forecast is made from: the last readings alone, or all so far by the state carried on.
  enum Context { kShort, kLong, kCarried, kContexts };
  static constexpr std::array<std::size_t, kContexts> kReadings = {64, 256, 0};

  static constexpr double kSignificant = 0.05;  // p below which a difference counts

  struct Score {
    double validation_loss = 0;  // as TuneReport::Point's
    Backtest test = {};
    // Relative difference of the mean absolute error; none: the GRU was not trained.
    std::optional<double> against_gru = {};
    std::optional<double> p = {};  // of it by chance: Diebold & Mariano, for all families at once by Holm
    bool significant() const { return p && *p < kSignificant; }

    const Errors& errors(Forecaster who = Forecaster::kModel) const {  // over the whole horizon
      return test.horizons.back().errors[static_cast<std::size_t>(who)];
    }
  };
  struct Row {
    Family family = Family::kGru;
    std::size_t parameters = 0, stream_bytes = 0;
    // Of a training step: 16 sequences of 64 readings (of 256 if only that was trained), one thread.
    double update_seconds = 0;
    double step_seconds = 0, step_seconds_together = 0;  // of a reading alone, of one among 64, as served
    std::array<std::optional<Score>, kContexts> scores = {};  // none: not trained, or no such forecast
  };
  std::string file = {};
  std::size_t readings = 0, streams = 0, horizon = 0;
  double training_seconds = 0;  // of each model at most: one that gets no better ends early
  std::vector<Row> rows = {};   // in the order of kFamilies, those that were trained
};

// Fills against_gru and p where the GRU has a score, too.
void CompareWithGru(CompareReport& report);

// What the last value and, if it was fitted, a linear autoregression err, as a sentence; empty: not known.
std::string BaselinesText(const CompareReport& report);

void PrintCompare(const CompareReport& report, std::ostream& out);
std::string CompareJson(const CompareReport& report);
std::string CompareHtml(const CompareReport& report);  // one page with pictures, nothing outside it

}  // namespace tidegate
