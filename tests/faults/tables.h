#pragma once

#include <string>
#include <vector>

#include "rocksdb/file_system.h"

namespace tidegate {

// Table files (*.sst) as RocksDB wrote them: those of a small store with the streams "pump 0" to "pump 99".
std::vector<std::string> TablesOfAStore();

// What CheckedTables says when RocksDB would open a file "/table.sst" of these bytes.
rocksdb::IOStatus OpenTable(std::string bytes);

}  // namespace tidegate
