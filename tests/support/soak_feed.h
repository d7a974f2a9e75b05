#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "engine/model/spec.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

// The messages of one call of Stream that pushes a life like a sensor's to each of many streams: first each
// stream's first reading, by Open, which names the streams; then by Next readings of streams picked at
// random. One in twenty is not what the model likes best: it comes twice, too late or with other values, has
// missing or infinite values, or others are missing before it, now and then so many that the stream restarts.
// Stream s has the handle s. The same for equal arguments. Not thread-safe.
class SoakFeed {
 public:
  // Streams PREFIX<first>, PREFIX<first + 1>, ...; at least one. `spec` must outlive it.
  SoakFeed(const ModelSpec& spec, std::string prefix, std::size_t first, std::size_t streams,
           std::uint64_t seed = 1);

  bool opened() const { return named_ == ticks_.size(); }

  // Up to 1,024 first readings.
  v1::PushRequest Open();
  // 64 to 256 readings. Requires that it is opened.
  v1::PushRequest Next();

 private:
  std::uint64_t Random(std::uint64_t below) { return random_() % below; }
  float ValueOf(std::uint32_t stream, std::int64_t tick, std::size_t feature) const;
  // Reading number `tick` of a stream, the same whenever it is sent.
  void Add(v1::PushRequest& request, std::uint32_t stream, std::int64_t tick) const;
  void AddAny(v1::PushRequest& request, std::uint32_t stream);

  const ModelSpec& spec_;
  std::string prefix_;
  std::size_t first_;
  std::vector<std::int64_t> ticks_;  // of each stream's last reading, in intervals since 1970
  std::size_t named_ = 0;
  std::mt19937_64 random_;
};

}  // namespace tidegate
