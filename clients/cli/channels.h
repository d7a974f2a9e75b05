#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/readings.h"

namespace tidegate {

// Makes each column of values a stream of its own, all of them channels of one model: streams named as the
// column (where a column names streams "<stream>/<column>"), with the features "value" and "channel", the
// number of the column in `channels`. InvalidArgument: a column of `channels` that is not there.
absl::StatusOr<Readings> ToChannels(const Readings& readings, const std::vector<std::string>& channels);

}  // namespace tidegate
