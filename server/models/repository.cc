#include "server/models/repository.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/model/model_file.h"
#include "server/fault/fault.h"

namespace tidegate {
namespace {

namespace fs = std::filesystem;

// The folders in `folder`, by name, rising. Links to folders count.
absl::StatusOr<std::vector<fs::path>> Folders(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> folders;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code unknown;  // a link that may not be followed, say
    if (entry->is_directory(unknown) && entry->path().filename().string().front() != '.')
      folders.push_back(entry->path());
  }
  if (error) return absl::NotFoundError(absl::StrCat(folder.string(), ": ", error.message()));
  std::sort(folders.begin(), folders.end());
  return folders;
}

// A model that is being trained or searched for, or was until it was stopped: nothing but what `tidegate`
// keeps for that, in hidden files and folders.
bool IsInTheMaking(const fs::path& folder) {
  std::error_code error;
  bool hidden = false;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().filename().string().front() != '.') return false;
    hidden = true;
  }
  return !error && hidden;
}

// The highest version in DIR/<name>.
absl::StatusOr<std::uint64_t> HighestVersion(const fs::path& folder) {
  const auto versions = Folders(folder);
  if (!versions.ok()) return versions.status();
  std::optional<std::uint64_t> highest;
  for (const fs::path& path : *versions) {
    const std::string name = path.filename().string();
    std::uint64_t version = 0;
    const bool digits = std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
    // A second spelling of a number (007) would make two folders one version.
    if (!digits || !absl::SimpleAtoi(name, &version) || absl::StrCat(version) != name) {
      return absl::InvalidArgumentError(absl::StrCat(
          path.string(), ": expected a version, a decimal number such as 1, as the folder's name"));
    }
    highest = std::max(highest.value_or(0), version);
  }
  if (!highest) {
    return absl::NotFoundError(absl::StrCat(folder.string(), ": no version of this model; expected ",
                                            (folder / "1").string(),
                                            " with model.json and weights.safetensors"));
  }
  return *highest;
}

}  // namespace

bool IsModelName(absl::string_view name) {
  const auto plain = [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); };
  const auto allowed = [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= 64 && plain(name[0]) &&
         std::all_of(name.begin(), name.end(), allowed);
}

absl::StatusOr<ServedModel> ReadServedModel(const fs::path& folder, const std::string& name,
                                            std::uint64_t version) {
  if (!IsModelName(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", absl::CHexEscape(name.substr(0, 64)),
                     "' is no name for a model: expected at most 64 lower-case letters, digits, '.', '_' and "
                     "'-', the first a letter or a digit"));
  }
  const auto highest = HighestVersion(folder / name);
  if (!highest.ok()) return highest.status();
  if (version == 0) version = *highest;
  const fs::path version_folder = folder / name / absl::StrCat(version);
  auto model = ReadModel(version_folder);
  if (!model.ok()) return model.status();
  if ((*model)->spec().name != name) {
    return absl::InvalidArgumentError(absl::StrCat(version_folder.string(), ": model.json names the model '",
                                                   (*model)->spec().name, "', its folder '", name,
                                                   "'; rename the folder or the model"));
  }
  return ServedModel{.name = name, .version = version, .model = *std::move(model)};
}

absl::StatusOr<Repository> Repository::Load(const fs::path& folder, const std::string& default_model) {
  const auto folders = Folders(folder);
  if (!folders.ok()) return folders.status();
  Repository repository;
  for (const fs::path& path : *folders) {
    if (IsInTheMaking(path)) continue;
    auto served = ReadServedModel(folder, path.filename().string(), /*version=*/0);
    if (!served.ok()) return served.status();
    repository.models_.push_back(*std::move(served));
  }
  if (repository.models_.empty()) {
    return absl::NotFoundError(absl::StrCat(folder.string(), ": no model in this folder; expected ",
                                            (folder / "<name>" / "<version>" / "model.json").string()));
  }
  if (!default_model.empty()) {
    const auto index = repository.Find(default_model);
    if (!index.ok()) return index.status();
    repository.default_ = *index;
  } else if (repository.models_.size() == 1) {
    repository.default_ = 0;
  }
  return repository;
}

absl::StatusOr<std::size_t> Repository::Find(absl::string_view name) const {
  if (name.empty()) {
    if (default_) return *default_;
    return Refusal(Fault::kModelNotNamed, "model",
                   absl::StrCat("no model named and this server has no default: name one of ", Names()));
  }
  const auto found = std::find_if(models_.begin(), models_.end(),
                                  [&](const ServedModel& m) { return m.served && m.name == name; });
  if (found != models_.end()) return static_cast<std::size_t>(found - models_.begin());
  return Refusal(Fault::kModelNotFound, "model",
                 absl::StrCat("no model '", name.substr(0, 64), "': this server has ", Names()));
}

void Repository::SetServed(std::size_t index, bool served) {
  models_[index].served = served;
  if (!served && default_ == index) default_.reset();
}

std::string Repository::Names() const {
  std::vector<absl::string_view> names;
  for (const ServedModel& model : models_) {
    if (model.served) names.push_back(model.name);
  }
  return names.empty() ? "no model" : absl::StrJoin(names, ", ");
}

}  // namespace tidegate
