#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/metrics/metrics.h"
#include "server/models/repository.h"
#include "server/rpc/checkpoints.h"
#include "server/rpc/serving_loop.h"
#include "server/shard/recovery.h"
#include "server/shard/shard_journal.h"
#include "server/store/store.h"

namespace tidegate {

// Keeps the streams of all serving loops in a store: brings them back, then has every change journalled and
// checkpoints made. Recover, Stop and Close are for one thread.
class StreamKeeper {
 public:
  struct Options {
    absl::Duration checkpoint_interval = absl::Seconds(60);
    std::size_t memory_limit = 0;  // bytes for streams in memory, over all shards; 0: all of them stay there
    // Streams of models that are not served, or are others by now, are forgotten instead of an error.
    bool drop_other_models = false;
    // What is replayed may differ in its last bits from what was answered, as other kernels made that.
    bool accept_other_build = false;
    // The store has failed; called on any thread, must end the process.
    std::function<void(const absl::Status&)> failed;
  };

  // All must outlive it; the loops of `group` were started with `recovers`.
  StreamKeeper(Store& store, Options options, ServingGroup& group, Metrics& metrics);
  ~StreamKeeper();

  // Brings the streams back, with a thread for each loop, and then has the loops serve. Once.
  // FailedPrecondition: the store has streams of other models, or of other kernels. Cancelled: `stop` was
  // set. Other errors as those of Recovery and Store.
  absl::Status Recover(const Repository& repository, const std::atomic<bool>& stop);

  // The store's number of a model that is served from now on. Safe from any thread.
  absl::StatusOr<std::uint32_t> NumberOf(const ServedModel& served);

  // What streams of a model the store has that may not be in memory; none if all are. Safe from any thread,
  // while the store is.
  absl::StatusOr<std::vector<std::string>> StreamsOf(const ServedModel& served);

  // Calls `each` for the streams in the store whose last reading there is older than a time, with that of it;
  // for none if all are in memory. Safe as StreamsOf.
  absl::Status ForEachOlder(
      std::int64_t before_ns,
      const std::function<absl::Status(absl::string_view id, std::int64_t timestamp_ns)>& each);

  // No further checkpoints, before the loops end.
  void Stop() { checkpoints_.Stop(); }
  // After that: a last checkpoint, so that nothing is left to replay. Does nothing if Recover did not
  // succeed.
  absl::Status Close();

 private:
  absl::Status CheckModels(const Repository& repository);
  absl::Status RunAll(const std::atomic<bool>& stop);
  absl::Status CheckLeftOut();
  absl::Status OpenJournals(const Repository& repository);
  absl::Status LeaveCold(const std::atomic<bool>& stop);
  absl::StatusOr<std::size_t> CountStates(const std::atomic<bool>& stop);

  Store& store_;
  const Options options_;
  std::vector<std::string> other_builds_;  // by number in the store's table: see Recovery::RefuseReadings
  ServingGroup& group_;
  Metrics& metrics_;
  std::vector<std::uint32_t> models_;  // see Recovery
  // Of models that are not served, by id, with the positions of their states; with a memory limit only.
  std::vector<std::pair<std::string, std::uint64_t>> others_;
  std::vector<std::unique_ptr<ShardMetrics>> counts_;  // of what is replayed: not of this process's service
  std::vector<std::unique_ptr<Recovery>> recoveries_;  // by loop
  std::vector<std::unique_ptr<ShardJournal>> journals_;
  Checkpoints checkpoints_;
  bool recovered_ = false;
};

}  // namespace tidegate
