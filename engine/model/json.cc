#include "engine/model/json.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace tidegate {

absl::StatusOr<nlohmann::json> ParseJson(absl::string_view text, int depth) {
  using nlohmann::json;
  constexpr std::size_t kMaxBytes = 1 << 20;
  if (text.size() > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(text.size(), " bytes of JSON; at most ", kMaxBytes, " are read"));
  }
  std::string problem;
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const json::parser_callback_t watch = [&](int level, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if ((event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) &&
        level >= depth) {
      problem = absl::StrCat("nested deeper than ", depth, " levels");
    }
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      problem = absl::StrCat("key ", parsed.dump(), " stands twice in one object");
    }
    return true;
  };
  json parsed = json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) return absl::InvalidArgumentError("not valid JSON");
  if (!problem.empty()) return absl::InvalidArgumentError(problem);
  return parsed;
}

}  // namespace tidegate
