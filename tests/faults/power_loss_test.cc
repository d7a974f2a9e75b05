// Power cuts at each change of the disk while a store is used, opened, checkpointed and closed, with whatever
// a power cut may keep of what was not synced. What is found then is opened and judged; some of it is used on
// and cut again.
//   TIDEGATE_CRASH_POINTS   how many power cuts in each test; by default 2,000 and of the lesser promises 500
//   TIDEGATE_CRASH_SEED     another course of things; 1 by default

#include <cstdlib>
#include <memory>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/store/store.h"
#include "tests/faults/breaking.h"
#include "tests/faults/crash.h"
#include "tests/faults/memory_file_system.h"
#include "tests/faults/story.h"
#include "tests/faults/workload.h"

namespace tidegate {
namespace {

std::size_t Number(const char* variable, std::size_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

enum class Cut : std::uint8_t {
  kPower,              // what was not synced may be gone
  kProcess,            // everything that was written is there
  kPowerWithoutSync,   // a disk that does not sync files: the harness must notice
  kPowerWithoutNames,  // one that does not sync folders
};

struct Course {
  Durability durability = Durability::kPower;
  Cut cut = Cut::kPower;
  std::size_t points = 2000;
  // It ends as soon as something is noticed. By chance that takes some hundred points, or 2,000.
  bool control = false;
};

class PowerLoss {
 public:
  PowerLoss(Course course, std::uint64_t seed) : course_(course), random_(seed) {}

  // Cuts until something is wrong, and says what; empty: all the course's points were fine.
  std::string Run() {
    while (points_ < course_.points) {
      if (std::string wrong = RunOnce(); !wrong.empty())
        return absl::StrCat("after ", points_, " points: ", wrong);
    }
    return "";
  }

 private:
  // Power cuts of one run of the store.
#ifdef TIDEGATE_SLOW
  static constexpr std::size_t kPointsOfRun = 50;
#else
  static constexpr std::size_t kPointsOfRun = 150;
#endif
  static constexpr std::size_t kActions = 60;

  StoreOptions Options(const std::shared_ptr<MemoryFileSystem>& files) {
    return {.folder = "/data",
            .durability = course_.durability,
            .segment_bytes = std::size_t{2} << 10,
            .state_buffer_bytes = std::size_t{4} << 10,
            .cache_bytes = std::size_t{64} << 10,
            .file_system = files,
            .boot_id = absl::StrCat("boot ", boots_)};
  }

  std::string RunOnce() {
    const std::shared_ptr<Disk> disk = start_ != nullptr ? std::move(start_) : std::make_shared<Disk>();
    start_ = nullptr;
    const auto files = std::make_shared<MemoryFileSystem>(disk);
    auto store = Store::Open(Options(files));
    if (!store.ok()) return absl::StrCat("refused: ", store.status().ToString());
    if (std::string wrong = story_.Judge(**store, promised_); !wrong.empty()) return wrong;
    {
      Workload workload(**store, story_, *disk, random_());
      if (absl::Status s = workload.Run(random_() % kActions); !s.ok()) return s.ToString();
    }
    if (random_() % 3 == 0) {
      if (absl::Status s = (*store)->Close(0); !s.ok()) return s.ToString();
    }
    store->reset();
    return CutRun(*disk);
  }

  std::string CutRun(const Disk& disk) {
    const auto& changes = disk.changes();
    Crash crash(disk.first_nodes());
    Story::Promised promised = promised_;
    const double part = static_cast<double>(kPointsOfRun) / static_cast<double>(changes.size());
    const std::size_t next_start = random_() % (changes.size() + 1);
    for (std::size_t i = 0; i <= changes.size(); ++i) {
      if (i == next_start && random_() % 4 != 0) {
        next_disk_ = MakeImage(crash);
        next_promised_ = promised;
      }
      if (std::uniform_real_distribution<>(0, 1)(random_) < part) {
        if (std::string wrong = CutAt(MakeImage(crash), promised); !wrong.empty()) {
          return absl::StrCat(wrong, " (cut before change ", i, " of ", changes.size(), ")");
        }
      }
      if (i < changes.size()) Go(changes[i], crash, promised);
    }
    StartNext();
    return "";
  }

  void Go(const DiskChange& change, Crash& crash, Story::Promised& promised) {
    using Kind = DiskChange::Kind;
    if (change.kind == Kind::kNote) {
      if (change.number == Workload::kModelNote) {
        ++promised.models;
      } else {
        promised.positions.insert(change.number);
      }
    }
    if (course_.cut == Cut::kPowerWithoutSync && change.kind == Kind::kSync) return;
    if (course_.cut == Cut::kPowerWithoutNames && change.kind == Kind::kSyncFolder) return;
    crash.Go(change);
  }

  std::shared_ptr<Disk> MakeImage(const Crash& crash) {
    const Kept kept = course_.cut == Cut::kProcess ? Kept::kAll : kEveryKept[random_() % kEveryKept.size()];
    return crash.Image(kept, random_);
  }

  // The boot that the store finds itself in after the cut.
  void Boot() { boots_ += course_.cut == Cut::kProcess ? 0 : 1; }

  std::string CutAt(const std::shared_ptr<Disk>& disk, const Story::Promised& promised) {
    ++points_;
    Boot();
    Story story = story_;
    const auto files = std::make_shared<MemoryFileSystem>(disk);
    const auto store = Store::Open(Options(files));
    if (!store.ok()) return absl::StrCat("refused: ", store.status().ToString());
    return story.Judge(**store, Binding(promised));
  }

  // What a mode promises: `process` nothing if the power fails.
  Story::Promised Binding(const Story::Promised& promised) const {
    const bool binds = course_.durability == Durability::kPower || course_.cut == Cut::kProcess;
    return binds ? promised : Story::Promised{.positions = {}, .models = promised.models};
  }

  // Goes on from one of the images, or anew.
  void StartNext() {
    Boot();
    start_ = std::move(next_disk_);
    next_disk_ = nullptr;
    promised_ = start_ == nullptr ? Story::Promised() : Binding(next_promised_);
    if (start_ == nullptr) story_ = Story();
  }

  const Course course_;
  std::mt19937_64 random_;
  std::size_t points_ = 0;
  std::size_t boots_ = 1;
  Story story_;
  Story::Promised promised_;
  std::shared_ptr<Disk> start_;  // null: an empty one
  std::shared_ptr<Disk> next_disk_;
  Story::Promised next_promised_;
};

std::string Cuts(Course course) {
  if (course.control) course.points *= 5;
#ifdef TIDEGATE_SLOW
  if (!course.control) course.points /= 20;
#endif
  course.points = Number("TIDEGATE_CRASH_POINTS", course.points);
  return PowerLoss(course, Number("TIDEGATE_CRASH_SEED", 1)).Run();
}

TEST(PowerLossTest, LosesNothingInPowerMode) { EXPECT_EQ(Cuts({.durability = Durability::kPower}), ""); }

TEST(PowerLossTest, LeavesAPrefixInProcessMode) {
  EXPECT_EQ(Cuts({.durability = Durability::kProcess, .points = 200}), "");
}

TEST(PowerLossTest, AnEndOfTheProcessLosesNothingInEitherMode) {
  EXPECT_EQ(Cuts({.durability = Durability::kProcess, .cut = Cut::kProcess, .points = 200}), "");
  EXPECT_EQ(Cuts({.durability = Durability::kPower, .cut = Cut::kProcess, .points = 200}), "");
}

// The harness itself: each of these must be noticed.
TEST(PowerLossControlTest, AnAcknowledgementBeforeTheSync) {
  const Breaking breaking(Break::kAcknowledgeBeforeSync);
  EXPECT_NE(Cuts({.control = true}), "");
}
TEST(PowerLossControlTest, StatesBeforeTheirGroups) {
  const Breaking breaking(Break::kStateBeforeJournal);
  EXPECT_NE(Cuts({.control = true}), "");
}
TEST(PowerLossControlTest, ADiskThatDoesNotSync) {
  EXPECT_NE(Cuts({.cut = Cut::kPowerWithoutSync, .control = true}), "");
}
TEST(PowerLossControlTest, FoldersThatAreNotSynced) {
  EXPECT_NE(Cuts({.cut = Cut::kPowerWithoutNames, .control = true}), "");
}

}  // namespace
}  // namespace tidegate
