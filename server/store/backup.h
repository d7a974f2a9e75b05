#pragma once

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "server/store/rocks.h"
#include "server/store/store_options.h"

namespace tidegate {

class Journal;

// Copies an open database into `folder`, which must not exist, as a store of its own. Table files are shared
// with the original where the file system can (hard links). States are as of the last flush, the journal is
// as of now. stop: Cancelled between two files of the journal once it is true.
absl::Status WriteBackup(const Database& database, const StoreOptions& options, Journal& journal,
                         const std::string& folder, const std::atomic<bool>& stop);

// Copies a store that is not open.
absl::Status CopyStore(rocksdb::FileSystem& files, const std::string& from, const std::string& to);

}  // namespace tidegate
