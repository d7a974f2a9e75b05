#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rocksdb/write_batch.h"
#include "server/store/rocks.h"
#include "server/store/store_model.h"

namespace tidegate {

// What the store says of itself, in the column family `meta`. Each name is written on its own, as each
// becomes durable at a moment of its own. A value ends with a crc32c of it and its name.
//   format        format version u32, store id
//   opened        u64: how often it was opened
//   closed        u64: `opened` when it was last closed cleanly
//   states        u64: how many there were then, those marked deleted left out
//   checkpoint    u64: position
//   model/NNNNN   version u64, then name, checksum and build, each with its length u32 before it
struct Meta {
  std::uint32_t format = 0;
  std::string store_id;
  std::uint64_t opened = 0;
  std::uint64_t closed = 0;
  std::optional<std::uint64_t> states;
  std::uint64_t checkpoint = 0;
  std::vector<StoredModel> models;  // numbers 0, 1, 2, ...
};

// DataLoss: a value is missing or damaged.
absl::StatusOr<Meta> ReadMeta(const Database& database);

void PutFormat(const Database& database, const std::string& store_id, rocksdb::WriteBatch& batch);
void PutOpened(const Database& database, std::uint64_t opened, rocksdb::WriteBatch& batch);
void PutClosed(const Database& database, std::uint64_t closed, std::uint64_t states,
               rocksdb::WriteBatch& batch);
void PutCheckpoint(const Database& database, std::uint64_t position, rocksdb::WriteBatch& batch);
void PutModel(const Database& database, const StoredModel& model, rocksdb::WriteBatch& batch);

}  // namespace tidegate
