#include "server/rpc/memory_limit.h"

#include <algorithm>
#include <fstream>
#include <string>

#include "absl/strings/match.h"

namespace tidegate {
namespace {

constexpr char kUnified[] = "0::/";  // before the group's path, in the one line of cgroup v2

std::filesystem::path OwnGroup(const std::filesystem::path& file) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (absl::StartsWith(line, kUnified)) return line.substr(sizeof kUnified - 1);
  }
  return {};
}

}  // namespace

std::optional<std::size_t> MemoryLimit(const std::filesystem::path& own_group,
                                       const std::filesystem::path& groups) {
  std::optional<std::size_t> least;
  // Each group's limit holds for those within it. In a namespace of its own a container is the root.
  for (std::filesystem::path group = OwnGroup(own_group);; group = group.parent_path()) {
    std::size_t bytes = 0;
    if (std::ifstream(groups / group / "memory.max") >> bytes) least = std::min(bytes, least.value_or(bytes));
    if (group.empty()) return least;
  }
}

}  // namespace tidegate
