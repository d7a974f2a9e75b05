#include "server/logging.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <memory>

#include "server/json_formatter.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"

namespace tidegate {

void SetUpLogging(const std::string& level, const std::string& format) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("tidegate-server"));
  if (format == "json") spdlog::set_formatter(std::make_unique<JsonFormatter>());
  spdlog::set_level(spdlog::level::from_str(level));
  gpr_set_log_function([](gpr_log_func_args* entry) { spdlog::debug("grpc: {}", entry->message); });
  google::protobuf::SetLogHandler([](google::protobuf::LogLevel, const char*, int,
                                     const std::string& message) { spdlog::debug("protobuf: {}", message); });
}

}  // namespace tidegate
