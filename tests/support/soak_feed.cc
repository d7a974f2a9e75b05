#include "tests/support/soak_feed.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

constexpr std::size_t kOpenReadings = 1024;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// SplitMix64 (Steele, Lea, Flood 2014): a number as good as random for each argument.
std::uint64_t Mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

SoakFeed::SoakFeed(const ModelSpec& spec, std::string prefix, std::size_t first, std::size_t streams,
                   std::uint64_t seed)
    : spec_(spec), prefix_(std::move(prefix)), first_(first), ticks_(streams), random_(seed + first) {}

v1::PushRequest SoakFeed::Open() {
  v1::PushRequest request;
  request.set_model(spec_.name);
  const std::size_t end = std::min(ticks_.size(), named_ + kOpenReadings);
  for (; named_ < end; ++named_) {
    request.add_stream_id(absl::StrCat(prefix_, first_ + named_));
    ticks_[named_] = static_cast<std::int64_t>(1 + Random(100));
    Add(request, static_cast<std::uint32_t>(named_), ticks_[named_]);
  }
  return request;
}

v1::PushRequest SoakFeed::Next() {
  v1::PushRequest request;
  request.set_model(spec_.name);
  const auto readings = static_cast<int>(64 + Random(193));
  request.mutable_handle()->Reserve(readings);
  request.mutable_timestamp()->Reserve(readings);
  request.mutable_value()->Reserve(readings * static_cast<int>(spec_.features.size()));
  for (int i = 0; i < readings; ++i) {
    AddAny(request, static_cast<std::uint32_t>(Random(ticks_.size())));
  }
  return request;
}

// A wave of the stream's own with noise on it; one value in fifty is missing.
float SoakFeed::ValueOf(std::uint32_t stream, std::int64_t tick, std::size_t feature) const {
  const std::uint64_t bits =
      Mix((static_cast<std::uint64_t>(tick) << 32 | (first_ + stream)) + feature * 0x5851f42d4c957f2d);
  if (bits % 50 == 0) return kNaN;
  const float phase = 0.1f * static_cast<float>(tick % 1'000'000) + static_cast<float>(stream % 1000);
  const float noise = static_cast<float>(bits >> 40) * 0x1p-24f - 0.5f;
  const Feature& of = spec_.features[feature];
  return of.mean + of.deviation * (std::sin(phase) + noise);
}

void SoakFeed::Add(v1::PushRequest& request, std::uint32_t stream, std::int64_t tick) const {
  request.add_handle(stream);
  request.add_timestamp(tick * spec_.interval_ns);
  for (std::size_t f = 0; f < spec_.features.size(); ++f) request.add_value(ValueOf(stream, tick, f));
}

void SoakFeed::AddAny(v1::PushRequest& request, std::uint32_t stream) {
  std::int64_t& tick = ticks_[stream];
  const std::uint64_t lot = Random(1000);
  const auto other_value = [&](float value) { request.set_value(request.value_size() - 1, value); };
  if (lot < 10) return Add(request, stream, tick);      // a duplicate
  if (lot < 20) return Add(request, stream, tick - 1);  // late
  if (lot < 25) {                                       // a conflict
    Add(request, stream, tick);
    return other_value(12345);
  }
  if (lot < 30) {  // invalid
    Add(request, stream, tick + 1);
    return other_value(std::numeric_limits<float>::infinity());
  }
  ++tick;
  if (lot < 48 && spec_.bridge_limit > 0) {  // bridged
    tick += static_cast<std::int64_t>(1 + Random(std::min<std::uint64_t>(spec_.bridge_limit, 4)));
  } else if (lot < 50) {  // restarted
    tick += static_cast<std::int64_t>(spec_.bridge_limit + 1);
  }
  Add(request, stream, tick);
}

}  // namespace tidegate
