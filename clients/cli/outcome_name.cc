#include "clients/cli/outcome_name.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace tidegate {

std::string OutcomeName(int outcome) {
  const std::string& name = v1::Outcome_Name(outcome);
  return name.empty() ? absl::StrCat("OUTCOME_", outcome) : std::string(absl::StripPrefix(name, "OUTCOME_"));
}

v1::Outcome OutcomeOf(absl::string_view name) {
  v1::Outcome outcome = v1::OUTCOME_UNSPECIFIED;
  v1::Outcome_Parse(absl::StrCat("OUTCOME_", name.substr(0, name.find(' '))), &outcome);
  return outcome;
}

std::string OutcomeName(const v1::PushResponse& response, int i) {
  std::string name = OutcomeName(response.outcome(i));
  if (response.outcome(i) == v1::OUTCOME_INVALID && response.reason_size() > i) {
    absl::StrAppend(&name, " (", absl::StripPrefix(v1::Reason_Name(response.reason(i)), "REASON_"), ")");
  }
  return name;
}

}  // namespace tidegate
