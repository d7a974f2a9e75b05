#include "server/metrics/process_metrics.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdio>
#include <ctime>

namespace tidegate {
namespace {

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

TEST(ProcessMetricsTest, AgreesWithWhatTheSystemCallsSay) {
  const ProcessMetrics metrics = ReadProcessMetrics();
  const auto now = static_cast<double>(std::time(nullptr));
  EXPECT_LE(metrics.start_time_seconds, now + 2);  // the boot time is known to a second
  EXPECT_GE(metrics.start_time_seconds, now - 600);
  EXPECT_NEAR(metrics.cpu_seconds, CpuSeconds(), 0.05);  // it counts ticks of 10 ms
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  EXPECT_GT(metrics.resident_bytes, 1e5);
  EXPECT_LE(metrics.resident_bytes, 1.5 * 1024 * static_cast<double>(usage.ru_maxrss));
}

TEST(ProcessMetricsTest, CountsAnOpenedFile) {
  const double before = ReadProcessMetrics().open_fds;
  std::FILE* const file = std::fopen("/dev/null", "r");
  EXPECT_EQ(ReadProcessMetrics().open_fds, before + 1);
  std::fclose(file);
}

}  // namespace
}  // namespace tidegate
