#include "clients/cli/outcome_name.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace tidegate {

std::string OutcomeName(const v1::PushResponse& response, int i) {
  std::string name = v1::Outcome_Name(response.outcome(i));
  if (name.empty()) name = absl::StrCat("OUTCOME_", static_cast<int>(response.outcome(i)));
  name = std::string(absl::StripPrefix(name, "OUTCOME_"));
  if (response.outcome(i) == v1::OUTCOME_INVALID && response.reason_size() > i) {
    absl::StrAppend(&name, " (", absl::StripPrefix(v1::Reason_Name(response.reason(i)), "REASON_"), ")");
  }
  return name;
}

}  // namespace tidegate
