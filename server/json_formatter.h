#pragma once

#include <memory>

#include "spdlog/formatter.h"

namespace tidegate {

// Makes each log entry one line of JSON:
//   {"time":"2026-01-31T12:00:00.123Z","level":"info","thread":4711,"message":"serving on 127.0.0.1:50051"}
// The time is UTC; the level is trace, debug, info, warning, error or critical; the thread is the kernel's
// number. A message may hold any bytes: those that are no UTF-8 become U+FFFD.
class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& entry, spdlog::memory_buf_t& line) override;
  std::unique_ptr<spdlog::formatter> clone() const override;
};

}  // namespace tidegate
