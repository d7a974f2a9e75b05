#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "rocksdb/file_system.h"

namespace tidegate {

// Whole files by name.

absl::Status ReadFile(rocksdb::FileSystem& files, const std::string& path, std::string& text);

// Written and synced; the entry in its folder is the caller's to sync.
absl::Status WriteFile(rocksdb::FileSystem& files, const std::string& path, absl::string_view text);

// The first `bytes` of a file are left of it, or the file as it was.
absl::Status CutFile(rocksdb::FileSystem& files, const std::string& path, std::size_t bytes);

absl::Status CopyFile(rocksdb::FileSystem& files, const std::string& from, const std::string& to);

// The entries of a folder are as durable as they get.
absl::Status SyncFolder(rocksdb::FileSystem& files, const std::string& folder);

// Removes a folder with all files that are in it; fine if it is not there.
absl::Status RemoveFolder(rocksdb::FileSystem& files, const std::string& folder);

}  // namespace tidegate
