#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/group_writer.h"
#include "server/store/journal_end.h"
#include "server/store/rocks.h"
#include "server/store/segment_writer.h"
#include "server/store/store.h"

namespace tidegate {

// Gives groups their positions and writes them in that order.
//   kNone      nothing is written
//   kProcess   by the thread that submits: a copy into the operating system's memory costs less than to wake
//              another thread for it
//   kPower     by a thread of its own: while one commit is being synced, the groups of the next one gather.
//              If no commit is under way, by a submitter that has nothing else to do: that is quicker than to
//              wake one thread and then the other
// Thread-safe.
class Journal {
 public:
  // next: the first position to give; previous: of the last group that is there. `end` must outlive the
  // journal.
  Journal(const StoreOptions& options, const StoreFiles& files, std::string boot_id, JournalEnd& end,
          std::uint64_t next, std::uint64_t previous);
  ~Journal();  // submitters must be gone

  std::unique_ptr<Store::Submitter> AddSubmitter(Store::Through through);

  // The highest position that was given; before the first the previous group's.
  std::uint64_t last() const;

  // Waits until the groups up to `position` are written. The error that the journal failed with.
  absl::Status WaitFor(std::uint64_t position);

  // Makes durable what is written.
  absl::Status Sync();

  // The database's writes up to `sequence` are synced. sync: the mark of it too.
  absl::Status NoteSequence(std::uint64_t sequence, bool sync = false);

  // Fails the store, unless it has: tells all submitters.
  void Fail(const absl::Status& status);
  absl::Status status() const;

  void Count(StoreCounts& counts) const;

 private:
  // A submitter as the journal sees it; lives as long as either end of it does.
  struct Way {
    explicit Way(Store::Through t) : through(std::move(t)) {}
    std::mutex calling;                               // held while `through` is called
    Store::Through through ABSL_GUARDED_BY(calling);  // empty: the submitter is gone, or was told an error
    std::uint64_t told ABSL_GUARDED_BY(calling) = 0;  // last position that it was called with
    std::size_t waiting = 0;                          // groups; guarded by the journal's mutex_
  };
  class Entrance;

  struct Waiting {
    GroupWriter group;
    std::uint64_t position = 0;
    std::uint64_t previous = 0;
    std::shared_ptr<Way> way;
  };

  absl::StatusOr<Store::Submitter::Submitted> Submit(const std::shared_ptr<Way>& way, GroupWriter& group,
                                                     bool may_wait);
  absl::Status WriteNow(GroupWriter& group, std::uint64_t position, std::uint64_t previous)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Enqueue(const std::shared_ptr<Way>& way, GroupWriter& group, std::uint64_t position,
               std::uint64_t previous, std::vector<Waiting>& groups) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Reuse(std::vector<Waiting>& groups) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CommitHere();
  void Remove(const std::shared_ptr<Way>& way);
  void Run();
  absl::Status Commit(std::vector<Waiting>& groups);
  static void Tell(std::vector<Waiting>& groups);
  absl::Status Note(const JournalCommit& commit, const JournalEnd::Mark& mark);
  absl::Status Mark(const JournalEnd::Mark& mark, bool sync = false);

  const Durability durability_;
  const std::function<void(const JournalCommit&)> on_commit_;
  SegmentWriter segments_;

  // Held while a group gets its position; in kProcess also while it is written.
  mutable std::mutex mutex_;
  std::condition_variable work_;     // for the thread: groups that wait, and nobody commits; or it is to stop
  std::condition_variable through_;  // groups are committed, or the journal has failed
  std::uint64_t next_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t committed_ ABSL_GUARDED_BY(mutex_);
  absl::Status failed_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  StoreCounts counts_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Way>> ways_ ABSL_GUARDED_BY(mutex_);
  std::vector<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  bool committing_ ABSL_GUARDED_BY(mutex_) = false;         // somebody is, and nobody else may
  absl::Duration last_took_ ABSL_GUARDED_BY(mutex_) = {};   // the last commit
  std::vector<Waiting> lone_;                               // of CommitHere, while committing_
  std::vector<GroupWriter> spare_ ABSL_GUARDED_BY(mutex_);  // empty ones with grown buffers

  std::mutex end_mutex_ ABSL_ACQUIRED_AFTER(mutex_);
  JournalEnd& end_ ABSL_GUARDED_BY(end_mutex_);
  JournalEnd::Mark mark_ ABSL_GUARDED_BY(end_mutex_);

  std::thread thread_;  // of kPower
};

}  // namespace tidegate
