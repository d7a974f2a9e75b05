#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/shard/shard.h"
#include "server/store/journal_entry.h"

namespace tidegate {

// Readings of one model that the journal has, on their way through a shard once more. Owned by one thread.
class ReplayedReadings {
 public:
  explicit ReplayedReadings(std::uint32_t model);

  void Add(StreamKey stream, const JournalReading& reading, std::uint64_t position);

  std::size_t size() const { return keys_.size(); }

  // Hands them to the shard, which must run until it is idle before anything else happens here.
  void Admit(Shard& shard);

  // After that: ok, and they are gone. DataLoss: one was not taken as it was when it came.
  absl::Status Check(const StreamTable& table);

 private:
  Work work_;
  std::vector<StreamKey> keys_;
  std::vector<std::int64_t> timestamps_;
  std::vector<float> values_;
  std::vector<std::uint64_t> sequences_, positions_, reached_;
  std::vector<Decision> decided_;
  std::vector<int> outcomes_, reasons_;
  std::vector<float> scores_;
  std::vector<std::uint32_t> steps_, qualities_;
};

}  // namespace tidegate
