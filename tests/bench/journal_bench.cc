// What the journal costs: groups of readings submitted by two threads as fast as they go, or at a rate.
//   journal_bench FOLDER none|process|power [SECONDS 10] [READINGS_PER_GROUP 256] [READINGS_PER_SECOND 0: no
//   limit]
//                 [CHECKPOINT_SECONDS 0: none] [STATE_FLOATS 64] [BUFFER_MIB 128]
// Each submitter has half of 50,000 streams and up to 16 groups on their way. Of a checkpoint every stream is
// dirty. CPU is that of the whole process, RocksDB's threads included; collecting the readings is in it, and
// measured on its own with `none`.

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "server/store/store.h"

namespace tidegate {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kStreams = 50'000;
constexpr int kSubmitters = 2;
constexpr std::size_t kInFlight = 16;

struct Settings {
  StoreOptions options;
  double seconds = 10;
  std::size_t group = 256;
  double rate = 0;
  double checkpoint = 0;
  std::size_t floats = 64;
};

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// One thread's readings; keeps kInFlight groups on their way.
class Feed {
 public:
  Feed(Store& store, const Settings& settings, int first) : settings_(settings) {
    ids_.reserve(kStreams / kSubmitters);
    for (int i = 0; i < kStreams / kSubmitters; ++i)
      ids_.push_back(absl::StrFormat("sensor-%07d", first + i));
    submitter_ = store.AddSubmitter([this](const absl::Status& status, std::uint64_t position) {
      if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
      const absl::MutexLock lock(&mutex_);
      through_ = position;
    });
  }

  void Run(Clock::time_point begin, Clock::time_point end) {
    const std::vector<float> values = {1.0f, 2.0f};
    std::size_t next = 0;
    for (std::uint64_t sequence = 1; Clock::now() < end; ++sequence) {
      for (std::size_t i = 0; i < settings_.group; ++i) {
        group_.AddReading({.stream = ids_[next],
                           .model = 1,
                           .timestamp_ns = static_cast<std::int64_t>(sequence),
                           .sequence = sequence,
                           .values = values});
        if (++next == ids_.size()) next = 0;
      }
      const auto before = Clock::now();
      const auto submitted = submitter_->Submit(group_, false);
      if (!submitted.ok()) return;
      if (submitted->durable) {
        waits_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - before).count());
      } else {
        Wait(before, submitted->position);
      }
      readings_ += settings_.group;
      if (settings_.rate > 0) {
        std::this_thread::sleep_until(begin + std::chrono::duration<double>(static_cast<double>(readings_) *
                                                                            kSubmitters / settings_.rate));
      }
    }
    submitter_.reset();
  }

  std::size_t readings() const { return readings_; }
  std::vector<double>& waits() { return waits_; }
  const std::vector<std::string>& ids() const { return ids_; }

 private:
  struct Sent {
    Clock::time_point at;
    std::uint64_t position;
  };
  void Wait(Clock::time_point before, std::uint64_t position) {
    sent_.push_back({before, position});
    const auto room = [this] { return sent_.size() < kInFlight || through_ >= sent_.front().position; };
    const absl::MutexLock lock(&mutex_, absl::Condition(&room));
    const auto now = Clock::now();
    while (!sent_.empty() && sent_.front().position <= through_) {
      waits_.push_back(std::chrono::duration<double, std::micro>(now - sent_.front().at).count());
      sent_.erase(sent_.begin());
    }
  }

  const Settings& settings_;
  std::vector<std::string> ids_;
  std::unique_ptr<Store::Submitter> submitter_;
  GroupWriter group_;
  std::size_t readings_ = 0;
  std::vector<double> waits_;  // microseconds
  std::vector<Sent> sent_;
  absl::Mutex mutex_;
  std::uint64_t through_ = 0;
};

void Checkpoint(Store& store, const Settings& settings, const std::vector<std::unique_ptr<Feed>>& feeds) {
  const double cpu = CpuSeconds();
  const auto begin = Clock::now();
  const std::uint64_t position = store.BeginCheckpoint();
  StateBatch batch;
  const std::vector<float> floats(settings.floats, 0.5f);
  absl::Status status;
  for (const auto& feed : feeds) {
    for (const std::string& id : feed->ids()) {
      batch.Put(id, position, 1, {}, floats);
      if (batch.size() == 1000 && status.ok()) status = store.WriteStates(batch);
    }
  }
  if (status.ok()) status = store.WriteStates(batch);
  if (status.ok()) status = store.FinishCheckpoint(position);
  std::printf("  checkpoint of %d states: %.3f s (%s); CPU of the process meanwhile %.3f s\n", kStreams,
              std::chrono::duration<double>(Clock::now() - begin).count(), status.ToString().c_str(),
              CpuSeconds() - cpu);
}

int Run(const Settings& settings) {
  auto opened = Store::Open(settings.options);
  if (!opened.ok()) {
    std::fprintf(stderr, "%s\n", opened.status().ToString().c_str());
    return 1;
  }
  Store& store = **opened;
  std::vector<std::unique_ptr<Feed>> feeds;
  feeds.reserve(kSubmitters);
  for (int i = 0; i < kSubmitters; ++i)
    feeds.push_back(std::make_unique<Feed>(store, settings, i * kStreams / kSubmitters));
  const double cpu = CpuSeconds();
  const auto begin = Clock::now();
  const auto end =
      begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(settings.seconds));
  std::vector<std::thread> threads;
  threads.reserve(feeds.size());
  for (auto& feed : feeds) threads.emplace_back([&, f = feed.get()] { f->Run(begin, end); });
  if (settings.checkpoint > 0) {
    for (auto at = begin;;) {
      at += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(settings.checkpoint));
      if (at >= end) break;
      std::this_thread::sleep_until(at);
      Checkpoint(store, settings, feeds);
    }
  }
  for (std::thread& thread : threads) thread.join();
  const double took = std::chrono::duration<double>(Clock::now() - begin).count();
  const double used = CpuSeconds() - cpu;
  std::vector<double> waits;
  double readings = 0;
  for (auto& feed : feeds) {
    waits.insert(waits.end(), feed->waits().begin(), feed->waits().end());
    readings += static_cast<double>(feed->readings());
  }
  std::sort(waits.begin(), waits.end());
  const auto at = [&](double part) {
    return waits.empty() ? 0.0
                         : waits[static_cast<std::size_t>(part * static_cast<double>(waits.size() - 1))];
  };
  const StoreCounts counts = store.counts();
  std::printf("%.0f readings/s, CPU %.1f ns a reading, %.1f MB/s, %.1f groups a commit\n", readings / took,
              1e9 * used / readings, 1e-6 * static_cast<double>(counts.journal_bytes) / took,
              static_cast<double>(counts.groups) / std::max(1.0, static_cast<double>(counts.commits)));
  std::printf("  until durable, us: p50 %.0f  p99 %.0f  p99.9 %.0f  max %.0f\n", at(0.5), at(0.99), at(0.999),
              at(1));
  return 0;
}

}  // namespace
}  // namespace tidegate

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "see the top of journal_bench.cc for its arguments\n");
    return 2;
  }
  const auto number = [&](int i, double otherwise) { return argc > i ? std::atof(argv[i]) : otherwise; };
  tidegate::Settings settings;
  settings.options.folder = argv[1];
  const std::string mode = argv[2];
  settings.options.durability = mode == "none"    ? tidegate::Durability::kNone
                                : mode == "power" ? tidegate::Durability::kPower
                                                  : tidegate::Durability::kProcess;
  settings.seconds = number(3, 10);
  settings.group = static_cast<std::size_t>(number(4, 256));
  settings.rate = number(5, 0);
  settings.checkpoint = number(6, 0);
  settings.floats = static_cast<std::size_t>(number(7, 64));
  settings.options.segment_bytes = static_cast<std::size_t>(number(8, 128)) << 20;
  return tidegate::Run(settings);
}
