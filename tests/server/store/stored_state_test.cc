#include "server/store/stored_state.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Record(absl::string_view id, const std::vector<float>& floats) {
  StateBatch batch;
  batch.Put(id, 5, 3, {.timestamp_ns = 7, .sequence = 2, .steps = 1, .quality = quality::kCold}, floats);
  return std::string(batch.record(batch.rows()[0]));
}

TEST(StoredStateTest, GivesBackWhatWasPut) {
  StoredState state;
  ASSERT_TRUE(ReadStateRecord("a", Record("a", {1.0f, -2.0f}), state).ok());
  EXPECT_EQ(state.position, 5u);
  EXPECT_EQ(state.model, 3u);
  EXPECT_EQ(state.header.timestamp_ns, 7);
  EXPECT_EQ(state.header.sequence, 2u);
  EXPECT_EQ(state.header.steps, 1u);
  EXPECT_EQ(state.header.quality, quality::kCold);
  EXPECT_THAT(state.floats, ElementsAre(1.0f, -2.0f));
}

TEST(StoredStateTest, NoFlippedBitAndNoOtherStreamGoesUnnoticed) {
  const std::string record = Record("a", {1.0f, -2.0f});
  StoredState state;
  for (std::size_t bit = 0; bit < 8 * record.size(); ++bit) {
    std::string flipped = record;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_EQ(ReadStateRecord("a", flipped, state).code(), absl::StatusCode::kDataLoss) << bit;
  }
  for (std::size_t size = 0; size < record.size(); ++size) {
    ASSERT_FALSE(ReadStateRecord("a", record.substr(0, size), state).ok()) << size;
  }
  const absl::Status other = ReadStateRecord("b", record, state);
  EXPECT_THAT(other.message(), HasSubstr("the state of stream 'b' does not match its checksum"));
}

TEST(StoredStateTest, ADeletionIsOldOnceTheCheckpointIsPastIt) {
  StateBatch batch;
  batch.Delete("a", 5);
  const absl::string_view record = batch.record(batch.rows()[0]);
  EXPECT_TRUE(IsOldDeletion("a", record, 5));
  EXPECT_FALSE(IsOldDeletion("a", record, 4));
  EXPECT_FALSE(IsOldDeletion("b", record, 5)) << "it is damaged";
  EXPECT_FALSE(IsOldDeletion("a", Record("a", {}), 5)) << "it is a state";
}

TEST(StateBatchTest, SortsByIdAndKeepsTheOrderOfOneStream) {
  StateBatch batch;
  batch.Put("b", 1, 0, {}, {});
  batch.Put("a", 9, 0, {}, {});
  batch.Delete("b", 2);
  batch.Sort();
  std::vector<std::string> ids;
  StoredState state;
  for (const StateBatch::Row& row : batch.rows()) {
    ASSERT_TRUE(ReadStateRecord(batch.id(row), batch.record(row), state).ok());
    ids.push_back(std::string(batch.id(row)) + (state.deleted ? "-" : "+"));
  }
  EXPECT_THAT(ids, ElementsAre("a+", "b+", "b-"));
  EXPECT_EQ(batch.last_position(), 9u);
  batch.Clear();
  EXPECT_TRUE(batch.empty());
  EXPECT_EQ(batch.last_position(), 0u);
}

}  // namespace
}  // namespace tidegate
