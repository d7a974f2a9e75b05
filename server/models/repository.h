#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/model/model.h"

namespace tidegate {

// A model and the version of it that is served.
struct ServedModel {
  std::string name;
  std::uint64_t version = 0;
  std::shared_ptr<const Model> model;
};

// The models that a server serves, read once from a folder DIR/<name>/<version>/ (a version is a decimal
// number, the highest is served). A plain value; const methods are safe from any thread.
class Repository {
 public:
  // Reads all models of `folder`; names beginning with a dot are passed over. default_model: what requests
  // without a model name mean; empty: the only model, if there is just one. NotFound: no such folder, no
  // model in it, a model without a version, no model `default_model`. InvalidArgument: a folder name that is
  // no version, or not the name in its model. Errors of ReadModel as they are.
  static absl::StatusOr<Repository> Load(const std::filesystem::path& folder,
                                         const std::string& default_model);

  // By name, rising. The index of a model is what the rest of the server calls it by.
  const std::vector<ServedModel>& models() const { return models_; }

  // The index of model `name`; empty: the default model. NotFound: not served. InvalidArgument: an empty name
  // where there is no default.
  absl::StatusOr<std::size_t> Find(absl::string_view name) const;

 private:
  std::string Names() const;  // "a, b"

  std::vector<ServedModel> models_;
  std::optional<std::size_t> default_;
};

}  // namespace tidegate
