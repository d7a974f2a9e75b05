#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/shard/shard.h"

namespace tidegate {

// One reading of each of n streams, to be sent to a shard again and again, with room for the answers.
class ShardMessage {
 public:
  // Of the streams "PREFIX 0", "PREFIX 1", ...
  ShardMessage(std::size_t n, const ModelSpec& spec, const std::string& prefix = "a sensor with a long name")
      : timestamps_(n),
        values_(n * spec.features.size(), 21),
        codes_(2 * n),
        floats_(n * (spec.outputs() + 1)),
        numbers_(2 * n) {
    for (std::size_t i = 0; i < n; ++i) ids_.push_back(absl::StrCat(prefix, " ", i));
    for (const std::string& id : ids_) id_pointers_.push_back(&id);
    for (std::size_t q = 0; q < spec.quantiles.size(); ++q) levels_.push_back(static_cast<std::uint8_t>(q));
    work.handles = &handles_;
    work.ids = id_pointers_;
    work.timestamp_ns = timestamps_;
    work.value = values_;
    work.latest_ns = std::numeric_limits<std::int64_t>::max();
    work.levels = levels_;
    work.outcome = std::span(codes_).first(n);
    work.reason = std::span(codes_).last(n);
    work.forecast = std::span(floats_).first(n * spec.outputs());
    work.anomaly_score = std::span(floats_).last(n);
    work.steps = std::span(numbers_).first(n);
    work.quality = std::span(numbers_).last(n);
  }

  ShardMessage(const ShardMessage&) = delete;

  // Its readings are of this second since 1970. Must not be waiting already.
  void Admit(std::int64_t second, Shard& shard) {
    handles_.Clear();
    std::ranges::fill(timestamps_, second * 1'000'000'000);
    work.received = Work::Clock::now();
    shard.Admit(work);
  }
  Outcome outcome() const { return static_cast<Outcome>(codes_.front()); }

  Work work;

 private:
  StreamHandles handles_;
  std::vector<std::string> ids_;
  std::vector<const std::string*> id_pointers_;
  std::vector<std::int64_t> timestamps_;
  std::vector<float> values_;
  std::vector<std::uint8_t> levels_;
  std::vector<int> codes_;
  std::vector<float> floats_;
  std::vector<std::uint32_t> numbers_;
};

}  // namespace tidegate
