// Every bit of a small store flipped, one at a time, and each of its files cut off at each length: the store
// is refused with a word on what to do, or all in it is right. Nothing promised is lost, not even in the last
// group, as long as the machine was not restarted since.
//   TIDEGATE_CORRUPTIONS   how many of each; 1,000 by default, 0: all there are

#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/store.h"
#include "tests/faults/breaking.h"
#include "tests/faults/memory_file_system.h"
#include "tests/faults/story.h"
#include "tests/faults/workload.h"

namespace tidegate {
namespace {

struct Tally {
  std::size_t refused = 0;
  std::size_t harmless = 0;
  std::string wrong;  // the first that was neither
};

class CorruptionTest : public testing::Test {
 protected:
  static StoreOptions Options(const std::shared_ptr<MemoryFileSystem>& files,
                              Durability durability = Durability::kProcess) {
    return {.folder = "/data",
            .durability = durability,
            .segment_bytes = std::size_t{2} << 10,
            .state_buffer_bytes = std::size_t{4} << 10,
            .cache_bytes = std::size_t{64} << 10,
            .file_system = files,
            .boot_id = "boot"};
  }

  // A store as a killed process leaves it: with states in tables and in the log, and journal files without
  // and with room behind their groups.
  void SetUp() override {
    const auto disk = std::make_shared<Disk>();
    for (int opening = 0; opening < 2; ++opening) {
      const auto durability = opening == 0 ? Durability::kProcess : Durability::kPower;
      const auto store = Store::Open(Options(std::make_shared<MemoryFileSystem>(disk), durability));
      ASSERT_TRUE(store.ok()) << store.status();
      ASSERT_EQ(story_.Judge(**store, {}), "");
      Workload workload(**store, story_, *disk, 7);
      ASSERT_TRUE(workload.Run(20).ok());
      if (opening == 0) {
        ASSERT_TRUE(workload.Checkpoint().ok());
      }
      ASSERT_TRUE(workload.Run(10).ok());
    }
    for (const DiskChange& change : disk->changes()) {
      if (change.kind != DiskChange::Kind::kNote) continue;
      if (change.number == Workload::kModelNote) {
        ++promised_.models;
      } else {
        promised_.positions.insert(change.number);
      }
    }
    nodes_ = disk->nodes();
    const std::uint32_t folder = disk->Find("/data/store");
    for (const auto& [name, node] : nodes_[folder].entries) {
      if (name != "LOCK" && name != "LOG") files_[name] = node;
    }
  }

  // With one file changed.
  void Try(const std::string& name, std::string content, const std::string& change, Tally& tally) {
    std::vector<Disk::Node> nodes = nodes_;
    nodes[files_.at(name)].content = std::make_shared<std::string>(std::move(content));
    const auto files = std::make_shared<MemoryFileSystem>(std::make_shared<Disk>(std::move(nodes)));
    const auto store = Store::Open(Options(files));
    absl::Status status = store.status();
    std::string wrong;
    if (store.ok()) {
      Story story = story_;
      wrong = story.Judge(**store, promised_);
      // What the store itself finds damaged when it is read is refused too.
      if (absl::StrContains(wrong, "DATA_LOSS")) status = absl::DataLossError(std::exchange(wrong, ""));
    }
    if (!status.ok()) {
      ++tally.refused;
      const bool helps = absl::StrContains(status.message(), "restore a backup") ||
                         absl::StrContains(status.message(), "name another folder") ||
                         absl::StrContains(status.message(), "use the version of");
      if (!helps) wrong = absl::StrCat("no advice: ", status.ToString());
      if (absl::IsUnavailable(status)) wrong = absl::StrCat("not taken for damage: ", status.ToString());
    } else if (wrong.empty()) {
      ++tally.harmless;
    }
    if (!wrong.empty() && tally.wrong.empty()) tally.wrong = absl::StrCat(name, ", ", change, ": ", wrong);
  }

  static std::size_t Count() {
    const char* text = std::getenv("TIDEGATE_CORRUPTIONS");
#ifdef TIDEGATE_SLOW
    constexpr std::size_t kDefault = 200;
#else
    constexpr std::size_t kDefault = 1000;
#endif
    return text == nullptr ? kDefault : std::strtoull(text, nullptr, 10);
  }

  // Calls change(name, content, i) for `count` of the 8 * size bits or size lengths of all files, each file
  // the same number of times; or for all of them. Ends once something is wrong.
  template <typename Change>
  Tally Everywhere(std::size_t per_byte, Change change) {
    Tally tally;
    std::mt19937_64 random(3);
    for (const auto& [name, node] : files_) {
      const std::string& content = *nodes_[node].content;
      const std::size_t all = per_byte * content.size();
      const std::size_t wanted = Count() == 0 ? all : std::min(all, Count() / files_.size() + 1);
      if (Count() == 0) std::cout << name << ": " << wanted << " changes" << std::endl;
      for (std::size_t i = 0; i < wanted && tally.wrong.empty(); ++i) {
        change(name, content, wanted == all ? i : static_cast<std::size_t>(random() % all), tally);
      }
    }
    RecordProperty("refused", static_cast<int>(tally.refused));
    RecordProperty("harmless", static_cast<int>(tally.harmless));
    std::cout << tally.refused << " refused, " << tally.harmless << " harmless\n";
    return tally;
  }
  Tally FlipBits() {
    return Everywhere(8, [&](const std::string& name, std::string content, std::size_t bit, Tally& tally) {
      content[bit / 8] = static_cast<char>(content[bit / 8] ^ (1 << (bit % 8)));
      Try(name, std::move(content), absl::StrCat("bit ", bit), tally);
    });
  }
  Tally CutOff() {
    return Everywhere(1, [&](const std::string& name, std::string content, std::size_t size, Tally& tally) {
      content.resize(size);
      Try(name, std::move(content), absl::StrCat("cut off at ", size), tally);
    });
  }

  Story story_;
  Story::Promised promised_;
  std::vector<Disk::Node> nodes_;
  std::map<std::string, std::uint32_t> files_;
};

TEST_F(CorruptionTest, NoFlippedBitIsServed) {
  const Tally tally = FlipBits();
  EXPECT_EQ(tally.wrong, "");
  EXPECT_GT(tally.refused, 0u);
}

TEST_F(CorruptionTest, NoCutFileLosesAnything) {
  const Tally tally = CutOff();
  EXPECT_EQ(tally.wrong, "");
  EXPECT_GT(tally.refused, 0u);
}

// The harness itself: each of these must be noticed.
TEST_F(CorruptionTest, NoticesAStoreThatChecksNoChecksums) {
  const Breaking breaking(Break::kSkipChecksums);
  EXPECT_NE(FlipBits().wrong, "");
}

TEST_F(CorruptionTest, NoticesAStoreThatDoesNotKnowItsEnd) {
  const Breaking breaking(Break::kIgnoreJournalEnd);
  EXPECT_NE(CutOff().wrong, "");
}

}  // namespace
}  // namespace tidegate
