// Nobody's readings wait for all of somebody else's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/shard/shard_fixture.h"

namespace tidegate {
namespace {

// Counts batches by model, and knows how many there were when a stream's reading was first applied.
class BatchCounter final : public AppliedObserver {
 public:
  void Applied(const Model& model, std::span<const AppliedReading> readings) override {
    ++batches[model.spec().name];
    for (const AppliedReading& reading : readings) first.try_emplace(std::string(reading.id), batches);
  }
  std::map<std::string, int> batches;
  std::map<std::string, std::map<std::string, int>> first;  // of each stream
};

// 40 readings of each of 50 streams, which are less than a batch, from turn `first` on; `apart`
// ticks from a stream's reading to its next.
std::vector<Sent> Firehose(const std::string& prefix, std::int64_t apart, std::int64_t first = 0) {
  std::vector<Sent> sent;
  for (std::int64_t turn = first; turn < first + 40; ++turn) {
    for (int s = 0; s < 50; ++s)
      sent.push_back({absl::StrCat(prefix, s), (1 + apart * turn) * kSecond, {20, 50}});
  }
  return sent;
}

// First come, first served goes by streams: a sensor's one reading waits for one of each other stream's, not
// for all.
TEST_F(ShardTest, AFirehoseDoesNotStarveAQuietStream) {
  BatchCounter counter;
  shard_.Observe(&counter);
  shard_.Admit(Add(Firehose("hose ", 1)).work);
  shard_.Admit(Add({{"quiet", kSecond, {20, 50}}}).work);
  RunAll();
  EXPECT_EQ(counter.first.at("quiet").at("gru"), 1) << "50 streams and it make less than a batch";
  EXPECT_GE(counter.batches.at("gru"), 40) << "no stream is in a batch twice";
}

TEST_F(ShardTest, AFirehoseThatNeverRunsDryDoesNotStarveAQuietStream) {
  BatchCounter counter;
  shard_.Observe(&counter);
  shard_.Admit(Add(Firehose("hose ", 1)).work);
  shard_.Admit(Add(Firehose("another ", 1)).work);
  for (std::int64_t turn = 40; turn <= 120; turn += 40) {
    shard_.Run(done_);
    shard_.Admit(Add(Firehose("hose ", 1, turn)).work);
    shard_.Admit(Add(Firehose("another ", 1, turn)).work);
  }
  const int before = counter.batches.at("gru");
  shard_.Admit(Add({{"quiet", kSecond, {20, 50}}}).work);
  for (std::int64_t turn = 160; counter.first.count("quiet") == 0 && turn < 400; turn += 40) {
    shard_.Run(done_);
    shard_.Admit(Add(Firehose("hose ", 1, turn)).work);
  }
  ASSERT_EQ(counter.first.count("quiet"), 1u);
  EXPECT_LE(counter.first.at("quiet").at("gru") - before, 2)
      << "one reading of each of 100 streams is before it";
  RunAll();
}

TEST_F(ShardTest, StreamsThatStepOverMissingReadingsDoNotStarveAQuietStream) {
  BatchCounter counter;
  shard_.Observe(&counter);
  shard_.Admit(Add(Firehose("hose ", 4)).work);
  shard_.Admit(Add(Firehose("another ", 4)).work);
  shard_.Admit(Add({{"quiet", kSecond, {20, 50}}}).work);
  RunAll();
  EXPECT_LE(counter.first.at("quiet").at("gru"), 2) << "the first readings of 100 streams are before it";
}

TEST_F(ShardTest, ModelsTakeTurnsByBatches) {
  BatchCounter counter;
  shard_.Observe(&counter);
  shard_.Admit(Add(Firehose("a", 1), 0).work);
  shard_.Admit(Add(Firehose("b", 1), 1).work);
  shard_.Admit(Add({{"quiet", kSecond, {20, 50}}}, 1).work);
  const auto batches = [&](std::uint32_t model) { return counter.batches[models_[model]->spec().name]; };
  while (!shard_.idle()) {
    shard_.Run(done_);
    ASSERT_EQ(batches(0), batches(1));
  }
  EXPECT_EQ(counter.first.at("quiet").at("lstm"), 1);

  shard_.Admit(Add(Firehose("a", 1, 40), 0).work);  // of one model alone
  shard_.Run(done_);
  const int others = batches(0);
  shard_.Admit(Add({{"alone", kSecond, {20, 50}}}, 1).work);
  RunAll();
  EXPECT_LE(counter.first.at("alone").at("gru") - others, 1);
}

}  // namespace
}  // namespace tidegate
