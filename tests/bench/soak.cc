// Keeps a running tidegate-server busy for minutes and checks every answer, bit for bit, against an offline
// replay of the same readings (answer_check.h); watches the server's memory and files meanwhile. soak.py
// starts the server and finds the rate. Exit code 1: an answer was another, or the memory grew.
//   soak --model DIR --server HOST:PORT --pid PID --rate READINGS_PER_SECOND

#include <grpc/support/time.h>
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/model/model_file.h"
#include "tests/support/answer_check.h"
#include "tests/support/soak_feed.h"
#include "tidegate/v1/forecaster.grpc.pb.h"

namespace tidegate {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kGatherLimit = 64;  // answers handled before what has become due is sent
constexpr std::chrono::seconds kLastWait{30};
constexpr std::size_t kMostUnanswered = 64;  // messages of a call; what a server reads ahead

struct Options {
  std::filesystem::path model;
  std::string server = "127.0.0.1:50051";
  std::string prefix = "soak-";
  int pid = 0;
  std::size_t streams = 100'000;
  std::size_t calls = 8;
  double rate = 0;
  double seconds = 600;
  double growth_limit = 1;  // %
};

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The server as /proc shows it.
struct ServerProcess {
  int pid = 0;

  double ResidentBytes() const {  // 0: no such process
    std::ifstream in(absl::StrCat("/proc/", pid, "/status"));
    for (std::string line; std::getline(in, line);) {
      double kibibytes = 0;
      if (line.rfind("VmRSS:", 0) != 0) continue;
      if (absl::SimpleAtod(line.substr(6, line.size() - 9), &kibibytes)) return 1024 * kibibytes;
    }
    return 0;
  }
  std::size_t Files() const {
    std::error_code ignored;
    std::size_t files = 0;
    for (auto it = std::filesystem::directory_iterator(absl::StrCat("/proc/", pid, "/fd"), ignored);
         it != std::filesystem::directory_iterator(); it.increment(ignored)) {
      ++files;
    }
    return files;
  }
};

// The server's memory over the run.
class MemoryTrend {
 public:
  void Add(double seconds, double bytes) { samples_.push_back({seconds, bytes}); }

  // Of the last two thirds; what is before is warm-up.
  struct Fit {
    double start = 0;       // seconds
    double bytes = 0;       // at the start, on the fitted line
    double per_second = 0;  // bytes
  };
  Fit FitAfterWarmUp() const {
    Fit fit;
    if (samples_.empty()) return fit;
    fit.start = samples_.back().seconds / 3;
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (const Sample& sample : samples_) {
      if (sample.seconds < fit.start) continue;
      const double t = sample.seconds - fit.start;
      n += 1, x += t, y += sample.bytes, xx += t * t, xy += t * sample.bytes;
    }
    const double spread = n * xx - x * x;
    fit.per_second = spread > 0 ? (n * xy - x * y) / spread : 0;
    fit.bytes = (y - fit.per_second * x) / n;
    return fit;
  }

 private:
  struct Sample {
    double seconds, bytes;
  };
  std::vector<Sample> samples_;
};

// One call of Stream with its share of the streams.
class Call {
 public:
  Call(v1::Forecaster::Stub& stub, grpc::CompletionQueue& queue, SoakFeed feed, std::size_t first,
       AnswerCheck& check)
      : feed_(std::move(feed)),
        first_(first),
        check_(check),
        stream_(stub.PrepareAsyncStream(&context_, &queue)) {
    stream_->StartCall(&start_);
  }

  struct Tag {
    void (Call::*handler)(bool ok);
    Call* call;
  };

  bool opened() const { return feed_.opened() && sent_.empty(); }
  bool ended() const { return ended_; }
  bool ended_well() const { return ended_ && status_.ok() && sent_.empty(); }
  const grpc::Status& status() const { return status_; }
  std::size_t due() const { return due_; }

  // One more message is to be sent.
  void Add() {
    ++due_;
    Write();
  }
  // Sends no more; ends when all is answered.
  void Close() {
    closing_ = true;
    due_ = 0;
    if (!writing_) stream_->WritesDone(&done_);
  }
  void Cancel() { context_.TryCancel(); }

 private:
  void Started(bool ok) {
    if (!ok) return stream_->Finish(&status_, &finish_);
    ready_ = true;
    stream_->Read(&answer_, &read_);
    Write();
  }
  void Write() {
    if (!ready_ || writing_ || sent_.size() >= kMostUnanswered || (due_ == 0 && feed_.opened())) return;
    if (feed_.opened()) --due_;
    sent_.push_back(feed_.opened() ? feed_.Next() : feed_.Open());
    writing_ = true;
    stream_->Write(sent_.back(), &write_);
  }
  void Written(bool ok) {
    writing_ = false;
    if (!ok) return;  // the read fails as well
    if (closing_) return stream_->WritesDone(&done_);
    Write();
  }
  void Read(bool ok) {
    if (!ok || sent_.empty()) {
      ready_ = false;
      return stream_->Finish(&status_, &finish_);
    }
    check_.Check(sent_.front(), first_, answer_);
    sent_.pop_front();
    stream_->Read(&answer_, &read_);
    Write();
  }
  void WritesEnded(bool) {}
  void Finished(bool) { ended_ = true; }

  SoakFeed feed_;
  std::size_t first_;
  AnswerCheck& check_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::PushRequest, v1::PushResponse>> stream_;
  std::deque<v1::PushRequest> sent_;  // unanswered
  v1::PushResponse answer_;
  grpc::Status status_;
  std::size_t due_ = 0;
  bool ready_ = false, writing_ = false, closing_ = false, ended_ = false;
  Tag start_{&Call::Started, this}, read_{&Call::Read, this}, write_{&Call::Written, this},
      done_{&Call::WritesEnded, this}, finish_{&Call::Finished, this};
};

class Soak {
 public:
  Soak(const Options& options, std::shared_ptr<const Model> model)
      : options_(options), model_(std::move(model)), check_(model_, options.streams), server_{options.pid} {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    stub_ = v1::Forecaster::NewStub(
        grpc::CreateCustomChannel(options.server, grpc::InsecureChannelCredentials(), arguments));
    for (std::size_t i = 0; i < options.calls; ++i) {
      const std::size_t first = options.streams * i / options.calls;
      const std::size_t end = options.streams * (i + 1) / options.calls;
      calls_.push_back(std::make_unique<Call>(
          *stub_, queue_, SoakFeed(model_->spec(), options.prefix, first, end - first), first, check_));
    }
  }

  ~Soak() {
    for (const auto& call : calls_) call->Cancel();
    while (!AllCalls(&Call::ended) && Turn(Clock::now() + kLastWait)) {
    }
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  // The exit code.
  int Run() {
    while (!broken() && !AllCalls(&Call::opened)) Turn(Clock::now() + kLastWait);
    const std::uint64_t opened = check_.readings();
    std::printf("%zu streams have begun; RSS of the server %.1f MiB\n", options_.streams,
                server_.ResidentBytes() / (1 << 20));
    const double cpu = CpuSeconds();
    const std::size_t files = server_.Files();
    const Clock::time_point start = Clock::now();
    Load(start);
    const double seconds = Seconds(Clock::now() - start);
    const std::uint64_t readings = check_.readings() - opened;
    const std::size_t files_after = server_.Files();
    const double share = (CpuSeconds() - cpu) / seconds;
    for (const auto& call : calls_) call->Close();
    while (!AllCalls(&Call::ended) && Turn(Clock::now() + kLastWait)) {
    }
    return Report(seconds, readings, files, files_after, share);
  }

 private:
  bool AllCalls(bool (Call::*is)() const) const {
    return std::ranges::all_of(calls_, [&](const auto& call) { return ((*call).*is)(); });
  }
  bool broken() const {  // a call has ended, which the server never does by itself
    return std::ranges::any_of(calls_, [](const auto& call) { return call->ended(); });
  }

  void Load(Clock::time_point start) {
    const double messages_per_second = options_.rate / 160;  // 64 to 256 readings each
    double sent = 0;
    std::size_t turn = 0;
    Clock::time_point sampled = start - std::chrono::seconds(1);
    std::uint64_t before = check_.readings();
    for (Clock::time_point now = start; Seconds(now - start) < options_.seconds && !broken();
         now = Clock::now()) {
      if (now - sampled >= std::chrono::seconds(1)) {
        trend_.Add(Seconds(now - start), server_.ResidentBytes());
        Show(now - start, static_cast<double>(check_.readings() - before) / Seconds(now - sampled));
        before = check_.readings();
        sampled = now;
      }
      for (; sent < Seconds(now - start) * messages_per_second; ++sent) calls_[turn++ % calls_.size()]->Add();
      Turn(start + std::chrono::duration_cast<Clock::duration>(
                       std::chrono::duration<double>(sent / messages_per_second)));
    }
    std::fprintf(stderr, "\n");
    for (const auto& call : calls_) backlog_ += call->due();
  }

  // Handles what has completed, after waiting for it at most until `until`. False: nothing had.
  bool Turn(Clock::time_point until) {
    const auto wait = std::max<std::int64_t>(0, std::chrono::nanoseconds(until - Clock::now()).count());
    gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(wait, GPR_TIMESPAN));
    void* tag = nullptr;
    bool ok = false;
    int handled = 0;
    for (; handled < kGatherLimit; ++handled, deadline = gpr_inf_past(GPR_CLOCK_MONOTONIC)) {
      if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) break;
      const auto& completed = *static_cast<Call::Tag*>(tag);
      (completed.call->*completed.handler)(ok);
    }
    return handled > 0;
  }

  void Show(Clock::duration spent, double rate) const {
    std::fprintf(stderr, "\r  %.0f s left, %.0f readings/s, %llu checked, %llu mismatches, RSS %.1f MiB ",
                 options_.seconds - Seconds(spent), rate, static_cast<unsigned long long>(check_.readings()),
                 static_cast<unsigned long long>(check_.mismatches()), server_.ResidentBytes() / (1 << 20));
    std::fflush(stderr);
  }

  int Report(double seconds, std::uint64_t readings, std::size_t files, std::size_t files_after,
             double share) const {
    const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
    std::printf(
        "readings     %llu checked, %.0f/s over %.0f s; asked for %.0f/s, %zu messages were not sent in "
        "time\n",
        number(check_.readings()), static_cast<double>(readings) / seconds, seconds, options_.rate, backlog_);
    std::printf("outcomes     APPLIED %llu, DUPLICATE %llu, CONFLICT %llu, LATE %llu, INVALID %llu\n",
                number(check_.outcomes(Outcome::kApplied)), number(check_.outcomes(Outcome::kDuplicate)),
                number(check_.outcomes(Outcome::kConflict)), number(check_.outcomes(Outcome::kLate)),
                number(check_.outcomes(Outcome::kInvalid)));
    std::printf("mismatches   %llu\n%s", number(check_.mismatches()), check_.report().c_str());
    bool good = check_.mismatches() == 0;
    for (const auto& call : calls_) {
      if (call->ended_well()) continue;
      std::printf("a call did not end well: %s\n",
                  call->status().ok() ? "answers are missing" : call->status().error_message().c_str());
      good = false;
      break;
    }
    if (server_.pid != 0) {
      const MemoryTrend::Fit fit = trend_.FitAfterWarmUp();
      const double growth = 100 * fit.per_second * seconds / fit.bytes;
      const bool flat = growth < options_.growth_limit;
      std::printf(
          "RSS          %.2f MiB after %.0f s, then %+.3f MiB a minute: %+.3f %% over the run, limit %g %%: "
          "%s\n",
          fit.bytes / (1 << 20), fit.start, 60 * fit.per_second / (1 << 20), growth, options_.growth_limit,
          flat ? "met" : "MISSED");
      std::printf("files        %zu at the start, %zu at the end\n", files, files_after);
      good &= flat;
    }
    std::printf("client       %.2f of a core\n%s\n", share, good ? "good" : "BAD");
    return good ? 0 : 1;
  }

  const Options& options_;
  std::shared_ptr<const Model> model_;
  AnswerCheck check_;
  ServerProcess server_;
  MemoryTrend trend_;
  std::size_t backlog_ = 0;  // messages that were due and not sent at the end
  grpc::CompletionQueue queue_;
  std::unique_ptr<v1::Forecaster::Stub> stub_;
  std::vector<std::unique_ptr<Call>> calls_;
};

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Keeps a server busy and checks every answer against an offline replay");
  app.add_option("--model", options.model, "Folder of the model that the server serves, NAME/VERSION")
      ->required();
  app.add_option("--server", options.server, "HOST:PORT")->capture_default_str();
  app.add_option("--pid", options.pid, "Of the server: watch its memory and files");
  app.add_option("--rate", options.rate, "Readings/s, whether or not those before are answered")->required();
  app.add_option("--seconds", options.seconds, "How long")->capture_default_str();
  app.add_option("--streams", options.streams, "Streams, which must be new to the server")
      ->capture_default_str();
  app.add_option("--stream-prefix", options.prefix, "Of their ids")->capture_default_str();
  app.add_option("--calls", options.calls, "Calls of Stream that share the streams")->capture_default_str();
  app.add_option("--growth-limit", options.growth_limit,
                 "Of the server's memory after warm-up, over the run, %")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (options.rate <= 0 || options.seconds <= 0 || options.calls == 0 || options.streams < options.calls) {
    std::fprintf(stderr, "--rate, --seconds and --calls must be above 0, and every call needs a stream\n");
    return 2;
  }
  const auto model = ReadModel(options.model);
  if (!model.ok()) {
    std::fprintf(stderr, "%s\n", std::string(model.status().message()).c_str());
    return 2;
  }
  return Soak(options, *model).Run();
}

}  // namespace
}  // namespace tidegate

int main(int argc, char** argv) { return tidegate::Main(argc, argv); }
