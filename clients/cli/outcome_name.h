#pragma once

#include <string>

#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

// What became of reading `i` of an answer, for people: "APPLIED", "INVALID (FUTURE_TIMESTAMP)".
std::string OutcomeName(const v1::PushResponse& response, int i);

}  // namespace tidegate
