#include "engine/tensor/tensors.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace tidegate {

std::string ShapeString(const std::vector<std::size_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

absl::StatusOr<const Tensor*> FindTensor(const Tensors& tensors, const std::string& name,
                                         const std::vector<std::size_t>& shape) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor '", name, "' is missing; expected shape ", ShapeString(shape)));
  }
  if (found->second.shape != shape) {
    return absl::InvalidArgumentError(absl::StrCat("tensor '", name, "' has shape ",
                                                   ShapeString(found->second.shape), "; expected ",
                                                   ShapeString(shape)));
  }
  return &found->second;
}

Tensors Below(const std::string& prefix, const Tensors& tensors) {
  Tensors below;
  for (auto it = tensors.lower_bound(prefix); it != tensors.end() && absl::StartsWith(it->first, prefix);
       ++it) {
    below[it->first.substr(prefix.size())] = it->second;
  }
  return below;
}

}  // namespace tidegate
