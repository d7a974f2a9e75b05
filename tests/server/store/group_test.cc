#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/group_reader.h"
#include "server/store/group_writer.h"

namespace tidegate {
namespace {

using testing::ElementsAre;

constexpr std::uint64_t kPosition = (std::uint64_t{3} << 40) + 7;

StreamHeader SomeHeader() {
  return {.timestamp_ns = -5,
          .digest = 0x0123456789abcdef,
          .sequence = std::numeric_limits<std::uint64_t>::max(),
          .steps = 42,
          .anomaly_score = 1.5f,
          .refused_digest = 77,
          .refused = Outcome::kLate,
          .refused_reason = Reason::kPoisonedState,
          .quality = 0x1f};
}

void Fill(GroupWriter& group) {
  const std::vector<float> values = {1.0f, std::numeric_limits<float>::quiet_NaN(), -0.0f};
  const std::vector<float> floats = {3.0f, 4.0f};
  group.AddReading({.stream = "pump-1",
                    .model = 65'535,
                    .timestamp_ns = 1'700'000'000'000'000'000,
                    .sequence = 9,
                    .accept_gap = true,
                    .outcome = Outcome::kInvalid,
                    .reason = Reason::kFutureTimestamp,
                    .values = values});
  group.AddDelete("pump-2");
  group.AddState({.stream = std::string(128, 'x'), .model = 2, .header = SomeHeader(), .floats = floats});
  group.AddReset("p");
  group.AddReading({.stream = "pump-3", .model = 0, .timestamp_ns = 1, .values = {}});
}

std::string Group() {
  GroupWriter group;
  Fill(group);
  return std::string(group.Seal(kPosition, kPosition - 1));
}

// Reads all entries; how many there were before the end or an error.
absl::Status ReadAll(const std::string& bytes, std::size_t& entries) {
  GroupReader reader;
  entries = 0;
  absl::Status status = reader.Open(bytes);
  for (JournalEntry entry; status.ok() && reader.Next(entry);) ++entries;
  return status.ok() ? reader.status() : status;
}

TEST(GroupTest, GivesBackWhatWasPutIn) {
  const std::string bytes = Group();
  GroupReader reader;
  ASSERT_TRUE(reader.Open(bytes).ok());
  EXPECT_EQ(reader.position(), kPosition);
  EXPECT_EQ(reader.previous(), kPosition - 1);
  EXPECT_EQ(reader.entries(), 5u);

  JournalEntry entry;
  ASSERT_TRUE(reader.Next(entry));
  EXPECT_EQ(entry.kind, EntryKind::kReading);
  EXPECT_EQ(entry.stream, "pump-1");
  EXPECT_EQ(entry.reading.model, 65'535u);
  EXPECT_EQ(entry.reading.timestamp_ns, 1'700'000'000'000'000'000);
  EXPECT_EQ(entry.reading.sequence, 9u);
  EXPECT_TRUE(entry.reading.accept_gap);
  EXPECT_EQ(entry.reading.outcome, Outcome::kInvalid);
  EXPECT_EQ(entry.reading.reason, Reason::kFutureTimestamp);
  ASSERT_EQ(entry.reading.values.size(), 3u);
  EXPECT_EQ(entry.reading.values[0], 1.0f);
  EXPECT_TRUE(std::isnan(entry.reading.values[1]));
  EXPECT_TRUE(std::signbit(entry.reading.values[2]));

  ASSERT_TRUE(reader.Next(entry));
  EXPECT_EQ(entry.kind, EntryKind::kDelete);
  EXPECT_EQ(entry.stream, "pump-2");

  ASSERT_TRUE(reader.Next(entry));
  EXPECT_EQ(entry.kind, EntryKind::kState);
  EXPECT_EQ(entry.stream, std::string(128, 'x'));
  EXPECT_EQ(entry.state.model, 2u);
  EXPECT_EQ(entry.state.header.sequence, SomeHeader().sequence);
  EXPECT_EQ(entry.state.header.refused, Outcome::kLate);
  EXPECT_EQ(entry.state.header.quality, 0x1f);
  EXPECT_THAT(entry.state.floats, ElementsAre(3.0f, 4.0f));

  ASSERT_TRUE(reader.Next(entry));
  EXPECT_EQ(entry.kind, EntryKind::kReset);
  EXPECT_EQ(entry.stream, "p");
  ASSERT_TRUE(reader.Next(entry));
  EXPECT_TRUE(entry.reading.values.empty());
  EXPECT_FALSE(entry.reading.accept_gap);
  EXPECT_FALSE(reader.Next(entry));
  EXPECT_TRUE(reader.status().ok()) << reader.status();
}

TEST(GroupTest, IsEmptyAgainAfterClear) {
  GroupWriter group;
  Fill(group);
  group.Clear();
  EXPECT_TRUE(group.empty());
  group.AddReset("once more");
  std::size_t entries = 0;
  EXPECT_TRUE(ReadAll(std::string(group.Seal(1, 0)), entries).ok());
  EXPECT_EQ(entries, 1u);
}

TEST(GroupTest, NoFlippedBitGoesUnnoticed) {
  const std::string bytes = Group();
  std::size_t entries = 0;
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const absl::Status status = ReadAll(flipped, entries);
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << "bit " << bit;
  }
}

TEST(GroupTest, NoMissingByteGoesUnnoticed) {
  const std::string bytes = Group();
  std::size_t entries = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_FALSE(ReadAll(bytes.substr(0, size), entries).ok()) << size;
  }
  EXPECT_FALSE(ReadAll(bytes + '\0', entries).ok());
}

}  // namespace
}  // namespace tidegate
