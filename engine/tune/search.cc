#include "engine/tune/search.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "engine/train/random.h"

namespace tidegate {
namespace {

// The last rung's training is so much of the search, on one thread: about what each of nine families would
// get alone.
constexpr double kLongest = 1.0 / 8;
constexpr double kExploration = 0.3;     // share of the search before evolution begins
constexpr std::size_t kPopulation = 24;  // the youngest, of which parents are drawn
constexpr std::size_t kTournament = 6;   // drawn; the best of them is the parent
constexpr std::size_t kGiveUp = 200;     // candidates of which none could be trained
constexpr int kDraws = 20;               // until one is new

}  // namespace

Search::Search(Options options) : options_(options) {}

double Search::SecondsTo(std::size_t rung) const {
  return options_.seconds * kLongest / std::pow(kReduction, static_cast<double>(kRungs - 1 - rung));
}

std::optional<Search::Task> Search::Next(double elapsed) {
  const double left = options_.seconds - elapsed;
  const bool begun = trials_.size() >= std::size(kFamilies);  // else it would be the first's against few
  if (const auto promoted = Promotion(); begun && promoted && promoted->seconds / 2 <= left) {
    ++trials_[promoted->trial].asked;
    return promoted;
  }
  if (SecondsTo(0) > left || (trials_.size() >= kGiveUp && !best())) return std::nullopt;
  for (std::size_t t = 0; t < trials_.size(); ++t) {
    if (trials_[t].asked == 0) {
      trials_[t].asked = 1;
      return Task{.trial = t, .rung = 0, .seconds = SecondsTo(0)};
    }
  }
  Trial trial;
  trial.candidate = NewCandidate(elapsed, trial.origin);
  trial.asked = 1;
  trials_.push_back(std::move(trial));
  return Task{.trial = trials_.size() - 1, .rung = 0, .seconds = SecondsTo(0)};
}

std::optional<Search::Task> Search::Promotion() {
  for (std::size_t rung = kRungs - 1; rung-- > 0;) {
    std::vector<std::size_t> done;  // with the rung
    for (std::size_t t = 0; t < trials_.size(); ++t) {
      if (trials_[t].losses.size() > rung && std::isfinite(trials_[t].losses[rung])) done.push_back(t);
    }
    std::ranges::sort(done, {}, [&](std::size_t t) { return trials_[t].losses[rung]; });
    done.resize(done.size() / kReduction);
    for (const std::size_t t : done) {
      if (trials_[t].asked > rung + 1) continue;
      return Task{.trial = t, .rung = rung + 1, .seconds = SecondsTo(rung + 1) - SecondsTo(rung)};
    }
  }
  return std::nullopt;
}

// The same whatever was reported in between of a search that goes on, as each draws from a seed of its own.
Candidate Search::NewCandidate(double elapsed, std::string& origin) const {
  const std::size_t begun = trials_.size();
  if (begun < std::size(kFamilies)) {
    origin = "default";
    return DefaultOf(kFamilies[begun]);
  }
  std::vector<std::size_t> population;
  for (std::size_t t = begun; t-- > 0 && population.size() < kPopulation;) {
    if (!trials_[t].losses.empty() && std::isfinite(trials_[t].losses.back())) population.push_back(t);
  }
  Random random(options_.seed * 1'000'003 + begun);
  const bool explores = elapsed < kExploration * options_.seconds || population.empty();
  std::size_t parent = 0;
  if (!explores) {
    parent = population[random.Below(population.size())];
    for (std::size_t i = 1; i < kTournament; ++i) {
      const std::size_t other = population[random.Below(population.size())];
      if (Better(other, parent)) parent = other;
    }
  }
  origin = explores ? "random" : absl::StrCat("from ", parent + 1);
  Candidate candidate;
  for (int draws = 0; draws < kDraws; ++draws) {
    candidate = explores ? DrawCandidate(random) : Mutate(trials_[parent].candidate, random);
    if (!options_.season) candidate.season = false;
    if (!Known(candidate)) break;
  }
  return candidate;
}

bool Search::Known(const Candidate& candidate) const {
  return std::ranges::any_of(trials_, [&](const Trial& trial) { return trial.candidate == candidate; });
}

void Search::Report(std::size_t trial, std::size_t rung, double loss) {
  trials_[trial].losses.resize(rung + 1, std::numeric_limits<double>::infinity());
  trials_[trial].losses[rung] = loss;
}

void Search::Restore(Trial trial) {
  trial.asked = trial.losses.size();
  if (trial.losses.empty() && trials_.size() < std::size(kFamilies)) {
    trial.candidate = DefaultOf(kFamilies[trials_.size()]);
    trial.origin = "default";
  } else if (trial.losses.empty() && trial.origin.empty()) {
    trial.losses = {std::numeric_limits<double>::infinity()};
    trial.asked = 1;
  }
  trials_.push_back(std::move(trial));
}

bool Search::Better(std::size_t a, std::size_t b) const {
  const std::vector<double>& left = trials_[a].losses;
  const std::vector<double>& right = trials_[b].losses;
  if (left.size() != right.size()) return left.size() > right.size();
  return left.back() < right.back();
}

std::optional<std::size_t> Search::best() const {
  std::optional<std::size_t> best;
  for (std::size_t t = 0; t < trials_.size(); ++t) {
    if (trials_[t].losses.empty() || !std::isfinite(trials_[t].losses.back())) continue;
    if (!best || trials_[t].losses.back() < trials_[*best].losses.back()) best = t;
  }
  return best;
}

}  // namespace tidegate
