#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/tune/candidate.h"

namespace tidegate {

// Which candidates are trained next, and for how long. Asynchronous successive halving (Li et al. 2018,
// arXiv:1810.05934): a candidate that is among the best third of all that were trained as long is trained
// three times as long; when none is due, a new one begins. New ones are at first the defaults of the
// families, then points of the space at random, and after a share of the budget regularised evolution (Real
// et al. 2019, arXiv:1802.01548): the best of a few drawn from the youngest is changed in one property. A
// plain value; not thread-safe.
class Search {
 public:
  static constexpr std::size_t kRungs = 4;
  static constexpr std::size_t kReduction = 3;

  struct Options {
    std::uint64_t seed = 1;
    double seconds = 600;  // of the whole search
    bool season = false;   // there is one to be taken out
  };
  explicit Search(Options options);

  struct Trial {
    Candidate candidate;
    std::string origin;               // "default", "random", "from 12": the trial that it was changed from
    std::vector<double> losses = {};  // validation loss at each rung's end; infinite: it failed
    std::size_t asked = 0;            // rungs that were asked for
  };
  struct Task {
    std::size_t trial;
    std::size_t rung;  // from 0
    double seconds;    // to train, on one thread
  };

  // The next task when so many seconds of the search are over. Nothing: no task fits into what is left, or
  // none of many candidates could be trained.
  std::optional<Task> Next(double elapsed);

  // The loss after a rung; infinite: the trial has failed and is not asked for again.
  void Report(std::size_t trial, std::size_t rung, double loss);

  // A trial of an earlier run of the same search, in the order in which they began. Without losses it begins
  // anew if it has an origin or is a default; of others that had not ended their first rung nothing is known.
  void Restore(Trial trial);

  const std::vector<Trial>& trials() const { return trials_; }

  // The trial with the lowest loss; nothing: none has one.
  std::optional<std::size_t> best() const;

  // Seconds that a trial trains from its beginning to the end of a rung.
  double SecondsTo(std::size_t rung) const;

 private:
  std::optional<Task> Promotion();
  Candidate NewCandidate(double elapsed, std::string& origin) const;
  bool Known(const Candidate& candidate) const;
  // Whether a trial has done better than another: further, or as far with a lower loss.
  bool Better(std::size_t a, std::size_t b) const;

  Options options_;
  std::vector<Trial> trials_;
};

}  // namespace tidegate
