#include "server/rpc/stream_service.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/fault/fault.h"
#include "server/rpc/limits.h"
#include "server/rpc/request_check.h"
#include "server/shard/shard_journal.h"

namespace tidegate {
namespace {

constexpr std::int64_t kNoTimestamp = -1;
constexpr std::uint32_t kMostQuality = 31;  // all bits of Quality
constexpr std::size_t kMostPage = 1000, kUsualPage = 100;
// Streams that one call of ListStreams looks at: in memory, and in the store. No reading is answered
// meanwhile.
constexpr std::size_t kMostScanned = 20'000, kMostRead = 2'000;

std::int64_t CursorOf(const StreamHeader& header) {
  return header.steps == 0 ? kNoTimestamp : header.timestamp_ns;
}

// Where a page begins: at a slot, or, of the streams that are on disk alone, at an id.
struct Place {
  std::uint32_t shard = 0;
  StreamKey key = {};
  bool cold = false;
  std::string id = {};
};

// "<shard>:<model>:<slot>".
std::string Token(std::size_t shard, StreamKey key) {
  return absl::StrCat(shard, ":", key.model, ":", key.slot);
}
std::string ColdToken(std::size_t shard, absl::string_view id) { return absl::StrCat(shard, ":cold:", id); }

absl::Status BadToken(const std::string& token) {
  return Refusal(
      Fault::kInvalidField, "page_token",
      absl::StrCat("'", absl::CHexEscape(token.substr(0, 64)),
                   "' is none of this server; send next_page_token of the page before as it came"));
}

absl::StatusOr<Place> ParseToken(const std::string& token, std::size_t shards, std::size_t models) {
  if (token.empty()) return Place{};
  const std::vector<absl::string_view> parts = absl::StrSplit(token, absl::MaxSplits(':', 2));
  std::uint32_t shard = 0, model = 0, slot = 0;
  if (parts.size() == 3 && parts[1] == "cold" && absl::SimpleAtoi(parts[0], &shard) && shard < shards) {
    return Place{.shard = shard, .cold = true, .id = std::string(parts[2])};
  }
  if (parts.size() == 3 && absl::SimpleAtoi(parts[0], &shard) && absl::SimpleAtoi(parts[1], &model) &&
      absl::SimpleAtoi(parts[2], &slot) && shard < shards && model < models) {
    return Place{.shard = shard,
                 .key = {.model = static_cast<std::uint16_t>(model), .generation = 0, .slot = slot}};
  }
  return BadToken(token);
}

}  // namespace

absl::StatusOr<StreamKey> StreamService::Find(const std::string& id) const {
  const auto key = shard_.Find(id);
  if (key) return *key;
  return Refusal(Fault::kStreamNotFound, "stream_id",
                 absl::StrCat("no stream '", absl::CHexEscape(id.substr(0, 128)),
                              "': a stream begins with its first reading"));
}

void StreamService::Describe(StreamKey key, v1::StreamInfo& info) const {
  Describe(shard_.table().id(key), repository_.models()[key.model].name, shard_.header(key), info);
}

void StreamService::Describe(absl::string_view id, const std::string& model, const StreamHeader& header,
                             v1::StreamInfo& info) const {
  info.set_stream_id(id.data(), id.size());
  info.set_model(model);
  info.set_timestamp(CursorOf(header));
  info.set_steps(header.steps);
  info.set_quality(header.quality);
  info.set_anomaly_score(header.steps == 0 ? std::numeric_limits<float>::quiet_NaN() : header.anomaly_score);
  info.set_sequence(header.sequence);
}

void StreamService::DescribeAccuracy(StreamKey key, v1::StreamInfo& info) const {
  if (shard_.header(key).steps == 0) return;
  const StreamLayout& layout = shard_.model(key).layout();
  const std::span<const float> floats = shard_.floats(key);
  for (std::size_t k = 0; k < layout.steps.size(); ++k) {
    TrackedStep tracked;
    std::memcpy(&tracked, floats.data() + layout.tracked + k * layout.tracked_width, sizeof tracked);
    if (tracked.scored == 0) continue;
    const float naive = floats[layout.naive_error];
    v1::StepAccuracy& step = *info.add_accuracy();
    step.set_step(static_cast<std::uint32_t>(layout.steps[k]));
    step.set_scored(static_cast<std::uint32_t>(tracked.scored));
    step.set_mae(tracked.mae);
    step.set_mase(naive > 0 ? tracked.mae / naive : std::numeric_limits<float>::quiet_NaN());
    step.set_pinball(tracked.pinball);
    step.set_coverage(tracked.coverage);
    step.set_width(tracked.width);
  }
}

absl::Status StreamService::Forecast(const v1::ForecastRequest& request, v1::ForecastResponse& response) {
  const auto key = Find(request.stream_id());
  if (!key.ok()) return key.status();
  const ModelSpec& spec = repository_.models()[key->model].model->spec();
  if (auto s = CheckWanted(request.horizon(), request.quantile(), spec); !s.ok()) return s;
  const std::size_t horizon = request.horizon() == 0 ? spec.horizon : request.horizon();
  std::vector<std::uint8_t> levels;
  FindLevels(request.quantile(), spec, levels);

  std::vector<float> whole(spec.outputs());
  shard_.Forecast(*key, whole);
  Describe(*key, *response.mutable_stream());
  const std::size_t width = horizon * levels.size();
  response.mutable_forecast()->Resize(static_cast<int>(width), 0);
  PickForecast(whole, spec.quantiles.size(), levels, {response.mutable_forecast()->mutable_data(), width});
  response.set_horizon(static_cast<std::uint32_t>(horizon));
  for (const std::uint8_t level : levels) response.add_quantile(spec.quantiles[level]);
  response.set_interval(spec.interval_ns);
  return absl::OkStatus();
}

absl::Status StreamService::GetCursor(const v1::GetCursorRequest& request, v1::GetCursorResponse& response) {
  if (static_cast<std::size_t>(request.stream_id_size()) > limits::kMessageReadings) {
    return Refusal(
        Fault::kInvalidField, "stream_id",
        absl::StrCat(request.stream_id_size(), " streams in a request; at most ", limits::kMessageReadings));
  }
  response.mutable_timestamp()->Resize(request.stream_id_size(), kNoTimestamp);
  response.mutable_steps()->Resize(request.stream_id_size(), 0);
  response.mutable_sequence()->Resize(request.stream_id_size(), 0);
  std::vector<int> here;
  std::vector<absl::string_view> ids;
  for (int i = 0; i < request.stream_id_size(); ++i) {
    if (ShardOf(request.stream_id(i), shards_) != index_) continue;
    here.push_back(i);
    ids.push_back(request.stream_id(i));
  }
  std::vector<std::optional<StreamHeader>> headers(ids.size());
  shard_.Headers(ids, headers);
  for (std::size_t k = 0; k < here.size(); ++k) {
    if (!headers[k]) continue;
    response.set_timestamp(here[k], CursorOf(*headers[k]));
    response.set_steps(here[k], headers[k]->steps);
    response.set_sequence(here[k], headers[k]->sequence);
  }
  return absl::OkStatus();
}

absl::Status StreamService::GetStream(const v1::GetStreamRequest& request, v1::StreamInfo& response) {
  const auto key = Find(request.stream_id());
  if (!key.ok()) return key.status();
  Describe(*key, response);
  DescribeAccuracy(*key, response);
  return absl::OkStatus();
}

absl::Status StreamService::ListStreams(const v1::ListStreamsRequest& request,
                                        v1::ListStreamsResponse& response) {
  const auto models = static_cast<std::uint32_t>(repository_.models().size());
  const auto begin = ParseToken(request.page_token(), shards_, models);
  if (!begin.ok()) return begin.status();
  StreamKey next = begin->key;
  std::uint32_t end = models;  // the model after the last one listed
  if (!request.model().empty()) {
    const auto model = repository_.Find(request.model());
    if (!model.ok()) return model.status();
    const auto index = static_cast<std::uint16_t>(*model);
    if (next.model != index) next = {.model = index, .generation = 0, .slot = 0};
    end = index + 1u;
  }
  if (request.page_size() > kMostPage) {
    return Refusal(
        Fault::kInvalidField, "page_size",
        absl::StrCat(request.page_size(), "; expected 1 to ", kMostPage, ", or 0 for ", kUsualPage));
  }
  const std::size_t page = request.page_size() == 0 ? kUsualPage : request.page_size();
  std::size_t scanned = 0;
  if (begin->cold && shard_.cold() == nullptr) return BadToken(request.page_token());
  if (begin->cold) return ListCold(request, begin->id, page, response);
  for (; next.model < end; ++next.model, next.slot = 0) {
    for (; next.slot < shard_.table().slots(next.model); ++next.slot, ++scanned) {
      if (static_cast<std::size_t>(response.stream_size()) == page || scanned == kMostScanned) {
        response.set_next_page_token(Token(index_, next));
        return absl::OkStatus();
      }
      // Those that came back from the disk are named with those that are there: between two pages streams
      // come and go, and none is to be left out.
      const absl::string_view id = shard_.table().id(next);
      if (!id.empty() && absl::StartsWith(id, request.prefix()) && !shard_.table().returned(next))
        Describe(next, *response.add_stream());
    }
  }
  if (shard_.cold() != nullptr) {
    response.set_next_page_token(ColdToken(index_, request.prefix()));
  } else if (index_ + 1 < shards_) {
    response.set_next_page_token(Token(index_ + 1, {}));
  }
  return absl::OkStatus();
}

absl::Status StreamService::ListCold(const v1::ListStreamsRequest& request, const std::string& from,
                                     std::size_t page, v1::ListStreamsResponse& response) {
  std::size_t scanned = 0;
  bool more = false;
  absl::Status read = shard_.journal()->store().ForEachState(
      [&](absl::string_view id, const StoredState& state) {
        if (!absl::StartsWith(id, request.prefix())) return absl::CancelledError();
        if (static_cast<std::size_t>(response.stream_size()) == page || ++scanned == kMostRead) {
          response.set_next_page_token(ColdToken(index_, id));
          more = true;
          return absl::CancelledError();
        }
        if (ShardOf(id, shards_) != index_) return absl::OkStatus();
        const auto hot = shard_.table().Find(id);
        if (hot ? !shard_.table().returned(*hot) : state.deleted || shard_.journal()->IsDeleted(id))
          return absl::OkStatus();
        const auto model = hot ? hot->model : shard_.journal()->ModelOf(state.model);
        if (!model) return absl::OkStatus();
        const std::string& name = repository_.models()[*model].name;
        if (request.model().empty() || request.model() == name) {
          Describe(id, name, hot ? shard_.header(*hot) : state.header, *response.add_stream());
        }
        return absl::OkStatus();
      },
      std::max<absl::string_view>(from, request.prefix()));
  if (!read.ok() && !absl::IsCancelled(read)) return read;
  if (!more && index_ + 1 < shards_) response.set_next_page_token(Token(index_ + 1, {}));
  return absl::OkStatus();
}

std::size_t StreamService::ShardOfPage(const v1::ListStreamsRequest& request, std::size_t shards) {
  const auto begin = ParseToken(request.page_token(), shards, std::numeric_limits<std::uint16_t>::max());
  return begin.ok() ? begin->shard : 0;
}

absl::Status StreamService::ResetStream(const v1::ResetStreamRequest& request, v1::ResetStreamResponse&) {
  const auto key = Find(request.stream_id());
  if (!key.ok()) return key.status();
  shard_.Reset(*key);
  return absl::OkStatus();
}

absl::Status StreamService::DeleteStream(const v1::DeleteStreamRequest& request, v1::DeleteStreamResponse&) {
  const auto key = Find(request.stream_id());
  if (!key.ok()) return key.status();
  shard_.Delete(*key);
  return absl::OkStatus();
}

absl::Status StreamService::Create(absl::string_view field, const std::string& id, std::uint32_t model,
                                   const StreamHeader& header, std::span<const float> floats,
                                   v1::StreamInfo& info) {
  if (auto s = CheckStreamId(field, id); !s.ok()) return s;
  if (shard_.Find(id)) {
    return Refusal(Fault::kStreamExists, field,
                   absl::StrCat("there is a stream '", id, "' already: delete it first, or name another"));
  }
  if (!shard_.Create(id, model, header, floats)) {
    if (shard_.refuses())
      return Refusal(Fault::kDiskFull, "", "the disk of this server has no room to keep a further stream");
    return Refusal(Fault::kStreamsFull, "", "no room for a further stream on this server");
  }
  Describe(*shard_.Find(id), info);
  return absl::OkStatus();
}

absl::Status StreamService::Copy(const std::string& id, StreamCopy& copy) const {
  const auto key = Find(id);
  if (!key.ok()) return key.status();
  copy.model = key->model;
  copy.header = shard_.header(*key);
  const std::span<const float> floats = shard_.floats(*key);
  copy.floats.assign(floats.begin(), floats.end());
  return absl::OkStatus();
}

absl::Status StreamService::Paste(absl::string_view field, const std::string& id, const StreamCopy& copy,
                                  v1::StreamInfo& response) {
  const ServedModel& served = repository_.models()[copy.model];
  if (!served.served) {
    return Refusal(Fault::kModelNotFound, "", absl::StrCat("model '", served.name, "' is no longer served"));
  }
  return Create(field, id, copy.model, copy.header, copy.floats, response);
}

absl::Status StreamService::ExportStream(const v1::ExportStreamRequest& request, v1::StreamState& response) {
  const auto key = Find(request.stream_id());
  if (!key.ok()) return key.status();
  const StreamHeader& header = shard_.header(*key);
  if (header.steps == 0) {
    return Refusal(Fault::kStreamWithoutState, "stream_id",
                   absl::StrCat("stream '", request.stream_id(),
                                "' has no state: it has taken no reading since it was reset"));
  }
  const ServedModel& served = repository_.models()[key->model];
  response.set_model(served.name);
  response.set_weights_sha256(served.model->spec().weights_sha256);
  response.set_timestamp(header.timestamp_ns);
  response.set_digest(header.digest);
  response.set_steps(header.steps);
  response.set_quality(header.quality);
  response.set_anomaly_score(header.anomaly_score);
  response.set_sequence(header.sequence);
  if (header.refused != tidegate::Outcome{}) {
    response.set_refused(static_cast<v1::Outcome>(header.refused));
    response.set_refused_reason(static_cast<v1::Reason>(header.refused_reason));
    response.set_refused_digest(header.refused_digest);
  }
  const std::span<const float> floats = shard_.floats(*key);
  response.mutable_state()->Assign(floats.begin(), floats.end());
  return absl::OkStatus();
}

absl::Status StreamService::ImportStream(const v1::ImportStreamRequest& request, v1::StreamInfo& response) {
  const v1::StreamState& state = request.state();
  const auto index = repository_.Find(state.model());
  if (!index.ok()) return RefusalWithin("state", index.status());
  const Model& model = *repository_.models()[*index].model;
  if (state.weights_sha256() != model.spec().weights_sha256) {
    return Refusal(Fault::kWeightsDiffer, "state.weights_sha256",
                   absl::StrCat("'", absl::CHexEscape(state.weights_sha256().substr(0, 64)), "'; model '",
                                model.spec().name, "' here has weights ", model.spec().weights_sha256,
                                ": a state goes on only with the weights that made it"));
  }
  const std::span<const float> floats(state.state().data(), static_cast<std::size_t>(state.state_size()));
  const StreamHeader header = {.timestamp_ns = state.timestamp(),
                               .digest = state.digest(),
                               .sequence = state.sequence(),
                               .steps = state.steps(),
                               .anomaly_score = state.anomaly_score(),
                               .refused_digest = state.refused_digest(),
                               .refused = static_cast<tidegate::Outcome>(state.refused()),
                               .refused_reason = static_cast<tidegate::Reason>(state.refused_reason()),
                               .quality = static_cast<std::uint8_t>(state.quality())};
  const bool kept = v1::Outcome_IsValid(state.refused()) && state.refused_reason() >= 0 &&
                    state.refused_reason() <= v1::REASON_POISONED_STATE;  // others are of no stream
  if (state.quality() > kMostQuality || !kept || !IsStream(model, header, floats)) {
    return Refusal(Fault::kInvalidField, "state",
                   absl::StrCat("not what ExportStream gives of a stream of model '", model.spec().name,
                                "' (", StreamFloats(model), " floats of state): send it as it came"));
  }
  return Create("stream_id", request.stream_id(), static_cast<std::uint32_t>(*index), header, floats,
                response);
}

}  // namespace tidegate
