#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "clients/cli/recommend_run.h"
#include "engine/model/spec.h"

namespace tidegate {
namespace {

bool Interval(absl::string_view text, DataProfile& profile) {
  absl::Duration interval;
  if (!absl::ParseDuration(text, &interval)) return false;
  profile.interval_ns = absl::ToInt64Nanoseconds(interval);
  return profile.interval_ns > 0;
}

template <std::size_t DataProfile::*kField, std::size_t kLeast, std::size_t kMost>
bool Count(absl::string_view text, DataProfile& profile) {
  return absl::SimpleAtoi(text, &(profile.*kField)) && profile.*kField >= kLeast && profile.*kField <= kMost;
}

template <double DataProfile::*kField>
bool Share(absl::string_view text, DataProfile& profile) {
  return absl::SimpleAtod(text, &(profile.*kField)) && profile.*kField >= 0 && profile.*kField <= 1;
}

struct Key {
  const char* name;
  bool needed;
  const char* expected;
  bool (*parse)(absl::string_view text, DataProfile& profile);
};
constexpr std::size_t kMany = 1'000'000'000;
constexpr std::array<Key, 9> kKeys = {{
    {"interval", true, "a duration like 10s or 250ms", Interval},
    {"memory", true, "readings that a forecast profits from, 1 to 4096",
     Count<&DataProfile::memory_probe, 1, kMostSteps>},
    {"readings", true, "how many there are of each stream, 1 to 1000000000",
     Count<&DataProfile::readings, 1, kMany>},
    {"streams", false, "their number, 1 to 1000000000", Count<&DataProfile::streams, 1, kMany>},
    {"features", false, "values of a reading, 1 to 1024", Count<&DataProfile::features, 1, 1024>},
    {"season", false, "readings of it, 0 (none) to 65536", Count<&DataProfile::season, 0, kMostCycle>},
    {"missing", false, "a share from 0 to 1", Share<&DataProfile::missing>},
    {"local", false, "the share that the shape of the last readings explains, 0 to 1",
     Share<&DataProfile::local_pattern>},
    {"gain", false, "the share that a linear model takes off the last value's error, 0 to 1",
     Share<&DataProfile::gain>},
}};

std::string Names() {
  return absl::StrJoin(kKeys, ", ", [](std::string* out, const Key& key) { absl::StrAppend(out, key.name); });
}

}  // namespace

absl::StatusOr<DataProfile> ParseDescription(absl::string_view text) {
  DataProfile profile;
  std::set<absl::string_view> given;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    const absl::string_view name = absl::StripAsciiWhitespace(pair.first);
    const auto key = std::ranges::find(kKeys, name, &Key::name);
    if (key == kKeys.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--describe: '", name, "' is no key, expected ", Names()));
    }
    if (!given.insert(name).second)
      return absl::InvalidArgumentError(absl::StrCat("--describe: '", name, "' is given twice"));
    if (!key->parse(absl::StripAsciiWhitespace(pair.second), profile)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--describe: ", name, " is '", pair.second, "', expected ", key->expected));
    }
  }
  for (const Key& key : kKeys) {
    if (key.needed && !given.contains(key.name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--describe: ", key.name, " is missing, expected ", key.expected));
    }
  }
  profile.readings *= profile.streams;
  return profile;
}

}  // namespace tidegate
