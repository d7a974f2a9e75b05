#include "clients/cli/model_folder.h"

#include <algorithm>
#include <cstdint>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/model/model_file.h"

namespace tidegate {

std::filesystem::path NextVersion(const std::filesystem::path& folder) {
  std::uint64_t highest = 0;
  std::error_code none;  // no such folder: version 1
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    std::uint64_t version = 0;
    if (absl::SimpleAtoi(entry.path().filename().string(), &version)) highest = std::max(highest, version);
  }
  return folder / absl::StrCat(highest + 1);
}

absl::Status SaveModel(const TrainedModel& trained, const std::filesystem::path& folder,
                       const std::function<absl::Status(const std::filesystem::path&)>& beside) {
  const std::filesystem::path draft =
      folder.parent_path() / absl::StrCat(".", folder.filename().string(), ".draft");
  std::error_code error;
  std::filesystem::remove_all(draft, error);
  absl::Status written = WriteModel(draft, trained.spec, trained.tensors);
  if (!written.ok()) return written;
  if (const auto model = ReadModel(draft); !model.ok()) return model.status();
  if (beside) written = beside(draft);
  if (!written.ok()) return written;
  std::filesystem::rename(draft, folder, error);
  if (error) return absl::UnavailableError(absl::StrCat(folder.string(), ": ", error.message()));
  return absl::OkStatus();
}

}  // namespace tidegate
