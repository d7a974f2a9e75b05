#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/metrics/metrics.h"
#include "server/models/repository.h"
#include "server/rpc/serving_loop.h"
#include "server/rpc/stream_keeper.h"

namespace tidegate {

// What the metrics say of a model.
ModelInfo MetricsOf(const ServedModel& served);

// Changes which models all serving loops serve. A model is at every shard before any loop hears its name, and
// a name is forgotten by every loop before its streams and its model go. For one thread that is no loop's.
class ModelAdmin {
 public:
  // folder: of the models; repository: as all loops have it now; keeper: null without a store. All others
  // must outlive this.
  ModelAdmin(std::filesystem::path folder, const Repository& repository, ServingGroup& group,
             Metrics& metrics, StreamKeeper* keeper);

  // Errors: as forecaster.proto says of LoadModel, UnloadModel and SetDefaultModel.

  // version 0: the highest.
  absl::Status Load(const std::string& name, std::uint64_t version);
  // deleted: the streams that were.
  absl::Status Unload(const std::string& name, bool delete_streams, std::uint64_t& deleted);
  absl::Status SetDefault(const std::string& name);

 private:
  void OnAll(const std::function<void(ServingLoop&)>& work);  // returns when every loop has done it
  void Publish();
  std::size_t CountStreams(std::uint32_t model);
  void DeleteStreams(std::uint32_t model);
  std::size_t CountCold(const std::vector<std::string>& ids);
  void DeleteCold(std::uint32_t model, const std::vector<std::string>& ids);
  // What was deleted is so after a crash too.
  void WaitUntilDurable();
  // Calls `work` for each stream with the loop whose it is, a few at a time.
  void InSlices(const std::vector<std::string>& ids,
                const std::function<void(ServingLoop&, const std::string&)>& work);

  const std::filesystem::path folder_;
  Repository repository_;
  ServingGroup& group_;
  Metrics& metrics_;
  StreamKeeper* const keeper_;
};

}  // namespace tidegate
