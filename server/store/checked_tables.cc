#include "server/store/checked_tables.h"

#include <cstddef>
#include <cstdint>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/store/bytes.h"

namespace tidegate {
namespace {

// The layout of a table, by RocksDB's documentation of its block-based format: blocks, each followed by its
// compression (1 byte) and its checksum (4 bytes); at the end the footer: kind of checksum (1 byte), where
// the block of meta blocks and the index lie (40 bytes), version (4 bytes), magic number (8 bytes).
constexpr std::size_t kFooterBytes = 53;
constexpr std::size_t kCompressionBytes = 1;
constexpr std::size_t kTrailerBytes = kCompressionBytes + sizeof(std::uint32_t);
constexpr std::uint8_t kXxh64Checksums = 3;
constexpr std::uint64_t kMagic = 0x88e241b785f4cff7;
constexpr char kProperties[] = "rocksdb.properties";

struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// Seven bits a byte, the least significant ones first, the highest bit of all but the last byte set.
std::uint64_t Varint(ByteReader& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = bytes.Number<std::uint8_t>();
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) break;
  }
  return value;
}

Extent ReadExtent(ByteReader& bytes) {
  const std::uint64_t offset = Varint(bytes);
  return {.offset = offset, .size = Varint(bytes)};
}

// The lower half of XXH64, as RocksDB keeps it behind a block.
std::uint32_t Checksum(absl::string_view bytes) {
  return static_cast<std::uint32_t>(XXH64(bytes.data(), bytes.size(), 0));
}

class Table {
 public:
  Table(const rocksdb::FSRandomAccessFile& file, std::uint64_t size) : file_(file), size_(size) {}

  // Corruption: a block is damaged. Errors of reading as they come.
  rocksdb::IOStatus Check() {
    if (size_ < kFooterBytes) return rocksdb::IOStatus::OK();
    if (auto s = Read({.offset = size_ - kFooterBytes, .size = kFooterBytes}); !s.ok()) return s;
    ByteReader footer(text_);
    const auto checksums = footer.Number<std::uint8_t>();
    const Extent meta_blocks = ReadExtent(footer);
    if (checksums != kXxh64Checksums || !absl::EndsWith(text_, MagicBytes())) return rocksdb::IOStatus::OK();
    if (auto s = ReadBlock(meta_blocks); !s.ok()) return s;
    const Extent properties = FindProperties();
    if (properties.size == 0) return rocksdb::IOStatus::OK();
    return ReadBlock(properties);
  }

 private:
  static std::string MagicBytes() {
    std::string bytes(sizeof(kMagic), '\0');
    PutNumber(bytes.data(), kMagic);
    return bytes;
  }

  // Into text_.
  rocksdb::IOStatus Read(Extent extent) {
    text_.resize(extent.size);
    rocksdb::Slice got;
    auto s = file_.Read(extent.offset, extent.size, {}, &got, text_.data(), nullptr);
    if (!s.ok()) return s;
    text_ = got.ToString();
    if (text_.size() != extent.size) return rocksdb::IOStatus::Corruption("a table ends too soon");
    return s;
  }

  // Into text_, without its trailer.
  rocksdb::IOStatus ReadBlock(Extent block) {
    if (block.offset > size_ || block.size > size_ - block.offset ||
        kTrailerBytes > size_ - block.offset - block.size) {
      return rocksdb::IOStatus::Corruption("a block would lie behind the end of its table");
    }
    if (auto s = Read({.offset = block.offset, .size = block.size + kTrailerBytes}); !s.ok()) return s;
    const std::size_t checked = block.size + kCompressionBytes;
    const auto expected = ByteReader(absl::string_view(text_).substr(checked)).Number<std::uint32_t>();
    if (Checksum(absl::string_view(text_).substr(0, checked)) != expected) {
      return rocksdb::IOStatus::Corruption(
          absl::StrCat("the checksum of the block at ", block.offset, " is not that of its bytes"));
    }
    text_.resize(block.size);
    return rocksdb::IOStatus::OK();
  }

  // In the block of meta blocks, whose checksum was right: entries of the bytes that a key shares with the
  // one before, those it has more, the bytes of the value, and both; then restarts. Size 0: there are no
  // properties.
  Extent FindProperties() const {
    ByteReader bytes(text_);
    std::string key;
    while (bytes.ok() && !bytes.rest().empty()) {
      const std::uint64_t shared = Varint(bytes), more = Varint(bytes), value_bytes = Varint(bytes);
      if (shared > key.size()) break;
      key.resize(shared);
      absl::StrAppend(&key, bytes.Bytes(more));
      ByteReader value(bytes.Bytes(value_bytes));
      if (key == kProperties) return ReadExtent(value);
    }
    return {};
  }

  const rocksdb::FSRandomAccessFile& file_;
  const std::uint64_t size_;
  std::string text_;
};

}  // namespace

rocksdb::IOStatus CheckedTables::NewRandomAccessFile(const std::string& path,
                                                     const rocksdb::FileOptions& options,
                                                     std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                                     rocksdb::IODebugContext* debug) {
  auto status = FileSystemWrapper::NewRandomAccessFile(path, options, file, debug);
  if (!status.ok() || !absl::EndsWith(path, ".sst")) return status;
  std::uint64_t size = 0;
  status = GetFileSize(path, options.io_options, &size, debug);
  if (status.ok()) status = Table(**file, size).Check();
  if (!status.ok()) file->reset();
  if (status.IsCorruption())
    return rocksdb::IOStatus::Corruption(absl::StrCat(path, ": ", status.ToString()));
  return status;
}

}  // namespace tidegate
