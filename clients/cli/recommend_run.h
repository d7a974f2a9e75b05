#pragma once

#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "clients/cli/readings.h"
#include "engine/tune/data_profile.h"
#include "engine/tune/recommendation.h"

namespace tidegate {

// What `tidegate recommend` was asked and found out.
struct RecommendRun {
  std::string file;  // empty: described
  ReadingOptions readings;
  DataProfile profile;
  double profile_seconds = 0;  // that measuring it took
  Budget budget;
  Recommendation recommendation;
};

// Parses "interval=10s,memory=300,readings=5000,...": the keys in a table in recommend_description.cc, those
// three needed; readings are those of each stream. InvalidArgument naming the key: unknown, twice, missing,
// or not a value of its kind.
absl::StatusOr<DataProfile> ParseDescription(absl::string_view text);

// The command that trains what is recommended, on the same file with the same meaning of its columns.
std::string TrainCommandOf(const RecommendRun& run);

// What was measured, then the recommendation with its reasons, then the command.
void PrintRecommendation(const RecommendRun& run, std::ostream& out);

std::string RecommendJson(const RecommendRun& run);  // the same, ends with a newline

}  // namespace tidegate
