#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"
#include "prometheus/metric_type.h"
#include "server/metrics/instruments.h"
#include "server/metrics/store_metrics.h"

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
                                                    "gRPC, of requests answered with OK, by method. On "
                                                    "Stream, each message is a request.",
                                                    Histogram};
inline constexpr MetricDeclaration kQueueWait{"tidegate_queue_wait_seconds",
                                              "Time from reading a request to the batch that takes its first "
                                              "reading, at each shard that serves some of it.",
                                              Histogram};
inline constexpr MetricDeclaration kStageDuration{
    "tidegate_stage_duration_seconds",
    "Time of each stage of serving: receive, queue and send of a message; gather, step and scatter of a "
    "batch; journal of an answer that waits until what it says is durable; queue and journal at each shard "
    "that serves some of it. "
    "Receive and send are timed for one message in eight, which counts eightfold.",
    Histogram};
inline constexpr MetricDeclaration kWaitingReadings{
    "tidegate_waiting_readings", "Readings taken in whose message is not answered yet.", Gauge};
inline constexpr MetricDeclaration kRefusals{
    "tidegate_refusals_total",
    "What the server had no room for, by reason: a Push, a new stream, the next message of a Stream call, "
    "which waits, answers that nobody takes, or a reading while the disk is nearly full.",
    Counter};
inline constexpr MetricDeclaration kBusy{"tidegate_shard_busy_seconds_total",
                                         "CPU time of the thread of a shard, with what gRPC does in it.",
                                         Counter};
inline constexpr MetricDeclaration kOpenCalls{
    "tidegate_open_calls", "Calls that have begun and not ended, of all methods and of health.", Gauge};
inline constexpr MetricDeclaration kStepDuration{
    "tidegate_step_duration_seconds", "Time of one batched step of the network, by model.", Histogram};
inline constexpr MetricDeclaration kBatchSize{
    "tidegate_batch_size_readings", "Streams that one step of the network advanced together, by model.",
    Histogram};
inline constexpr MetricDeclaration kBatchLimit{
    "tidegate_batch_limit_readings", "Streams that one step of the network advances together at most.",
    Gauge};
inline constexpr MetricDeclaration kReadings{
    "tidegate_readings_total", "Readings answered, by model and by what became of them.", Counter};
inline constexpr MetricDeclaration kRequests{
    "tidegate_requests_total",
    "Requests answered, by method and gRPC status code. On Stream, each message counts; on Subscribe, the "
    "call when it is subscribed.",
    Counter};
inline constexpr MetricDeclaration kStreams{"tidegate_streams", "Streams in memory, by model.", Gauge};
inline constexpr MetricDeclaration kColdStreams{"tidegate_cold_streams",
                                                "Streams that are on disk alone (--memory-limit).", Gauge};
inline constexpr MetricDeclaration kEvictions{"tidegate_stream_evictions_total",
                                              "Streams put out of memory, to the disk.", Counter};
inline constexpr MetricDeclaration kLoads{"tidegate_stream_loads_total",
                                          "Streams brought back from the disk into memory.", Counter};
inline constexpr MetricDeclaration kStreamsCreated{
    "tidegate_streams_created_total", "Streams that began: by a reading, a fork or an import.", Counter};
inline constexpr MetricDeclaration kStreamsRestored{
    "tidegate_streams_restored_total", "Streams that a start brought back into memory, by model.", Counter};
inline constexpr MetricDeclaration kStreamsDeleted{"tidegate_streams_deleted_total",
                                                   "Streams that were deleted.", Counter};
inline constexpr MetricDeclaration kColdAnswers{
    "tidegate_cold_answers_total",
    "Answers with a forecast and QUALITY_COLD: the stream has had too few readings.", Counter};
inline constexpr MetricDeclaration kStateBytes{
    "tidegate_state_bytes", "Memory that the states of the streams take, by model.", Gauge};
inline constexpr MetricDeclaration kSubscriptions{
    "tidegate_subscriptions", "Calls of Subscribe whose clients are being sent events.", Gauge};
inline constexpr MetricDeclaration kSubscriptionEvents{
    "tidegate_subscription_events_total", "Events handed to gRPC, each subscription's counted.", Counter};
inline constexpr MetricDeclaration kSubscriptionEventsLost{
    "tidegate_subscription_events_lost_total",
    "Events dropped because their subscriber did not read fast enough.", Counter};
inline constexpr MetricDeclaration kScored{
    "tidegate_scored_forecasts_total",
    "Forecasts whose reading came, by model and step of the horizon. Only the steps that the model scores.",
    Counter};
inline constexpr MetricDeclaration kCovered{
    "tidegate_covered_forecasts_total",
    "Scored forecasts whose reading lay between the lowest and the highest quantile, up to half the sensor's "
    "resolution beyond, by model and step.",
    Counter};
inline constexpr MetricDeclaration kAbsoluteError{
    "tidegate_forecast_absolute_error_total",
    "Sum of the median's absolute error over the scored forecasts, in the target's unit, by model and step.",
    Counter};
inline constexpr MetricDeclaration kNaiveError{
    "tidegate_naive_absolute_error_total",
    "Sum of the absolute error of the reading before as the forecast of the same readings, in the target's "
    "unit, by model and step. The median's by this is MASE.",
    Counter};
inline constexpr MetricDeclaration kPinball{
    "tidegate_forecast_pinball_loss_total",
    "Sum of the pinball loss, mean over the quantiles, in the target's unit, by model and step.", Counter};
inline constexpr MetricDeclaration kIntervalLevel{
    "tidegate_interval_level",
    "Share of the readings that are to lie between the lowest and the highest quantile, by model.", Gauge};
inline constexpr MetricDeclaration kWidth{
    "tidegate_forecast_interval_width_total",
    "Sum of highest less lowest quantile over the scored forecasts, in the target's unit, by model and step.",
    Counter};
inline constexpr MetricDeclaration kBuildInfo{
    "tidegate_build_info", "Always 1. Version, instruction set of the kernels, version of oneDNN.", Gauge};
inline constexpr MetricDeclaration kModelInfo{
    "tidegate_model_info", "Always 1. The models served; sha256 is the start of the weights' checksum.",
    Gauge};
inline constexpr MetricDeclaration kJournalBytes{
    "tidegate_journal_bytes_total", "Bytes of readings and other changes written to the journal.", Counter};
inline constexpr MetricDeclaration kJournalGroups{"tidegate_journal_groups_total",
                                                  "Groups of changes written to the journal.", Counter};
inline constexpr MetricDeclaration kCommitDuration{"tidegate_journal_commit_duration_seconds",
                                                   "Time that one commit of the journal took: to write the "
                                                   "groups that waited and, with --durability power, to "
                                                   "sync them.",
                                                   Histogram};
inline constexpr MetricDeclaration kCheckpointDuration{
    "tidegate_checkpoint_duration_seconds", "Time that one checkpoint took, while readings were served.",
    Histogram};
inline constexpr MetricDeclaration kCheckpointAge{"tidegate_checkpoint_age_seconds",
                                                  "Time since the last checkpoint began.", Gauge};
inline constexpr MetricDeclaration kReplayLeft{
    "tidegate_replay_left_bytes", "Bytes of the journal still to be replayed before the server serves.",
    Gauge};
inline constexpr MetricDeclaration kStartTime{
    "process_start_time_seconds", "When the process started, seconds since 1970-01-01 UTC.", Gauge};
inline constexpr MetricDeclaration kResidentMemory{"process_resident_memory_bytes",
                                                   "Memory of the process that is resident.", Gauge};
inline constexpr MetricDeclaration kCpu{"process_cpu_seconds_total",
                                        "CPU time of the process, user and system.", Counter};
inline constexpr MetricDeclaration kOpenFds{"process_open_fds", "File descriptors that are open.", Gauge};
inline constexpr MetricDeclaration kMaxFds{"process_max_fds", "File descriptors that may be open.", Gauge};
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
  kImportStream,
  kListModels,
  kGetModel,
  kLoadModel,
  kUnloadModel,
  kSetDefaultModel,
  kSubscribe,
  kBackup
};
inline constexpr std::array<const char*, 18> kMethodNames = {
    "Push",        "Stream",       "Forecast",    "GetCursor",       "GetStream",    "ListStreams",
    "ResetStream", "DeleteStream", "ForkStream",  "ExportStream",    "ImportStream", "ListModels",
    "GetModel",    "LoadModel",    "UnloadModel", "SetDefaultModel", "Subscribe",    "Backup"};

// What a bearer token may allow, and what each method needs, in the order of kMethodNames: push to push
// readings, read to ask about streams, admin for the rest.
enum class Scope { kPush, kRead, kAdmin };
inline constexpr std::array kScopeNames = {"push", "read", "admin"};
inline constexpr std::array kMethodScopes = {
    Scope::kPush,  Scope::kPush,  Scope::kRead,  Scope::kRead,  Scope::kRead,  Scope::kRead,
    Scope::kAdmin, Scope::kAdmin, Scope::kAdmin, Scope::kRead,  Scope::kAdmin, Scope::kRead,
    Scope::kRead,  Scope::kAdmin, Scope::kAdmin, Scope::kAdmin, Scope::kRead,  Scope::kAdmin};
static_assert(kMethodScopes.size() == kMethodNames.size(), "each method has a scope");

inline constexpr std::size_t kStatusCodes = 17;  // of gRPC, 0-16
inline constexpr std::size_t kOutcomes = 9;      // numbers of tidegate.v1.Outcome, 0-8

// What serving is made of. Of each message: kReceive parses, checks and queues it, kQueue is the wait for the
// batch that takes its first reading, kSend serialises the answer and hands it to gRPC. Of each batch that
// steps the network: kGather decides on readings, copies states and scales values, kStep is the network,
// kScatter unscales and calibrates forecasts, commits states and writes the answers. kJournal: an answered
// message waits until the journal has what it says; only of those that do.
// The clock costs as much as all else that is counted of a message, so kReceive and kSend are timed for the
// first of each kSampled messages, which counts for all.
enum class Stage { kReceive, kQueue, kGather, kStep, kScatter, kJournal, kSend };
inline constexpr std::array kStageNames = {"receive", "queue",   "gather", "step",
                                           "scatter", "journal", "send"};

inline constexpr std::uint64_t kSampled = 8;

inline constexpr std::size_t kMostBatch = 64;  // streams that one step of the network advances

// What the server has no room for. kWaitingReadings: too many readings wait to take a Push, or the next
// message of a Stream call. kStreams: a stream would be one too many. kCallLimit: a Stream call has reached
// the limits of what it may have unanswered and is not read from for a while. kClientLimit: the same of all
// that its client has. kUnsent: a message waits, or a call is refused, as too many answers have not been
// taken. kStalled: a call of Stream, Push or Subscribe was cancelled whose client took nothing. kDisk: a
// reading, or a stream to be forked or imported, was refused because the disk has less free space than is
// kept in reserve.
enum class Lack { kWaitingReadings, kStreams, kCallLimit, kClientLimit, kUnsent, kStalled, kDisk };
inline constexpr std::array kLackNames = {"waiting_readings", "streams", "call_limit", "client_limit",
                                          "unsent",           "stalled", "disk"};

// How forecasts for one step ahead did.
struct ScoreMetrics {
  Counter scored, covered;
  Sum absolute_error, naive_error, pinball, width;
};

// What one shard counts about one model.
struct ModelMetrics {
  explicit ModelMetrics(std::size_t scored_steps = 2);
  std::array<Counter, kOutcomes> readings;  // by number of the outcome
  Histogram step_duration;
  Histogram batch_size;
  Gauge streams;
  Gauge state_bytes;
  Counter streams_created, streams_restored, streams_deleted;
  Counter cold_answers;
  std::deque<ScoreMetrics> scores;  // by scored step
};

// What one shard counts about its subscriptions.
struct SubscriptionMetrics {
  Gauge open;
  Counter events;
  Counter lost;
};

// What one shard counts about streams that are in the store alone.
struct ColdMetrics {
  Gauge cold;
  Counter evictions, loads;
};

// What one shard counts. Written by the shard's thread only.
struct ShardMetrics {
  explicit ShardMetrics(std::size_t model_count = 0);
  Histogram& request_duration(Method method) { return request_durations[static_cast<std::size_t>(method)]; }
  Counter& request(Method method, int code) {
    return requests[static_cast<std::size_t>(method)][static_cast<std::size_t>(code)];
  }

  Histogram& stage(Stage stage) { return stages[static_cast<std::size_t>(stage)]; }
  Counter& lack(Lack lack) { return lacks[static_cast<std::size_t>(lack)]; }

  std::deque<Histogram> request_durations;  // by method
  std::deque<Histogram> stages;             // by stage
  std::array<Counter, kLackNames.size()> lacks;
  Gauge waiting_readings;
  Gauge open_calls;
  ThreadTime busy;
  std::array<std::array<Counter, kStatusCodes>, kMethodNames.size()> requests;
  SubscriptionMetrics subscriptions;
  ColdMetrics cold;
  std::deque<ModelMetrics> models;  // in the order of the models served
};

struct BuildInfo {
  std::string version;
  std::string instruction_set;
  std::string onednn;
};

struct ModelInfo {
  std::string name = {};
  std::string version = {};
  std::string cell = {};                           // of each layer: "gru", "gru,lstm"
  std::string units = {};                          // of each layer: "64"
  std::string horizon = {};                        // steps
  std::string sha256 = {};                         // start of the weights' checksum
  std::vector<std::size_t> scored_steps = {1, 2};  // of the horizon
  double interval_level = 0;                       // highest less lowest quantile
};

// All metrics: shards write theirs, a scrape adds them up. Every label set exists from the start, so that
// rates begin at 0. Collect is safe from any thread and costs the shards nothing.
class Metrics : public prometheus::Collectable {
 public:
  Metrics(BuildInfo build, std::vector<ModelInfo> models, std::size_t shard_count);

  // Lives as long as this.
  std::size_t shards() const { return shards_.size(); }
  ShardMetrics& shard(std::size_t index) { return shards_[index]; }

  StoreMetrics& store() { return store_; }

  // A further model, whose index is the next; and one that is gone from the page. Safe from any thread, but
  // to look up models of a shard (ShardMetrics::models) is not, at that time.
  void AddModel(ModelInfo model);
  void RemoveModel(std::size_t index);

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  BuildInfo build_;
  mutable std::mutex mutex_;                      // guards how many models there are
  std::vector<std::optional<ModelInfo>> models_;  // by index; none: removed
  std::deque<ShardMetrics> shards_;
  StoreMetrics store_;
};

}  // namespace tidegate
