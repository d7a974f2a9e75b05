#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "engine/stream/stream.h"

namespace tidegate {

// A stream as the store keeps it.
struct StoredState {
  std::uint64_t position = 0;  // of the last journal group that it contains; 0: none
  std::uint32_t model = 0;     // number in the store's table of models
  StreamHeader header;
  std::vector<float> floats;  // [StreamFloats]
  // The stream was deleted by that group: nothing but the position counts. Kept until the checkpoint is past
  // it, so that a replay does not begin the stream again with entries before its end.
  bool deleted = false;
};

// States that are to be written together. Reused: Clear keeps its buffers. Owned by one thread.
class StateBatch {
 public:
  // The last put of a stream counts. Requires 1 to 128 bytes of id.
  void Put(absl::string_view stream, std::uint64_t position, std::uint32_t model, const StreamHeader& header,
           std::span<const float> floats);
  void Delete(absl::string_view stream, std::uint64_t position);

  std::size_t size() const { return rows_.size(); }
  bool empty() const { return rows_.empty(); }
  std::size_t bytes() const { return bytes_.size(); }
  std::uint64_t last_position() const { return last_position_; }  // the highest that was put
  void Clear();

  // For the store. Rows in order of their ids, those of one stream as they were put.
  struct Row {
    std::size_t begin;           // of the id in bytes()
    std::uint32_t id_bytes;      //
    std::uint32_t record_bytes;  // behind the id
  };
  void Sort();
  std::span<const Row> rows() const { return rows_; }
  absl::string_view id(const Row& row) const { return {bytes_.data() + row.begin, row.id_bytes}; }
  absl::string_view record(const Row& row) const {
    return {bytes_.data() + row.begin + row.id_bytes, row.record_bytes};
  }

 private:
  void Add(absl::string_view stream, std::uint64_t position, std::uint32_t model, const StreamHeader& header,
           std::span<const float> floats, bool deleted);

  std::string bytes_;
  std::vector<Row> rows_;
  std::uint64_t last_position_ = 0;
};

// Reads a record of stream `id` from any bytes; no length in them is trusted. DataLoss: it is not what
// StateBatch::Put made for that stream.
absl::Status ReadStateRecord(absl::string_view id, absl::string_view record, StoredState& state);

// Whether the record is a deletion by a group up to `checkpoint`, and whole.
bool IsOldDeletion(absl::string_view id, absl::string_view record, std::uint64_t checkpoint);

}  // namespace tidegate
