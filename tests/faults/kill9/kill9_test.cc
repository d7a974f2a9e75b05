// A real server under real clients, killed with SIGKILL again and again, while it serves, makes checkpoints
// or brings its streams back: no reading that was answered is lost, none is taken twice, and every forecast
// has the bits of an offline replay. The long form: TIDEGATE_KILLS=500
// build/release/tests/faults/kill9/faults_kill9_test

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/model/model_file.h"
#include "tests/e2e/executables.h"
#include "tests/faults/kill9/feeders.h"
#include "tests/faults/kill9/mortal_server.h"

namespace tidegate {
namespace {

constexpr int kKills = 20;
constexpr int kMostKillsOfBroken = 60;  // until which it must have been noticed
constexpr std::size_t kClients = 3;
constexpr std::size_t kStreams = 300;        // of a client
constexpr std::uint64_t kAtTheEnd = 20'000;  // readings

int Kills() {
  int kills = kKills;
  const char* const text = std::getenv("TIDEGATE_KILLS");
  if (text != nullptr && !absl::SimpleAtoi(text, &kills)) std::abort();
  return kills;
}

class Kill9 {
 public:
  explicit Kill9(const std::string& breaks = "")
      : server_(folder_.path(), {"--checkpoint-interval", "0.3"}, breaks) {
    server_.Start();
    EXPECT_TRUE(server_.WaitUntilReady());
    const auto model = ReadModel(folder_.path() / "models" / "tiny" / "1");
    EXPECT_TRUE(model.ok()) << model.status();
    feeders_.emplace(*model, server_.address(), kClients, kStreams, /*seed=*/1);
  }

  // Kills the server so often, or until something is wrong; what that is.
  std::string Run(int kills) {
    std::string fault = Loop(kills);
    if (!fault.empty()) feeders_->Abandon(fault);
    return fault;
  }

  Feeders::Sum sum() const { return feeders_->sum(); }

 private:
  std::string Loop(int kills) {
    const absl::Time begin = absl::Now();
    for (int kill = 0; kill < kills; ++kill) {
      if (std::string fault = LetLive(); !fault.empty()) return fault;
      if (const Process::Result end = server_.Kill(); end.exit_code != -1)
        return "the server ended: " + end.err;
      server_.Start();
      if (kill % 50 == 49) Print(kill + 1, begin);
    }
    if (!server_.WaitUntilReady()) return "the server does not start: " + server_.Kill().err;
    if (feeders_->WaitForAnswers(kAtTheEnd)) feeders_->Stop();
    Print(kills, begin);
    if (!feeders_->fault().empty()) return feeders_->fault();
    const Process::Result end = server_.Terminate();
    if (end.exit_code != 0) return "the server did not end in order: " + end.err;
    return ReplayJournal();
  }

  // The journal has every reading once, and a replay of it gives what it says.
  std::string ReplayJournal() const {
    Process replay(TidegateCommand({"replay", "--data", (folder_.path() / "data").string(), "--models",
                                    (folder_.path() / "models").string()}));
    Process::Result end = replay.Wait(absl::Hours(1));
    if (end.exit_code != 0) return "the replay of the journal: " + end.err;
    std::erase(end.out, ',');
    if (absl::StrContains(end.out, absl::StrCat("Replayed ", sum().answered, " readings"))) return "";
    return absl::StrCat(sum().answered, " readings were answered; the journal: ", end.out);
  }

  // Waits for the moment of death; what is wrong already. One life in four does not get as far as to serve.
  std::string LetLive() {
    const bool early = random_() % 4 == 0;
    if (early) {
      ++early_;
    } else if (!server_.WaitUntilReady()) {
      return "the server does not start: " + server_.Kill().err;
    }
    const auto life = absl::Milliseconds(early ? 1 + random_() % 150 : 5 + random_() % 496);
    return feeders_->WaitForFault(life) ? feeders_->fault() : "";
  }

  void Print(int kills, absl::Time begin) const {
    const Feeders::Sum sum = feeders_->sum();
    std::printf(
        "%d kills, %d of them before the server served, %.0f s: %llu readings answered, %llu held against\n"
        "the replay, %llu DUPLICATE, of these %llu with the forecast; %llu interruptions of %zu clients\n",
        kills, early_, absl::ToDoubleSeconds(absl::Now() - begin),
        static_cast<unsigned long long>(sum.answered), static_cast<unsigned long long>(sum.compared),
        static_cast<unsigned long long>(sum.duplicates), static_cast<unsigned long long>(sum.repeated),
        static_cast<unsigned long long>(sum.interruptions), kClients);
    std::fflush(stdout);
  }

  TemporaryFolder folder_;
  std::mt19937 random_{1};
  int early_ = 0;
  MortalServer server_;
  std::optional<Feeders> feeders_;  // the first to go
};

TEST(Kill9Test, NothingThatWasAnsweredIsLostOrTakenTwice) {
  Kill9 kill9;
  const int kills = Kills();
  EXPECT_EQ(kill9.Run(kills), "");
  const Feeders::Sum sum = kill9.sum();
  EXPECT_GT(sum.answered, static_cast<std::uint64_t>(kills) * 1000);
  EXPECT_GT(sum.duplicates, 0u);  // something had been taken whose answer was lost
  EXPECT_GT(sum.repeated, 0u);
}

class BrokenServerTest : public testing::TestWithParam<const char*> {};

TEST_P(BrokenServerTest, IsNoticed) {
  Kill9 kill9(GetParam());
  const std::string fault = kill9.Run(kMostKillsOfBroken);
  EXPECT_NE(fault, "");
  std::printf("%s: %s\n", GetParam(), fault.substr(0, 300).c_str());
}
INSTANTIATE_TEST_SUITE_P(Breaks, BrokenServerTest,
                         testing::Values("acknowledge-without-journal", "no-dedupe", "skip-group"));

}  // namespace
}  // namespace tidegate
