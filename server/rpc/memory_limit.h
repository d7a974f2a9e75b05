#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

namespace tidegate {

// The least limit of memory, in bytes, that this process' control group and those around it have: a
// container's, or a service's MemoryMax (cgroup v2). None: there is none, or another system.
std::optional<std::size_t> MemoryLimit(const std::filesystem::path& own_group = "/proc/self/cgroup",
                                       const std::filesystem::path& groups = "/sys/fs/cgroup");

}  // namespace tidegate
