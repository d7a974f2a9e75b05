#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/store/group_reader.h"
#include "server/store/store_model.h"
#include "server/store/store_options.h"

namespace tidegate {

// For people who look after a store that no server has open.

struct StoreReport {
  std::string store_id;
  std::uint32_t format = 0;
  bool clean = false;  // it was closed in order: a start has nothing to replay
  std::vector<StoredModel> models;
  std::uint64_t checkpoint = 0;    // position
  std::uint64_t journal_end = 0;   // position of the last group, or the checkpoint's
  std::uint64_t replay_bytes = 0;  // of groups behind the checkpoint
  std::uint64_t states = 0;        // by InspectStore about, and with those of deleted streams
  std::uint64_t disk_bytes = 0;    // of all files
  // What follows is filled by VerifyStore only; groups are those behind the checkpoint.
  std::uint64_t groups = 0;
  std::uint64_t entries = 0;
  std::uint64_t state_bytes = 0;
  std::int64_t earliest_ns = 0;             // of their readings; both 0: there are none
  std::int64_t latest_ns = 0;               //
  std::vector<std::uint64_t> model_states;  // of each model
};

// What the store says of itself. Changes nothing. Errors as those of Store::Open; NotFound: there is no
// store.
absl::StatusOr<StoreReport> InspectStore(const StoreOptions& options);

// Reads everything and changes nothing: each checksum, each group's place behind the one before it, each
// entry and state. Errors as those of Store::Open; the first damage is the error. progress: may be empty.
absl::StatusOr<StoreReport> VerifyStore(const StoreOptions& options,
                                        const std::function<void(absl::string_view)>& progress = {});

// Calls `each` for all groups of a journal that was kept whole (StoreOptions::keep_journal), in their order,
// until it fails, and changes nothing. models: the store's table, there before the first call. `each` as for
// Store::Replay. FailedPrecondition: checkpoints have dropped the journal's beginning. Other errors as those
// of Store::Open and Store::Replay.
absl::Status ReadKeptJournal(const StoreOptions& options, std::vector<StoredModel>& models,
                             const std::function<absl::Status(GroupReader& group, double done)>& each);

// Rewrites the files of the states without what has been deleted or replaced.
absl::Status CompactStore(const StoreOptions& options);

// Puts a copy that Store::Backup made, checked as VerifyStore does, to where a server shall use it. `folder`
// must not exist or be empty.
absl::Status RestoreStore(const std::string& backup, const std::string& folder,
                          const std::function<void(absl::string_view)>& progress = {});

}  // namespace tidegate
