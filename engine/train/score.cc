#include "engine/train/score.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "engine/model/model.h"
#include "engine/stream/calibration.h"
#include "engine/stream/calibration_table.h"
#include "engine/stream/even_quantiles.h"
#include "engine/stream/residual_table.h"
#include "engine/train/mixing.h"

namespace tidegate {
namespace {

// The ratios that CalibrationTable is made of.
class Ratios {
 public:
  explicit Ratios(const ModelSpec& spec)
      : spec_(spec), steps_(spec.ScoredSteps()), rows_(steps_.size() * (spec.quantiles.size() - 1)) {}

  // step: from 1. target, forecast [Q] and half, the target's resolution / 2, in one unit.
  void Add(std::size_t step, float target, std::span<const float> forecast, float half) {
    const auto scored = std::ranges::find(steps_, step);
    if (scored == steps_.end()) return;
    const std::size_t middle = forecast.size() / 2;
    auto* row = rows_.data() + static_cast<std::size_t>(scored - steps_.begin()) * (forecast.size() - 1);
    for (std::size_t q = 0; q < forecast.size(); ++q) {
      if (q == middle) continue;
      const float width = forecast[q] - forecast[middle];
      const float reach =
          q < middle ? target + half : target - half;  // the level holds up to `half` beyond it
      if (width != 0) row->push_back((reach - forecast[middle]) / width);
      ++row;
    }
  }

  // Forecasts h steps ahead share readings with those of h origins around them, so that too few of them tell
  // nothing of a distribution: of such a step it is the one that a table without ratios goes by.
  std::vector<float> Rows() const {
    std::vector<float> all;
    const std::size_t levels = spec_.quantiles.size();
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      const std::size_t side = r % (levels - 1), q = side + (side < levels / 2 ? 0 : 1);
      const bool enough = rows_[r].size() >= kIndependent * steps_[r / (levels - 1)] + kLeastRatios;
      const std::vector<float> quantiles =
          enough ? EvenQuantiles(rows_[r], CalibrationTable::kLevels) : Usual(InnerShare(spec_, q));
      all.insert(all.end(), quantiles.begin(), quantiles.end());
    }
    return all;
  }

 private:
  static constexpr std::size_t kIndependent = 2, kLeastRatios = 20;  // so many, and of each step ahead

  static std::vector<float> Usual(float inner_share) {
    std::vector<float> ratios(CalibrationTable::kLevels);
    for (std::size_t i = 0; i < ratios.size(); ++i) {
      const float position = static_cast<float>(i) / static_cast<float>(ratios.size() - 1);
      ratios[i] = CalibrationTable().Ratio(0, position, inner_share);
    }
    return ratios;
  }

  const ModelSpec& spec_;
  std::vector<std::size_t> steps_;
  std::vector<std::vector<float>> rows_;
};

constexpr std::size_t kMostWindows = 4'096;                              // to judge by
constexpr std::size_t kWindowsTogether = 128, kSequencesTogether = 256;  // run at once
constexpr std::size_t kDecodedTogether = 16'384;  // steps of all of these that are decoded
constexpr std::size_t kOutputsTogether = std::size_t{1} << 24;

std::size_t Length(const Sequence& sequence) { return sequence.end - sequence.begin; }

// The model of a network without its other paths, for forecasts on inputs that are prepared.
std::shared_ptr<const Model> NetworkAlone(ModelSpec spec, Tensors tensors) {
  spec.linear_context = spec.cycle = 0;
  tensors["residuals.quantiles"] = ZeroTensor({ResidualTable::kLevels});
  tensors["residuals.count"] = {{1}, {1}};
  tensors["golden.values"] = ZeroTensor({1, spec.features.size()});
  tensors["golden.forecast"] = ZeroTensor({spec.horizon, spec.quantiles.size()});
  auto model = Model::Create(std::move(spec), tensors);
  assert(model.ok());
  return *std::move(model);
}

}  // namespace

Validator::Validator(const ModelSpec& spec, const std::vector<PreparedSeries>& data, std::size_t truncation,
                     std::size_t before, const tidegate::Loss& loss)
    : spec_(spec),
      data_(data),
      sequences_(spec.window > 0 ? ValidationWindows(data, spec.window, kMostWindows)
                                 : ValidationSequences(data, OutputStride(spec), before)),
      truncation_(truncation),
      loss_(loss),
      network_(spec, RowsOf(spec)) {
  std::ranges::stable_sort(sequences_, std::ranges::greater(), Length);
}

std::size_t Validator::Steps(std::size_t sequences) const {
  if (spec_.window > 0) return spec_.window;
  const std::size_t every = OutputStride(spec_);
  const std::size_t decoded = sequences * (spec_.segment > 0 ? spec_.horizon / spec_.segment : 1);
  const std::size_t hops = std::max<std::size_t>(1, kDecodedTogether / decoded);
  if (every > 1) return hops * every;
  const std::size_t rows = std::max<std::size_t>(1, kOutputsTogether / (sequences * spec_.outputs()));
  return std::min(spec_.segment > 0 ? std::min(hops, rows) : rows, truncation_);
}

template <typename Visit>
void Validator::Run(const Tensors& weights, Visit visit) {
  network_.SetWeights(weights);
  const std::size_t most = spec_.window > 0 ? kWindowsTogether : kSequencesTogether;
  for (std::size_t begin = 0, end; begin < sequences_.size(); begin = end) {
    // A sequence that has ended runs on with the others.
    for (end = begin + 1; end < std::min(begin + most, sequences_.size()); ++end) {
      if (2 * Length(sequences_[end]) < Length(sequences_[begin])) break;
    }
    RunTogether(std::span(sequences_).subspan(begin, end - begin), visit);
  }
}

template <typename Visit>
void Validator::RunTogether(std::span<const Sequence> sequences, Visit visit) {
  const auto ahead = std::span(spec_.step_deviation).first(OutputSteps(spec_));
  const std::size_t steps = Length(sequences.front()), chunk = Steps(sequences.size());
  network_.Start(sequences.size());
  for (std::size_t first = 0; first < steps; first += chunk) {
    FillChunk(data_, sequences, ahead, first, network_.WholeHops(std::min(chunk, steps - first)),
              OutputStride(spec_), chunk_);
    network_.Forward(chunk_.inputs);
    if (chunk_.known == 0) continue;
    network_.Decode(outputs_);
    visit(chunk_, outputs_);
  }
}

template <typename Visit>
void Validator::RunForecasts(const Tensors& weights, Visit visit) {
  if (spec_.head != HeadKind::kRecursive) return Run(weights, visit);
  const auto model = NetworkAlone(spec_, weights);
  Model::Workspace workspace;
  for (const Sequence& sequence : sequences_) {
    const std::size_t s = sequence.series;
    std::vector<float> state(model->state_floats());
    float* const states[] = {state.data()};
    outputs_.Resize(1, spec_.outputs());
    for (std::size_t row = sequence.begin; row < sequence.end; ++row) {
      model->Step({data_[s].inputs.row(row), spec_.inputs()}, states, {outputs_.data(), outputs_.size()},
                  workspace);
      if (row < sequence.scored) continue;
      const Sequence here[] = {{s, row, row, row + 1}};
      FillChunk(data_, here, spec_.step_deviation, 0, 1, 1, chunk_);
      if (chunk_.known > 0) visit(chunk_, outputs_);
    }
  }
}

std::vector<std::size_t> Validator::Maps() const {
  std::vector<std::size_t> maps;
  for (const Chunk::Origin& origin : chunk_.origins)
    maps.push_back(spec_.linear_per_channel ? ChannelAt(data_[origin.series], origin.row, spec_) : 0);
  return maps;
}

std::vector<float> Validator::FitMixing(const Tensors& weights, const LinearPath& linear,
                                        std::span<const double> trust) {
  MixingFit fit(spec_);
  Matrix lines;
  RunForecasts(weights, [&](const Chunk& chunk, const Matrix& outputs) {
    linear.Forecast(data_, chunk.origins, lines);
    fit.Add(Maps(), chunk.targets, outputs, lines);
  });
  return fit.Weights(trust);
}

double Validator::MeanLoss(const Tensors& weights) {
  double sum = 0;
  std::size_t count = 0;
  Run(weights, [&](const Chunk& chunk, Matrix& outputs) {
    sum += LossGradient(loss_, chunk.targets, 1.0f, outputs);
    count += chunk.known * spec_.quantiles.size();
  });
  return sum / static_cast<double>(count);
}

Validator::Report Validator::Score(const Tensors& weights, const LinearPath* linear,
                                   std::span<const float> mixing) {
  Report report;
  ValidationScore& score = report.score;
  std::size_t count = 0;
  Ratios ratios(spec_);
  Matrix lines;
  RunForecasts(weights, [&](const Chunk& chunk, Matrix& outputs) {
    if (linear != nullptr) {
      linear->Forecast(data_, chunk.origins, lines);
      MixLinear(Maps(), mixing, lines, spec_.quantiles.size(), outputs);
    }
    for (std::size_t r = 0; r < chunk.targets.rows; ++r) {
      bool scored = false;
      const Matrix& inputs = data_[chunk.origins[r].series].inputs;  // the channel's number comes last
      const float half = spec_.TargetOf(inputs.row(chunk.origins[r].row)[inputs.cols - 1]).resolution / 2;
      for (std::size_t k = 0; k < spec_.horizon; ++k) {
        const float target = chunk.targets.row(r)[k];  // relative to the last value, so persistence says 0
        if (std::isnan(target)) continue;
        const std::span<const float> forecast(outputs.row(r) + k * spec_.quantiles.size(),
                                              spec_.quantiles.size());
        const float scale = data_[chunk.origins[r].series].scale[chunk.origins[r].row];
        const float unit = spec_.step_deviation[k] * scale;
        ratios.Add(k + 1, target, forecast, half / unit);
        const float residual = unit * std::abs(target - forecast[forecast.size() / 2]);
        if (k == 0) report.residuals.push_back(residual / scale);
        score.mae += residual;
        score.persistence_mae += unit * std::abs(target);
        const double pinball = Pinball(target, spec_.quantiles, forecast.data());
        score.pinball += unit * pinball;
        report.scaled_pinball += spec_.step_deviation[k] * pinball;
        score.coverage += target >= forecast.front() - half / unit && target <= forecast.back() + half / unit;
        scored = true;
        ++count;
      }
      score.origins += scored ? 1 : 0;
    }
  });
  const auto n = static_cast<double>(count);
  score.mae /= n;
  score.persistence_mae /= n;
  score.pinball /= n * static_cast<double>(spec_.quantiles.size());
  report.scaled_pinball /= n * static_cast<double>(spec_.quantiles.size());
  score.coverage /= n;
  report.ratios = ratios.Rows();
  return report;
}

}  // namespace tidegate
