#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/backtest/autoregression.h"
#include "engine/backtest/backtest.h"
#include "engine/backtest/seasonal_naive.h"
#include "engine/backtest/target.h"
#include "engine/model/spec.h"

namespace tidegate {

// One stream of a backtest: its pieces in order of time.
struct TestStream {
  std::size_t index = 0;  // from 0
  std::vector<const Series*> series;
  std::vector<Target> targets;  // of each
  std::optional<SeasonalNaive> seasonal;
};

// Neighbouring series of one name, each later than the one before, are one stream. The series must live as
// long.
std::vector<TestStream> TestStreams(const std::vector<Series>& series, const ModelSpec& spec,
                                    const BacktestOptions& options, std::size_t horizon);

// Scores what the forecasters say against what came, see RunBacktest. Borrows what it is made with.
class Scoring {
 public:
  // horizons: rising.
  Scoring(const ModelSpec& spec, const BacktestOptions& options, std::span<const std::size_t> horizons,
          const std::vector<TestStream>& streams);

  // A forecast that was made at a row of a piece.
  struct Made {
    const TestStream* stream;
    std::size_t piece, row;
    std::int64_t time_ns;
    std::span<const float> forecast;  // [horizon, Q]
  };
  void Score(std::span<const Made> made);

  // Steps and seconds are the caller's. Internal: see RunBacktest.
  absl::StatusOr<Backtest> Result() const;

 private:
  struct Place {
    const TestStream* stream;
    std::size_t piece, row;
  };
  std::size_t longest() const { return result_.horizons.back().horizon; }
  void CountOrigins(const std::vector<TestStream>& streams);
  void ChooseExamples(const std::vector<TestStream>& streams, std::size_t examples);
  void ScoreOne(const Made& made, std::span<const float> linear);
  ErrorsOfAll ErrorsAt(const Made& made, std::size_t step, float linear);
  void AddToPictures(const Made& made, std::size_t step, const ErrorsOfAll& errors);
  ForecastExample ExampleOf(const Made& made, std::span<const float> linear) const;

  const ModelSpec& spec_;
  std::optional<Autoregression> linear_;
  Backtest result_;
  std::vector<std::size_t> expected_;  // targets of each horizon if nothing is missing
  bool complete_ = true;               // nothing is
  const bool origin_losses_;
  std::int64_t begin_ns_ = 0, end_ns_ = 0;
  std::vector<Place> examples_;  // to be kept
  std::vector<Made> due_;        // of one call
  std::vector<Autoregression::Origin> origins_;
  Matrix linear_forecasts_;
  std::vector<float> quantiles_;  // of the seasonal naive, for one step
};

}  // namespace tidegate
