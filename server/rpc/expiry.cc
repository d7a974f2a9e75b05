#include "server/rpc/expiry.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/time/clock.h"
#include "spdlog/spdlog.h"

namespace tidegate {
namespace {

constexpr std::uint32_t kExpirySlice = 4096;  // slots that a loop looks at between two batches
constexpr std::size_t kColdSlice = 64;        // streams that it brings back to end them

}  // namespace

Expiry::Expiry(ServingGroup& group, StreamKeeper* keeper, absl::Duration after)
    : group_(group), keeper_(keeper), after_(after) {}

Expiry::~Expiry() { Stop(); }

void Expiry::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Expiry::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Expiry::Run() {
  const absl::Duration interval = std::clamp(after_ / 4, absl::Seconds(1), absl::Hours(1));
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, absl::ToChronoNanoseconds(interval), [this] { return stopping_.load(); }))
        return;
    }
    if (const std::size_t ended = Sweep(absl::Now()); ended > 0) {
      spdlog::info("{} streams without a reading for {} were forgotten", ended, absl::FormatDuration(after_));
    }
  }
}

std::size_t Expiry::Sweep(absl::Time now) {
  const std::int64_t before_ns = absl::ToUnixNanos(now - after_);
  return SweepMemory(before_ns) + SweepCold(before_ns);
}

std::size_t Expiry::SweepMemory(std::int64_t before_ns) {
  std::size_t ended = 0;
  for (const auto& loop : group_.loops) {
    StreamKey next;
    for (bool more = true; more && !stopping_;) {
      loop->Do([&] { more = loop->shard().Expire(next, kExpirySlice, before_ns, ended); });
    }
  }
  return ended;
}

std::size_t Expiry::SweepCold(std::int64_t before_ns) {
  if (keeper_ == nullptr) return 0;
  struct Seen {
    std::string id;
    std::int64_t timestamp_ns;
  };
  std::vector<std::vector<Seen>> of_loop(group_.loops.size());
  absl::flat_hash_set<std::size_t> seen;
  const absl::Status read =
      keeper_->ForEachOlder(before_ns, [&](absl::string_view id, std::int64_t timestamp_ns) {
        const std::size_t reading = absl::HashOf(id, timestamp_ns);
        if (!seen_.contains(reading)) {
          seen.insert(reading);
        } else {
          of_loop[ShardOf(id, of_loop.size())].push_back({std::string(id), timestamp_ns});
        }
        return stopping_ ? absl::CancelledError() : absl::OkStatus();
      });
  seen_ = std::move(seen);
  if (stopping_) return 0;
  if (!read.ok()) {
    spdlog::error("looking for streams that have expired: {}", std::string(read.message()));
    return 0;
  }
  std::size_t ended = 0;
  for (std::size_t i = 0; i < of_loop.size(); ++i) {
    Shard& shard = group_.loops[i]->shard();
    for (std::size_t begin = 0; begin < of_loop[i].size() && !stopping_; begin += kColdSlice) {
      const std::size_t end = std::min(begin + kColdSlice, of_loop[i].size());
      group_.loops[i]->Do([&] {
        for (std::size_t k = begin; k < end; ++k) {
          if (shard.ExpireCold(of_loop[i][k].id, of_loop[i][k].timestamp_ns)) ++ended;
        }
      });
    }
  }
  return ended;
}

}  // namespace tidegate
