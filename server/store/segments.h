#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "rocksdb/file_system.h"
#include "server/store/group_reader.h"

namespace tidegate {

// The journal's files: groups, one after the other, in files named after the position of their first one.

std::string SegmentName(std::uint64_t first_position);

struct Segment {
  std::uint64_t first = 0;  // position, by its name
  std::string path;
  std::uint64_t bytes = 0;
};
// Those in a folder, in their order.
absl::StatusOr<std::vector<Segment>> ListSegments(rocksdb::FileSystem& files, const std::string& folder);

// How far the journal can be read.
struct JournalScan {
  std::uint64_t end = 0;  // position of the last group, 0: none
  std::uint64_t groups = 0;
  std::uint64_t bytes = 0;       // of groups behind the position that was asked for
  std::size_t segments = 0;      // files that are whole
  std::uint64_t last_bytes = 0;  // of the one behind them, as far as it can be read
  std::string damage;            // why it ends there; empty: there is no more
};

// Calls `each` for the groups behind `position`, in order, until it fails or one of them is damaged or does
// not follow the one before it; then `scan` says where that was. Fails only with errors of the disk and of
// `each`.
absl::Status ReadSegments(rocksdb::FileSystem& files, const std::vector<Segment>& segments,
                          std::uint64_t position, const std::function<absl::Status(GroupReader&)>& each,
                          JournalScan& scan);

// Syncs the files and their names: an earlier process may have written them without.
absl::Status SyncSegments(rocksdb::FileSystem& files, const std::string& folder,
                          const std::vector<Segment>& segments);

// Removes what is behind the end of a scan that found damage.
absl::Status CutSegments(rocksdb::FileSystem& files, const std::string& folder,
                         const std::vector<Segment>& segments, const JournalScan& scan);

// Removes files that have no group behind `position`; never the last one.
absl::Status TrimSegments(rocksdb::FileSystem& files, const std::string& folder, std::uint64_t position);

}  // namespace tidegate
