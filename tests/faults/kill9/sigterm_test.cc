// A server under load that is told to end: it does, with 0, and its next start has nothing to replay. The
// long form: TIDEGATE_SIGTERMS=200 build/release/tests/faults/kill9/faults_sigterm_test

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "engine/model/model_file.h"
#include "tests/e2e/executables.h"
#include "tests/faults/kill9/feeders.h"
#include "tests/faults/kill9/mortal_server.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

constexpr int kEnds = 5;
constexpr absl::Duration kLimit = absl::Seconds(30);

TEST(SigtermTest, EndsInOrderUnderLoadAndLeavesNothingToReplay) {
  int ends = kEnds;
  const char* const text = std::getenv("TIDEGATE_SIGTERMS");
  ASSERT_TRUE(text == nullptr || absl::SimpleAtoi(text, &ends));
  TemporaryFolder folder;
  MortalServer server(folder.path());
  server.Start();
  ASSERT_TRUE(server.WaitUntilReady());
  const auto model = ReadModel(folder.path() / "models" / "tiny" / "1");
  ASSERT_TRUE(model.ok()) << model.status();
  Feeders feeders(*model, server.address(), /*clients=*/3, /*streams=*/300, /*seed=*/1);
  std::mt19937 random(1);
  absl::Duration longest;
  for (int end = 0; end < ends; ++end) {
    ASSERT_TRUE(feeders.WaitForAnswers(1000)) << feeders.fault();
    ASSERT_FALSE(feeders.WaitForFault(absl::Milliseconds(random() % 300))) << feeders.fault();
    const absl::Time begin = absl::Now();
    const Process::Result result = server.Terminate();
    longest = std::max(longest, absl::Now() - begin);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    ASSERT_LE(longest, kLimit);
    EXPECT_THAT(result.err, HasSubstr(end == 0 ? ", new" : ", closed in order"));
    EXPECT_THAT(result.err, HasSubstr(", 0 readings of the journal stepped again"));
    server.Start();
    ASSERT_TRUE(server.WaitUntilReady());
  }
  ASSERT_TRUE(feeders.WaitForAnswers(1000)) << feeders.fault();
  feeders.Stop();
  EXPECT_EQ(feeders.fault(), "");
  const Process::Result last = server.Terminate();
  EXPECT_EQ(last.exit_code, 0) << last.err;
  EXPECT_THAT(last.err, HasSubstr(", closed in order"));
  std::printf("%d times SIGTERM: the longest end took %s; %llu readings answered\n", ends,
              absl::FormatDuration(longest).c_str(), static_cast<unsigned long long>(feeders.sum().answered));
}

}  // namespace
}  // namespace tidegate
