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
  kProcess,  // the end of the process: its group is handed to the operating system
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

  // Memory for journal groups that a checkpoint has not yet made superfluous. What exceeds it is written once
  // more, to a table file. Twice this may be in memory while one is written.
  std::size_t journal_buffer_bytes = std::size_t{128} << 20;
  std::size_t state_buffer_bytes = std::size_t{64} << 20;  // the same of states that are being written
  std::size_t cache_bytes = std::size_t{64} << 20;         // of states read, with indexes and filters
  std::uint64_t reserve_bytes = std::uint64_t{1} << 30;    // free space below which SpaceIsLow says so

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
