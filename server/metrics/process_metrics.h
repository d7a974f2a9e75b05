#pragma once

namespace tidegate {

// What the kernel knows about this process.
struct ProcessMetrics {
  double start_time_seconds = 0;  // since 1970-01-01 UTC
  double resident_bytes = 0;
  double cpu_seconds = 0;  // user and system
  double open_fds = 0;
  double max_fds = 0;
};

// Reads them from /proc; what cannot be read is 0. Safe from any thread.
ProcessMetrics ReadProcessMetrics();

}  // namespace tidegate
