#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/store/rocks.h"
#include "server/store/store_options.h"

namespace tidegate {

// Makes the folder, unless it is there. FailedPrecondition: it is another database's.
absl::Status PrepareFolder(const StoreFiles& files);

// Makes an empty store in the folder, which the caller has locked: under another name, and renamed when it is
// complete and synced, so that a crash leaves a whole store or none.
absl::Status CreateStore(const StoreOptions& options, const StoreFiles& files, const std::string& boot_id);

// The entries of a folder are as durable as they get.
absl::Status SyncFolder(rocksdb::FileSystem& files, const std::string& folder);

// Removes a folder with all that is in it; fine if it is not there.
absl::Status RemoveFolder(rocksdb::FileSystem& files, const std::string& folder);

}  // namespace tidegate
