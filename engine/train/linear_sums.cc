#include "engine/train/linear_sums.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <utility>

namespace tidegate {
namespace {

constexpr std::size_t kRowsTogether = 1024;
constexpr std::size_t kStepsCompared = 4;  // of each part of the horizon, when choices are made
constexpr std::size_t kPartsGrow = 4;      // each part of the horizon ends so many times as far ahead
constexpr std::size_t kBlocks = 4;
constexpr double kWorthMaps = 0.99;  // of the error of simpler ones
constexpr double kWorthAMap = 0.99;  // of the error of the last value
constexpr double kWhollyTrusted = 0.1;
constexpr double kAlike = 1.02;     // of the least error: no worse as far as these rows can tell
constexpr double kLastValue = 1e9;  // leaves the last value as it is
constexpr double kTooDear = 1e12;   // leaves no weight
constexpr double kPenalties[] = {1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1, kLastValue};
constexpr double kAge = 168;  // readings; see Dearness

float Level(const PreparedSeries& series, std::size_t t, std::size_t target) {
  return series.inputs.row(t)[target];
}

// Adds the origins [begin, end) of a series, `stride` rows apart.
void AddOrigins(const PreparedSeries& series, std::size_t begin, std::size_t end, std::size_t stride,
                std::size_t target, RidgeSums& sums) {
  const std::size_t context = sums.inputs(), horizon = sums.outputs();
  Matrix x, y;
  for (std::size_t t = begin; t < end;) {
    const std::size_t count = std::min(kRowsTogether, (end - t + stride - 1) / stride);
    x.Resize(count, context);
    y.Resize(count, horizon);
    for (std::size_t r = 0; r < count; ++r, t += stride) {
      FillContext(series, t, target, context, x.row(r));
      x.row(r)[context - 1] = 1;
      for (std::size_t h = 0; h < horizon; ++h)
        y.row(r)[h] = Level(series, t + 1 + h, target) - Level(series, t, target);
    }
    sums.Add(x, y);
  }
}

// What a weight costs by the age of its reading: old readings tell less, so that a long context does not
// lose to a short one by the noise it adds.
std::vector<double> Dearness(std::size_t context, bool drift) {
  std::vector<double> dearness(context);
  for (std::size_t i = 0; i < context; ++i) {
    const double age = static_cast<double>(context - 1 - i) / kAge;
    dearness[i] = 1 + age * age;
  }
  if (!drift) dearness.back() = kTooDear;
  return dearness;
}

std::vector<LinearPart> PartsOf(std::size_t horizon) {
  std::vector<LinearPart> parts;
  for (std::size_t begin = 0, end = 1; begin < horizon; begin = end, end *= kPartsGrow) {
    if (end * kPartsGrow / 2 > horizon) end = horizon;  // no short last part
    parts.push_back({.begin = begin, .end = end, .fits = {}, .last_value_error = 0});
  }
  return parts;
}

// How many steps of a part are compared, and which of them.
std::size_t CountCompared(const LinearPart& part) { return std::min(part.end - part.begin, kStepsCompared); }
std::vector<std::size_t> StepsToCompare(std::size_t horizon) {
  std::vector<std::size_t> steps;
  for (const LinearPart& part : PartsOf(horizon)) {
    const std::size_t count = CountCompared(part);
    for (std::size_t i = 0; i < count; ++i)
      steps.push_back(part.begin + (2 * i + 1) * (part.end - part.begin) / (2 * count));
  }
  return steps;
}

std::vector<std::size_t> AllSteps(std::size_t horizon) {
  std::vector<std::size_t> steps(horizon);
  for (std::size_t h = 0; h < horizon; ++h) steps[h] = h;
  return steps;
}

RidgeSums Together(const std::vector<RidgeSums>& parts) {
  RidgeSums all(parts[0].inputs(), parts[0].outputs());
  for (const RidgeSums& part : parts) all.Add(part);
  return all;
}

double Sum(const std::vector<double>& values, std::size_t first, std::size_t end) {
  return std::accumulate(values.begin() + static_cast<std::ptrdiff_t>(first),
                         values.begin() + static_cast<std::ptrdiff_t>(end), 0.0);
}

Matrix Solution(const RidgeSums& sums, const LinearFit& fit) {
  return sums.Solve(fit.penalty, Dearness(fit.context, fit.drift));
}

// A fit and its share in the map of each step.
struct Use {
  LinearFit fit;
  std::vector<float> shares;  // [horizon]
};
std::vector<Use> UsesOf(const LinearChoice& choice) {
  std::vector<Use> uses;
  for (const LinearPart& part : choice.parts) {
    for (const LinearFit& fit : part.fits) {
      auto use = std::ranges::find_if(uses, [&](const Use& one) { return one.fit.SameMap(fit); });
      if (use == uses.end()) use = uses.insert(use, {fit, std::vector<float>(choice.parts.back().end)});
      std::fill(use->shares.begin() + static_cast<std::ptrdiff_t>(part.begin),
                use->shares.begin() + static_cast<std::ptrdiff_t>(part.end),
                1 / static_cast<float>(part.fits.size()));
    }
  }
  return uses;
}

}  // namespace

void FillContext(const PreparedSeries& series, std::size_t t, std::size_t target, std::size_t context,
                 float* x) {
  const float last = Level(series, t, target);
  for (std::size_t i = 0; i < context; ++i) {
    const std::size_t back = context - 1 - i;
    x[i] = Level(series, t > back ? t - back : 0, target) - last;
  }
}

std::size_t ChannelAt(const PreparedSeries& series, std::size_t row, const ModelSpec& spec) {
  return spec.channels == 0 ? 0 : spec.ChannelOf(series.inputs.row(row)[series.inputs.cols - 1]);
}

double LinearPart::trust() const {
  const double error = std::ranges::min_element(fits, {}, &LinearFit::error)->error;
  return std::clamp((1 - error / last_value_error) / kWhollyTrusted, 0.0, 1.0);
}

std::vector<double> LinearChoice::trust() const {
  std::vector<double> trust;
  for (const LinearPart& part : parts) trust.resize(part.end, part.trust());
  return trust;
}

std::size_t LinearChoice::context() const {
  std::size_t longest = 0;
  for (const LinearPart& part : parts)
    longest = std::max(longest, std::ranges::max_element(part.fits, {}, &LinearFit::context)->context);
  return longest;
}

bool LinearChoice::per_channel() const {
  return std::ranges::any_of(
      parts, [](const LinearPart& part) { return std::ranges::any_of(part.fits, &LinearFit::per_channel); });
}

std::size_t LinearSums::BlocksOf(std::size_t rows, std::size_t horizon) {
  return std::clamp<std::size_t>(rows / (2 * horizon + 1), 2, kBlocks);
}

LinearSums::LinearSums(const std::vector<PreparedSeries>& data, const ModelSpec& spec, std::size_t context,
                       std::size_t rows, Part part, bool per_channel)
    : horizon_(spec.horizon) {
  std::size_t all = 0, longest = 0;
  for (const PreparedSeries& series : data) {
    all += series.size();
    longest = std::max(longest, series.size());
  }
  const std::size_t blocks = part == Part::kBlocks ? BlocksOf(longest, horizon_) : 1;
  const std::size_t channels = per_channel ? std::max<std::size_t>(spec.channels, 1) : 1;
  blocks_.assign(blocks, std::vector<RidgeSums>(channels, RidgeSums(context, horizon_)));
  const std::size_t stride = 1 + all / rows;
  for (const PreparedSeries& series : data) {
    const std::size_t channel = per_channel ? ChannelAt(series, 0, spec) : 0,
                      n = part == Part::kTraining ? series.split : series.size();
    const std::size_t first = std::min(context, n / 4);
    for (std::size_t block = 0; block < blocks; ++block) {
      const std::size_t begin = first + (n - first) * block / blocks;
      const std::size_t end = first + (n - first) * (block + 1) / blocks;
      AddOrigins(series, begin, end > horizon_ ? end - horizon_ : 0, stride, spec.target,
                 blocks_[block][channel]);
    }
  }
  for (const std::vector<RidgeSums>& block : blocks_) {
    rows_.push_back(0);
    for (const RidgeSums& sums : block) rows_.back() += sums.rows();
  }
}

std::vector<LinearSums::Candidate> LinearSums::Candidates(std::size_t context, bool per_channel,
                                                          const std::vector<std::size_t>& steps) const {
  std::vector<Candidate> candidates;
  for (const bool drift : {false, true}) {
    for (const double penalty : kPenalties) {
      const std::vector<std::vector<double>> none(blocks_.size(), std::vector<double>(steps.size()));
      candidates.push_back({{context, per_channel, drift, penalty}, none});
    }
  }
  const std::size_t maps = per_channel ? blocks_[0].size() : 1;
  for (std::size_t map = 0; map < maps; ++map) {
    std::vector<RidgeSums> parts;
    for (const std::vector<RidgeSums>& block : blocks_)
      parts.push_back((per_channel ? block[map] : Together(block)).Part(context, steps));
    for (std::size_t left = 0; left < parts.size(); ++left) {
      RidgeSums others(context, steps.size());
      for (std::size_t block = 0; block < parts.size(); ++block) {
        if (block != left) others.Add(parts[block]);
      }
      for (Candidate& candidate : candidates) {
        const std::vector<double> errors = parts[left].Errors(Solution(others, candidate.fit));
        for (std::size_t i = 0; i < steps.size(); ++i) candidate.squares[left][i] += errors[i];
      }
    }
  }
  return candidates;
}

LinearSums::Candidate LinearSums::LastValue(const std::vector<std::size_t>& steps) const {
  Candidate last_value{{.context = 1, .per_channel = false, .drift = false, .penalty = kLastValue}, {}};
  for (const std::vector<RidgeSums>& block : blocks_)
    last_value.squares.push_back(Together(block).Part(1, steps).Errors(Matrix(steps.size(), 1)));
  return last_value;
}

double LinearSums::MeanError(const Candidate& candidate, std::size_t first, std::size_t end) const {
  double sum = 0;
  for (const std::vector<double>& block : candidate.squares) sum += Sum(block, first, end);
  const double count = std::accumulate(rows_.begin(), rows_.end(), 0.0) * static_cast<double>(end - first);
  return sum / std::max(count, 1.0);
}

const LinearSums::Candidate& LinearSums::Find(const std::vector<Candidate>& candidates,
                                              const LinearFit& fit) {
  return *std::ranges::find_if(candidates, [&](const Candidate& one) { return one.fit.SameMap(fit); });
}

bool LinearSums::Pays(const Candidate& candidate, const Candidate& before, std::size_t first,
                      std::size_t end) const {
  const auto blocks = static_cast<double>(blocks_.size());
  double sum = 0, squares = 0;
  for (std::size_t block = 0; block < blocks_.size(); ++block) {
    const double error = Sum(before.squares[block], first, end);
    const double gain = error > 0 ? 1 - Sum(candidate.squares[block], first, end) / error : 0;
    sum += gain;
    squares += gain * gain;
  }
  const double mean = sum / blocks;
  const double deviation = std::sqrt(std::max(squares / blocks - mean * mean, 0.0));
  return mean > 2 * deviation / std::sqrt(blocks - 1);
}

std::vector<LinearFit> LinearSums::BestOfEachContext(const std::vector<Candidate>& candidates,
                                                     bool per_channel, bool drift, std::size_t first,
                                                     std::size_t end) const {
  std::vector<LinearFit> best;
  for (const Candidate& candidate : candidates) {
    LinearFit fit = candidate.fit;
    if (fit.per_channel != per_channel || fit.drift != drift) continue;
    fit.error = MeanError(candidate, first, end);
    if (best.empty() || best.back().context != fit.context) {
      best.push_back(fit);
    } else if (fit.error < best.back().error) {
      best.back() = fit;
    }
  }
  return best;
}

void LinearSums::ChoosePart(const std::vector<Candidate>& candidates, const Candidate& last_value,
                            std::size_t first, std::size_t end, LinearPart& part) const {
  const auto least = [](const std::vector<LinearFit>& fits) {
    return *std::ranges::min_element(fits, {}, &LinearFit::error);
  };
  const auto pays = [&](const LinearFit& fit, const Candidate& before) {
    return Pays(Find(candidates, fit), before, first, end);
  };
  std::vector<LinearFit> fits;
  LinearFit best;
  for (const auto& [per_channel, drift] :
       {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
    const std::vector<LinearFit> more = BestOfEachContext(candidates, per_channel, drift, first, end);
    if (more.empty()) continue;
    const LinearFit best_of_more = least(more);
    if (!fits.empty() && best_of_more.error >= kWorthMaps * best.error) continue;
    if (drift && !pays(best_of_more, Find(candidates, best))) continue;
    best = best_of_more;
    fits.insert(fits.end(), more.begin(), more.end());
  }
  part.last_value_error = MeanError(last_value, first, end);
  if (best.error > kWorthAMap * part.last_value_error || !pays(best, last_value)) {
    part.fits = {last_value.fit};
    part.fits[0].error = part.last_value_error;
    return;
  }
  for (const LinearFit& fit : fits) {
    if (fit.error <= kAlike * best.error) part.fits.push_back(fit);
  }
}

LinearChoice LinearSums::Choose(const std::vector<std::size_t>& contexts) const {
  const std::vector<std::size_t> steps = StepsToCompare(horizon_);
  std::vector<Candidate> candidates;
  for (const std::size_t context : contexts) {
    for (const bool per_channel : {false, true}) {
      if (per_channel && blocks_[0].size() == 1) continue;
      std::ranges::move(Candidates(context, per_channel, steps), std::back_inserter(candidates));
    }
  }
  const Candidate last_value = LastValue(steps);
  LinearChoice choice{PartsOf(horizon_)};
  std::size_t first = 0;
  for (LinearPart& part : choice.parts) {
    const std::size_t end = first + CountCompared(part);
    ChoosePart(candidates, last_value, first, end, part);
    first = end;
  }
  return choice;
}

double LinearSums::Error(std::size_t context, std::size_t left, double penalty) const {
  const std::vector<std::size_t> steps = StepsToCompare(horizon_);
  RidgeSums others(context, steps.size());
  for (std::size_t block = 0; block < blocks_.size(); ++block) {
    if (block != left) others.Add(Together(blocks_[block]).Part(context, steps));
  }
  const std::vector<double> errors =
      Together(blocks_[left]).Part(context, steps).Errors(Solution(others, {context, false, false, penalty}));
  const double count = rows_[left] * static_cast<double>(steps.size());
  return Sum(errors, 0, errors.size()) / std::max(count, 1.0);
}

Matrix LinearSums::SolveOne(const LinearFit& fit, std::size_t channel) const {
  RidgeSums sums(fit.context, horizon_);
  for (const std::vector<RidgeSums>& block : blocks_) {
    for (std::size_t c = 0; c < block.size(); ++c) {
      if (!fit.per_channel || c == channel) sums.Add(block[c].Part(fit.context, AllSteps(horizon_)));
    }
  }
  return Solution(sums, fit);
}

std::vector<Matrix> LinearSums::Solve(const LinearChoice& choice) const {
  std::vector<Matrix> maps(choice.per_channel() ? blocks_[0].size() : 1, Matrix(horizon_, choice.context()));
  for (const Use& use : UsesOf(choice)) {
    Matrix solved;
    const std::size_t first = choice.context() - use.fit.context;
    for (std::size_t map = 0; map < maps.size(); ++map) {
      if (map == 0 || use.fit.per_channel) solved = SolveOne(use.fit, map);
      for (std::size_t h = 0; h < horizon_; ++h) {
        for (std::size_t i = 0; use.shares[h] > 0 && i < use.fit.context; ++i)
          maps[map].row(h)[first + i] += use.shares[h] * solved.row(h)[i];
      }
    }
  }
  return maps;
}

}  // namespace tidegate
