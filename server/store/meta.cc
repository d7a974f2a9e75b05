#include "server/store/meta.h"

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/store/broken.h"
#include "server/store/bytes.h"
#include "server/store/crc32c.h"
#include "server/store/store_format.h"

namespace tidegate {
namespace {

constexpr char kFormat[] = "format";
constexpr char kOpened[] = "opened";
constexpr char kClosed[] = "closed";
constexpr char kStates[] = "states";
constexpr char kCheckpoint[] = "checkpoint";
constexpr char kModel[] = "model/";

template <typename T>
std::string Bytes(T number) {
  std::string bytes(sizeof(number), '\0');
  PutNumber(bytes.data(), number);
  return bytes;
}

void Put(const Database& database, const std::string& name, std::string value, rocksdb::WriteBatch& batch) {
  value += Bytes(Crc32c(name, Crc32c(value)));
  batch.Put(database.meta(), name, value).PermitUncheckedError();  // fails for lack of memory only
}

// Takes the checksum off.
bool Check(absl::string_view name, absl::string_view& value) {
  if (value.size() < sizeof(std::uint32_t)) return false;
  const absl::string_view content = value.substr(0, value.size() - sizeof(std::uint32_t));
  const auto checksum = ByteReader(value.substr(content.size())).Number<std::uint32_t>();
  value = content;
  return Crc32c(name, Crc32c(content)) == checksum || Broken(Break::kSkipChecksums);
}

std::string ReadText(ByteReader& bytes) { return std::string(bytes.Bytes(bytes.Number<std::uint32_t>())); }

bool ReadModel(absl::string_view name, ByteReader& bytes, Meta& meta) {
  StoredModel model;
  model.number = static_cast<std::uint32_t>(meta.models.size());
  model.version = bytes.Number<std::uint64_t>();
  model.name = ReadText(bytes);
  model.checksum = ReadText(bytes);
  model.build = ReadText(bytes);
  meta.models.push_back(model);
  return name == absl::StrFormat("%s%05d", kModel, model.number);
}

// Takes over what is stored under a name. False: it cannot be read.
bool ReadValue(absl::string_view name, absl::string_view value, Meta& meta) {
  ByteReader bytes(value);
  if (name == kFormat) {
    meta.format = bytes.Number<std::uint32_t>();
    meta.store_id = std::string(bytes.Bytes(bytes.rest().size()));
  } else if (name == kOpened) {
    meta.opened = bytes.Number<std::uint64_t>();
  } else if (name == kClosed) {
    meta.closed = bytes.Number<std::uint64_t>();
  } else if (name == kStates) {
    meta.states = bytes.Number<std::uint64_t>();
  } else if (name == kCheckpoint) {
    meta.checkpoint = bytes.Number<std::uint64_t>();
  } else if (!absl::StartsWith(name, kModel) || !ReadModel(name, bytes, meta)) {
    return false;
  }
  return bytes.ok() && bytes.rest().empty();
}

}  // namespace

absl::StatusOr<Meta> ReadMeta(const Database& database) {
  Meta meta;
  std::unique_ptr<rocksdb::Iterator> at(database.db->NewIterator({}, database.meta()));
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    absl::string_view value = View(at->value());
    if (!Check(View(at->key()), value) || !ReadValue(View(at->key()), value, meta)) {
      return absl::DataLossError(
          absl::StrCat("the store's description of itself is damaged at '", View(at->key()), "'"));
    }
  }
  if (!at->status().ok()) return StatusOf(at->status(), "reading the store's description of itself");
  if (meta.format == 0) return absl::DataLossError("the store's description of itself is missing");
  return meta;
}

void PutFormat(const Database& database, const std::string& store_id, rocksdb::WriteBatch& batch) {
  Put(database, kFormat, absl::StrCat(Bytes(store_format::kVersion), store_id), batch);
}
void PutOpened(const Database& database, std::uint64_t opened, rocksdb::WriteBatch& batch) {
  Put(database, kOpened, Bytes(opened), batch);
}
void PutClosed(const Database& database, std::uint64_t closed, std::uint64_t states,
               rocksdb::WriteBatch& batch) {
  Put(database, kClosed, Bytes(closed), batch);
  Put(database, kStates, Bytes(states), batch);
}
void PutCheckpoint(const Database& database, std::uint64_t position, rocksdb::WriteBatch& batch) {
  Put(database, kCheckpoint, Bytes(position), batch);
}
void PutModel(const Database& database, const StoredModel& model, rocksdb::WriteBatch& batch) {
  std::string value = Bytes(model.version);
  for (const std::string* text : {&model.name, &model.checksum, &model.build}) {
    absl::StrAppend(&value, Bytes(static_cast<std::uint32_t>(text->size())), *text);
  }
  Put(database, absl::StrFormat("%s%05d", kModel, model.number), std::move(value), batch);
}

}  // namespace tidegate
