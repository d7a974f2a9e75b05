#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "clients/cli/accuracy.h"

namespace tidegate {

// What a push found out, ready to be shown. Values in the target's unit; a plain value.
struct PushSummary {
  // One reading beside what had been forecast for it.
  struct Row {
    std::string stream;  // id as the server knows it
    std::int64_t timestamp_ns = 0;
    std::size_t line = 0;
    std::size_t step = 0;  // the forecast was made so many steps before
    Accuracy::Quantiles forecast = {};
    float actual = 0;
    float reach = 0;  // half the sensor's resolution, see Accuracy::Observe
    float anomaly_score = 0;
    std::string label;

    bool inside() const { return forecast.low - reach <= actual && actual <= forecast.high + reach; }
  };

  // A reading that was not applied.
  struct Refused {
    std::string stream;
    std::size_t line = 0;
    std::string outcome;  // "LATE", "INVALID (INFINITE_VALUE)"
  };

  std::string server;
  std::string file;
  std::string target;
  std::size_t streams = 0;
  std::size_t readings = 0;
  std::size_t messages = 0;
  std::size_t not_sent = 0;       // readings of which the server had later ones
  std::size_t interruptions = 0;  // times that the server was gone
  std::int64_t interval_ns = 0;   // of the file
  bool row_numbers = false;       // times are row numbers times interval_ns
  std::int64_t model_interval_ns = 0;
  std::vector<float> quantiles;

  std::map<std::string, std::size_t> outcomes;  // by name
  std::vector<Refused> refused;                 // the first few
  std::vector<Row> samples;                     // spread over the feed, in order
  std::vector<Row> unusual;                     // highest anomaly score first, forecasts one step before
  std::size_t scored = 0;                       // readings that have an anomaly score
  std::size_t labelled = 0;                     // those of them with a label
  double labelled_above = 0;          // share of pairs in which the labelled one scores higher; ties half
  std::vector<Accuracy::Step> steps;  // [horizon]
  Accuracy::Step total;               // over all steps
  double resolution = 0;              // smallest change of the target; 0: it never changed
  double unchanged = 0;               // share of readings with the target of the one before

  std::vector<double> latency_seconds;  // of every message, rising
  double seconds = 0;                   // for the whole feed

  // The latency that the share `level` of messages does not exceed (nearest rank). Requires a message.
  double Latency(double level) const;
};

// Both require a message.
void PrintSummary(const PushSummary& summary, std::ostream& out);

// The same as JSON, indented.
std::string SummaryJson(const PushSummary& summary);

}  // namespace tidegate
