#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "engine/model/spec.h"
#include "engine/tune/data_profile.h"
#include "engine/tune/family.h"

namespace tidegate {

// What serving may cost, and how forecasts are asked for.
struct Budget {
  absl::Duration latency =
      absl::ZeroDuration();     // from a reading to its forecast, within the server; zero: any
  double streams_per_core = 0;  // that one core must keep up with, each a reading an interval; 0: any
  bool bounded_window = false;  // every forecast may be made anew from the last readings: offline, or few
};

// A choice, what of the data or the budget led to it, and the rule that says so.
struct ChoiceReason {
  std::string what;     // "family"
  std::string choice;   // "lstm"
  std::string because;  // "memory of 300 readings"
  std::string rule;
};

struct Recommendation {
  Family family = Family::kGru;  // lstm, gru, bidirectional_gru or cnn_gru
  std::size_t units = 0;         // of one recurrent layer, and filters of the convolution below it
  std::size_t kernel = 0;        // readings under a filter; 0: no convolution
  // Readings that a forecast should rest on: the warm-up of a stateful family, the window of the
  // bidirectional one.
  std::size_t context = 0;
  std::size_t cycle = 0;       // readings of a season to take out before the network; 0: none
  bool level_inputs = false;   // beside the differences
  double step_seconds = 0;     // of a core for one reading, as `step_seconds` said
  double allowed_seconds = 0;  // the same by the budget, infinite if it has no limit
  bool within_budget = true;   // false: even the cheapest family and size is too slow
  std::vector<ChoiceReason> reasons;
};

// Streams whose steps are taken together when a cost is asked for: beyond so many a step hardly gets cheaper.
inline constexpr std::size_t kStepsTogether = 16;

// By fixed rules, each named in the reasons; the thresholds stand with their sources in recommendation.cc.
// Rules are a place to start a search from, they train nothing. step_seconds: what one reading costs a core
// with a model of this spec in a batch of kStepsTogether.
Recommendation Recommend(const DataProfile& profile, const Budget& budget,
                         absl::FunctionRef<double(const ModelSpec&)> step_seconds);

// A model of this shape for such streams, not trained: it has its size and its cost.
ModelSpec UntrainedSpec(const DataProfile& profile, const Recommendation& shape);

}  // namespace tidegate
