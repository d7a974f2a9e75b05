#include "server/app.h"

#include <malloc.h>
#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/tensor/elementwise.h"
#include "prometheus/exposer.h"
#include "proto/tls/server_credentials.h"
#include "server/metrics/metrics.h"
#include "server/models/repository.h"
#include "server/rpc/authentication.h"
#include "server/rpc/group_limits.h"
#include "server/rpc/model_admin.h"
#include "server/rpc/rpc_server.h"
#include "server/self_probe.h"
#include "server/store/store.h"
#include "server/version.h"
#include "spdlog/spdlog.h"

namespace tidegate {
namespace {

constexpr absl::Duration kGrace = absl::Seconds(10);        // for open calls, after the drain delay
constexpr absl::Duration kMostShutdown = absl::Minutes(5);  // that, and the last checkpoint

constexpr rlim_t kFewFiles = 16'384;

// Each connection takes a file descriptor, and gRPC 1.51 no longer accepts any after it once ran out of them.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) spdlog::warn("cannot raise the limit of open files");
  if (limit.rlim_max < kFewFiles) {
    spdlog::warn(
        "at most {} files may be open, and each connection is one: give the process more (ulimit -n)",
        limit.rlim_max);
  }
}

// Whether the server takes a connection and all of its threads run.
bool Serves(RpcServer& server) {
  return AcceptsConnections(server.address(), absl::Seconds(2)).value_or(true) &&
         server.Answers(absl::Seconds(10));
}

// Ends the process, so that what started it starts it anew.
void EndDeaf() {
  spdlog::critical(
      "no longer serving: three times in a row it did not accept a connection of its own, or one of its "
      "threads did not answer; it must be started anew");
  _exit(1);
}

// Ends the process in some time even if a disk or a call hangs: what was answered is in the journal.
void EndAnywayAfter(absl::Duration limit) {
  std::thread([limit] {
    absl::SleepFor(limit);
    spdlog::critical("not stopped within {}: ending without a last checkpoint", absl::FormatDuration(limit));
    _exit(1);
  }).detach();
}

// SIGTERM and SIGINT. Created before any thread, so that all threads leave them to Wait.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  // Until the first one; from then on another ends the process at once.
  void Wait() {
    int signal = 0;
    sigwait(&signals_, &signal);
    // A handler, not the default action: the kernel ignores that one for the first process of a container.
    std::signal(SIGTERM, [](int) { _exit(1); });
    std::signal(SIGINT, [](int) { _exit(1); });
    pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
  }

 private:
  sigset_t signals_{};
};

BuildInfo DescribeBuild() {
  const dnnl_version_t& onednn = *dnnl_version();
  return {.version = kVersion,
          .instruction_set = InstructionSet(),
          .onednn = absl::StrCat(onednn.major, ".", onednn.minor, ".", onednn.patch)};
}

// Half of the CPUs that the process may use, by its affinity and its control group: gRPC's clients and the
// kernel want the others.
std::size_t ShardsByCpus() {
  cpu_set_t affinity;
  CPU_ZERO(&affinity);
  if (sched_getaffinity(0, sizeof affinity, &affinity) != 0) return 1;
  double cpus = CPU_COUNT(&affinity);
  if (const auto limit = CpuLimit()) cpus = std::min(cpus, *limit);
  return std::max<std::size_t>(1, static_cast<std::size_t>(cpus / 2));
}

std::shared_ptr<Metrics> MakeMetrics(const Repository& repository, std::size_t shards) {
  std::vector<ModelInfo> models;
  for (const ServedModel& served : repository.models()) models.push_back(MetricsOf(served));
  return std::make_shared<Metrics>(DescribeBuild(), std::move(models), shards);
}

// An HTTP server for Prometheus, until the process ends: to stop one takes its library two seconds.
// prometheus-cpp reports errors as exceptions, which end here.
absl::StatusOr<prometheus::Exposer*> StartExposer(const std::string& listen,
                                                  const std::shared_ptr<Metrics>& metrics) {
  static prometheus::Exposer* exposer = nullptr;
  try {
    exposer = new prometheus::Exposer(listen);
    exposer->RegisterCollectable(metrics);
    return exposer;
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        absl::StrCat("--metrics-listen: cannot listen on '", listen,
                     "': is another program using the port, is the address one of this "
                     "machine, and HOST:PORT? (",
                     error.what(), ")"));
  }
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeCredentials(const TlsFiles& tls) {
  if (tls.empty()) return nullptr;
  spdlog::info("TLS with the certificate in {}{}", tls.certificate,
               tls.authorities.empty() ? "" : ", for clients with a certificate of " + tls.authorities);
  return MakeServerCredentials(tls);
}

// An address that only programs of this machine reach.
bool IsLoopback(absl::string_view listen) {
  return absl::StartsWith(listen, "127.") || absl::StartsWith(listen, "localhost:") ||
         absl::StartsWith(listen, "[::1]:") || absl::StartsWith(listen, "unix:");
}

// Null: no tokens are asked for.
absl::StatusOr<std::unique_ptr<Authentication>> MakeAuthentication(const Options& options) {
  if (options.tokens.empty()) return nullptr;
  if (options.tls.empty() && !IsLoopback(options.listen)) {
    spdlog::warn("tokens come to {} without TLS: whoever reads along can use them (--tls-cert, --tls-key)",
                 options.listen);
  }
  return Authentication::Load(options.tokens, absl::Now());
}

// Ends the process: nothing may be acknowledged any more, and what was is on the disk.
void EndWithoutStore(const absl::Status& status) {
  spdlog::critical("the store has failed, and with it what was to be acknowledged; ending: {}",
                   std::string(status.message()));
  spdlog::shutdown();
  _exit(1);
}

// Null: streams live in memory only.
absl::StatusOr<std::unique_ptr<Store>> OpenStore(const Options& options, Metrics& metrics) {
  if (options.data.empty()) return nullptr;
  // Buffers of a megabyte, as RocksDB's, go back to the system when they are freed; by default the C library
  // soon begins to keep them in its heap, where they leave holes.
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  StoreOptions store = {.folder = options.data,
                        .durability = options.durability == "power"     ? Durability::kPower
                                      : options.durability == "process" ? Durability::kProcess
                                                                        : Durability::kNone,
                        .keep_journal = options.keep_journal,
                        .reserve_bytes = options.disk_reserve,
                        .accept_lost_journal = options.accept_lost_journal,
                        .on_commit = [&counts = metrics.store()](const JournalCommit& commit) {
                          counts.journal_groups.Add(commit.groups);
                          counts.journal_bytes.Add(commit.bytes);
                          counts.commit_seconds.Observe(absl::ToDoubleSeconds(commit.took));
                        }};
  auto opened = Store::Open(std::move(store));
  if (!opened.ok()) return opened.status();
  const StoreOpening& opening = (*opened)->opening();
  spdlog::info("store {} in {}, durability {}{}", opening.store_id, options.data, options.durability,
               opening.created ? ", new"
               : opening.clean ? ", closed in order"
                               : ", not closed in order");
  if (!opening.lost.empty()) spdlog::error("store: {}", opening.lost);
  return opened;
}

// Has the server serve until a signal comes; `ready` is called when it does.
absl::Status Serve(RpcServer& server, StopSignals& signals, const std::function<void()>& ready) {
  std::optional<SelfProbe> probe;
  std::atomic<bool> stop{false};
  absl::Status recovered;
  std::thread recovery([&] {
    recovered = server.Recover(stop);
    if (!recovered.ok()) {
      if (!stop) kill(getpid(), SIGTERM);  // wakes the thread that waits for one
      return;
    }
    ready();
    probe.emplace([&server] { return Serves(server); }, SelfProbe::Options(), EndDeaf);
  });
  signals.Wait();
  stop = true;
  recovery.join();
  return absl::IsCancelled(recovered) ? absl::OkStatus() : recovered;
}

}  // namespace

absl::Status RunServer(const Options& options) {
  StopSignals signals;
  RaiseFileLimit();
  const auto repository = Repository::Load(options.models, options.default_model);
  if (!repository.ok()) return repository.status();
  for (const ServedModel& served : repository->models()) {
    spdlog::info("model {} version {}: {} parameters, {} bytes of state per stream", served.name,
                 served.version, served.model->parameters(), StreamBytes(*served.model));
  }
  const std::shared_ptr<Metrics> metrics =
      MakeMetrics(*repository, options.shards > 0 ? options.shards : ShardsByCpus());
  const auto exposer = StartExposer(options.metrics_listen, metrics);
  if (!exposer.ok()) return exposer.status();
  const auto credentials = MakeCredentials(options.tls);
  if (!credentials.ok()) return credentials.status();
  const auto authentication = MakeAuthentication(options);
  if (!authentication.ok()) return authentication.status();
  const auto store = OpenStore(options, *metrics);
  if (!store.ok()) return store.status();
  const RpcServer::Options rpc = {.listen = options.listen,
                                  .credentials = *credentials,
                                  .reflection = options.reflection,
                                  .models = options.models,
                                  .max_streams = options.max_streams,
                                  .authentication = authentication->get(),
                                  .store = store->get(),
                                  .keeping = {.checkpoint_interval = options.checkpoint_interval,
                                              .memory_limit = options.memory_limit,
                                              .drop_other_models = options.forget_other_models,
                                              .accept_other_build = options.accept_other_kernels,
                                              .failed = EndWithoutStore},
                                  .expire_after = options.expire_after,
                                  .backups = options.backups,
                                  .serving = {.max_future = options.max_future}};
  const auto server = RpcServer::Start(rpc, *repository, *metrics);
  if (!server.ok()) return server.status();

  const std::string metrics_host = options.metrics_listen.substr(0, options.metrics_listen.rfind(':') + 1);
  absl::Status served = Serve(**server, signals, [&] {
    std::printf("tidegate-server ready: grpc=%s metrics=http://%s%d/metrics\n", (*server)->address().c_str(),
                metrics_host.c_str(), (*exposer)->GetListeningPorts().front());
    std::fflush(stdout);
    spdlog::info("serving on {} with {} {}", (*server)->address(), metrics->shards(),
                 metrics->shards() == 1 ? "shard" : "shards");
  });
  if (!served.ok()) return served;
  spdlog::info("stopping: answering what was sent, then the end");
  EndAnywayAfter(options.drain_delay + kMostShutdown);
  (*server)->AnnounceShutdown();
  absl::SleepFor(options.drain_delay);
  if (auto s = (*server)->Shutdown(kGrace); !s.ok()) return s;
  spdlog::info("stopped");
  return absl::OkStatus();
}

}  // namespace tidegate
