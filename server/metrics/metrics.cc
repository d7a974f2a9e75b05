#include "server/metrics/metrics.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "prometheus/client_metric.h"
#include "server/metrics/process_metrics.h"

namespace tidegate {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using Labels = std::vector<ClientMetric::Label>;

constexpr std::array kRequestBounds = {10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3,   2.5e-3,
                                       5e-3,  10e-3, 25e-3, 50e-3,  100e-3, 250e-3, 500e-3, 1.0};
constexpr std::array kStepBounds = {1e-6,   2.5e-6, 5e-6,   10e-6, 25e-6, 50e-6, 100e-6, 250e-6,
                                    500e-6, 1e-3,   2.5e-3, 5e-3,  10e-3, 25e-3, 50e-3,  100e-3};
constexpr std::array kStageBounds = {1e-6,   2.5e-6, 5e-6,   10e-6,  25e-6, 50e-6, 100e-6,
                                     250e-6, 500e-6, 1e-3,   2.5e-3, 5e-3,  10e-3, 25e-3,
                                     50e-3,  100e-3, 250e-3, 500e-3, 1.0};
constexpr std::array kCheckpointBounds = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0};
constexpr std::array kBatchBounds = {1.0, 2.0, 4.0, 8.0, 16.0, 24.0, 32.0, 48.0, double{kMostBatch}};

struct NumberName {
  std::size_t number;
  const char* name;
};

// Only codes that the server itself answers with, and outcomes it gives.
constexpr std::array<NumberName, 14> kCodeNames = {{{0, "OK"},
                                                    {1, "CANCELLED"},
                                                    {2, "UNKNOWN"},
                                                    {3, "INVALID_ARGUMENT"},
                                                    {4, "DEADLINE_EXCEEDED"},
                                                    {5, "NOT_FOUND"},
                                                    {6, "ALREADY_EXISTS"},
                                                    {7, "PERMISSION_DENIED"},
                                                    {8, "RESOURCE_EXHAUSTED"},
                                                    {9, "FAILED_PRECONDITION"},
                                                    {13, "INTERNAL"},
                                                    {14, "UNAVAILABLE"},
                                                    {15, "DATA_LOSS"},
                                                    {16, "UNAUTHENTICATED"}}};
constexpr std::array<NumberName, 8> kOutcomeNames = {{{1, "applied"},
                                                      {2, "duplicate"},
                                                      {3, "conflict"},
                                                      {4, "late"},
                                                      {5, "sequence_gap"},
                                                      {6, "unknown_stream"},
                                                      {7, "invalid"},
                                                      {8, "overloaded"}}};

MetricFamily Family(const MetricDeclaration& declaration) {
  return {.name = declaration.name, .help = declaration.help, .type = declaration.type, .metric = {}};
}

void AddValue(MetricFamily& family, Labels labels, double value) {
  ClientMetric& added = family.metric.emplace_back();
  added.label = std::move(labels);
  (family.type == prometheus::MetricType::Counter ? added.counter.value : added.gauge.value) = value;
}

MetricFamily Single(const MetricDeclaration& declaration, double value, Labels labels = {}) {
  MetricFamily family = Family(declaration);
  AddValue(family, std::move(labels), value);
  return family;
}

// The sum of value(shard) over all `shards`.
template <typename Shards, typename Value>
double SumOf(const Shards& shards, Value value) {
  double sum = 0;
  for (const auto& shard : shards) sum += static_cast<double>(value(shard));
  return sum;
}

// Adds the sum of the histograms histogram(shard) over all shards.
template <typename Shards, typename Get>
void AddHistogram(MetricFamily& family, Labels labels, const Shards& shards, Get histogram) {
  ClientMetric& added = family.metric.emplace_back();
  added.label = std::move(labels);
  const std::span<const double> bounds = histogram(shards.front()).bounds();
  std::uint64_t below = 0;
  for (std::size_t bucket = 0; bucket <= bounds.size(); ++bucket) {
    for (const auto& shard : shards) below += histogram(shard).count(bucket);
    const double bound = bucket < bounds.size() ? bounds[bucket] : std::numeric_limits<double>::infinity();
    added.histogram.bucket.push_back({.cumulative_count = below, .upper_bound = bound});
  }
  added.histogram.sample_count = below;
  added.histogram.sample_sum = SumOf(shards, [&](const auto& shard) { return histogram(shard).sum(); });
}

void AddRequestMetrics(std::vector<MetricFamily>& families, const std::deque<ShardMetrics>& shards) {
  MetricFamily durations = Family(metric::kRequestDuration);
  MetricFamily requests = Family(metric::kRequests);
  for (std::size_t method = 0; method < kMethodNames.size(); ++method) {
    const ClientMetric::Label label{"method", kMethodNames[method]};
    AddHistogram(durations, {label}, shards,
                 [&](const auto& shard) -> const Histogram& { return shard.request_durations[method]; });
    for (const NumberName& code : kCodeNames) {
      AddValue(requests, {label, {"code", code.name}},
               SumOf(shards, [&](const auto& shard) { return shard.requests[method][code.number].value(); }));
    }
  }
  MetricFamily wait = Family(metric::kQueueWait);
  AddHistogram(wait, {}, shards, [](const auto& shard) -> const Histogram& {
    return shard.stages[static_cast<std::size_t>(Stage::kQueue)];
  });
  families.insert(families.end(), {std::move(durations), std::move(wait), std::move(requests)});
}

void AddSubscriptionMetrics(std::vector<MetricFamily>& families, const std::deque<ShardMetrics>& shards) {
  const auto add = [&](const MetricDeclaration& declaration, auto field) {
    families.push_back(Single(
        declaration, SumOf(shards, [&](const auto& shard) { return (shard.subscriptions.*field).value(); })));
  };
  add(metric::kSubscriptions, &SubscriptionMetrics::open);
  add(metric::kSubscriptionEvents, &SubscriptionMetrics::events);
  add(metric::kSubscriptionEventsLost, &SubscriptionMetrics::lost);
}

void AddShardMetrics(std::vector<MetricFamily>& families, const std::deque<ShardMetrics>& shards) {
  MetricFamily stages = Family(metric::kStageDuration);
  for (std::size_t stage = 0; stage < kStageNames.size(); ++stage) {
    AddHistogram(stages, {{"stage", kStageNames[stage]}}, shards,
                 [&](const auto& shard) -> const Histogram& { return shard.stages[stage]; });
  }
  MetricFamily refusals = Family(metric::kRefusals);
  for (std::size_t lack = 0; lack < kLackNames.size(); ++lack) {
    AddValue(refusals, {{"reason", kLackNames[lack]}},
             SumOf(shards, [&](const auto& shard) { return shard.lacks[lack].value(); }));
  }
  MetricFamily busy = Family(metric::kBusy);
  for (std::size_t s = 0; s < shards.size(); ++s) {
    AddValue(busy, {{"shard", std::to_string(s)}}, shards[s].busy.seconds());
  }
  families.insert(families.end(), {std::move(stages), std::move(refusals), std::move(busy)});
  const auto cold = [&](const MetricDeclaration& declaration, auto field) {
    families.push_back(
        Single(declaration, SumOf(shards, [&](const auto& shard) { return (shard.cold.*field).value(); })));
  };
  cold(metric::kColdStreams, &ColdMetrics::cold);
  cold(metric::kEvictions, &ColdMetrics::evictions);
  cold(metric::kLoads, &ColdMetrics::loads);
  families.push_back(Single(metric::kWaitingReadings,
                            SumOf(shards, [](const auto& shard) { return shard.waiting_readings.value(); })));
  families.push_back(
      Single(metric::kOpenCalls, SumOf(shards, [](const auto& shard) { return shard.open_calls.value(); })));
}

// Families of one model's scores, filled model by model.
class ScoreFamilies {
 public:
  void Add(const ModelInfo& model, std::size_t m, const std::deque<ShardMetrics>& shards) {
    for (std::size_t k = 0; k < model.scored_steps.size(); ++k) {
      const Labels labels = {{"model", model.name}, {"step", std::to_string(model.scored_steps[k])}};
      const auto sum = [&](auto field) {
        return SumOf(shards, [&](const auto& shard) { return (shard.models[m].scores[k].*field).value(); });
      };
      AddValue(scored_, labels, sum(&ScoreMetrics::scored));
      AddValue(covered_, labels, sum(&ScoreMetrics::covered));
      AddValue(absolute_error_, labels, sum(&ScoreMetrics::absolute_error));
      AddValue(naive_error_, labels, sum(&ScoreMetrics::naive_error));
      AddValue(pinball_, labels, sum(&ScoreMetrics::pinball));
      AddValue(width_, labels, sum(&ScoreMetrics::width));
    }
  }
  void MoveTo(std::vector<MetricFamily>& families) {
    for (MetricFamily* family : {&scored_, &covered_, &absolute_error_, &naive_error_, &pinball_, &width_})
      families.push_back(std::move(*family));
  }

 private:
  MetricFamily scored_ = Family(metric::kScored), covered_ = Family(metric::kCovered),
               absolute_error_ = Family(metric::kAbsoluteError), naive_error_ = Family(metric::kNaiveError),
               pinball_ = Family(metric::kPinball), width_ = Family(metric::kWidth);
};

void AddModelMetrics(std::vector<MetricFamily>& families, const std::vector<std::optional<ModelInfo>>& models,
                     const std::deque<ShardMetrics>& shards) {
  MetricFamily steps = Family(metric::kStepDuration);
  MetricFamily batches = Family(metric::kBatchSize);
  MetricFamily readings = Family(metric::kReadings);
  MetricFamily streams = Family(metric::kStreams);
  MetricFamily bytes = Family(metric::kStateBytes);
  MetricFamily created = Family(metric::kStreamsCreated);
  MetricFamily restored = Family(metric::kStreamsRestored);
  MetricFamily deleted = Family(metric::kStreamsDeleted);
  MetricFamily cold = Family(metric::kColdAnswers);
  MetricFamily level = Family(metric::kIntervalLevel);
  MetricFamily info = Family(metric::kModelInfo);
  ScoreFamilies scores;
  for (std::size_t m = 0; m < models.size(); ++m) {
    if (!models[m]) continue;
    const ModelInfo& model = *models[m];
    scores.Add(model, m, shards);
    const ClientMetric::Label label{"model", model.name};
    AddHistogram(steps, {label}, shards,
                 [&](const auto& shard) -> const Histogram& { return shard.models[m].step_duration; });
    AddHistogram(batches, {label}, shards,
                 [&](const auto& shard) -> const Histogram& { return shard.models[m].batch_size; });
    for (const NumberName& outcome : kOutcomeNames) {
      AddValue(readings, {label, {"outcome", outcome.name}}, SumOf(shards, [&](const auto& shard) {
                 return shard.models[m].readings[outcome.number].value();
               }));
    }
    const auto sum = [&](auto field) {
      return SumOf(shards, [&](const auto& shard) { return (shard.models[m].*field).value(); });
    };
    AddValue(streams, {label}, sum(&ModelMetrics::streams));
    AddValue(bytes, {label}, sum(&ModelMetrics::state_bytes));
    AddValue(created, {label}, sum(&ModelMetrics::streams_created));
    AddValue(restored, {label}, sum(&ModelMetrics::streams_restored));
    AddValue(level, {label}, model.interval_level);
    AddValue(deleted, {label}, sum(&ModelMetrics::streams_deleted));
    AddValue(cold, {label}, sum(&ModelMetrics::cold_answers));
    AddValue(info,
             {label,
              {"version", model.version},
              {"cell", model.cell},
              {"units", model.units},
              {"horizon", model.horizon},
              {"sha256", model.sha256}},
             1);
  }
  families.insert(families.end(),
                  {std::move(steps), std::move(batches), std::move(readings), std::move(streams),
                   std::move(bytes), std::move(created), std::move(restored), std::move(deleted),
                   std::move(cold), std::move(level), std::move(info)});
  scores.MoveTo(families);
}

void AddStoreMetrics(std::vector<MetricFamily>& families, const StoreMetrics& store) {
  const auto add = [&](const MetricDeclaration& declaration, const Histogram& histogram) {
    MetricFamily family = Family(declaration);
    AddHistogram(family, {}, std::span(&histogram, 1), [](const auto& h) -> const Histogram& { return h; });
    families.push_back(std::move(family));
  };
  families.push_back(Single(metric::kJournalBytes, static_cast<double>(store.journal_bytes.value())));
  families.push_back(Single(metric::kJournalGroups, static_cast<double>(store.journal_groups.value())));
  add(metric::kCommitDuration, store.commit_seconds);
  add(metric::kCheckpointDuration, store.checkpoint_seconds);
  families.push_back(Single(metric::kCheckpointAge, store.CheckpointAge()));
  families.push_back(Single(metric::kReplayLeft, static_cast<double>(store.replay_left.value())));
}

void AddProcessMetrics(std::vector<MetricFamily>& families) {
  const ProcessMetrics process = ReadProcessMetrics();
  families.push_back(Single(metric::kStartTime, process.start_time_seconds));
  families.push_back(Single(metric::kResidentMemory, process.resident_bytes));
  families.push_back(Single(metric::kCpu, process.cpu_seconds));
  families.push_back(Single(metric::kOpenFds, process.open_fds));
  families.push_back(Single(metric::kMaxFds, process.max_fds));
}

}  // namespace

StoreMetrics::StoreMetrics() : commit_seconds(kStageBounds), checkpoint_seconds(kCheckpointBounds) {}

ModelMetrics::ModelMetrics(std::size_t scored_steps)
    : step_duration(kStepBounds), batch_size(kBatchBounds), scores(scored_steps) {}

ShardMetrics::ShardMetrics(std::size_t model_count) : models(model_count) {
  for (std::size_t method = 0; method < kMethodNames.size(); ++method) {
    request_durations.emplace_back(kRequestBounds);
  }
  for (std::size_t stage = 0; stage < kStageNames.size(); ++stage) stages.emplace_back(kStageBounds);
}

Metrics::Metrics(BuildInfo build, std::vector<ModelInfo> models, std::size_t shard_count)
    : build_(std::move(build)), shards_(shard_count) {
  for (ModelInfo& model : models) AddModel(std::move(model));
}

void Metrics::AddModel(ModelInfo model) {
  const std::lock_guard lock(mutex_);
  for (ShardMetrics& shard : shards_) shard.models.emplace_back(model.scored_steps.size());
  models_.emplace_back(std::move(model));
}

void Metrics::RemoveModel(std::size_t index) {
  const std::lock_guard lock(mutex_);
  models_[index].reset();
}

std::vector<MetricFamily> Metrics::Collect() const {
  std::vector<MetricFamily> families;
  AddRequestMetrics(families, shards_);
  AddSubscriptionMetrics(families, shards_);
  AddShardMetrics(families, shards_);
  AddStoreMetrics(families, store_);
  families.push_back(Single(metric::kBatchLimit, kMostBatch));
  {
    const std::lock_guard lock(mutex_);
    AddModelMetrics(families, models_, shards_);
  }
  families.push_back(Single(
      metric::kBuildInfo, 1,
      {{"version", build_.version}, {"instruction_set", build_.instruction_set}, {"onednn", build_.onednn}}));
  AddProcessMetrics(families);
  return families;
}

}  // namespace tidegate
