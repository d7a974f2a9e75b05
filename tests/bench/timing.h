#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

namespace tidegate {

inline double Seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The shortest of `runs` runs: for what only other work on the machine can lengthen.
inline double BestSeconds(int runs, const std::function<void()>& work) {
  double best = Seconds(work);
  for (int i = 1; i < runs; ++i) best = std::min(best, Seconds(work));
  return best;
}

// Runs the candidates in turn, `rounds` times, each for about `seconds` at a go, so that a change of the
// machine's speed meets all alike. Returns the median seconds of one call for each.
inline std::vector<double> CompareSeconds(const std::vector<std::function<void()>>& candidates, int rounds,
                                          double seconds) {
  std::vector<std::vector<double>> samples(candidates.size());
  std::vector<std::size_t> calls(candidates.size(), 1);
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    for (;; calls[c] *= 2) {
      const double time = Seconds([&] {
        for (std::size_t i = 0; i < calls[c]; ++i) candidates[c]();
      });
      if (time < 0.1 * seconds) continue;
      calls[c] =
          std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(calls[c]) * seconds / time));
      break;
    }
  }
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      const double time = Seconds([&] {
        for (std::size_t i = 0; i < calls[c]; ++i) candidates[c]();
      });
      samples[c].push_back(time / static_cast<double>(calls[c]));
    }
  }
  std::vector<double> medians;
  for (auto& s : samples) {
    std::nth_element(s.begin(), s.begin() + static_cast<std::ptrdiff_t>(s.size() / 2), s.end());
    medians.push_back(s[s.size() / 2]);
  }
  return medians;
}

}  // namespace tidegate
