#pragma once

#include <string>

namespace tidegate {

// Logs to stderr from `level` on: trace, debug, info, warn, error or off; format: text, or json (see
// JsonFormatter). What gRPC and protobuf log goes
// there as debug, since clients can make them log at will. To be called once, by main.
void SetUpLogging(const std::string& level, const std::string& format);

}  // namespace tidegate
