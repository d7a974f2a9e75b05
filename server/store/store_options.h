#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"

namespace rocksdb {
class FileSystem;
}

namespace tidegate {

// What a reading survives once it is acknowledged.
enum class Durability {
  kNone,     // nothing: the journal is not written; states that were checkpointed or evicted are still kept
  kProcess,  // the end of the process: its group is handed to the operating system, and synced within a
             // second
  kPower,    // a power cut: its group is synced
};

// One commit of the journal: the groups that were written together.
struct JournalCommit {
  std::size_t groups = 0;
  std::size_t bytes = 0;
  absl::Duration took;  // sync included
};

struct StoreOptions {
  std::string folder;  // holds the store; created if it is not there, its parent must be
  Durability durability = Durability::kProcess;
  bool keep_journal = false;  // groups before a checkpoint stay, for replays; grows without bound

  std::size_t segment_bytes = std::size_t{64} << 20;  // of a journal file; a checkpoint removes whole files

  // States that have been put are made durable when they are as many as this. Twice as many may be in memory.
  std::size_t state_buffer_bytes = std::size_t{64} << 20;
  std::size_t cache_bytes = std::size_t{64} << 20;       // of states read
  std::uint64_t reserve_bytes = std::uint64_t{1} << 30;  // free space below which SpaceIsLow says so

  // A journal whose end is missing or damaged, where more of it had been acknowledged, is opened all the
  // same, without what is behind the damage. Readings are lost; clients learn it by sequence gaps.
  bool accept_lost_journal = false;

  // After each commit, on the thread that made it; for metrics. May be empty.
  std::function<void(const JournalCommit&)> on_commit = {};

  // For tests. Null: the machine's files. Empty: the machine's own.
  std::shared_ptr<rocksdb::FileSystem> file_system = nullptr;
  std::string boot_id = {};  // differs after each start of the machine
};

}  // namespace tidegate
