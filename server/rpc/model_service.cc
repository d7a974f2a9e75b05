#include "server/rpc/model_service.h"

#include <algorithm>
#include <cstdint>

#include "engine/stream/stream.h"

namespace tidegate {

void DescribeModel(const Repository& repository, std::size_t index, v1::ModelInfo& info) {
  const ServedModel& served = repository.models()[index];
  const ModelSpec& spec = served.model->spec();
  info.set_model(served.name);
  info.set_version(served.version);
  const auto usual = repository.Find("");
  info.set_is_default(usual.ok() && *usual == index);
  for (const Feature& feature : spec.features) info.add_feature(feature.name);
  info.set_target(spec.features[spec.target].name);
  for (const Feature& channel : spec.channel_scales) info.add_channel(channel.name);
  info.set_interval(spec.interval_ns);
  info.set_horizon(static_cast<std::uint32_t>(spec.horizon));
  info.mutable_quantile()->Assign(spec.quantiles.begin(), spec.quantiles.end());
  for (const std::size_t step : spec.ScoredSteps()) info.add_scored_step(static_cast<std::uint32_t>(step));
  info.set_warm_up(static_cast<std::uint32_t>(spec.warm_up));
  info.set_bridge_limit(static_cast<std::uint32_t>(spec.bridge_limit));
  info.set_reorder_window(static_cast<std::uint32_t>(spec.reorder_window));
  info.set_parameters(served.model->parameters());
  info.set_stream_bytes(StreamBytes(*served.model));
  info.set_weights_sha256(spec.weights_sha256);
  info.set_trained_on(spec.trained_on);
  info.set_validation_mae(spec.validation.mae);
  info.set_validation_persistence_mae(spec.validation.persistence_mae);
}

void ModelService::AddStreams(std::size_t index, v1::ModelInfo& info) const {
  info.set_streams(info.streams() + shard_.table().streams(static_cast<std::uint32_t>(index)));
}

absl::Status ModelService::ListModels(const v1::ListModelsRequest&, v1::ListModelsResponse& response) {
  if (response.model_size() == 0) {
    for (std::size_t i = 0; i < repository_.models().size(); ++i) {
      if (repository_.models()[i].served) DescribeModel(repository_, i, *response.add_model());
    }
    std::sort(response.mutable_model()->begin(), response.mutable_model()->end(),
              [](const auto& a, const auto& b) { return a.model() < b.model(); });
  }
  for (v1::ModelInfo& info : *response.mutable_model()) {
    // One that was unloaded meanwhile has no more streams.
    if (const auto index = repository_.Find(info.model()); index.ok()) AddStreams(*index, info);
  }
  return absl::OkStatus();
}

absl::Status ModelService::GetModel(const v1::GetModelRequest& request, v1::ModelInfo& response) {
  const auto index = repository_.Find(response.model().empty() ? request.model() : response.model());
  if (!index.ok()) return index.status();
  if (response.model().empty()) DescribeModel(repository_, *index, response);
  AddStreams(*index, response);
  return absl::OkStatus();
}

}  // namespace tidegate
