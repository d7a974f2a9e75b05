#include "engine/backtest/scoring.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/tensor/nan.h"

namespace tidegate {
namespace {

constexpr std::size_t kLeastBefore = 24;  // values before an example's forecast

// Row of the first origin, and how many there are for a horizon.
std::size_t FirstOrigin(const Target& target) { return std::max<std::size_t>(target.from, 1) - 1; }
std::size_t OriginsOf(const Target& target, std::size_t horizon) {
  const std::size_t first = FirstOrigin(target);
  return target.size() > first + horizon ? target.size() - first - horizon : 0;
}

Errors& Of(ErrorsOfAll& errors, Forecaster who) { return errors[static_cast<std::size_t>(who)]; }
const Errors& Of(const ErrorsOfAll& errors, Forecaster who) { return errors[static_cast<std::size_t>(who)]; }

void AddAll(ErrorsOfAll& sums, const ErrorsOfAll& more) {
  for (std::size_t f = 0; f < kForecasters; ++f) sums[f].Add(more[f]);
}

}  // namespace

std::vector<TestStream> TestStreams(const std::vector<Series>& series, const ModelSpec& spec,
                                    const BacktestOptions& options, std::size_t horizon) {
  std::vector<TestStream> streams;
  for (std::size_t s = 0; s < series.size(); ++s) {
    const Series& one = series[s];
    const auto goes_on = [&](const Series& before) {
      return before.stream == one.stream &&
             one.begin_ns > before.TimeOf(before.size() - 1, spec.interval_ns) + spec.interval_ns;
    };
    if (streams.empty() || !goes_on(*streams.back().series.back())) streams.emplace_back();
    streams.back().series.push_back(&one);
    streams.back().targets.push_back(TargetOf(one, spec, options.from.empty() ? 0 : options.from[s]));
  }
  for (TestStream& stream : streams) {
    stream.index = static_cast<std::size_t>(&stream - streams.data());
    if (spec.per_stream) SetOwnDeviation(stream.targets, options.deviation_rows);
    stream.seasonal.emplace(stream.targets, options.season, horizon, spec.quantiles);
  }
  return streams;
}

Scoring::Scoring(const ModelSpec& spec, const BacktestOptions& options, std::span<const std::size_t> horizons,
                 const std::vector<TestStream>& streams)
    : spec_(spec), origin_losses_(options.origin_losses) {
  for (const std::size_t horizon : horizons) result_.horizons.push_back({.horizon = horizon});
  result_.steps_ahead.resize(longest());
  result_.below.resize(spec.quantiles.size());
  quantiles_.resize(spec.quantiles.size());
  result_.blocks.resize(std::max<std::size_t>(options.blocks, 1));
  CountOrigins(streams);
  ChooseExamples(streams, options.examples);
  const std::int64_t span = end_ns_ - begin_ns_;
  const auto count = static_cast<std::int64_t>(result_.blocks.size());
  for (std::int64_t b = 0; b < count; ++b) {
    CoverageBlock& block = result_.blocks[static_cast<std::size_t>(b)];
    block.begin_ns = begin_ns_ + span / count * b;
    block.end_ns = begin_ns_ + span / count * (b + 1);
  }
  if (!options.baselines) return;
  std::vector<Target> targets;  // of all streams, for the one map
  for (const TestStream& stream : streams)
    targets.insert(targets.end(), stream.targets.begin(), stream.targets.end());
  linear_ = Autoregression::Fit(targets, longest());
  if (!linear_) return;
  result_.linear_context = linear_->context();
  result_.linear_penalty = linear_->penalty();
}

void Scoring::CountOrigins(const std::vector<TestStream>& streams) {
  begin_ns_ = std::numeric_limits<std::int64_t>::max();
  for (HorizonScore& score : result_.horizons) {
    std::size_t& expected = expected_.emplace_back();
    for (const TestStream& stream : streams) {
      std::size_t origins = 0;
      for (const Target& target : stream.targets) origins += OriginsOf(target, score.horizon);
      score.origins = std::max(score.origins, origins);
      expected += origins * score.horizon;
    }
  }
  for (const TestStream& stream : streams) {
    for (std::size_t p = 0; p < stream.targets.size(); ++p) {
      const Target& target = stream.targets[p];
      const std::size_t first = FirstOrigin(target), origins = OriginsOf(target, longest());
      if (OriginsOf(target, result_.horizons.front().horizon) > 0) {
        complete_ = complete_ && !std::isnan(target.known[first]) &&
                    std::all_of(target.scored.begin() + static_cast<std::ptrdiff_t>(first + 1),
                                target.scored.end(), [](bool scored) { return scored; });
      }
      if (origins == 0) continue;
      const Series& series = *stream.series[p];
      begin_ns_ = std::min(begin_ns_, series.TimeOf(first, spec_.interval_ns));
      const std::int64_t last_ns = series.TimeOf(first + origins - 1, spec_.interval_ns);
      end_ns_ = std::max(end_ns_, last_ns + spec_.interval_ns);
    }
  }
}

void Scoring::ChooseExamples(const std::vector<TestStream>& streams, std::size_t examples) {
  for (std::size_t e = 0; e < examples; ++e) {
    const TestStream& stream = streams[e * streams.size() / examples];
    std::size_t origins = 0;
    for (const Target& target : stream.targets) origins += OriginsOf(target, longest());
    std::size_t place = origins * (2 * e + 1) / (2 * examples);
    for (std::size_t p = 0; p < stream.targets.size(); ++p) {
      const std::size_t here = OriginsOf(stream.targets[p], longest());
      if (place < here) {
        examples_.push_back({&stream, p, FirstOrigin(stream.targets[p]) + place});
        break;
      }
      place -= here;
    }
  }
}

void Scoring::Score(std::span<const Made> made) {
  due_.clear();
  origins_.clear();
  for (const Made& one : made) {
    const Target& target = one.stream->targets[one.piece];
    if (one.row < FirstOrigin(target) || one.row + 1 >= target.size() || std::isnan(target.known[one.row]))
      continue;
    due_.push_back(one);
    origins_.push_back({&target, one.row});
  }
  if (linear_) linear_->Forecast(origins_, linear_forecasts_);
  for (std::size_t i = 0; i < due_.size(); ++i) {
    ScoreOne(due_[i], linear_ ? std::span<const float>(linear_forecasts_.row(i), longest())
                              : std::span<const float>());
  }
}

void Scoring::ScoreOne(const Made& made, std::span<const float> linear) {
  const Target& target = made.stream->targets[made.piece];
  const bool whole = made.row + longest() < target.size();
  ErrorsOfAll sums;
  std::size_t step = 1;
  for (HorizonScore& score : result_.horizons) {  // rising horizons: each goes on where the one before ended
    if (made.row + score.horizon >= target.size()) break;
    for (; step <= score.horizon; ++step) {
      if (!target.scored[made.row + step]) continue;
      const ErrorsOfAll errors = ErrorsAt(made, step, linear.empty() ? kNaN : linear[step - 1]);
      AddAll(sums, errors);
      if (whole) AddToPictures(made, step, errors);
    }
    AddAll(score.errors, sums);
  }
  const Errors& model = Of(sums, Forecaster::kModel);
  if (origin_losses_ && whole && model.targets > 0) {
    const std::int64_t tick = (made.time_ns + spec_.interval_ns / 2) / spec_.interval_ns;
    result_.origin_losses.push_back(
        {made.stream->index, tick, model.mae / static_cast<double>(model.targets)});
  }
  for (const Place& place : examples_) {
    if (place.stream == made.stream && place.piece == made.piece && place.row == made.row)
      result_.examples.push_back(ExampleOf(made, linear));
  }
}

ErrorsOfAll Scoring::ErrorsAt(const Made& made, std::size_t step, float linear) {
  const Target& target = made.stream->targets[made.piece];
  const SeasonalNaive& seasonal = *made.stream->seasonal;
  const std::size_t levels = spec_.quantiles.size();
  const float truth = target.values[made.row + step];
  const auto score = [&](float point, std::span<const float> quantiles) {
    return ErrorsOf(truth, point, quantiles, spec_.quantiles, target.deviation, seasonal.scale(),
                    target.reach);
  };
  const std::span<const float> forecast = made.forecast.subspan((step - 1) * levels, levels);
  ErrorsOfAll errors;
  if (std::isnan(forecast[levels / 2])) return errors;
  Of(errors, Forecaster::kModel) = score(forecast[levels / 2], forecast);
  Of(errors, Forecaster::kLastValue) = score(target.known[made.row], {});
  const float before = seasonal.Forecast(target, made.row, step);
  const bool known = seasonal.Quantiles(before, step, quantiles_);
  Of(errors, Forecaster::kSeasonal) = score(before, std::span(quantiles_).first(known ? levels : 0));
  if (linear_) Of(errors, Forecaster::kLinear) = score(linear, {});
  return errors;
}

void Scoring::AddToPictures(const Made& made, std::size_t step, const ErrorsOfAll& errors) {
  AddAll(result_.steps_ahead[step - 1], errors);
  const Errors& model = Of(errors, Forecaster::kModel);
  const Target& target = made.stream->targets[made.piece];
  const float truth = target.values[made.row + step];
  const float* const forecast = made.forecast.data() + (step - 1) * result_.below.size();
  const std::size_t middle = result_.below.size() / 2;
  for (std::size_t q = 0; q < result_.below.size(); ++q) {  // an outer level holds up to `reach` beyond it
    const float reach = q < middle ? -target.reach : q > middle ? target.reach : 0;
    result_.below[q] += truth <= forecast[q] + reach ? 1 : 0;
    if (q == middle && std::abs(truth - forecast[q]) <= target.reach)
      result_.below[q] += truth <= forecast[q] ? -0.5 : 0.5;
  }
  const double place =
      static_cast<double>(made.time_ns - begin_ns_) / static_cast<double>(end_ns_ - begin_ns_);
  const auto block = static_cast<std::size_t>(place * static_cast<double>(result_.blocks.size()));
  result_.blocks[std::min(block, result_.blocks.size() - 1)].targets += model.targets;
  result_.blocks[std::min(block, result_.blocks.size() - 1)].coverage += model.coverage;
}

ForecastExample Scoring::ExampleOf(const Made& made, std::span<const float> linear) const {
  const Target& target = made.stream->targets[made.piece];
  const std::size_t levels = spec_.quantiles.size();
  const std::size_t rows = std::min(made.row + 1, std::max(longest(), kLeastBefore) + 1);
  const auto begin = target.values.begin() + static_cast<std::ptrdiff_t>(made.row + 1);
  ForecastExample example = {.stream = made.stream->series[made.piece]->stream, .origin_ns = made.time_ns};
  example.before.assign(begin - static_cast<std::ptrdiff_t>(rows), begin);
  example.truth.assign(begin, begin + static_cast<std::ptrdiff_t>(longest()));
  example.quantiles.assign(made.forecast.begin(),
                           made.forecast.begin() + static_cast<std::ptrdiff_t>(longest() * levels));
  for (std::size_t step = 1; step <= longest(); ++step)
    example.seasonal.push_back(made.stream->seasonal->Forecast(target, made.row, step));
  example.linear.assign(linear.begin(), linear.end());
  return example;
}

absl::StatusOr<Backtest> Scoring::Result() const {
  Backtest result = result_;
  const auto divide = [](ErrorsOfAll& errors) {
    for (Errors& one : errors) {
      if (one.targets > 0) one.Divide();
    }
  };
  for (std::size_t h = 0; h < result.horizons.size(); ++h) {
    ErrorsOfAll& errors = result.horizons[h].errors;
    const std::size_t scored = Of(errors, Forecaster::kModel).targets;
    if (scored == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("none of the ", expected_[h], " targets of ", result.horizons[h].horizon,
                       " steps can be scored: their values are missing or left out"));
    }
    if (complete_ && scored != expected_[h]) {
      return absl::InternalError(absl::StrCat(scored, " of ", expected_[h], " targets of ",
                                              result.horizons[h].horizon, " steps were scored"));
    }
    divide(errors);
  }
  const auto whole = static_cast<double>(Of(result.horizons.back().errors, Forecaster::kModel).targets);
  for (double& share : result.below) share /= whole;
  for (ErrorsOfAll& errors : result.steps_ahead) divide(errors);
  std::erase_if(result.blocks, [](const CoverageBlock& block) { return block.targets == 0; });
  for (CoverageBlock& block : result.blocks) block.coverage /= static_cast<double>(block.targets);
  return result;
}

}  // namespace tidegate
