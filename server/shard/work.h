#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>

#include "engine/stream/stream.h"
#include "server/shard/stream_handles.h"

namespace tidegate {

// Copies of a forecast `whole` [horizon, quantiles] the first steps, as many as fit into `wanted` [H, Q], and
// of these the quantiles `levels` [Q], indices that rise.
inline void PickForecast(std::span<const float> whole, std::size_t quantiles,
                         std::span<const std::uint8_t> levels, std::span<float> wanted) {
  if (levels.size() == quantiles) {
    std::copy_n(whole.begin(), wanted.size(), wanted.begin());
    return;
  }
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    wanted[k] = whole[k / levels.size() * quantiles + levels[k % levels.size()]];
  }
}

// One request as a shard sees it: the columns of N readings of one model, and room for their answers. Both
// belong to the call and must stay put from Shard::Admit until Shard::Run hands the work back.
// Where streams are spread over several shards, each gets a part: a work of its own with the columns of the
// whole message, of which it serves some rows. Parts are served at the same time by several threads, which
// write different entries of the answer.
struct Work {
  using Clock = std::chrono::steady_clock;

  // The request, checked: handle is empty with N ids or holds N handles, value holds N * F values.
  std::uint32_t model = 0;                     // index among the shard's models
  StreamHandles* handles = nullptr;            // of the call
  std::span<const std::string* const> ids;     // to be given the next handles
  bool part = false;                           // only some readings are served:
  std::span<const std::uint32_t> rows;         // [n] these, rising
  std::span<const std::uint32_t> handle;       // [N], of a part [n]; empty: the i-th is of ids[i]
  std::span<const std::int64_t> timestamp_ns;  // [N]
  std::span<const float> value;                // [N, F]
  std::span<const std::uint64_t> sequence;     // [N]; empty: not numbered
  bool accept_gap = false;                     // see Reading
  std::int64_t latest_ns = 0;                  // see Decide
  std::span<const std::uint8_t> levels;        // [Q] which of the model's quantiles are wanted, rising
  Clock::time_point received;
  std::span<const Decision> decided;  // [N] of readings that are read back from the journal; else empty

  // The answer, one entry or row per reading; all of it is written by the shard.
  std::span<int> outcome;            // [N] numbers of Outcome
  std::span<int> reason;             // [N] numbers of Reason
  std::span<float> forecast;         // [N, H, Q], H: the first steps of the model's horizon
  std::span<float> anomaly_score;    // [N]
  std::span<std::uint32_t> steps;    // [N]
  std::span<std::uint32_t> quality;  // [N]
  std::span<std::uint64_t> reached;  // [N] the last number that the stream has taken; empty: not numbered
  bool any_reason = false;           // some entry of `reason` is not kNone

  std::uint32_t home = 0;  // the shard whose thread took the message in, and wants the work back

  // Kept by the shard.
  std::size_t left = 0;      // readings without an answer
  bool started = false;      // the first reading's turn has come
  std::size_t features = 0;  // F
  std::size_t width = 0;     // H * Q

  std::size_t size() const { return timestamp_ns.size(); }            // N
  std::size_t served() const { return part ? rows.size() : size(); }  // here
  std::uint32_t row(std::size_t k) const { return part ? rows[k] : static_cast<std::uint32_t>(k); }
  Reading reading(std::size_t i) const {
    return {.timestamp_ns = timestamp_ns[i],
            .values = value.subspan(i * features, features),
            .sequence = sequence.empty() ? 0 : sequence[i],
            .accept_gap = accept_gap};
  }
  // What was decided of a reading that was not applied, when it came; nothing: it is to be decided upon now.
  std::optional<Decision> Decided(std::size_t i) const {
    if (decided.empty() || decided[i].outcome == Outcome::kApplied) return std::nullopt;
    return decided[i];
  }
  std::span<float> forecast_row(std::size_t i) const { return forecast.subspan(i * width, width); }
  // What is wanted of a model's forecast `whole` [horizon, quantiles].
  void PutForecast(std::size_t i, std::span<const float> whole, std::size_t quantiles) const {
    PickForecast(whole, quantiles, levels, forecast_row(i));
  }
};

}  // namespace tidegate
