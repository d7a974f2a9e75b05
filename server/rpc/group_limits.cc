#include "server/rpc/group_limits.h"

#include <algorithm>
#include <fstream>
#include <string>

#include "absl/strings/match.h"

namespace tidegate {
namespace {

namespace fs = std::filesystem;

constexpr char kUnified[] = "0::/";  // before the group's path, in the one line of cgroup v2

fs::path OwnGroup(const fs::path& file) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (absl::StartsWith(line, kUnified)) return line.substr(sizeof kUnified - 1);
  }
  return {};
}

// The least of what read(stream) returns of the file in the group and those around it: each group's limit
// holds for those within it. In a namespace of its own a container is the root.
template <typename Limit>
std::optional<Limit> Least(const fs::path& own_group, const fs::path& groups, const char* file,
                           std::optional<Limit> (*read)(std::istream&)) {
  std::optional<Limit> least;
  for (fs::path group = OwnGroup(own_group);; group = group.parent_path()) {
    std::ifstream stream(groups / group / file);
    if (const auto limit = read(stream)) least = std::min(*limit, least.value_or(*limit));
    if (group.empty()) return least;
  }
}

// "max" is no number.
std::optional<std::size_t> ReadBytes(std::istream& stream) {
  std::size_t bytes = 0;
  if (!(stream >> bytes)) return std::nullopt;
  return bytes;
}

std::optional<double> ReadCpus(std::istream& stream) {
  double quota = 0, period = 0;  // microseconds
  if (!(stream >> quota >> period) || !(period > 0)) return std::nullopt;
  return quota / period;
}

}  // namespace

std::optional<std::size_t> MemoryLimit(const fs::path& own_group, const fs::path& groups) {
  return Least(own_group, groups, "memory.max", ReadBytes);
}

std::optional<double> CpuLimit(const fs::path& own_group, const fs::path& groups) {
  return Least(own_group, groups, "cpu.max", ReadCpus);
}

}  // namespace tidegate
