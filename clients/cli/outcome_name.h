#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

// What became of reading `i` of an answer, for people: "APPLIED", "INVALID (FUTURE_TIMESTAMP)".
std::string OutcomeName(const v1::PushResponse& response, int i);

// "APPLIED", of an outcome alone; and back, OUTCOME_UNSPECIFIED: there is none of that name. What follows a
// blank does not count.
std::string OutcomeName(int outcome);
v1::Outcome OutcomeOf(absl::string_view name);

}  // namespace tidegate
