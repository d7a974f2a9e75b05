#pragma once

#include "absl/status/statusor.h"
#include "clients/cli/connection.h"
#include "clients/cli/load.h"
#include "clients/cli/load_feed.h"

namespace tidegate {

// What the server says before the load begins.
struct LoadProbe {
  LoadGrid grid;              // from after the streams' last readings to the present
  std::uint32_t horizon = 0;  // of the forecasts asked for
  std::size_t quantiles = 0;
};

// Asks with a message without readings, and for the cursors of all streams. Errors: what the server says,
// such as InvalidArgument for a step or level that the model does not forecast.
absl::StatusOr<LoadProbe> ProbeServer(const Connection& connection, const LoadOptions& options);

}  // namespace tidegate
