// Damage in a table file that RocksDB would fall over, and damage that it finds itself.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "tests/faults/tables.h"

namespace tidegate {
namespace {

std::string LargestTable() { return std::ranges::max(TablesOfAStore(), {}, &std::string::size); }

// What opening says of the table with each bit of this text in it flipped, one at a time.
std::vector<rocksdb::IOStatus> Flipped(const std::string& table, const std::string& text) {
  std::vector<rocksdb::IOStatus> opened;
  const std::size_t at = table.find(text);
  EXPECT_NE(at, std::string::npos) << text;
  for (std::size_t bit = 8 * at; bit < 8 * (at + text.size()); ++bit) {
    std::string damaged = table;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    opened.push_back(OpenTable(std::move(damaged)));
  }
  return opened;
}

TEST(TableDamageTest, ADamagedBlockOfPropertiesIsFoundBeforeItIsTakenApart) {
  const std::string table = LargestTable();
  EXPECT_TRUE(OpenTable(table).ok());
  for (const char* text : {"leveldb.BytewiseComparator", "rocksdb.properties"}) {
    for (const rocksdb::IOStatus& opened : Flipped(table, text)) {
      EXPECT_TRUE(opened.IsCorruption()) << opened.ToString();
      EXPECT_TRUE(absl::StrContains(opened.ToString(), "/table.sst: ")) << opened.ToString();
    }
  }
}

TEST(TableDamageTest, WhatRocksDbChecksItselfIsLeftToIt) {
  const std::string table = LargestTable();
  for (const rocksdb::IOStatus& opened : Flipped(table, "pump 0"))
    EXPECT_TRUE(opened.ok()) << opened.ToString();
  EXPECT_TRUE(OpenTable(table.substr(0, table.size() / 2)).ok());
  EXPECT_TRUE(OpenTable("").ok());
}

}  // namespace
}  // namespace tidegate
