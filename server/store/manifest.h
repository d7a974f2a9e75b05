#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "rocksdb/file_system.h"

namespace tidegate {

// Cuts the end off RocksDB's manifest if a power cut tore it. RocksDB refuses such a manifest, though what is
// torn was not synced, so nothing relies on it yet. Keeps the file as it was as MANIFEST-*.torn. Whether more
// was torn than a power cut may have is for the caller to see, by what is found then.
absl::Status CutTornManifest(rocksdb::FileSystem& files, const std::string& database);

// How many bytes of a file in RocksDB's log format are whole records, from its beginning.
// Source: https://github.com/facebook/rocksdb/wiki/Write-Ahead-Log-File-Format
std::size_t WholeRecords(absl::string_view file);

}  // namespace tidegate
