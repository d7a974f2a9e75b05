#include "clients/cli/model_columns.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cli/channels.h"

namespace tidegate {

ModelColumns ColumnsOf(const ModelSpec& spec) {
  ModelColumns columns = {
      .model = spec.name, .features = {}, .target = spec.features[spec.target].name, .channels = {}};
  for (const Feature& feature : spec.features) columns.features.push_back(feature.name);
  for (const Feature& channel : spec.channel_scales) columns.channels.push_back(channel.name);
  return columns;
}

absl::StatusOr<Readings> FitToModel(Readings readings, const ModelColumns& model, const std::string& target) {
  if (!model.channels.empty() && readings.features != model.features) {
    if (target.empty()) return ToChannels(readings, model.channels);
    return absl::InvalidArgumentError(absl::StrCat(readings.file, ": --target ", target, ": model '",
                                                   model.model, "' forecasts each of the columns ",
                                                   absl::StrJoin(model.channels, ","), ", all are tested"));
  }
  const auto wrong = [&](absl::string_view what, absl::string_view flags) {
    return absl::InvalidArgumentError(absl::StrCat(readings.file, ": ", what, " model '", model.model,
                                                   "' takes ", absl::StrJoin(model.features, ","),
                                                   " and forecasts ", model.target, ": give ", flags));
  };
  const std::vector<std::string>& names = readings.features;
  const bool same_names = std::ranges::is_permutation(names, model.features);
  if (names.size() != model.features.size() || (names != model.features && same_names)) {
    return wrong(absl::StrCat("the values are ", absl::StrJoin(names, ","), ";"),
                 same_names ? absl::StrCat("--values ", absl::StrJoin(model.features, ","))
                            : "the columns that mean these with --values, in this order");
  }
  if (!target.empty() && target != model.target && std::ranges::count(model.features, target) > 0)
    return wrong(absl::StrCat("--target is ", target, ";"), absl::StrCat("--target ", model.target));
  const auto place = std::ranges::find(model.features, model.target) - model.features.begin();
  readings.target = static_cast<std::size_t>(place);
  return readings;
}

}  // namespace tidegate
