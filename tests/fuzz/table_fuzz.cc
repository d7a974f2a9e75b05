// Bytes as a table file that RocksDB would open: whatever lies in it, the check before answers, and with
// nothing but Corruption or a pass.

#include <cstdint>
#include <string>
#include <vector>

#include "server/store/bytes.h"
#include "server/store/crc32c.h"
#include "tests/faults/tables.h"
#include "tests/fuzz/fuzz_target.h"

namespace tidegate {
namespace {

constexpr std::uint64_t kMagic = 0x88e241b785f4cff7;

// Seven bits a byte.
void PutVarint(std::uint64_t value, std::string& bytes) {
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(0x80 | (value & 0x7f)));
  bytes.push_back(static_cast<char>(value));
}

// A table whose block of meta blocks is `block`, with the checksum that it would have.
std::string TableOf(absl::string_view block) {
  std::string bytes(block);
  bytes.push_back(0);  // not compressed
  const std::uint32_t crc = Crc32c(bytes);
  bytes.resize(bytes.size() + 4);
  PutNumber(bytes.data() + bytes.size() - 4, ((crc >> 15) | (crc << 17)) + 0xa282ead8u);
  std::string footer(1, 1);  // CRC-32C
  PutVarint(0, footer);
  PutVarint(block.size(), footer);
  footer.resize(53);
  PutNumber(footer.data() + 41, std::uint32_t{5});
  PutNumber(footer.data() + 45, kMagic);
  return bytes + footer;
}

}  // namespace

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds = TablesOfAStore();
  for (const std::string& table : seeds) Require(OpenTable(table).ok(), "a table of RocksDB's passes");
  seeds.emplace_back("\0\22\2rocksdb.properties\0\5\0\0\0\0\1\0\0\0", 31);
  seeds.emplace_back();
  return seeds;
}

void Fuzz(absl::string_view input) {
  for (const std::string& table : {std::string(input), TableOf(input)}) {
    const rocksdb::IOStatus opened = OpenTable(table);
    Require(opened.ok() || opened.IsCorruption(), "a table passes or is damaged");
  }
}

}  // namespace tidegate
