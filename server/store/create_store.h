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

}  // namespace tidegate
