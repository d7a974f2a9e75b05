#include <grpc/support/time.h>
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/load.h"
#include "clients/cli/load_answer.h"
#include "clients/cli/load_lane.h"
#include "clients/cli/load_probe.h"
#include "clients/cli/load_schedule.h"
#include "clients/cli/server_error.h"

namespace tidegate {
namespace {

using Clock = LoadLane::Clock;
using std::chrono::milliseconds;

constexpr milliseconds kLate{1};      // a message sent later than this after its time counts as late
constexpr milliseconds kPoll{2};      // gRPC wakes up to a millisecond after a deadline: poll from here on
constexpr milliseconds kReport{500};  // between two progresses
constexpr milliseconds kLastWait{10'000};          // for answers after the end
constexpr char kRefused[] = "RESOURCE_EXHAUSTED";  // an outcome of all readings of a message
constexpr int kGatherLimit = 1024;                 // completions handled before what has become due is sent

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double ToSeconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

class LoadRun final : LoadLane::Owner {
 public:
  LoadRun(const LoadOptions& options, const LoadProbe& probe,
          const std::function<void(const LoadProgress&)>& on_progress)
      : options_(options),
        probe_(probe),
        on_progress_(on_progress),
        schedule_(options.rate / static_cast<double>(options.batch), options.poisson, options.seed) {}

  ~LoadRun() {
    for (const auto& lane : lanes_) lane->Cancel();
    void* tag = nullptr;
    bool ok = false;
    const auto complete = [&] {
      const bool more = queue_.Next(&tag, &ok);
      if (more) static_cast<LoadLane::Operation*>(tag)->Complete(ok);
      return more;
    };
    while (!all_closed()) complete();  // a call's end is an operation, too
    queue_.Shutdown();
    while (complete()) {
    }
  }

  absl::StatusOr<LoadResult> Run(const std::vector<Connection>& connections) {
    Open(connections);
    Load();
    Wait();
    if (!status_.ok()) return status_;
    result_.seconds = absl::ToDoubleSeconds(options_.duration);
    result_.readings_per_second = static_cast<double>(in_time_) / result_.seconds;
    result_.unanswered = asked_ - result_.messages - result_.refused;
    result_.horizon = probe_.horizon;
    result_.quantiles = probe_.quantiles;
    result_.interval_ns = probe_.grid.interval_ns;
    return std::move(result_);
  }

 private:
  bool closed_loop() const { return options_.rate <= 0; }
  bool all_idle() const {
    return std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->idle(); });
  }

  bool all_closed() const {
    return std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->closed(); });
  }

  // Names all streams to the server and pushes their first readings.
  void Open(const std::vector<Connection>& connections) {
    for (std::size_t i = 0; i < options_.calls; ++i) {
      const std::size_t first = options_.streams * i / options_.calls;
      const std::size_t end = options_.streams * (i + 1) / options_.calls;
      const auto make = options_.unary ? MakePushLane : MakeStreamLane;
      lanes_.push_back(make(LoadFeed(options_, probe_.grid, first, end - first), *this,
                            connections[i % connections.size()], queue_));
      lanes_.back()->Add(Clock::now());
      lanes_.back()->Flush();
    }
    while (status_.ok() && !all_idle()) Turn(Clock::now() + kReport);
  }

  // The load itself, from warm-up to end.
  void Load() {
    const Clock::time_point start = Clock::now();
    begin_ = start + absl::ToChronoNanoseconds(options_.warm_up);
    end_ = begin_ + absl::ToChronoNanoseconds(options_.duration);
    reported_ = start;
    loading_ = true;
    if (closed_loop()) {
      for (const auto& lane : lanes_) {
        for (std::size_t i = 0; i < options_.window; ++i) lane->Add(start);
        lane->Flush();
      }
    }
    Clock::time_point next = start + schedule_.Next();
    const auto send_due = [&](Clock::time_point now) {
      for (; next <= now; next = start + schedule_.Next()) {
        LoadLane& lane = *lanes_[turn_++ % lanes_.size()];
        lane.Add(next);
        asked_ += InMeasuredTime(next) ? 1 : 0;
        if (touched_.empty() || touched_.back() != &lane) touched_.push_back(&lane);
      }
      Flush();
    };
    double cpu_begin = -1;
    for (Clock::time_point now = start; now < end_ && status_.ok(); now = Clock::now()) {
      if (cpu_begin < 0 && now >= begin_) cpu_begin = CpuSeconds();
      if (now - reported_ >= kReport) Report(now);
      if (closed_loop()) {
        Turn(std::min(end_, reported_ + kReport));
        continue;
      }
      send_due(now);
      Turn(std::min(next, reported_ + kReport) - kPoll);
    }
    // What was due while this thread did not run is late, not left out.
    if (!closed_loop() && status_.ok()) send_due(end_ - Clock::duration(1));
    result_.cpu_seconds = CpuSeconds() - std::max(0.0, cpu_begin);
    loading_ = false;
  }

  // For the last answers, then for the ends of the calls.
  void Wait() {
    const Clock::time_point deadline = Clock::now() + kLastWait;
    while (status_.ok() && !all_idle() && Clock::now() < deadline) Turn(deadline);
    if (!status_.ok()) return;
    closing_ = true;
    for (const auto& lane : lanes_) lane->Close();
    while (!all_closed()) Turn(deadline);
  }

  // Waits for a completion at most until `until`, then handles all that there are.
  void Turn(Clock::time_point until) {
    const auto wait = std::chrono::nanoseconds(until - Clock::now()).count();
    const gpr_timespec past = gpr_inf_past(GPR_CLOCK_MONOTONIC);
    gpr_timespec deadline = past;
    if (wait > 0) {
      deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(wait, GPR_TIMESPAN));
    }
    void* tag = nullptr;
    bool ok = false;
    for (int i = 0; i < kGatherLimit; ++i, deadline = past) {
      if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) break;
      static_cast<LoadLane::Operation*>(tag)->Complete(ok);
    }
    Flush();
  }

  void Flush() {
    for (LoadLane* lane : touched_) lane->Flush();
    touched_.clear();
  }

  void Report(Clock::time_point now) {
    on_progress_({.readings_per_second =
                      static_cast<double>(answered_ - answered_reported_) / ToSeconds(now - reported_),
                  .left = absl::FromChrono(end_ - now),
                  .warming_up = now < begin_});
    reported_ = now;
    answered_reported_ = answered_;
  }

  bool InMeasuredTime(Clock::time_point intended) const { return intended >= begin_ && intended < end_; }
  bool Measured(const LoadLane::Sent& sent) const { return !sent.opening && InMeasuredTime(sent.intended); }

  void OnSend(const LoadLane::Sent& sent) override {
    if (!Measured(sent)) return;
    if (closed_loop()) ++asked_;  // else when it was due
    const Clock::duration lag = Clock::now() - sent.intended;
    if (lag > kLate) ++result_.late;
    result_.latest_seconds = std::max(result_.latest_seconds, ToSeconds(lag));
  }

  void OnAnswer(LoadLane& lane, const LoadLane::Sent& sent, grpc::ByteBuffer& answer) override {
    const Clock::time_point now = Clock::now();
    const bool measured = Measured(sent);
    const absl::Status counted =
        CountOutcomes(answer, sent.readings, measured ? result_.outcomes : unmeasured_);
    if (!counted.ok() && status_.ok()) status_ = counted;
    if (measured) {
      result_.latency.Add(static_cast<std::uint64_t>(std::chrono::nanoseconds(now - sent.intended).count()));
      result_.readings += sent.readings;
      result_.answer_bytes += answer.Length();
      ++result_.messages;
    }
    if (!sent.opening) {
      answered_ += sent.readings;
      if (now >= begin_ && now < end_) in_time_ += sent.readings;
    }
    GoOn(lane, sent, now);
  }

  void OnRefusal(LoadLane& lane, const LoadLane::Sent& sent) override {
    (Measured(sent) ? result_.outcomes : unmeasured_)[kRefused] += sent.readings;
    if (Measured(sent)) ++result_.refused;
    GoOn(lane, sent, Clock::now());
  }

  // The next message of a closed loop, or of those that name the streams.
  void GoOn(LoadLane& lane, const LoadLane::Sent& sent, Clock::time_point now) {
    const bool more = sent.opening ? !lane.opened() : loading_ && closed_loop() && now < end_;
    if (!more) return;
    lane.Add(now);
    if (touched_.empty() || touched_.back() != &lane) touched_.push_back(&lane);
  }

  void OnEnd(const grpc::Status& status) override {
    if (closing_ || !status_.ok()) return;
    status_ = FromServer(status, options_.connection.server);
    if (status_.ok()) {
      status_ = absl::InternalError(
          absl::StrCat("the server ", options_.connection.server, " ended a call too early"));
    }
  }

  void OnFeedEnd() override {
    if (!status_.ok()) return;
    status_ = absl::FailedPreconditionError(
        absl::StrCat("the streams have taken a reading for every ",
                     absl::FormatDuration(absl::Nanoseconds(probe_.grid.interval_ns)),
                     " since 1970, and the next would lie in the future: take more --streams, or new ones "
                     "(--stream-prefix)"));
  }

  const LoadOptions& options_;
  const LoadProbe& probe_;
  const std::function<void(const LoadProgress&)>& on_progress_;
  LoadSchedule schedule_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<LoadLane>> lanes_;
  std::vector<LoadLane*> touched_;                      // have something due
  std::size_t turn_ = 0;                                // of the lanes, in an open loop
  Clock::time_point begin_ = Clock::time_point::max();  // of the measured time
  Clock::time_point end_ = Clock::time_point::max();
  Clock::time_point reported_;
  bool loading_ = false;
  bool closing_ = false;
  std::uint64_t asked_ = 0;              // messages sent that are measured
  std::uint64_t answered_ = 0;           // readings
  std::uint64_t answered_reported_ = 0;  // of them at the last progress
  std::uint64_t in_time_ = 0;            // readings answered within the measured time
  std::map<std::string, std::uint64_t> unmeasured_;
  LoadResult result_;
  absl::Status status_;
};

absl::Status CheckOptions(const LoadOptions& options) {
  if (options.streams == 0 || options.batch == 0 || options.window == 0 || options.calls == 0 ||
      options.connections == 0 || options.features == 0) {
    return absl::InvalidArgumentError(
        "streams, features, batch, window, calls and connections must each be at least 1");
  }
  if (options.calls > options.streams || options.connections > options.calls) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.streams, " streams, ", options.calls, " calls, ", options.connections,
                     " connections: every call needs a stream, every connection a call (--streams, --calls, "
                     "--connections)"));
  }
  if (options.duration <= absl::ZeroDuration()) return absl::InvalidArgumentError("--duration must be > 0");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options,
                                   const std::function<void(const LoadProgress&)>& on_progress) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  std::vector<Connection> connections;
  for (std::size_t i = 0; i < options.connections; ++i) {
    auto connection = Connection::Open(options.connection);
    if (!connection.ok()) return connection.status();
    connections.push_back(*std::move(connection));
  }
  const auto probe = ProbeServer(connections.front(), options);
  if (!probe.ok()) return probe.status();
  LoadRun run(options, *probe, on_progress);
  return run.Run(connections);
}

}  // namespace tidegate
