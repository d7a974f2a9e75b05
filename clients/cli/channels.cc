#include "clients/cli/channels.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace tidegate {

absl::StatusOr<Readings> ToChannels(const Readings& readings, const std::vector<std::string>& channels) {
  Readings split;
  split.file = readings.file;
  split.features = {"value", "channel"};
  split.interval_ns = readings.interval_ns;
  const std::size_t width = readings.features.size();
  for (const StreamReadings& stream : readings.streams) {
    for (std::size_t c = 0; c < channels.size(); ++c) {
      const auto found = std::ranges::find(readings.features, channels[c]);
      if (found == readings.features.end()) {
        return absl::InvalidArgumentError(absl::StrCat(readings.file, ": no column '", channels[c],
                                                       "', one of the model's channels; there are ",
                                                       absl::StrJoin(readings.features, ", ")));
      }
      const auto column = static_cast<std::size_t>(found - readings.features.begin());
      StreamReadings own = {
          .stream = readings.named ? absl::StrCat(stream.stream, "/", channels[c]) : channels[c],
          .timestamp_ns = stream.timestamp_ns,
          .values = {},
          .label = stream.label,
          .line = stream.line};
      for (std::size_t i = 0; i < stream.size(); ++i) {
        own.values.push_back(stream.values[i * width + column]);
        own.values.push_back(static_cast<float>(c));
      }
      split.streams.push_back(std::move(own));
    }
  }
  return split;
}

}  // namespace tidegate
