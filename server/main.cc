#include <cstdio>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/app.h"
#include "server/health_check.h"
#include "server/logging.h"
#include "server/options.h"
#include "spdlog/spdlog.h"

int main(int argc, char** argv) {
  const auto parsed = tidegate::ParseOptions(argc, argv);
  if (const auto* exit = std::get_if<tidegate::ExitCode>(&parsed)) return exit->code;
  const auto& options = std::get<tidegate::Options>(parsed);

  // Debian's Abseil is built with assertions, so that every lock that gRPC takes is looked up in a graph of
  // all.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  tidegate::SetUpLogging(options.log_level, options.log_format);
  const absl::Status status = options.health.empty()
                                  ? tidegate::RunServer(options)
                                  : tidegate::CheckHealth(options.health, absl::Seconds(5), options.tls);
  if (status.ok()) return 0;
  if (options.log_format == "json") {
    spdlog::critical("{}", std::string(status.message()));
  } else {
    std::fprintf(stderr, "tidegate-server: %s\n", std::string(status.message()).c_str());
  }
  return 1;
}
