#include "server/rpc/backups.h"

#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/fault/fault.h"
#include "server/models/repository.h"
#include "server/rpc/admin_call.h"
#include "server/rpc/status.h"
#include "spdlog/spdlog.h"

namespace tidegate {
namespace {

std::uint64_t BytesIn(const std::filesystem::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code ignored;  // a file that cannot be looked at is not counted
  std::filesystem::recursive_directory_iterator entry(folder, ignored);
  for (const std::filesystem::recursive_directory_iterator end; entry != end; entry.increment(ignored)) {
    std::error_code unknown;
    const std::uint64_t size = entry->file_size(unknown);
    if (!unknown) bytes += size;
  }
  return bytes;
}

class BackupCall final : public AdminCall<v1::BackupRequest, v1::BackupResponse> {
 public:
  explicit BackupCall(ServingLoop& loop)
      : AdminCall(loop, Method::kBackup, &ForecasterService::RequestBackup) {}

 private:
  void WaitForNext() override { new BackupCall(loop_); }
  void Serve() override {
    Backups* const backups = loop_.group().backups;
    if (backups == nullptr) {
      return Finish(
          Refusal(Fault::kNoBackups, "", "this server makes no backups: start it with --data and --backups"));
    }
    Ask([this, backups] { return backups->Make(request_, response_); });
  }
};

}  // namespace

absl::Status Backups::Make(const v1::BackupRequest& request, v1::BackupResponse& response) {
  const absl::Time begin = absl::Now();
  std::string name = request.name();
  if (name.empty()) {
    name = absl::AsciiStrToLower(absl::FormatTime("%Y%m%dT%H%M%E3SZ", begin, absl::UTCTimeZone()));
  }
  if (!IsModelName(name)) {
    return Refusal(Fault::kInvalidField, "name",
                   absl::StrCat("'", absl::CHexEscape(name.substr(0, 64)),
                                "' is no name for a backup: expected lower-case letters, digits, '.', '_', "
                                "'-', at most 64, the first a letter or a digit"));
  }
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) {
    return absl::FailedPreconditionError(
        absl::StrCat("the folder for backups, ", folder_.string(), ", cannot be made: ", error.message()));
  }
  const std::filesystem::path folder = folder_ / name;
  if (std::filesystem::exists(folder, error)) {
    return Refusal(Fault::kBackupExists, "name", absl::StrCat("there is a backup '", name, "' already"));
  }
  if (auto s = store_.Backup(folder, stop_); !s.ok()) return stop_ ? DrainingStatus() : s;
  response.set_name(name);
  response.set_folder(folder);
  response.set_bytes(BytesIn(folder));
  spdlog::info("backup {} of {} bytes made in {}", folder.string(), response.bytes(),
               absl::FormatDuration(absl::Now() - begin));
  return absl::OkStatus();
}

void WaitForBackupCall(ServingLoop& loop) { new BackupCall(loop); }

}  // namespace tidegate
