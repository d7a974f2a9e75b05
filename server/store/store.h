#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/store/group_reader.h"
#include "server/store/group_writer.h"
#include "server/store/store_model.h"
#include "server/store/store_options.h"
#include "server/store/stored_state.h"

namespace tidegate {

// What the folder held when it was opened.
struct StoreOpening {
  std::string store_id;                 // random, 32 hex digits
  bool created = false;                 // it was not there
  bool clean = false;                   // it was closed by Close after its last checkpoint: nothing to replay
  std::uint64_t checkpoint = 0;         // position of the last checkpoint, 0: none
  std::uint64_t journal_end = 0;        // position of the last group; <= checkpoint: nothing to replay
  std::uint64_t replay_bytes = 0;       // of groups behind the checkpoint, estimated
  std::optional<std::uint64_t> states;  // as Close was told; only if clean
  std::string lost;                     // what accept_lost_journal let go; empty: nothing
};

struct StoreCounts {  // since opening
  std::uint64_t groups = 0;
  std::uint64_t entries = 0;
  std::uint64_t journal_bytes = 0;
  std::uint64_t commits = 0;          // < groups where several were committed together
  std::uint64_t states_written = 0;   // deletions included
  std::uint64_t states_read = 0;      // found or not
  std::uint64_t journal_pending = 0;  // bytes submitted since the last finished checkpoint's position
};

// The server's data on disk: a journal of groups of entries, the states of streams, and what the two mean.
// See store_format.h for what lies where.
//
// Positions number the groups of all submitters; they rise, are never used again, and within a stream (whose
// groups one thread submits) stand for time. A state carries the position of the last group that it contains.
//
//   A change: Submit its group -> acknowledge it once it is durable -> (later) put the state, with the
//   position.
//
//   A checkpoint: BeginCheckpoint -> put every state that has changed since its last put -> FinishCheckpoint.
//
//   A start: Open -> CompareModels(models()) -> Replay: for each entry of a stream whose state is older than
//   the group, the same again -> BeginCheckpoint ...
//
// States may be put at any time, also before their groups are durable: they reach the disk after them, so no
// state is found after a crash whose groups are not.
//
// A write error is fatal: the call returns it, each submitter is told once, and everything that writes fails
// from then on with the first error. What was acknowledged is on disk; the process is to end.
//
// Thread-safe, apart from Close. Errors: DataLoss: damaged, with the place and what to do.
// FailedPrecondition: another format version, or not a store. Unavailable: open in another process, or the
// disk failed.
class Store {
 public:
  static absl::StatusOr<std::unique_ptr<Store>> Open(StoreOptions options);
  ~Store();  // as a crash of the process: leaves no marker of a clean end
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  const StoreOpening& opening() const { return opening_; }

  // ---- Models. The table only grows.
  std::vector<StoredModel> models() const;
  // The number of a model, put into the table (durably) if it is not there as given.
  absl::StatusOr<std::uint32_t> AddModel(const std::string& name, std::uint64_t version,
                                         const std::string& checksum, const std::string& build);

  // ---- Journal
  // One thread's way into the journal. Destroy it before the store.
  class Submitter {
   public:
    virtual ~Submitter() = default;
    struct Submitted {
      std::uint64_t position = 0;
      bool durable = false;  // as durable as it gets; else `through` will be called with its position
    };
    // Takes the entries; `group` is empty then. may_wait: in kPower the thread may be held up by a write and
    // a sync, which nobody else needs to be woken for then; it is if no commit is under way and the disk is
    // quick. Requires that there are entries. Not thread-safe.
    virtual absl::StatusOr<Submitted> Submit(GroupWriter& group, bool may_wait) = 0;
  };
  // Its groups up to `position` are durable; or the store has failed (once, then nothing is called any more).
  // Called on the thread of the store or of whatever failed; must not block, submit or destroy the submitter.
  using Through = std::function<void(const absl::Status& status, std::uint64_t position)>;
  std::unique_ptr<Submitter> AddSubmitter(Through through);

  // Ok, or the error that the store failed with.
  absl::Status status() const;

  // ---- States
  // Sorts and writes them; `batch` is empty then. May wait: for the commit of the states' groups, in kPower,
  // and for a flush, if twice state_buffer_bytes are not through yet.
  absl::Status WriteStates(StateBatch& batch);
  // Waits until less than state_buffer_bytes of states are not through yet. A thread that has many states
  // written by others, who answer readings, waits here in their place.
  void WaitForStateRoom();
  // found [N], states [N]: buffers are reused. Of a stream that is not found, `position` is of the group that
  // deleted it, or 0, and the rest does not count; so its entries in the journal can be told as of others.
  absl::Status ReadStates(std::span<const absl::string_view> ids, std::span<bool> found,
                          std::span<StoredState> states);
  // All states as of now, in order of ids from `from` on, also those marked deleted; until `each` fails. The
  // arguments hold during the call.
  absl::Status ForEachState(
      const std::function<absl::Status(absl::string_view id, const StoredState& state)>& each,
      absl::string_view from = {});

  // ---- Checkpoints; one at a time
  // The position of the checkpoint that begins: the highest submitted.
  std::uint64_t BeginCheckpoint();
  // Every stream's state contains its groups up to `position`, and was put: makes the states durable,
  // remembers the position and drops the journal up to it.
  absl::Status FinishCheckpoint(std::uint64_t position);

  // ---- Replay
  // Calls `each` for the groups behind `position` in their order, until it fails; `each` takes the entries.
  // `done`: 0 to 1, the part of the journal that is through. DataLoss: a group is damaged or missing. Several
  // threads may replay at once, each for its own streams.
  absl::Status Replay(std::uint64_t position,
                      const std::function<absl::Status(GroupReader& group, double done)>& each);

  // ---- Operation
  // Whether less than the reserve is free; asks the file system at most once a second.
  bool SpaceIsLow();
  StoreCounts counts() const;
  // A copy of the store as of now, which can be opened like one; made while it is used. `folder` must not
  // exist. Cancelled: `stop` has become true; nothing is left of it.
  absl::Status Backup(const std::string& folder, const std::atomic<bool>& stop);
  // Syncs everything and marks a clean end. states: how many there are, those marked deleted left out; the
  // next opening tells. Submitters must be gone.
  absl::Status Close(std::uint64_t states);

 private:
  struct Parts;
  Store(std::unique_ptr<Parts> parts, StoreOpening opening);

  std::unique_ptr<Parts> parts_;
  StoreOpening opening_;
};

}  // namespace tidegate
