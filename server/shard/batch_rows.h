#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/model/model.h"
#include "engine/stream/stream.h"
#include "server/shard/work.h"

namespace tidegate {

inline constexpr std::size_t kLineFloats = 16;  // of a cache line

// Working copies of the streams that are being stepped. A step changes the copy; the table's own floats
// change when the reading is through, so that until then everybody else sees the stream as its last answer
// left it, and a step that went wrong leaves no trace. Only what every step reads and writes is copied; of a
// stream that takes several steps for one reading also its rings, which the others use in place. Readings
// that are held stay in the table. Owned by one thread.
class BatchRows {
 public:
  struct Row {
    std::uint32_t slot = 0;
    std::uint32_t bridges = 0;  // steps without values that are still to come before the reading's
    bool bridging = false;      // this step is one of them
    bool imputed = false;
    std::int64_t timestamp_ns = 0;  // of this step
    const Work* work = nullptr;     // the reading is its i-th
    std::uint32_t i = 0;
    Decision decision;
    StreamHeader header;
    float* rings = nullptr;  // its own, or the table's
    float* held = nullptr;   // the table's
  };

  BatchRows(const Model& model, std::size_t rows);

  // Copies a stream [StreamFloats] whose reading was decided upon. Requires a free row.
  std::uint32_t Take(std::uint32_t slot, const Decision& decision, const StreamHeader& header,
                     std::span<float> floats);

  // Copies the row back, and frees it.
  void Commit(std::uint32_t row, StreamHeader& header, std::span<float> floats);
  void Free(std::uint32_t row) { free_.push_back(row); }

  Row& operator[](std::uint32_t row) { return rows_[row]; }
  float* kept(std::uint32_t row) { return floats_.get() + row * width_; }
  StreamRef stream(std::uint32_t row) {
    return {rows_[row].header, kept(row), rows_[row].rings, rows_[row].held};
  }

 private:
  std::size_t kept_;   // floats that every step uses
  std::size_t all_;    // and those of the rings
  std::size_t width_;  // of a row, a multiple of a cache line
  std::vector<Row> rows_;
  std::unique_ptr<float[], void (*)(void*)> floats_;  // [rows, width_]
  std::vector<std::uint32_t> free_;
};

}  // namespace tidegate
