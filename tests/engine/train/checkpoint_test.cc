#include "engine/train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <string>
#include <vector>

#include "engine/model/safetensors.h"
#include "engine/train/trainer.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

std::vector<Series> Waves() {
  std::vector<Series> waves(2);
  for (std::size_t s = 0; s < 2; ++s) {
    waves[s] = {
        .stream = std::to_string(s), .features = 1, .values = {}, .scored = std::vector<bool>(300, true)};
    for (int t = 0; t < 300; ++t)
      waves[s].values.push_back(std::sin(0.3f * static_cast<float>(t)) +
                                0.1f * static_cast<float>(t * 7 % 5));
  }
  return waves;
}

// With everything that has a state of its own: dropout, a running mean, weight decay, a refit, a schedule.
TrainOptions Options() {
  TrainOptions options;
  options.name = "wave";
  options.interval_ns = 1'000'000'000;
  options.features = {"height"};
  options.layers = {{.units = 6, .dropout = 0.2f}, {.kind = LayerKind::kLstm, .units = 6}};
  options.horizon = 4;
  options.warm_up = 16;
  options.sequence_length = 64;
  options.truncation = 32;
  options.epochs = 6;
  options.batch = 4;
  options.weight_decay = 0.01;
  options.averaging = 0.9;
  options.refit = true;
  return options;
}

// After so many epochs, as it is written and read back.
Checkpoint CheckpointAfter(std::size_t epochs, const TrainOptions& options) {
  Checkpoint last;
  TrainHooks hooks;
  hooks.progress = [&](const TrainProgress& progress) { return progress.epoch < epochs; };
  hooks.checkpoint = [&](const Checkpoint& now) {
    auto read = ParseCheckpoint(WriteCheckpoint(now));
    if (!read.ok()) return read.status();
    last = *std::move(read);
    return absl::OkStatus();
  };
  const auto trained = Train(Waves(), options, hooks);
  EXPECT_TRUE(trained.ok()) << trained.status();
  return last;
}

class ResumeTest : public testing::TestWithParam<int> {};  // threads

TEST_P(ResumeTest, MakesTheSameBitsAsATrainingThatWasNeverStopped) {
  const int all = omp_get_max_threads();
  omp_set_num_threads(GetParam());
  const auto whole = Train(Waves(), Options(), nullptr);
  const Checkpoint checkpoint = CheckpointAfter(3, Options());
  EXPECT_EQ(checkpoint.epoch, 3u);
  std::vector<std::size_t> epochs;
  TrainHooks hooks = {.resume = &checkpoint};
  hooks.progress = [&](const TrainProgress& progress) {
    epochs.push_back(progress.epoch);
    return true;
  };
  const auto resumed = Train(Waves(), Options(), hooks);
  omp_set_num_threads(all);
  ASSERT_TRUE(whole.ok() && resumed.ok()) << whole.status() << resumed.status();
  EXPECT_THAT(epochs, testing::ElementsAre(4, 5, 6));
  EXPECT_EQ(WriteSafetensors(whole->tensors), WriteSafetensors(resumed->tensors));
  EXPECT_EQ(WriteSpec(whole->spec), WriteSpec(resumed->spec));
}

INSTANTIATE_TEST_SUITE_P(Threads, ResumeTest, testing::Values(1, 2));

TEST(CheckpointTest, OfAnotherTrainingIsRefusedAndWhatDiffersIsNamed) {
  const Checkpoint checkpoint = CheckpointAfter(1, Options());
  const auto message = [&](const TrainOptions& options, const std::vector<Series>& series) {
    return std::string(Train(series, options, TrainHooks{.resume = &checkpoint}).status().message());
  };
  TrainOptions options = Options();
  options.seed = 7;
  EXPECT_THAT(message(options, Waves()), HasSubstr("seed was 1, now it is 7"));
  options = Options();
  options.layers[0].units = 7;
  EXPECT_THAT(message(options, Waves()), HasSubstr("layers was"));
  options = Options();
  options.scored_steps = 3;
  EXPECT_THAT(message(options, Waves()), HasSubstr("horizon was"));
  options = Options();
  options.reorder_window = 4;
  EXPECT_THAT(message(options, Waves()), HasSubstr("gaps was"));
  std::vector<Series> other = Waves();
  other[1].values[7] += 0.01f;
  EXPECT_THAT(message(Options(), other), HasSubstr("readings was"));
}

TEST(CheckpointTest, DamagedOnesAreRefused) {
  const std::string bytes = WriteCheckpoint(CheckpointAfter(1, Options()));
  EXPECT_TRUE(ParseCheckpoint(bytes).ok());
  EXPECT_FALSE(ParseCheckpoint("").ok());
  EXPECT_FALSE(ParseCheckpoint("{}\n").ok());
  EXPECT_FALSE(ParseCheckpoint(bytes.substr(0, bytes.size() - 5)).ok());
  EXPECT_FALSE(ParseCheckpoint("x" + bytes).ok());
}

TEST(StopTest, WithinAnEpochTheBestBeforeItIsKept) {
  std::vector<double> losses;
  const auto run = [&](std::size_t last_epoch, double last_share) {
    losses.clear();
    TrainHooks hooks;
    hooks.progress = [&](const TrainProgress& progress) {
      losses.push_back(progress.validation_loss);
      return true;
    };
    hooks.within = [&](const TrainMoment& moment) {
      return moment.epoch < last_epoch || moment.share < last_share;
    };
    TrainOptions options = Options();
    options.averaging = 0;
    const auto trained = Train(Waves(), options, hooks);
    EXPECT_TRUE(trained.ok()) << trained.status();
    return WriteSafetensors(trained->tensors);
  };
  const std::string early = run(3, 0.1);
  EXPECT_EQ(losses.size(), 2u);
  EXPECT_EQ(early, run(3, 0.5));  // whatever it learnt in the third
  run(1, 0.1);
  EXPECT_EQ(losses.size(), 1u);  // of the first epoch it keeps what it has
}

}  // namespace
}  // namespace tidegate
