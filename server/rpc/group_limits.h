#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

namespace tidegate {

// What this process' control group and those around it allow, the least of them: a container's limits, or a
// service's (cgroup v2). None: there is no limit, or another system.

// Memory, bytes: memory.max, MemoryMax.
std::optional<std::size_t> MemoryLimit(const std::filesystem::path& own_group = "/proc/self/cgroup",
                                       const std::filesystem::path& groups = "/sys/fs/cgroup");

// Time of CPUs in each second, so how many at once on average: cpu.max, CPUQuota.
std::optional<double> CpuLimit(const std::filesystem::path& own_group = "/proc/self/cgroup",
                               const std::filesystem::path& groups = "/sys/fs/cgroup");

}  // namespace tidegate
