#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "server/models/repository.h"
#include "server/shard/shard.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

// Fills `info` about a served model, but for its streams.
void DescribeModel(const Repository& repository, std::size_t index, v1::ModelInfo& info);

// The calls of Forecaster that ask about models, for one shard: the answer grows from shard to shard, by each
// one's streams. Each is done at once, by the shard's thread, between two batches. Not thread-safe. Errors:
// those named in forecaster.proto.
class ModelService {
 public:
  // Both must outlive this.
  ModelService(const Repository& repository, const Shard& shard) : repository_(repository), shard_(shard) {}

  absl::Status ListModels(const v1::ListModelsRequest& request, v1::ListModelsResponse& response);
  absl::Status GetModel(const v1::GetModelRequest& request, v1::ModelInfo& response);

 private:
  void AddStreams(std::size_t index, v1::ModelInfo& info) const;

  const Repository& repository_;
  const Shard& shard_;
};

}  // namespace tidegate
