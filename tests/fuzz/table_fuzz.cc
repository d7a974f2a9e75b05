// Bytes as a table file that RocksDB would open: whatever lies in it, the check before answers, and with
// nothing but Corruption or a pass.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "server/store/bytes.h"
#include "server/store/checked_tables.h"
#include "server/store/crc32c.h"
#include "server/store/store.h"
#include "tests/faults/memory_file_system.h"
#include "tests/fuzz/fuzz_target.h"

namespace tidegate {
namespace {

constexpr char kTable[] = "/table.sst";
constexpr std::uint64_t kMagic = 0x88e241b785f4cff7;

rocksdb::IOStatus Open(absl::string_view bytes) {
  auto disk = std::make_shared<Disk>();
  disk->Append(disk->Make(Disk::kRoot, kTable + 1, /*is_folder=*/false), std::string(bytes));
  CheckedTables files(std::make_shared<MemoryFileSystem>(std::move(disk)));
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  return files.NewRandomAccessFile(kTable, {}, &file, nullptr);
}

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
  const auto disk = std::make_shared<Disk>();
  {
    const auto store = Store::Open(
        {.folder = "/data", .file_system = std::make_shared<MemoryFileSystem>(disk), .boot_id = "boot"});
    Require(store.ok(), "a store can be made");
    StateBatch states;
    const std::vector<float> values = {1, 2};
    states.Put("pump", 0, 0, {.sequence = 3}, values);
    Require((*store)->WriteStates(states).ok() && (*store)->Close().ok(), "states can be written");
  }
  std::vector<std::string> seeds = {std::string("\0\22\2rocksdb.properties\0\5\0\0\0\0\1\0\0\0", 31), ""};
  const std::uint32_t folder = disk->Find("/data/store");
  for (const std::string& name : disk->Names(folder)) {
    if (absl::EndsWith(name, ".sst")) seeds.push_back(*disk->Content(disk->Find("/data/store/" + name)));
  }
  Require(seeds.size() > 2, "a store has tables");
  for (std::size_t i = 2; i < seeds.size(); ++i) Require(Open(seeds[i]).ok(), "a table of RocksDB's passes");
  return seeds;
}

void Fuzz(absl::string_view input) {
  for (const std::string& table : {std::string(input), TableOf(input)}) {
    const rocksdb::IOStatus opened = Open(table);
    Require(opened.ok() || opened.IsCorruption(), "a table passes or is damaged");
  }
}

}  // namespace tidegate
