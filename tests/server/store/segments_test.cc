#include "server/store/segments.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/files.h"
#include "server/store/group_writer.h"
#include "server/store/segment_writer.h"
#include "tests/support/scratch_folder.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SegmentsTest : public testing::Test {
 protected:
  // Groups 1 to n, each in a file of its own or all in one.
  void Write(std::uint64_t n, std::size_t segment_bytes, std::size_t room_bytes = 0) {
    SegmentWriter writer(files_, folder_.path(), segment_bytes, room_bytes);
    GroupWriter group;
    for (std::uint64_t position = 1; position <= n; ++position) {
      group.AddReset("stream");
      ASSERT_TRUE(writer.Append(position, group.Seal(position, position - 1)).ok());
      group.Clear();
    }
    ASSERT_TRUE(writer.Sync().ok());
  }
  std::vector<Segment> Segments() { return ListSegments(*files_, folder_.path()).value(); }
  std::vector<std::uint64_t> Read(std::uint64_t position) {
    std::vector<std::uint64_t> positions;
    const absl::Status status = ReadSegments(
        *files_, Segments(), position,
        [&](GroupReader& group) {
          positions.push_back(group.position());
          return absl::OkStatus();
        },
        scan_);
    EXPECT_TRUE(status.ok()) << status;
    return positions;
  }

  const std::shared_ptr<rocksdb::FileSystem> files_ = rocksdb::FileSystem::Default();
  ScratchFolder folder_;
  JournalScan scan_;
};

TEST_F(SegmentsTest, ReadsGroupsBehindAPosition) {
  for (const std::size_t segment_bytes : {1, 1000}) {
    Write(4, segment_bytes);
    EXPECT_THAT(Read(0), ElementsAre(1, 2, 3, 4));
    EXPECT_THAT(Read(2), ElementsAre(3, 4));
    EXPECT_THAT(Read(4), IsEmpty());
    EXPECT_EQ(scan_.end, 4u);
    EXPECT_EQ(scan_.damage, "");
  }
}

// A group of one reset is 40 bytes long.
TEST_F(SegmentsTest, GroupsGoWhereRoomWasMadeForThem) {
  Write(2, 10'000, 4096);
  EXPECT_THAT(Segments(), ElementsAre(testing::Field(&Segment::bytes, 4096u)));
  Write(200, 10'000, 4096);
  EXPECT_THAT(Segments(), ElementsAre(testing::Field(&Segment::bytes, testing::Gt(8000u))));
  EXPECT_EQ(Read(0).size(), 200u);
  EXPECT_EQ(scan_.damage, "");
  Write(200, 5000, 4096);
  EXPECT_THAT(Segments(), ElementsAre(testing::Field(&Segment::bytes, testing::Le(5000u)),
                                      testing::Field(&Segment::bytes, testing::Le(5000u))));
  EXPECT_EQ(Read(0).size(), 200u) << "also behind the room that the first file has left";
  EXPECT_EQ(scan_.damage, "");
}

// Also room too short for the header of a group.
TEST_F(SegmentsTest, RoomOfAnyLengthIsAnEnd) {
  constexpr std::size_t kFiftyGroups = 2000;
  for (std::size_t room = 0; room < 50; ++room) {
    Write(100, kFiftyGroups + room, 4096);
    EXPECT_EQ(Segments()[0].bytes, kFiftyGroups + room) << "or the test tests nothing";
    EXPECT_EQ(Read(0).size(), 100u) << room;
    EXPECT_EQ(scan_.damage, "") << room;
    for (const Segment& segment : Segments()) std::filesystem::remove(segment.path);
  }
}

TEST_F(SegmentsTest, ALargeGroupMakesNoRoom) {
  Write(1, 10'000, 1000);
  EXPECT_LT(Segments()[0].bytes, 100u);
}

TEST_F(SegmentsTest, WhatIsLeftOfAGroupInTheRoomIsDamage) {
  Write(2, 10'000, 4096);
  std::fstream(Segments()[0].path, std::ios::in | std::ios::out).seekp(4000).put(1);
  EXPECT_THAT(Read(0), ElementsAre(1, 2));
  EXPECT_THAT(scan_.damage, HasSubstr("no whole journal group"));
  ASSERT_TRUE(CutSegments(*files_, folder_.path(), Segments(), scan_).ok());
  EXPECT_THAT(Read(0), ElementsAre(1, 2));
  EXPECT_EQ(scan_.damage, "");
}

TEST_F(SegmentsTest, EndsWhereAGroupIsMissing) {
  Write(4, 1);
  std::filesystem::remove(Segments()[1].path);
  EXPECT_THAT(Read(0), ElementsAre(1));
  EXPECT_THAT(scan_.damage, HasSubstr("group 3 is to follow group 2, but follows group 1"));
  EXPECT_THAT(Read(1), ElementsAre()) << "group 2 is missing";
  EXPECT_THAT(Read(2), ElementsAre(3, 4));
}

TEST_F(SegmentsTest, WhatIsBehindATornGroupIsCut) {
  Write(4, 1);
  std::filesystem::resize_file(Segments()[2].path, Segments()[2].bytes - 1);
  EXPECT_THAT(Read(0), ElementsAre(1, 2));
  EXPECT_THAT(scan_.damage, HasSubstr("journal-00000000000000000003 at byte 0: no whole journal group"));
  ASSERT_TRUE(CutSegments(*files_, folder_.path(), Segments(), scan_).ok());
  EXPECT_EQ(Segments().size(), 2u);
  EXPECT_THAT(Read(0), ElementsAre(1, 2));
  EXPECT_EQ(scan_.damage, "");
}

TEST_F(SegmentsTest, ATornFileKeepsItsWholeGroups) {
  Write(4, 1000);
  std::filesystem::resize_file(Segments()[0].path, Segments()[0].bytes - 1);
  EXPECT_THAT(Read(0), ElementsAre(1, 2, 3));
  ASSERT_TRUE(CutSegments(*files_, folder_.path(), Segments(), scan_).ok());
  EXPECT_THAT(Read(0), ElementsAre(1, 2, 3));
  EXPECT_EQ(scan_.damage, "");
}

TEST_F(SegmentsTest, TrimsFilesWithoutAGroupBehindThePosition) {
  Write(4, 1);
  ASSERT_TRUE(TrimSegments(*files_, folder_.path(), 2).ok());
  EXPECT_EQ(Segments().front().first, 3u);
  ASSERT_TRUE(TrimSegments(*files_, folder_.path(), 9).ok());
  EXPECT_EQ(Segments().size(), 1u) << "the last one may be being written";
}

TEST_F(SegmentsTest, ALengthThatCannotBeIsNotTrusted) {
  Write(2, 1000);
  std::string text;
  const std::string path = Segments()[0].path;
  ASSERT_TRUE(ReadFile(*files_, path, text).ok());
  for (const unsigned char high : {0x7f, 0x3f, 0xff}) {
    std::string wrong = text;
    wrong[7] = static_cast<char>(high);  // the highest byte of the first group's length
    std::ofstream(path, std::ios::binary) << wrong;
    EXPECT_THAT(Read(0), IsEmpty());
    EXPECT_THAT(scan_.damage, HasSubstr("at byte 0"));
  }
}

}  // namespace
}  // namespace tidegate
