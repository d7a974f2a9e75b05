#include "server/rpc/request_check.h"

#include <algorithm>
#include <span>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/fault/fault.h"
#include "server/rpc/limits.h"

namespace tidegate {
namespace {

template <typename Field>
auto View(const Field& field) {
  return std::span(field.data(), static_cast<std::size_t>(field.size()));
}

// `n` entries of unspecified value.
template <typename Field>
auto Room(Field* field, std::size_t n) {
  field->Clear();
  field->Reserve(static_cast<int>(n));
  field->AddNAlreadyReserved(static_cast<int>(n));
  return std::span(field->mutable_data(), n);
}

}  // namespace

absl::Status CheckStreamId(absl::string_view field, absl::string_view id) {
  if (IsStreamId(id)) return absl::OkStatus();
  return Refusal(Fault::kInvalidField, field,
                 absl::StrCat("'", absl::CHexEscape(id.substr(0, 128)),
                              "': expected 1 to 128 bytes of UTF-8 without control characters"));
}

absl::Status CheckWanted(std::uint32_t horizon, const Levels& levels, const ModelSpec& spec) {
  if (horizon > spec.horizon) {
    return Refusal(Fault::kInvalidField, "horizon",
                   absl::StrCat(horizon, " steps; model '", spec.name, "' forecasts ", spec.horizon));
  }
  auto from = spec.quantiles.begin();  // rising, so the next is further on
  for (const float level : levels) {
    from = std::find(from, spec.quantiles.end(), level);
    if (from++ == spec.quantiles.end()) {
      return Refusal(Fault::kInvalidField, "quantile",
                     absl::StrCat(level, "; model '", spec.name, "' forecasts ",
                                  absl::StrJoin(spec.quantiles, ", "), ": send some of these, rising"));
    }
  }
  return absl::OkStatus();
}

void FindLevels(const Levels& levels, const ModelSpec& spec, std::vector<std::uint8_t>& indices) {
  indices.clear();
  for (std::size_t q = 0; q < spec.quantiles.size(); ++q) {
    if (levels.empty() || std::find(levels.begin(), levels.end(), spec.quantiles[q]) != levels.end()) {
      indices.push_back(static_cast<std::uint8_t>(q));
    }
  }
}

std::size_t WantedFloats(const v1::PushRequest& request, const ModelSpec& spec) {
  if (request.acknowledge_only()) return 0;
  const std::size_t levels = request.quantile_size() == 0 ? spec.quantiles.size()
                                                          : static_cast<std::size_t>(request.quantile_size());
  return levels * (request.horizon() == 0 ? spec.horizon : request.horizon());
}

std::size_t AnswerBytes(std::size_t wanted_floats) {
  // outcome and reason take a byte each; anomaly_score, steps and quality four, sequence eight.
  return wanted_floats * sizeof(float) + 22;
}

std::size_t MaxMessageReadings(std::size_t wanted_floats) {
  return std::clamp<std::size_t>(limits::kAnswerBytes / AnswerBytes(wanted_floats), 1,
                                 limits::kMessageReadings);
}

absl::Status CheckRequest(const v1::PushRequest& request, const ModelSpec& spec, std::size_t handles_named) {
  const auto readings = static_cast<std::size_t>(request.timestamp_size());
  const auto values = static_cast<std::size_t>(request.value_size());
  const auto handles = static_cast<std::size_t>(request.handle_size());
  const auto ids = static_cast<std::size_t>(request.stream_id_size());
  if (auto s = CheckWanted(request.horizon(), request.quantile(), spec); !s.ok()) return s;
  if (const std::size_t most = MaxMessageReadings(WantedFloats(request, spec)); readings > most) {
    return Refusal(Fault::kInvalidField, "timestamp",
                   absl::StrCat(readings, " readings in a message; the most for model '", spec.name,
                                "', with the forecasts asked for, are ", most));
  }
  if (values != readings * spec.features.size()) {
    return Refusal(Fault::kInvalidField, "value",
                   absl::StrCat(readings, " readings (timestamp) with ", values, " values: model '",
                                spec.name, "' takes ", spec.features.size(), " values a reading, ",
                                readings * spec.features.size(), " in all"));
  }
  if (handles != 0 && handles != readings) {
    return Refusal(Fault::kInvalidField, "handle",
                   absl::StrCat(readings, " readings (timestamp) with ", handles,
                                " handles: send one handle a reading, or no handles and one "
                                "stream_id a reading"));
  }
  if (handles == 0 && readings != 0 && ids != readings) {
    return Refusal(Fault::kInvalidField, "stream_id",
                   absl::StrCat(readings, " readings (timestamp) with no handles and ", ids,
                                " stream ids: send one handle or one stream_id a reading"));
  }
  if (request.sequence_size() != 0 && static_cast<std::size_t>(request.sequence_size()) != readings) {
    return Refusal(Fault::kInvalidField, "sequence",
                   absl::StrCat(readings, " readings (timestamp) with ", request.sequence_size(),
                                " numbers: send one a reading, or none"));
  }
  if (ids > limits::kMessageIds) {
    return Refusal(Fault::kInvalidField, "stream_id",
                   absl::StrCat(ids, " stream ids in a message, at most ", limits::kMessageIds,
                                ": name the others in further messages of the call"));
  }
  if (handles_named + ids > limits::kCallHandles) {
    return Refusal(
        Fault::kTooManyStreamIds, "stream_id",
        absl::StrCat(handles_named + ids, " stream ids named on one call, at most ", limits::kCallHandles,
                     ": name each stream once and send its handle, or begin a new call"));
  }
  return absl::OkStatus();
}

void PrepareExchange(const ModelSpec& spec, Exchange& exchange) {
  const v1::PushRequest& request = exchange.request;
  exchange.ids = View(request.stream_id());
  exchange.handle = View(request.handle());
  exchange.timestamp_ns = View(request.timestamp());
  exchange.value = View(request.value());
  exchange.sequence = View(request.sequence());
  exchange.accept_gap = request.accept_gap();

  v1::PushResponse& response = exchange.response;
  const std::size_t n = exchange.timestamp_ns.size();
  exchange.outcome = Room(response.mutable_outcome(), n);
  exchange.reason = Room(response.mutable_reason(), n);
  exchange.forecast = Room(response.mutable_forecast(), n * WantedFloats(request, spec));
  exchange.anomaly_score = Room(response.mutable_anomaly_score(), n);
  exchange.steps = Room(response.mutable_steps(), n);
  exchange.quality = Room(response.mutable_quality(), n);
  exchange.reached = Room(response.mutable_sequence(), exchange.sequence.size());
  FindLevels(request.quantile(), spec, exchange.wanted_levels);
  response.clear_quantile();
  if (!request.acknowledge_only()) {
    for (const std::uint8_t level : exchange.wanted_levels) response.add_quantile(spec.quantiles[level]);
  }
  exchange.levels = exchange.wanted_levels;
  response.set_horizon(static_cast<std::uint32_t>(WantedFloats(request, spec) / exchange.levels.size()));
  response.set_interval(spec.interval_ns);
}

void CompleteResponse(Exchange& exchange) {
  if (!exchange.any_reason) exchange.response.clear_reason();
  if (!exchange.request.acknowledge_only()) return;
  exchange.response.clear_anomaly_score();
  exchange.response.clear_steps();
  exchange.response.clear_quality();
}

}  // namespace tidegate
