#pragma once

#include <atomic>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "server/store/store.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

class ServingLoop;

// Copies of a store, in folders of their names below one folder.
class Backups {
 public:
  // store: must outlive it.
  Backups(Store& store, std::filesystem::path folder) : store_(store), folder_(std::move(folder)) {}

  // A copy as of now. Errors: as forecaster.proto says of Backup.
  absl::Status Make(const v1::BackupRequest& request, v1::BackupResponse& response);

  // The backup that is being made is given up. Safe from any thread.
  void Stop() { stop_ = true; }

 private:
  Store& store_;
  const std::filesystem::path folder_;
  std::atomic<bool> stop_{false};
};

// Waits for a client of Backup, which the group's Backups makes.
void WaitForBackupCall(ServingLoop& loop);

}  // namespace tidegate
