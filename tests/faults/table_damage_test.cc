#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "server/store/checked_tables.h"
#include "server/store/store.h"
#include "tests/faults/memory_file_system.h"

namespace tidegate {
namespace {

rocksdb::IOStatus Open(std::string table) {
  auto disk = std::make_shared<Disk>();
  disk->Append(disk->Make(Disk::kRoot, "table.sst", /*is_folder=*/false), std::move(table));
  CheckedTables files(std::make_shared<MemoryFileSystem>(std::move(disk)));
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  return files.NewRandomAccessFile("/table.sst", {}, &file, nullptr);
}

// The largest table of a store, as RocksDB wrote it.
std::string Table() {
  const auto disk = std::make_shared<Disk>();
  {
    const auto store = Store::Open(
        {.folder = "/data", .file_system = std::make_shared<MemoryFileSystem>(disk), .boot_id = "boot"});
    EXPECT_TRUE(store.ok()) << store.status();
    StateBatch states;
    for (int i = 0; i < 100; ++i)
      states.Put("pump " + std::to_string(i), 0, 0, {.sequence = 3}, std::vector<float>(9));
    EXPECT_TRUE((*store)->WriteStates(states).ok());
    EXPECT_TRUE((*store)->Close().ok());
  }
  std::string table;
  for (const std::string& name : disk->Names(disk->Find("/data/store"))) {
    if (!absl::EndsWith(name, ".sst")) continue;
    const auto content = disk->Content(disk->Find("/data/store/" + name));
    if (content->size() > table.size()) table = *content;
  }
  return table;
}

// What opening says of the table with each bit of this text in it flipped, one at a time.
std::vector<rocksdb::IOStatus> Flipped(const std::string& table, const std::string& text) {
  std::vector<rocksdb::IOStatus> opened;
  const std::size_t at = table.find(text);
  EXPECT_NE(at, std::string::npos) << text;
  for (std::size_t bit = 8 * at; bit < 8 * (at + text.size()); ++bit) {
    std::string damaged = table;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    opened.push_back(Open(std::move(damaged)));
  }
  return opened;
}

TEST(TableDamageTest, ADamagedBlockOfPropertiesIsFoundBeforeItIsTakenApart) {
  const std::string table = Table();
  EXPECT_TRUE(Open(table).ok());
  for (const char* text : {"leveldb.BytewiseComparator", "rocksdb.properties"}) {
    for (const rocksdb::IOStatus& opened : Flipped(table, text)) {
      EXPECT_TRUE(opened.IsCorruption()) << opened.ToString();
      EXPECT_TRUE(absl::StrContains(opened.ToString(), "/table.sst: ")) << opened.ToString();
    }
  }
}

TEST(TableDamageTest, WhatRocksDbChecksItselfIsLeftToIt) {
  const std::string table = Table();
  for (const rocksdb::IOStatus& opened : Flipped(table, "pump 0"))
    EXPECT_TRUE(opened.ok()) << opened.ToString();
  EXPECT_TRUE(Open(table.substr(0, table.size() / 2)).ok());
  EXPECT_TRUE(Open("").ok());
}

}  // namespace
}  // namespace tidegate
