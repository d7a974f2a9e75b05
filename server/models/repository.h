#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
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
  bool served = true;  // false: it was, and its last streams and requests are on their way out
};

// Whether a model may be called so: lower-case letters, digits, '.', '_' and '-', at most 64, the first a
// letter or a digit. So a name is never a path.
bool IsModelName(absl::string_view name);

// Reads a model from DIR/<name>/<version>/; version 0: the highest. NotFound: none of that name or version.
// InvalidArgument: no name for a model, a folder's name that is no version, or that is not the name in its
// model. Errors of ReadModel as they are.
absl::StatusOr<ServedModel> ReadServedModel(const std::filesystem::path& folder, const std::string& name,
                                            std::uint64_t version);

// The models that a server serves, as read from a folder DIR/<name>/<version>/ (a version is a decimal
// number) and changed since. A plain value; const methods are safe from any thread.
class Repository {
 public:
  // Reads the highest version of all models of `folder`; names beginning with a dot are passed over,
  // and folders with nothing else in them: a model that is being trained or searched for.
  // default_model: what requests without a model name mean; empty: the only model, if there is just one.
  // NotFound: no such folder, no model in it, a model without a version, no model `default_model`.
  // InvalidArgument: a folder name that is no version, or not the name in its model. Errors of ReadModel as
  // they are.
  static absl::StatusOr<Repository> Load(const std::filesystem::path& folder,
                                         const std::string& default_model);

  // Also those that are no longer served. The index of a model is what the rest of the server calls it by,
  // and belongs to it for ever; at the start they rise with the names.
  const std::vector<ServedModel>& models() const { return models_; }

  // A further model, whose index is the next.
  void Add(ServedModel model) { models_.push_back(std::move(model)); }
  // Model `index` is served, or not; without it requests that name none may have no model.
  void SetServed(std::size_t index, bool served);
  // Lets go of a model that is no longer served.
  void Release(std::size_t index) { models_[index].model.reset(); }
  // Requests that name no model mean this one.
  void SetDefault(std::size_t index) { default_ = index; }

  // The index of model `name`; empty: the default model. NotFound: not served. InvalidArgument: an empty name
  // where there is no default.
  absl::StatusOr<std::size_t> Find(absl::string_view name) const;

 private:
  std::string Names() const;  // "a, b"

  std::vector<ServedModel> models_;
  std::optional<std::size_t> default_;
};

}  // namespace tidegate
