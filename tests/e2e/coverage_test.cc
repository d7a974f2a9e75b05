// Intervals that hold on real series which drift: for each series a small model is trained on its first 60 %,
// and the rest is pushed as a server would take it. The 80 % interval then has to hold 78 to 82 % of the
// readings of every stream, one step ahead and the whole horizon ahead. Needs the data sets, see
// real_series.py:
//   TIDEGATE_DATA=DIR ctest --preset release -R coverage --verbose

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "clients/cli/grid.h"
#include "clients/cli/readings.h"
#include "engine/stream/pinball.h"
#include "engine/stream/replay.h"
#include "engine/train/trainer.h"
#include "tests/e2e/executables.h"

namespace tidegate {
namespace {

constexpr std::size_t kShortest = 200;  // rows between two gaps that are trained on
constexpr int kJudged = 1000;           // scored readings from which on a stream's share is held to it
constexpr double kShare = 0.8, kTolerance = 0.02;
constexpr std::size_t kQuantiles = 3;
constexpr std::int64_t kSecond = 1'000'000'000;

Readings ReadPart(const std::filesystem::path& file, const char* rows) {
  ReadingOptions options;
  options.time_column = "reading";
  options.interval = absl::Seconds(1);
  options.stream_column = "stream";
  options.values = {"value"};
  options.rows = *ParseRowRange(rows);
  auto readings = ReadReadings(file, options);
  EXPECT_TRUE(readings.ok()) << readings.status();
  return *std::move(readings);
}

// One configuration for all series; streams of different ranges each have their own scale.
std::shared_ptr<const Model> TrainOn(const std::filesystem::path& file) {
  const Readings readings = ReadPart(file, "0%:60%");
  TrainOptions options;
  options.name = file.stem().string();
  options.interval_ns = readings.interval_ns;
  options.features = readings.features;
  options.layers = {{.kind = LayerKind::kGru, .units = 16}};
  options.per_stream = readings.streams.size() > 1;
  options.epochs = 6;
  std::vector<Series> series = ToGrid(readings, 0, options.bridge_limit).series;
  std::erase_if(series, [](const Series& s) { return s.size() < kShortest; });
  const auto trained = Train(series, options, nullptr);
  EXPECT_TRUE(trained.ok()) << trained.status();
  return *Model::Create(trained->spec, trained->tensors);
}

// What the answers for one step ahead were worth, held against the readings by whoever received them.
struct Scores {
  int scored = 0;
  double covered = 0, width = 0, pinball = 0;

  double coverage() const { return covered / scored; }
};

// Of the first and of the last step.
std::array<Scores, 2> PushAll(const std::shared_ptr<const Model>& model, const StreamReadings& readings) {
  const ModelSpec& spec = model->spec();
  const std::array<std::size_t, 2> steps = {1, spec.horizon};
  const float half = spec.features[0].resolution / 2;
  ReplayedStream stream(model);
  std::array<Scores, 2> scores;
  std::array<std::vector<float>, 2> made;  // [ticks, quantiles], by the tick that they are for
  const std::int64_t first = readings.timestamp_ns.front() / kSecond;
  const auto ticks = static_cast<std::size_t>(readings.timestamp_ns.back() / kSecond - first + 1);
  for (auto& forecasts : made) {
    forecasts.assign((ticks + spec.horizon) * kQuantiles, std::numeric_limits<float>::quiet_NaN());
  }
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const auto tick = static_cast<std::size_t>(readings.timestamp_ns[i] / kSecond - first);
    const float value = readings.values[i];
    for (std::size_t k = 0; k < steps.size(); ++k) {
      const float* const forecast = &made[k][tick * kQuantiles];
      if (std::isnan(value) || std::isnan(forecast[0])) continue;
      ++scores[k].scored;
      scores[k].covered += value >= forecast[0] - half && value <= forecast[2] + half ? 1 : 0;
      scores[k].width += forecast[2] - forecast[0];
      scores[k].pinball += Pinball(value, spec.quantiles, forecast) / kQuantiles;
    }
    const auto answer =
        stream.Push({readings.timestamp_ns[i], {&readings.values[i], 1}}, readings.timestamp_ns[i]);
    for (std::size_t k = 0; k < steps.size(); ++k) {
      std::copy_n(&answer.forecast[(steps[k] - 1) * kQuantiles], kQuantiles,
                  &made[k][(tick + steps[k]) * kQuantiles]);
    }
  }
  return scores;
}

TEST(CoverageTest, TheIntervalOfEveryStreamHoldsItsShareOnRealSeries) {
  const char* const data = std::getenv("TIDEGATE_DATA");
  if (data == nullptr) GTEST_SKIP() << "set TIDEGATE_DATA to the folder of the data sets, see real_series.py";
  TemporaryFolder folder;
  const std::string script = std::string(TIDEGATE_SOURCE_DIR) + "/tests/e2e/real_series.py";
  const Process::Result converted =
      RunProcess({"/usr/bin/env", "python3", script, data, folder.path().string()});
  ASSERT_EQ(converted.exit_code, 0) << converted.err;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) files.push_back(entry.path());
  ASSERT_FALSE(files.empty()) << data << ": none of the data sets is there; " << converted.err;
  std::ranges::sort(files);
  omp_set_num_threads(1);
  std::printf("%-40s %-12s %5s %8s %9s %11s %11s\n", "series", "stream", "step", "scored", "coverage",
              "width", "pinball");
  for (const auto& file : files) {
    const auto model = TrainOn(file);
    for (const StreamReadings& readings : ReadPart(file, "60%:").streams) {
      const std::array<Scores, 2> scores = PushAll(model, readings);
      for (std::size_t k = 0; k < scores.size(); ++k) {
        const Scores& s = scores[k];
        if (s.scored == 0) continue;
        const std::size_t step = k == 0 ? 1 : model->spec().horizon;
        std::printf("%-40.40s %-12.12s %5zu %8d %9.4f %11.4g %11.4g%s\n", file.stem().c_str(),
                    readings.stream.c_str(), step, s.scored, s.coverage(), s.width / s.scored,
                    s.pinball / s.scored, s.scored < kJudged ? "  (too few to judge)" : "");
        if (s.scored < kJudged) continue;
        EXPECT_NEAR(s.coverage(), kShare, kTolerance)
            << file.stem() << ", stream " << readings.stream << ", " << step << " ahead";
      }
    }
  }
}

}  // namespace
}  // namespace tidegate
