#include "server/json_formatter.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "spdlog/details/log_msg.h"

namespace tidegate {
namespace {

std::string Quoted(spdlog::string_view_t text) {
  using Json = nlohmann::json;
  return Json(std::string(text.data(), text.size())).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void JsonFormatter::format(const spdlog::details::log_msg& entry, spdlog::memory_buf_t& line) {
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromChrono(entry.time), absl::UTCTimeZone());
  const std::string json =
      absl::StrCat(R"({"time":")", time, R"(","level":)", Quoted(spdlog::level::to_string_view(entry.level)),
                   R"(,"thread":)", entry.thread_id, R"(,"message":)", Quoted(entry.payload), "}\n");
  line.append(json.data(), json.data() + json.size());
}

std::unique_ptr<spdlog::formatter> JsonFormatter::clone() const { return std::make_unique<JsonFormatter>(); }

}  // namespace tidegate
