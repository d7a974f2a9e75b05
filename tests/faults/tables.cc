#include "tests/faults/tables.h"

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "server/store/checked_tables.h"
#include "server/store/store.h"
#include "tests/faults/memory_file_system.h"

namespace tidegate {

std::vector<std::string> TablesOfAStore() {
  const auto disk = std::make_shared<Disk>();
  {
    const auto store = Store::Open(
        {.folder = "/data", .file_system = std::make_shared<MemoryFileSystem>(disk), .boot_id = "boot"});
    EXPECT_TRUE(store.ok()) << store.status();
    StateBatch states;
    for (int i = 0; i < 100; ++i)
      states.Put("pump " + std::to_string(i), 0, 0, {.sequence = 3}, std::vector<float>(9));
    EXPECT_TRUE((*store)->WriteStates(states).ok());
    EXPECT_TRUE((*store)->Close(0).ok());
  }
  std::vector<std::string> tables;
  for (const std::string& name : disk->Names(disk->Find("/data/store"))) {
    if (absl::EndsWith(name, ".sst")) tables.push_back(*disk->Content(disk->Find("/data/store/" + name)));
  }
  EXPECT_FALSE(tables.empty());
  return tables;
}

rocksdb::IOStatus OpenTable(std::string bytes) {
  auto disk = std::make_shared<Disk>();
  disk->Append(disk->Make(Disk::kRoot, "table.sst", /*is_folder=*/false), std::move(bytes));
  CheckedTables files(std::make_shared<MemoryFileSystem>(std::move(disk)));
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  auto opened = files.NewRandomAccessFile("/table.sst", {}, &file, nullptr);
  EXPECT_EQ(opened.ok(), file != nullptr);
  return opened;
}

}  // namespace tidegate
