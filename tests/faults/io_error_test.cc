// Each call of the file system fails once, or from then on: an error, a full disk, half of a write, a sync.
// The store says so and promises nothing more; opened again, it has all that it had promised.
//   TIDEGATE_IO_ERRORS   how many of each kind; 30 by default, 0: at every call

#include <atomic>
#include <cstdlib>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "rocksdb/env.h"
#include "server/store/store.h"
#include "tests/faults/breaking.h"
#include "tests/faults/memory_file_system.h"
#include "tests/faults/story.h"
#include "tests/faults/workload.h"

namespace tidegate {
namespace {

enum class Failure : std::uint8_t { kError, kFullDisk, kShortWrite, kSync };

struct Plan {
  Failure failure = Failure::kError;
  bool for_ever = false;  // else once
  std::size_t at = 0;     // number of the call that fails
};

// One kind of failure, tried at many calls.
class IoErrors {
 public:
  // Of all calls, or some of them; the first thing that is wrong.
  std::string Everywhere(Failure failure, bool for_ever, Durability durability) {
    const char* text = std::getenv("TIDEGATE_IO_ERRORS");
#ifdef TIDEGATE_SLOW
    constexpr std::size_t kDefault = 5;
#else
    constexpr std::size_t kDefault = 30;
#endif
    const std::size_t wanted = text == nullptr ? kDefault : std::strtoull(text, nullptr, 10);
    const std::size_t none = static_cast<std::size_t>(-1);
    if (std::string wrong = Run({failure, false, none}, durability); !wrong.empty()) return wrong;
    const std::size_t calls = calls_;
    const std::size_t step = wanted == 0 ? 1 : calls / wanted + 1;
    for (std::size_t at = wanted == 0 ? 0 : random_() % step; at < calls; at += step) {
      const std::string wrong = Run({failure, for_ever, at}, durability);
      if (!wrong.empty()) return absl::StrCat("call ", at, " of ", calls, ": ", wrong);
    }
    return "";
  }

 private:
  StoreOptions Options(const std::shared_ptr<MemoryFileSystem>& files, Durability durability) {
    return {.folder = "/data",
            .durability = durability,
            .segment_bytes = std::size_t{2} << 10,
            .state_buffer_bytes = std::size_t{4} << 10,
            .cache_bytes = std::size_t{64} << 10,
            .file_system = files,
            .boot_id = "boot"};
  }

  // Whether a call can fail so, and if it is its turn.
  static bool Concerns(Failure failure, Call call) {
    switch (failure) {
      case Failure::kError:
        return true;
      case Failure::kFullDisk:
        return call == Call::kWrite || call == Call::kName;
      case Failure::kShortWrite:
        return call == Call::kWrite;
      case Failure::kSync:
        return call == Call::kSync;
    }
    return false;
  }
  Fault Ask(const Plan& plan, Call call) {
    if (!Concerns(plan.failure, call)) return {};
    const std::size_t number = calls_++;
    if (number < plan.at || (number > plan.at && !plan.for_ever)) return {};
    failed_ = true;
    if (plan.failure == Failure::kFullDisk) return {rocksdb::IOStatus::NoSpace("no space left on device"), 0};
    const double part = plan.failure == Failure::kShortWrite ? 0.5 : 0;
    return {rocksdb::IOStatus::IOError("input/output error"), part};
  }

  // Uses a store while the plan's calls fail, then opens it without. What is wrong, or nothing.
  std::string Run(const Plan& plan, Durability durability) {
    calls_ = 0;
    failed_ = false;
    const auto disk = std::make_shared<Disk>();
    Story story;
    if (std::string wrong = Use(plan, durability, disk, story); !wrong.empty()) return wrong;
    Story::Promised promised;
    for (const DiskChange& change : disk->changes()) {
      if (change.kind != DiskChange::Kind::kNote) continue;
      if (change.number == Workload::kModelNote) {
        ++promised.models;
      } else {
        promised.positions.insert(change.number);
      }
    }
    const auto again = Store::Open(Options(std::make_shared<MemoryFileSystem>(disk), durability));
    if (!again.ok()) return absl::StrCat("cannot be opened again: ", again.status().ToString());
    return story.Judge(**again, promised);
  }

  std::string Use(const Plan& plan, Durability durability, const std::shared_ptr<Disk>& disk, Story& story) {
    const auto files = std::make_shared<MemoryFileSystem>(
        disk, [&](Call call, const std::string&) { return Ask(plan, call); });
    for (int opening = 0; opening < 2; ++opening) {
      const auto store = Store::Open(Options(files, durability));
      if (!store.ok()) return failed_ ? "" : store.status().ToString();
      if (std::string wrong = story.Judge(**store, {}); !wrong.empty()) return failed_ ? "" : wrong;
      Workload workload(**store, story, *disk, 5);
      absl::Status status = workload.Run(25);
      if (status.ok()) status = workload.Checkpoint();
      if (status.ok()) status = workload.Run(5);
      if (status.ok() && opening == 1) status = (*store)->Close(0);
      if (!status.ok() && !failed_) return status.ToString();
      if (!status.ok()) return AfterError(**store, workload);
    }
    return "";
  }

  // Whatever failed for good fails for ever.
  std::string AfterError(Store& store, Workload& workload) {
    if (store.status().ok()) return "";  // nothing was lost by it: an error of a read, say
    const std::size_t promised = workload.promised();
    for (int i = 0; i < 3; ++i) {
      if (workload.Submit().ok()) return "a group was taken after an error";
      if (store.FinishCheckpoint(store.BeginCheckpoint()).ok()) return "a checkpoint after an error";
    }
    if (workload.promised() != promised) return "a promise after an error";
    const std::size_t errors = workload.WaitForErrors();
    return errors == 2 ? "" : absl::StrCat(errors, " errors told to 2 submitters");
  }

  std::atomic<std::size_t> calls_{0};
  std::atomic<bool> failed_{false};
  std::mt19937_64 random_{1};
};

TEST(IoErrorTest, NoErrorIsFollowedByAFalsePromise) {
  std::vector<std::pair<std::string, std::future<std::string>>> results;
  // All at once: RocksDB sleeps for a second after an error, in one of these.
  rocksdb::Env::Default()->SetBackgroundThreads(16, rocksdb::Env::HIGH);
  for (const Durability durability : {Durability::kProcess, Durability::kPower}) {
    for (const Failure failure :
         {Failure::kError, Failure::kFullDisk, Failure::kShortWrite, Failure::kSync}) {
      for (const bool for_ever : {false, true}) {
        results.emplace_back(absl::StrCat("durability ", static_cast<int>(durability), ", failure ",
                                          static_cast<int>(failure), for_ever ? ", for ever" : ", once"),
                             std::async(std::launch::async, [=] {
                               return IoErrors().Everywhere(failure, for_ever, durability);
                             }));
      }
    }
  }
  for (auto& [what, result] : results) EXPECT_EQ(result.get(), "") << what;
}

// The harness itself: this must be noticed.
TEST(IoErrorTest, NoticesAStoreThatIgnoresErrors) {
  const Breaking breaking(Break::kIgnoreWriteErrors);
  EXPECT_NE(IoErrors().Everywhere(Failure::kShortWrite, /*for_ever=*/false, Durability::kProcess), "");
}

}  // namespace
}  // namespace tidegate
