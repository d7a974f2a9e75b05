#include "engine/train/linear_robust.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "engine/train/ridge.h"

namespace tidegate {
namespace {

constexpr int kReweightings = 4;  // more gain hardly anything
constexpr double kPull = 0.3;     // penalty of what a map moves

// maps [maps] of [steps, context] become robust on the rows of these blocks, all by the same move: rows of
// one channel are too few to move its map by. Each round fits the move to what it forecasts and the slope of
// what the error counts as. As the error's square bounds that from above, no round makes the sum of what
// errors count as greater (Hunter & Lange 2004).
void Move(const LinearRows& rows, const std::vector<std::size_t>& blocks,
          const std::vector<std::size_t>& steps, std::vector<Matrix>& maps) {
  RidgeSums sums(rows.context(), steps.size());
  std::vector<double> count(maps.size());
  std::vector<std::vector<double>> variance(maps.size(), std::vector<double>(steps.size()));
  Matrix forecast, moved;
  const auto for_each = [&](const auto& each) {
    for (const std::size_t block : blocks) {
      rows.ForEach(block, steps, [&](std::size_t map, const Matrix& x, const Matrix& y) {
        map = MapOf(map, maps);
        ForecastRows(maps[map], x, forecast);
        each(map, x, y);
      });
    }
  };
  for_each([&](std::size_t map, const Matrix& x, const Matrix& y) {
    sums.Add(x, y);
    count[map] += static_cast<double>(y.rows);
    for (std::size_t r = 0; r < y.rows; ++r) {
      for (std::size_t s = 0; s < steps.size(); ++s) {
        const double error = y.row(r)[s] - forecast.row(r)[s];
        variance[map][s] += error * error;
      }
    }
  });
  for (std::size_t map = 0; map < maps.size(); ++map) {
    for (double& v : variance[map]) v = std::max(v / std::max(count[map], 1.0), 1e-12);
  }
  const std::vector<double> dearness = Dearness(rows.context(), /*drift=*/false);
  Matrix move(steps.size(), rows.context());
  for (int round = 0; round < kReweightings; ++round) {
    sums.ClearOutputs();
    for_each([&](std::size_t map, const Matrix& x, const Matrix& y) {
      ForecastRows(move, x, moved);
      for (std::size_t r = 0; r < y.rows; ++r) {
        for (std::size_t s = 0; s < steps.size(); ++s) {
          const double error = y.row(r)[s] - forecast.row(r)[s] - moved.row(r)[s];
          moved.row(r)[s] += static_cast<float>(error / std::sqrt(1 + error * error / variance[map][s]));
        }
      }
      sums.AddOutputs(x, moved);
    });
    move = sums.Solve(kPull, dearness);
  }
  for (Matrix& map : maps) {
    for (std::size_t i = 0; i < map.size(); ++i) map.values[i] += move.values[i];
  }
}

// By step: sums of squared and of absolute errors.
struct Errors {
  explicit Errors(std::size_t steps) : squared(steps), absolute(steps) {}
  std::vector<double> squared, absolute;
};
// Adds those of a block's rows.
void AddErrors(const LinearRows& rows, std::size_t block, const std::vector<std::size_t>& steps,
               const std::vector<Matrix>& maps, Errors& errors) {
  Matrix forecast;
  rows.ForEach(block, steps, [&](std::size_t map, const Matrix& x, const Matrix& y) {
    ForecastRows(maps[MapOf(map, maps)], x, forecast);
    for (std::size_t r = 0; r < y.rows; ++r) {
      for (std::size_t s = 0; s < steps.size(); ++s) {
        const double error = y.row(r)[s] - forecast.row(r)[s];
        errors.squared[s] += error * error;
        errors.absolute[s] += std::abs(error);
      }
    }
  });
}

}  // namespace

void ChooseRobust(const LinearRows& rows, const LinearSums& sums, LinearChoice& choice) {
  const StepsToCompare compared(choice.parts);
  Errors before(compared.steps.size()), now = before;
  for (std::size_t left = 0; left < rows.blocks(); ++left) {
    std::vector<std::size_t> others;
    for (std::size_t block = 0; block < rows.blocks(); ++block) {
      if (block != left) others.push_back(block);
    }
    std::vector<Matrix> maps = sums.Solve(choice, compared.steps, left);
    AddErrors(rows, left, compared.steps, maps, before);
    Move(rows, others, compared.steps, maps);
    AddErrors(rows, left, compared.steps, maps, now);
  }
  for (std::size_t i = 0; i < choice.parts.size(); ++i) {
    const auto gain = [&](const std::vector<double>& of_before, const std::vector<double>& of_now) {
      const double error = Sum(of_before, compared.begin[i], compared.begin[i + 1]);
      return error > 0 ? 1 - Sum(of_now, compared.begin[i], compared.begin[i + 1]) / error : 0;
    };
    const double squared = gain(before.squared, now.squared), absolute = gain(before.absolute, now.absolute);
    choice.parts[i].robust =
        !choice.parts[i].last_value() && squared + absolute > 0 && std::min(squared, absolute) > -kMayCost;
  }
}

void MakeRobust(const LinearRows& rows, const LinearChoice& choice, const std::vector<std::size_t>& steps,
                std::vector<Matrix>& maps, std::optional<std::size_t> left) {
  std::vector<std::size_t> robust, place;  // the steps that are to be, and which of the maps' rows are theirs
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto part =
        std::ranges::find_if(choice.parts, [&](const LinearPart& one) { return steps[i] < one.end; });
    if (!part->robust) continue;
    robust.push_back(steps[i]);
    place.push_back(i);
  }
  if (robust.empty()) return;
  std::vector<Matrix> moved(maps.size(), Matrix(robust.size(), rows.context()));
  for (std::size_t map = 0; map < maps.size(); ++map) {
    for (std::size_t s = 0; s < robust.size(); ++s)
      std::copy_n(maps[map].row(place[s]), rows.context(), moved[map].row(s));
  }
  std::vector<std::size_t> blocks;
  for (std::size_t block = 0; block < rows.blocks(); ++block) {
    if (block != left) blocks.push_back(block);
  }
  Move(rows, blocks, robust, moved);
  for (std::size_t map = 0; map < maps.size(); ++map) {
    for (std::size_t s = 0; s < robust.size(); ++s)
      std::copy_n(moved[map].row(s), rows.context(), maps[map].row(place[s]));
  }
}

}  // namespace tidegate
