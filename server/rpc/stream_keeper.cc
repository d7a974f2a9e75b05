#include "server/rpc/stream_keeper.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"
#include "engine/stream/stream.h"
#include "spdlog/spdlog.h"

namespace tidegate {
namespace {

constexpr absl::Duration kProgress = absl::Seconds(2);  // between two lines about it

StoredModel Stored(const ServedModel& served) {
  return {.name = served.name,
          .version = served.version,
          .checksum = StateChecksum(*served.model),
          .build = StepBuild()};
}

absl::Status OtherModels(std::size_t streams) {
  return absl::FailedPreconditionError(
      absl::StrCat(streams,
                   " streams of the store belong to models that are not served, or not with the weights "
                   "that made their states (see the lines above): serve these models, or forget the "
                   "streams with --forget-other-models"));
}

}  // namespace

StreamKeeper::StreamKeeper(Store& store, Options options, ServingGroup& group, Metrics& metrics)
    : store_(store),
      options_(std::move(options)),
      group_(group),
      metrics_(metrics),
      checkpoints_(store, group, metrics, options_.checkpoint_interval, options_.failed) {}

StreamKeeper::~StreamKeeper() { Stop(); }

absl::StatusOr<std::uint32_t> StreamKeeper::NumberOf(const ServedModel& served) {
  const StoredModel model = Stored(served);
  return store_.AddModel(model.name, model.version, model.checksum, model.build);
}

absl::Status StreamKeeper::Recover(const Repository& repository, const std::atomic<bool>& stop) {
  const absl::Time begin = absl::Now();
  if (auto s = CheckModels(repository); !s.ok()) return s;
  if (auto s = OpenJournals(repository); !s.ok()) return s;
  if (options_.memory_limit > 0) {
    if (auto s = LeaveCold(stop); !s.ok()) return s;
  }
  if (auto s = RunAll(stop); !s.ok()) return s;
  if (auto s = CheckLeftOut(); !s.ok()) return s;
  if (group_.streams.taken() > group_.streams.all()) {
    return absl::ResourceExhaustedError(absl::StrCat("the store has ", group_.streams.taken(),
                                                     " streams, more than --max-streams, which is ",
                                                     group_.streams.all()));
  }
  std::size_t streams = 0;
  std::uint64_t readings = 0;
  for (std::size_t i = 0; i < group_.loops.size(); ++i) {
    for (std::uint32_t m = 0; m < repository.models().size(); ++m) {
      const std::size_t back = group_.loops[i]->shard().table().streams(m);
      metrics_.shard(i).models[m].streams_restored.Add(back);
      streams += back;
    }
    readings += recoveries_[i]->readings();
    group_.loops[i]->shard().WriteTo(journals_[i].get());
  }
  recoveries_.clear();
  counts_.clear();
  spdlog::info("{} streams are back, {} readings of the journal stepped again, in {}", streams, readings,
               absl::FormatDuration(absl::Now() - begin));
  recovered_ = true;
  absl::BlockingCounter not_ready(static_cast<int>(group_.loops.size()));
  for (const auto& loop : group_.loops) loop->BeReady(not_ready);
  not_ready.Wait();  // or a client that is told of it would be refused
  checkpoints_.Start();
  return absl::OkStatus();
}

// Which of the served models each of the store's is.
absl::Status StreamKeeper::CheckModels(const Repository& repository) {
  const StoreOpening& opening = store_.opening();
  const bool replays = opening.journal_end > opening.checkpoint;
  std::vector<StoredModel> served;
  served.reserve(repository.models().size());
  for (const ServedModel& model : repository.models()) served.push_back(Stored(model));
  for (const ModelComparison& stored : CompareModels(store_.models(), served)) {
    models_.resize(std::max<std::size_t>(models_.size(), stored.stored.number + 1), Recovery::kNoModel);
    // Kernels of before matter only where the journal has readings that they stepped.
    const bool other_build = stored.match == ModelMatch::kOtherBuild;
    if (!stored.message.empty() && (!other_build || replays)) spdlog::warn("store: {}", stored.message);
    if (other_build && !options_.accept_other_build) {
      other_builds_.resize(models_.size());
      other_builds_[stored.stored.number] = absl::StrCat(
          stored.message, "; --accept-other-kernels has the server go on with what these make of it");
    }
    if (stored.match != ModelMatch::kSame && stored.match != ModelMatch::kOtherBuild) continue;
    const auto same = std::ranges::find_if(served, [&](const StoredModel& model) {
      return model.name == stored.stored.name && model.version == stored.stored.version;
    });
    models_[stored.stored.number] = static_cast<std::uint32_t>(same - served.begin());
  }
  return absl::OkStatus();
}

absl::Status StreamKeeper::RunAll(const std::atomic<bool>& stop) {
  const std::size_t shards = group_.loops.size();
  std::vector<absl::Status> ends(shards);
  std::vector<std::thread> threads;
  std::atomic<std::size_t> running{shards};
  threads.reserve(shards);
  recoveries_.reserve(shards);  // a thread uses its own while the next is added
  for (std::size_t i = 0; i < shards; ++i) {
    Shard& shard = group_.loops[i]->shard();
    counts_.push_back(std::make_unique<ShardMetrics>());
    for (std::uint32_t m = 0; m < shard.models(); ++m) {
      const auto model = static_cast<std::uint16_t>(m);
      counts_.back()->models.emplace_back(shard.model({.model = model}).layout().steps.size());
    }
    shard.CountIn(*counts_.back());
    recoveries_.push_back(std::make_unique<Recovery>(shard, *journals_[i], models_, i, shards));
    recoveries_.back()->RefuseReadings(other_builds_);
    for (const auto& [id, position] : others_) recoveries_.back()->LeaveOut(id, position);
    threads.emplace_back([&, i] {
      ends[i] = recoveries_[i]->Run(stop);
      --running;
    });
  }
  absl::Time told = absl::Now();
  while (running > 0) {
    absl::SleepFor(absl::Milliseconds(5));
    double done = 1;
    for (const auto& recovery : recoveries_) done = std::min(done, recovery->done());
    metrics_.store().replay_left.Set(
        static_cast<std::int64_t>((1 - done) * static_cast<double>(store_.opening().replay_bytes)));
    if (absl::Now() - told < kProgress) continue;
    told = absl::Now();
    spdlog::info("bringing streams back: {:.0f} % of the journal", 100 * done);
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < shards; ++i) {
    if (!ends[i].ok()) return ends[i];
    group_.loops[i]->shard().CountIn(metrics_.shard(i));
  }
  metrics_.store().replay_left.Set(0);
  return absl::OkStatus();
}

absl::Status StreamKeeper::CheckLeftOut() {
  StateBatch batch;  // up to where there is something of them: what the journal has behind that is another's
  for (const auto& recovery : recoveries_) {
    for (const auto& [id, position] : recovery->left_out()) batch.Delete(id, position);
  }
  if (batch.empty()) return absl::OkStatus();
  if (!options_.drop_other_models) return OtherModels(batch.size());
  spdlog::warn("{} streams of models that are not served were forgotten", batch.size());
  if (auto s = store_.WriteStates(batch); !s.ok()) return s;
  // To disk, before anybody hears that a stream of such a name begins anew.
  return store_.FinishCheckpoint(store_.opening().checkpoint);
}

absl::Status StreamKeeper::OpenJournals(const Repository& repository) {
  std::vector<std::uint32_t> numbers;
  for (const ServedModel& served : repository.models()) {
    const auto number = NumberOf(served);
    if (!number.ok()) return number.status();
    numbers.push_back(*number);
  }
  for (std::size_t i = 0; i < group_.loops.size(); ++i) {
    ServingLoop& loop = *group_.loops[i];
    journals_.push_back(std::make_unique<ShardJournal>(
        store_,
        [&loop](std::uint64_t position) { loop.Post([&loop, position] { loop.shard().Durable(position); }); },
        options_.failed));
    for (const std::uint32_t number : numbers) journals_.back()->AddModel(number);
    for (std::uint32_t number = 0; number < models_.size(); ++number) {
      if (models_[number] != Recovery::kNoModel) journals_.back()->AlsoKnownAs(models_[number], number);
    }
  }
  return absl::OkStatus();
}

// Streams stay in the store until they are asked for.
absl::Status StreamKeeper::LeaveCold(const std::atomic<bool>& stop) {
  // Those of other models are looked for now; there are rarely any such models.
  if (std::ranges::count(models_, Recovery::kNoModel) > 0) {
    absl::Status read = store_.ForEachState([&](absl::string_view id, const StoredState& state) {
      if (!state.deleted && models_[state.model] == Recovery::kNoModel)
        others_.emplace_back(id, state.position);
      return stop ? absl::CancelledError("stopped while it looked at the streams on disk") : absl::OkStatus();
    });
    if (!read.ok()) return read;
  }
  const std::size_t shards = group_.loops.size();
  const auto served = [this](std::size_t states) { return states - std::min(states, others_.size()); };
  std::size_t cold = 0;
  if (const auto& states = store_.opening().states) {
    cold = served(*states);
  } else {
    spdlog::info("counting the streams on disk, as the last end was none in order");
    const auto counted = CountStates(stop);
    if (!counted.ok()) return counted.status();
    cold = served(*counted);
  }
  group_.streams.TakeAnyway(cold);
  for (std::size_t i = 0; i < shards; ++i) {
    const std::size_t share = cold / shards + (i < cold % shards ? 1 : 0);  // that all have is what counts
    group_.loops[i]->shard().KeepWithin(options_.memory_limit / shards, share, *journals_[i]);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> StreamKeeper::CountStates(const std::atomic<bool>& stop) {
  std::size_t states = 0;
  absl::Status read = store_.ForEachState([&](absl::string_view, const StoredState& state) {
    states += state.deleted ? 0 : 1;
    return stop ? absl::CancelledError("stopped while it counted the streams on disk") : absl::OkStatus();
  });
  if (!read.ok()) return read;
  return states;
}

absl::StatusOr<std::vector<std::string>> StreamKeeper::StreamsOf(const ServedModel& served) {
  std::vector<std::string> ids;
  if (options_.memory_limit == 0) return ids;
  const StoredModel wanted = Stored(served);
  std::vector<std::uint32_t> numbers;  // of any kernels
  for (const StoredModel& model : store_.models()) {
    const bool same =
        model.name == wanted.name && model.version == wanted.version && model.checksum == wanted.checksum;
    if (same) numbers.push_back(model.number);
  }
  absl::Status read = store_.ForEachState([&](absl::string_view id, const StoredState& state) {
    if (!state.deleted && std::ranges::count(numbers, state.model) > 0) ids.emplace_back(id);
    return absl::OkStatus();
  });
  if (!read.ok()) return read;
  return ids;
}

absl::Status StreamKeeper::ForEachOlder(
    std::int64_t before_ns,
    const std::function<absl::Status(absl::string_view id, std::int64_t timestamp_ns)>& each) {
  if (options_.memory_limit == 0) return absl::OkStatus();
  return store_.ForEachState([&](absl::string_view id, const StoredState& state) {
    const bool older = !state.deleted && state.header.timestamp_ns < before_ns;
    return older ? each(id, state.header.timestamp_ns) : absl::OkStatus();
  });
}

absl::Status StreamKeeper::Close() {
  if (!recovered_) return absl::OkStatus();
  if (auto s = checkpoints_.MakeLast(); !s.ok()) return s;
  for (const auto& loop : group_.loops) loop->shard().WriteTo(nullptr);
  journals_.clear();
  return store_.Close(group_.streams.taken());
}

}  // namespace tidegate
