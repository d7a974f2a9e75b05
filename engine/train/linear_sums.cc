#include "engine/train/linear_sums.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <utility>

namespace tidegate {
namespace {

constexpr std::size_t kStepsCompared = 4;  // of each part of the horizon, when choices are made
constexpr std::size_t kPartsGrow = 4;      // each part of the horizon ends so many times as far ahead
constexpr double kWorthMaps = 0.99;        // of the error of simpler ones
constexpr double kWorthAMap = 0.99;        // of the error of the last value
constexpr double kWhollyTrusted = 0.1;
constexpr double kAlike = 1.02;     // of the least error: no worse as far as these rows can tell
constexpr double kLastValue = 1e9;  // leaves the last value as it is
constexpr double kTooDear = 1e12;   // leaves no weight
constexpr double kPenalties[] = {1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1, kLastValue};
constexpr double kAge = 168;  // readings; see Dearness

RidgeSums Together(const std::vector<RidgeSums>& parts) {
  RidgeSums all(parts[0].inputs(), parts[0].outputs());
  for (const RidgeSums& part : parts) all.Add(part);
  return all;
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

// Whether the mean of these is above twice its standard error.
bool BeyondChance(std::span<const double> gains) {
  const auto count = static_cast<double>(gains.size());
  double sum = 0, squares = 0;
  for (const double gain : gains) {
    sum += gain;
    squares += gain * gain;
  }
  const double mean = sum / count;
  const double deviation = std::sqrt(std::max(squares / count - mean * mean, 0.0));
  return mean > 2 * deviation / std::sqrt(count - 1);
}

}  // namespace

double Sum(const std::vector<double>& values, std::size_t first, std::size_t end) {
  return std::accumulate(values.begin() + static_cast<std::ptrdiff_t>(first),
                         values.begin() + static_cast<std::ptrdiff_t>(end), 0.0);
}

std::vector<double> Dearness(std::size_t context, bool drift) {
  std::vector<double> dearness(context);
  for (std::size_t i = 0; i < context; ++i) {
    const double age = static_cast<double>(context - 1 - i) / kAge;
    dearness[i] = 1 + age * age;
  }
  if (!drift) dearness.back() = kTooDear;
  return dearness;
}

StepsToCompare::StepsToCompare(const std::vector<LinearPart>& parts) {
  for (const LinearPart& part : parts) {
    begin.push_back(steps.size());
    const std::size_t all = part.end - part.begin, count = std::min(all, kStepsCompared);
    for (std::size_t i = 0; i < count; ++i) steps.push_back(part.begin + (2 * i + 1) * all / (2 * count));
  }
  begin.push_back(steps.size());
}

double LinearPart::trust() const {
  if (last_value_error == 0) return 0;  // nothing moves
  const double error = std::ranges::min_element(fits, {}, &LinearFit::error)->error;
  return std::clamp((1 - (1 - stacked_gain) * error / last_value_error) / kWhollyTrusted, 0.0, 1.0);
}

LinearChoice::LinearChoice(std::size_t horizon, const LinearFit& fit) {
  for (std::size_t begin = 0, end = 1; begin < horizon; begin = end, end *= kPartsGrow) {
    if (end * kPartsGrow / 2 > horizon) end = horizon;  // no short last part
    parts.push_back({.begin = begin, .end = end, .fits = {fit}});
  }
}

std::vector<double> LinearChoice::trust() const {
  std::vector<double> trust;
  for (const LinearPart& part : parts) trust.resize(part.end, part.trust());
  return trust;
}

std::vector<std::size_t> LinearChoice::steps() const {
  std::vector<std::size_t> steps(parts.back().end);
  std::iota(steps.begin(), steps.end(), std::size_t{0});
  return steps;
}

std::size_t LinearChoice::context() const {
  std::size_t longest = stacked_context;
  for (const LinearPart& part : parts)
    longest = std::max(longest, std::ranges::max_element(part.fits, {}, &LinearFit::context)->context);
  return longest;
}

bool LinearChoice::per_channel() const {
  return std::ranges::any_of(
      parts, [](const LinearPart& part) { return std::ranges::any_of(part.fits, &LinearFit::per_channel); });
}

bool LinearChoice::stacked() const {
  return std::ranges::any_of(parts, [](const LinearPart& part) { return part.stacked > 0; });
}

LinearSums::LinearSums(const LinearRows& rows) : horizon_(rows.horizon()) {
  const std::vector<std::size_t> steps = LinearChoice(horizon_, {}).steps();
  for (std::size_t block = 0; block < rows.blocks(); ++block) {
    std::vector<RidgeSums>& maps = blocks_.emplace_back(rows.maps(), RidgeSums(rows.context(), horizon_));
    rows.ForEach(block, steps,
                 [&](std::size_t map, const Matrix& x, const Matrix& y) { maps[map].Add(x, y); });
    rows_.push_back(0);
    for (const RidgeSums& sums : maps) rows_.back() += sums.rows();
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
  std::vector<double> gains;
  for (std::size_t block = 0; block < blocks_.size(); ++block) {
    const double error = Sum(before.squares[block], first, end);
    gains.push_back(error > 0 ? 1 - Sum(candidate.squares[block], first, end) / error : 0);
  }
  return BeyondChance(gains);
}

bool LinearSums::PaysInAll(const Candidate& candidate, const Candidate& before, std::size_t first,
                           std::size_t end) const {
  std::vector<double> errors, gains;
  for (std::size_t block = 0; block < blocks_.size(); ++block) {
    errors.push_back(Sum(before.squares[block], first, end));
    gains.push_back(errors.back() - Sum(candidate.squares[block], first, end));
  }
  const double gain = Sum(gains, 0, gains.size()), error = Sum(errors, 0, errors.size());
  double squares = 0;  // of what a block gains beyond its share
  for (std::size_t block = 0; block < errors.size(); ++block) {
    const double off = gains[block] - gain / error * errors[block];
    squares += off * off;
  }
  const auto count = static_cast<double>(blocks_.size());
  return gain > 2 * std::sqrt(squares * count / (count - 1));
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

bool LinearSums::ChoosePart(const std::vector<Candidate>& candidates, const Candidate& last_value,
                            std::size_t first, std::size_t end, LinearPart& part) const {
  const auto least = [](const std::vector<LinearFit>& fits) {
    return *std::ranges::min_element(fits, {}, &LinearFit::error);
  };
  std::vector<LinearFit> fits;
  LinearFit best;
  for (const auto& [per_channel, drift] :
       {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
    const std::vector<LinearFit> more = BestOfEachContext(candidates, per_channel, drift, first, end);
    if (more.empty()) continue;
    const LinearFit best_of_more = least(more);
    if (!fits.empty() && best_of_more.error >= kWorthMaps * best.error) continue;
    if (drift && !Pays(Find(candidates, best_of_more), Find(candidates, best), first, end)) continue;
    best = best_of_more;
    fits.insert(fits.end(), more.begin(), more.end());
  }
  part.last_value_error = MeanError(last_value, first, end);
  part.fits.clear();
  for (const LinearFit& fit : fits) {
    if (fit.error <= kAlike * best.error) part.fits.push_back(fit);
  }
  return best.error <= kWorthAMap * part.last_value_error &&
         PaysInAll(Find(candidates, best), last_value, first, end);
}

LinearChoice LinearSums::Choose(const std::vector<std::size_t>& contexts) const {
  LinearChoice choice(horizon_, {});
  const StepsToCompare compared(choice.parts);
  std::vector<Candidate> candidates;
  for (const std::size_t context : contexts) {
    for (const bool per_channel : {false, true}) {
      if (per_channel && blocks_[0].size() == 1) continue;
      std::ranges::move(Candidates(context, per_channel, compared.steps), std::back_inserter(candidates));
    }
  }
  const Candidate last_value = LastValue(compared.steps);
  bool random_walk = true;
  for (std::size_t i = 0; i < choice.parts.size(); ++i) {
    random_walk &=
        !ChoosePart(candidates, last_value, compared.begin[i], compared.begin[i + 1], choice.parts[i]);
  }
  for (LinearPart& part : choice.parts) {
    const double least = std::ranges::min_element(part.fits, {}, &LinearFit::error)->error;
    if (!random_walk && least <= kWorthAMap * part.last_value_error) continue;
    part.fits = {last_value.fit};
    part.fits[0].error = part.last_value_error;
  }
  return choice;
}

Matrix LinearSums::SolveOne(const LinearFit& fit, std::size_t channel, const std::vector<std::size_t>& steps,
                            std::optional<std::size_t> left) const {
  RidgeSums sums(fit.context, steps.size());
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    for (std::size_t c = 0; c < blocks_[b].size(); ++c) {
      if (b != left && (!fit.per_channel || c == channel)) sums.Add(blocks_[b][c].Part(fit.context, steps));
    }
  }
  return Solution(sums, fit);
}

std::vector<Matrix> LinearSums::Solve(const LinearChoice& choice, const std::vector<std::size_t>& steps,
                                      std::optional<std::size_t> left) const {
  std::vector<Matrix> maps(choice.per_channel() ? blocks_[0].size() : 1,
                           Matrix(steps.size(), choice.context()));
  for (const Use& use : UsesOf(choice)) {
    Matrix solved;
    const std::size_t first = choice.context() - use.fit.context;
    for (std::size_t map = 0; map < maps.size(); ++map) {
      if (map == 0 || use.fit.per_channel) solved = SolveOne(use.fit, map, steps, left);
      for (std::size_t s = 0; s < steps.size(); ++s) {
        const float share = use.shares[steps[s]];
        for (std::size_t i = 0; share > 0 && i < use.fit.context; ++i)
          maps[map].row(s)[first + i] += share * solved.row(s)[i];
      }
    }
  }
  return maps;
}

}  // namespace tidegate
