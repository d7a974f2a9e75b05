#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/model/model.h"

namespace tidegate {

// Forecasts held against the readings that they were made for, and intervals corrected by it, as functions on
// a stream's floats (StreamLayout). Correction is adaptive conformal inference (Gibbs & Candes 2021,
// arXiv:2106.00170), one-sided for each scored step and each level but the median:
//   position <- position + rate (share - hit)     hit: 1 if the reading was on the level's inner side,
//                                                 share: how often it is to be, 0.9 for the levels 0.1 and
//                                                 0.9
//   width of that side = width that the model says * CalibrationTable::Ratio(position)
// so that a level holds as often as it says also on a stream unlike those of the training, and as it drifts.
// Far ahead misses come in runs, and a position that made up for a run at once would swing. So the positions
// stay slow, and what the interval as a whole owes trims its two sides (the integral part of conformal PID
// control, Angelopoulos, Candes & Tibshirani 2023, arXiv:2307.16895):
//   owed = (share of the interval - its coverage so far) * readings, at most 2,000 of them
//   trim = 1 + g owed, or where it covers too much 1 / (1 - g owed); from 0.4 to 2.5; g = 0.06 / h^0.4 of
//   step h
// The steps between two scored ones take widths between theirs. A level holds up to half the sensor's
// resolution beyond it; one that lies at the median or across it only while the interval covers a point too
// much, and an interval without any width becomes no narrower. So a sensor that seldom moves by its
// resolution keeps the median that it reads; of one that moves so seldom that no width at all covers too
// much, the median may come to lie up to half the resolution beside it, for the share's sake.

// What readings came to, of one scored step, all streams of a model together. Added to, never reset.
struct ScoreTotals {
  double scored = 0;
  double absolute_error = 0;  // of the median; this and the next three in the target's unit
  double naive_error = 0;     // of the same readings, by the one before each: what MASE divides by
  double pinball = 0;         // mean over the levels
  double width = 0;           // from the lowest to the highest level
  double covered = 0;
};

// How often readings are to lie on the median's side of quantile q of the model's.
float InnerShare(const ModelSpec& spec, std::size_t q);

// Sets what a new stream begins with, its biases (seasonal_bias.h) too.
void StartCalibration(const Model& model, float* kept);

// Sets the rings to "no forecast".
void ForgetForecasts(const Model& model, float* rings);

// Scores the forecasts made for step number `step` (counted from 0 since the stream began), whose target is
// `target` (NaN: nothing is scored), moves the positions, and remembers the target. totals [scored steps] or
// empty.
void ScoreReading(const Model& model, std::uint32_t step, float target, float* kept, const float* rings,
                  std::span<ScoreTotals> totals);

// Corrects the levels of `forecast` [horizon, Q] by the stream's positions; they stay in order. Where a
// stream's readings keep to one side of the median, both levels may come to lie there, and the median moves
// with them.
void CalibrateForecast(const Model& model, const float* kept, std::span<float> forecast);

// Keeps what will be scored of the forecast that was made at step number `step`.
void RememberForecast(const Model& model, std::uint32_t step, std::span<const float> forecast, float* rings);

// Whether floats [layout().kept] can be what this file makes of them.
bool IsCalibration(const Model& model, const float* kept);

}  // namespace tidegate
