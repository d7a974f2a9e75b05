#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
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

// Changes which models all serving loops serve, one change after the other, on a thread of its own, so that
// no reading waits for a file. A model is at every shard before any loop hears its name, and a name is
// forgotten by every loop before its streams and its model go.
class ModelAdmin {
 public:
  using Done = std::function<void(absl::Status)>;

  // folder: of the models; repository: as all loops have it now; keeper: null without a store. All others
  // must outlive this.
  ModelAdmin(std::filesystem::path folder, const Repository& repository, ServingGroup& group,
             Metrics& metrics, StreamKeeper* keeper);
  ~ModelAdmin();  // waits for what has been asked for

  // What follows is safe from any thread. `done` is called by the admin's thread. Errors: as forecaster.proto
  // says of LoadModel, UnloadModel and SetDefaultModel.

  // version 0: the highest.
  void Load(std::string name, std::uint64_t version, Done done);
  // deleted: the streams that were, set before `done`.
  void Unload(std::string name, bool delete_streams, std::uint64_t& deleted, Done done);
  void SetDefault(std::string name, Done done);

 private:
  void Ask(std::function<absl::Status()> change, Done done);
  void Run();
  absl::Status DoLoad(const std::string& name, std::uint64_t version);
  absl::Status DoUnload(const std::string& name, bool delete_streams, std::uint64_t& deleted);
  absl::Status DoSetDefault(const std::string& name);
  void OnAll(const std::function<void(ServingLoop&)>& work);  // returns when every loop has done it
  void Publish();
  std::size_t CountStreams(std::uint32_t model);
  void DeleteStreams(std::uint32_t model);
  std::size_t CountCold(const std::vector<std::string>& ids);
  void DeleteCold(const std::vector<std::string>& ids);
  // Calls `work` for each stream with the loop whose it is, a few at a time.
  void InSlices(const std::vector<std::string>& ids,
                const std::function<void(ServingLoop&, const std::string&)>& work);

  struct Job {
    std::function<absl::Status()> change;
    Done done;
  };

  const std::filesystem::path folder_;
  Repository repository_;  // the thread's
  ServingGroup& group_;
  Metrics& metrics_;
  StreamKeeper* const keeper_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable asked_;
  std::deque<Job> jobs_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace tidegate
