#include "engine/backtest/backtest.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/backtest/scoring.h"
#include "engine/stream/stream.h"

namespace tidegate {
namespace {

absl::Status Check(const Model& model, const std::vector<Series>& series, const BacktestOptions& options,
                   const std::vector<std::size_t>& horizons) {
  const ModelSpec& spec = model.spec();
  for (const std::size_t horizon : horizons) {
    if (horizon == 0 || horizon > spec.horizon) {
      return absl::InvalidArgumentError(absl::StrCat("horizon ", horizon, ": model '", spec.name,
                                                     "' forecasts 1 to ", spec.horizon, " steps"));
    }
  }
  if (series.empty()) return absl::InvalidArgumentError("no series to replay");
  if (options.season == 0) return absl::InvalidArgumentError("the season is 0, expected at least 1 reading");
  if (!options.from.empty() && options.from.size() != series.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.from.size(), " first rows for ", series.size(), " series"));
  }
  bool any = false;
  std::size_t longest = 0;
  for (std::size_t s = 0; s < series.size(); ++s) {
    const Series& one = series[s];
    if (one.features != spec.features.size()) {
      return absl::InvalidArgumentError(absl::StrCat("stream '", one.stream, "' has ", one.features,
                                                     " features, model '", spec.name, "' takes ",
                                                     spec.features.size()));
    }
    const std::size_t from = options.from.empty() ? 0 : options.from[s];
    any = any || one.size() >= std::max<std::size_t>(from, 1) + horizons.back();
    longest = std::max(longest, one.size() - std::min(from, one.size()));
  }
  if (any) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the longest test part has ", longest, " rows, forecasts of ", horizons.back(),
                   " steps take at least ", horizons.back() + 1, "; begin it earlier or score fewer steps"));
}

// One stream as it is replayed, piece by piece.
struct Replayed {
  Replayed(const Model& model, TestStream& s) : stream(&s), floats(StreamFloats(model)) {
    StartStream(model, StreamRef(model, header, floats));
  }
  bool done() const { return piece == stream->series.size(); }
  const Series& series() const { return *stream->series[piece]; }
  TestStream* stream;
  StreamHeader header;
  std::vector<float> floats;
  std::size_t piece = 0, row = 0;
};

// All streams of a model, stepped together.
class Replay {
 public:
  Replay(const Model& model, std::vector<TestStream>& streams) : model_(model) {
    for (TestStream& stream : streams) {
      streams_.emplace_back(model, stream);
      states_.reserve(streams.size());
    }
    inputs_.resize(streams.size() * model.spec().inputs());
    outputs_.resize(streams.size() * model.spec().outputs());
  }

  // One reading of every stream that has one left: from the reading to the forecast. False: there is none.
  // FailedPrecondition: a server would have refused one, as its state is not finite.
  absl::StatusOr<bool> Step() {
    const ModelSpec& spec = model_.spec();
    active_.clear();
    states_.clear();
    for (Replayed& stream : streams_) {
      if (stream.done()) continue;
      const StreamRef ref(model_, stream.header, stream.floats);
      if (stream.row == 0 && stream.piece > 0) Restart(model_, ref, {.restart = true});
      const Series& series = stream.series();
      Prepare(model_, ref, TimeOf(stream),
              std::span(series.values).subspan(stream.row * series.features, series.features),
              std::span(inputs_).subspan(active_.size() * spec.inputs(), spec.inputs()));
      active_.push_back(&stream);
      states_.push_back(stream.floats.data());
    }
    if (active_.empty()) return false;
    model_.Step(std::span(inputs_).first(active_.size() * spec.inputs()), states_,
                std::span(outputs_).first(active_.size() * spec.outputs()), workspace_);
    for (std::size_t b = 0; b < active_.size(); ++b) {
      const StreamRef ref(model_, active_[b]->header, active_[b]->floats);
      if (!IsSound(model_, ref)) {
        return absl::FailedPreconditionError(absl::StrCat(
            "stream '", active_[b]->series().stream, "', row ", active_[b]->row,
            ": the model's state is beyond all numbers; a server refuses such a reading (INVALID, "
            "POISONED_STATE): train the model anew, with a lower learning rate"));
      }
      Finish(model_, ref, TimeOf(*active_[b]), Forecast(b));
    }
    return true;
  }

  std::span<Replayed* const> active() const { return active_; }
  std::span<float> Forecast(std::size_t b) {
    return std::span(outputs_).subspan(b * model_.spec().outputs(), model_.spec().outputs());
  }
  std::int64_t TimeOf(const Replayed& stream) const {
    return stream.series().TimeOf(stream.row, model_.spec().interval_ns);
  }

  // After the forecasts were looked at.
  void Advance() {
    for (Replayed* const stream : active_) {
      if (++stream->row < stream->series().size()) continue;
      stream->row = 0;
      ++stream->piece;
    }
  }

 private:
  const Model& model_;
  std::vector<Replayed> streams_;
  std::vector<Replayed*> active_;
  std::vector<float*> states_;
  std::vector<float> inputs_, outputs_;
  Model::Workspace workspace_;
};

}  // namespace

absl::StatusOr<Backtest> RunBacktest(const Model& model, const std::vector<Series>& series,
                                     const BacktestOptions& options) {
  const ModelSpec& spec = model.spec();
  std::vector<std::size_t> horizons = options.horizons;
  if (horizons.empty()) horizons = {spec.horizon};
  std::ranges::sort(horizons);
  if (absl::Status status = Check(model, series, options, horizons); !status.ok()) return status;

  std::vector<TestStream> streams = TestStreams(series, spec, options, horizons.back());
  Scoring scoring(spec, options, std::move(horizons), streams);
  Replay replay(model, streams);
  const auto now = [&options] { return options.clock ? options.clock() : 0; };
  std::size_t rows = 0, steps = 0;
  double seconds = 0;
  for (const Series& one : series) rows += one.size();
  std::vector<Scoring::Made> made;
  for (;;) {
    const double begin = now();
    const auto more = replay.Step();
    if (!more.ok()) return more.status();
    if (!*more) break;
    seconds += now() - begin;
    made.clear();
    for (std::size_t b = 0; b < replay.active().size(); ++b) {
      const Replayed& stream = *replay.active()[b];
      made.push_back({stream.stream, stream.piece, stream.row, replay.TimeOf(stream), replay.Forecast(b)});
    }
    scoring.Score(made);
    steps += made.size();
    replay.Advance();
    if (options.progress) options.progress(steps, rows);
  }
  auto result = scoring.Result();
  if (!result.ok()) return result.status();
  result->steps = steps;
  result->seconds = seconds;
  return result;
}

}  // namespace tidegate
