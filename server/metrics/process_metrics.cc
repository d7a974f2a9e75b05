#include "server/metrics/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>
#include <system_error>

namespace tidegate {
namespace {

// Seconds since 1970 at which the machine started: the line "btime" of /proc/stat (proc(5)).
double BootTime() {
  std::ifstream stat("/proc/stat");
  for (std::string key; stat >> key; stat.ignore(std::numeric_limits<std::streamsize>::max(), '\n')) {
    double seconds = 0;
    if (key == "btime" && stat >> seconds) return seconds;
  }
  return 0;
}

double CountOpenFds() {
  std::error_code error;
  const std::filesystem::directory_iterator fds("/proc/self/fd", error);
  if (error) return 0;
  // One of them is the descriptor of this very listing.
  return static_cast<double>(std::distance(begin(fds), end(fds))) - 1;
}

double MaxFds() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<double>(limit.rlim_cur) : 0;
}

}  // namespace

ProcessMetrics ReadProcessMetrics() {
  ProcessMetrics metrics;
  metrics.open_fds = CountOpenFds();
  metrics.max_fds = MaxFds();

  // proc(5): fields 14 utime, 15 stime, 22 starttime (ticks) and 24 rss (pages). The second field, the name
  // in parentheses, may hold blanks; the third follows its last parenthesis.
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return metrics;
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  std::string field;
  for (int number = 3; fields >> field && number <= 24; ++number) {
    if (number == 14 || number == 15) metrics.cpu_seconds += std::stod(field) / ticks;
    if (number == 22) metrics.start_time_seconds = BootTime() + std::stod(field) / ticks;
    if (number == 24) metrics.resident_bytes = std::stod(field) * static_cast<double>(sysconf(_SC_PAGESIZE));
  }
  return metrics;
}

}  // namespace tidegate
