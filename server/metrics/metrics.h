#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"
#include "prometheus/metric_type.h"
#include "server/metrics/instruments.h"

namespace tidegate {

// Every metric of the server: its name, what it says, its kind. Unit in the name; a stream id is never a
// label.
struct MetricDeclaration {
  const char* name;
  const char* help;
  prometheus::MetricType type;
};

namespace metric {
using enum prometheus::MetricType;
inline constexpr MetricDeclaration kRequestDuration{"tidegate_request_duration_seconds",
                                                    "Time from reading a request to handing its answer to "
                                                    "gRPC, by method. On Stream, each message is a request.",
                                                    Histogram};
inline constexpr MetricDeclaration kQueueWait{
    "tidegate_queue_wait_seconds", "Time from reading a request to the batch that takes its first reading.",
    Histogram};
inline constexpr MetricDeclaration kStepDuration{
    "tidegate_step_duration_seconds", "Time of one batched step of the network, by model.", Histogram};
inline constexpr MetricDeclaration kBatchSize{
    "tidegate_batch_size_readings", "Streams that one step of the network advanced together, by model.",
    Histogram};
inline constexpr MetricDeclaration kReadings{
    "tidegate_readings_total", "Readings answered, by model and by what became of them.", Counter};
inline constexpr MetricDeclaration kRequests{
    "tidegate_requests_total",
    "Requests answered, by method and gRPC status code. On Stream, each message counts.", Counter};
inline constexpr MetricDeclaration kStreams{"tidegate_streams", "Streams the server keeps, by model.", Gauge};
inline constexpr MetricDeclaration kStateBytes{
    "tidegate_state_bytes", "Memory that the states of the streams take, by model.", Gauge};
inline constexpr MetricDeclaration kBuildInfo{
    "tidegate_build_info", "Always 1. Version, instruction set of the kernels, version of oneDNN.", Gauge};
inline constexpr MetricDeclaration kModelInfo{
    "tidegate_model_info", "Always 1. The models served; sha256 is the start of the weights' checksum.",
    Gauge};
inline constexpr MetricDeclaration kStartTime{
    "process_start_time_seconds", "When the process started, seconds since 1970-01-01 UTC.", Gauge};
inline constexpr MetricDeclaration kResidentMemory{"process_resident_memory_bytes",
                                                   "Memory of the process that is resident.", Gauge};
inline constexpr MetricDeclaration kCpu{"process_cpu_seconds_total",
                                        "CPU time of the process, user and system.", Counter};
inline constexpr MetricDeclaration kOpenFds{"process_open_fds", "File descriptors that are open.", Gauge};
}  // namespace metric

enum class Method {
  kPush,
  kStream,
  kForecast,
  kGetCursor,
  kGetStream,
  kListStreams,
  kResetStream,
  kDeleteStream,
  kForkStream,
  kExportStream,
  kImportStream
};
inline constexpr std::array<const char*, 11> kMethodNames = {
    "Push",        "Stream",       "Forecast",   "GetCursor",    "GetStream",   "ListStreams",
    "ResetStream", "DeleteStream", "ForkStream", "ExportStream", "ImportStream"};

inline constexpr std::size_t kStatusCodes = 17;  // of gRPC, 0-16
inline constexpr std::size_t kOutcomes = 9;      // numbers of tidegate.v1.Outcome, 0-8

// What one shard counts about one model.
struct ModelMetrics {
  ModelMetrics();
  std::array<Counter, kOutcomes> readings;  // by number of the outcome
  Histogram step_duration;
  Histogram batch_size;
  Gauge streams;
  Gauge state_bytes;
};

// What one shard counts. Written by the shard's thread only.
struct ShardMetrics {
  explicit ShardMetrics(std::size_t model_count);
  Histogram& request_duration(Method method) { return request_durations[static_cast<std::size_t>(method)]; }
  Counter& request(Method method, int code) {
    return requests[static_cast<std::size_t>(method)][static_cast<std::size_t>(code)];
  }

  std::deque<Histogram> request_durations;  // by method
  Histogram queue_wait;
  std::array<std::array<Counter, kStatusCodes>, kMethodNames.size()> requests;
  std::deque<ModelMetrics> models;  // in the order of the models served
};

struct BuildInfo {
  std::string version;
  std::string instruction_set;
  std::string onednn;
};

struct ModelInfo {
  std::string name;
  std::string version;
  std::string cell;     // of each layer: "gru", "gru,lstm"
  std::string units;    // of each layer: "64"
  std::string horizon;  // steps
  std::string sha256;   // start of the weights' checksum
};

// All metrics: shards write theirs, a scrape adds them up. Every label set exists from the start, so that
// rates begin at 0. Collect is safe from any thread and costs the shards nothing.
class Metrics : public prometheus::Collectable {
 public:
  Metrics(BuildInfo build, std::vector<ModelInfo> models, std::size_t shard_count);

  // Lives as long as this.
  ShardMetrics& shard(std::size_t index) { return shards_[index]; }

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  BuildInfo build_;
  std::vector<ModelInfo> models_;
  std::deque<ShardMetrics> shards_;
};

}  // namespace tidegate
