#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/store/rocks.h"

namespace tidegate {

// The records of all states, read by a thread of its own a little ahead of the owner, who meanwhile does
// something with them. Owned by one thread.
class StateReader {
 public:
  // In order of ids from `from` on, as of now. database: must outlive the reader.
  StateReader(const Database& database, absl::string_view from);
  ~StateReader();  // also before the end
  StateReader(const StateReader&) = delete;
  StateReader& operator=(const StateReader&) = delete;

  // Moves on to the next record. False: there are no more, or reading failed, see status().
  bool Next();

  // Of the record; until the next Next.
  absl::string_view id() const { return {at_->bytes.data() + row().begin, row().id_bytes}; }
  absl::string_view record() const {
    return {at_->bytes.data() + row().begin + row().id_bytes, row().record_bytes};
  }

  // After the last Next: DataLoss or Unavailable, if reading failed.
  const absl::Status& status() const { return status_; }

 private:
  static constexpr std::size_t kBlockBytes = std::size_t{256} << 10;
  struct Row {
    std::size_t begin;  // of the id in the block's bytes; the record follows
    std::uint32_t id_bytes, record_bytes;
  };
  struct Block {
    std::string bytes;
    std::vector<Row> rows;  // none: the end
  };

  const Row& row() const { return at_->rows[next_row_ - 1]; }
  void Run();
  void Fill(rocksdb::Iterator& from, Block& block) const;

  const Database& database_;
  const std::string from_;
  std::array<Block, 4> blocks_;  // in turns: number n is blocks_[n % 4]
  const Block* at_ = nullptr;    // the owner's
  std::size_t next_row_ = 0;
  absl::Status status_;  // written before the last block is handed over

  std::mutex mutex_;
  std::condition_variable changed_;  // what follows
  std::size_t filled_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace tidegate
