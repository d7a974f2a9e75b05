// Readings that wait in a stream for those before them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/shard/shard_fixture.h"

namespace tidegate {
namespace {

using testing::Each;
using testing::ElementsAre;

TEST_F(ShardTest, AnObserverSeesAHeldReadingWhenItIsStepped) {
  Watcher watcher;
  shard_.Observe(&watcher);
  const std::vector<Sent> sorted = {
      {"a", 10 * kSecond, {20, 50}}, {"a", 11 * kSecond, {21, 51}}, {"a", 12 * kSecond, {22, 52}}};
  const Request& request = Push({sorted[0], sorted[2], sorted[1]}, 2);
  EXPECT_THAT(request.outcomes(), Each(Outcome::kApplied));
  EXPECT_EQ(request.answer(1).quality, quality::kHeld);
  Alone alone(models_[2]);
  const std::vector<Answer> in_order = {alone.Push(sorted[0]), alone.Push(sorted[1]), alone.Push(sorted[2])};
  EXPECT_EQ(watcher.seen["a"], in_order);
  EXPECT_EQ(request.answer(2), in_order[1]);
}

// A stream that holds so many readings that stepping them takes longer than one Run.
class LongWindowTest : public ShardTest {
 protected:
  static constexpr std::size_t kWindow = 64;

  LongWindowTest() {
    Send(0);
    for (std::int64_t tick = 2; tick <= 1 + static_cast<std::int64_t>(kWindow); ++tick)
      EXPECT_EQ(Send(tick).quality, quality::kHeld);
  }

  static std::shared_ptr<const Model> MakeModel() {
    ModelSpec spec = Spec(2);
    spec.reorder_window = kWindow;
    return TinyModel(spec, 3);
  }
  static Sent Reading(std::int64_t tick, const std::string& stream = "a") {
    return {stream, tick * kSecond, {20 + static_cast<float>(tick % 3), 50}};
  }
  Request& AdmitReading(std::int64_t tick, const std::string& stream = "a") {
    Request& request = requests_.emplace_back(0, model_->spec(), std::vector<Sent>{Reading(tick, stream)});
    long_.Admit(request.work);
    return request;
  }
  void RunLong() {
    while (!long_.idle()) long_.Run(done_);
  }
  // Also to the stream that is alone.
  Answer Send(std::int64_t tick) {
    Request& request = AdmitReading(tick);
    RunLong();
    Answer answer = request.answer(0);
    EXPECT_EQ(answer, alone_.Push(Reading(tick))) << tick;
    return answer;
  }
  StreamKey key() { return *long_.table().Find("a"); }

  const std::shared_ptr<const Model> model_ = MakeModel();
  ShardMetrics long_metrics_{1};
  StreamBudget long_budget_{10};
  Shard long_{std::span(&model_, 1), long_budget_, long_metrics_};
  Alone alone_{model_};
};

TEST_F(LongWindowTest, StreamsThatStepHeldReadingsShareTheirBatches) {
  const Request& filler = AdmitReading(1);
  const Request& waiting = AdmitReading(66);
  const Request& other = AdmitReading(1, "b");
  done_.clear();
  long_.Run(done_);
  EXPECT_THAT(done_, ElementsAre(&other.work));
  RunLong();
  EXPECT_EQ(filler.answer(0), alone_.Push(Reading(1)));
  EXPECT_EQ(waiting.answer(0), alone_.Push(Reading(66)));
  EXPECT_EQ(waiting.answer(0).steps, 67u);
}

TEST_F(LongWindowTest, AStreamThatIsResetBetweenHasTakenTheReadingAndForgotIt) {
  const Request& filler = AdmitReading(1);
  long_.Run(done_);
  ASSERT_FALSE(long_.idle());
  long_.Reset(key());
  RunLong();
  EXPECT_EQ(filler.answer(0), alone_.Push(Reading(1)));
  alone_.Reset();
  EXPECT_EQ(Send(66).steps, 1u);
  EXPECT_EQ(Send(68).quality, quality::kHeld) << "what was held is forgotten too";
  EXPECT_EQ(Send(67).steps, 2u);
  EXPECT_EQ(Send(69).steps, 4u);
}

TEST_F(LongWindowTest, AReadingWhoseTurnHasNotComeIsTakenAfterAReset) {
  const Request& jump = AdmitReading(1000);
  long_.Run(done_);
  ASSERT_FALSE(long_.idle());
  long_.Reset(key());
  RunLong();
  alone_.Reset();
  EXPECT_EQ(jump.answer(0), alone_.Push(Reading(1000)));
  EXPECT_EQ(jump.answer(0).quality, quality::kCold) << "as the first, not after a restart";
  EXPECT_EQ(Send(1001).steps, 2u);
}

TEST_F(LongWindowTest, AStreamThatIsDeletedBetweenHasTakenTheReading) {
  const Request& filler = AdmitReading(1);
  const Request& waiting = AdmitReading(66);
  long_.Run(done_);
  long_.Delete(key());
  RunLong();
  EXPECT_EQ(filler.answer(0), alone_.Push(Reading(1)));
  EXPECT_EQ(waiting.answer(0).reason, Reason::kStreamDeleted);
  alone_.Reset();
  EXPECT_EQ(Send(67).steps, 1u);
  EXPECT_EQ(Send(68).steps, 2u);
}

TEST_F(LongWindowTest, AStateTakenBetweenGoesOnAsTheStream) {
  AdmitReading(1);
  long_.Run(done_);
  ASSERT_FALSE(long_.idle());
  const StreamHeader header = long_.header(key());
  const std::vector<float> floats(long_.floats(key()).begin(), long_.floats(key()).end());
  EXPECT_TRUE(IsStream(*model_, header, floats));
  ASSERT_TRUE(long_.Create("copy", 0, header, floats));
  RunLong();
  alone_.Push(Reading(1));
  const Request& next = AdmitReading(66);
  const Request& of_copy = AdmitReading(66, "copy");
  RunLong();
  EXPECT_EQ(next.answer(0), alone_.Push(Reading(66)));
  EXPECT_EQ(of_copy.answer(0), next.answer(0));
}

}  // namespace
}  // namespace tidegate
