// The metrics of a live server against those that alerts, dashboards and README name.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_replace.h"
#include "tests/e2e/executables.h"

namespace tidegate {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kRules[] = TIDEGATE_SOURCE_DIR "/deploy/prometheus/rules/tidegate.yml";
constexpr char kChecker[] = TIDEGATE_SOURCE_DIR "/tests/deploy/check_metric_names.py";
constexpr char kReadme[] = TIDEGATE_SOURCE_DIR "/README.md";

std::string ReadText(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class MetricNamesTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    TemporaryFolder models;
    WriteTinyModel(models.path());
    page_ = RunningServer(models.path()).Scrape();
  }
  void SetUp() override {
    if (RunProcess({"/usr/bin/env", "python3", "--version"}).exit_code != 0) {
      GTEST_SKIP() << "python3 is missing: apt-get install python3";
    }
  }

  // What the checker says of these texts.
  Process::Result Check(const std::string& page, const std::string& rules, const std::string& readme) {
    std::ofstream(folder_.path() / "page") << page;
    std::ofstream(folder_.path() / "rules.yml") << rules;
    std::ofstream(folder_.path() / "README.md") << readme;
    return RunProcess({"/usr/bin/env", "python3", kChecker, "--scrape", folder_.path() / "page", "--rules",
                       folder_.path() / "rules.yml", "--readme", folder_.path() / "README.md"});
  }

  TemporaryFolder folder_;
  inline static std::string page_;
};

TEST_F(MetricNamesTest, RulesDashboardsAndReadmeNameWhatTheServerHas) {
  const Process::Result result = Check(page_, ReadText(kRules), ReadText(kReadme));
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("no faults"));
}

// The checker must find what it is there for.

TEST_F(MetricNamesTest, ARuleWithAMadeUpMetricIsAFault) {
  const std::string rules = absl::StrReplaceAll(
      ReadText(kRules), {{"rate(tidegate_refusals_total", "rate(tidegate_made_up_total"}});
  const Process::Result result = Check(page_, rules, ReadText(kReadme));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("the server has no metric 'tidegate_made_up_total'"));
}

TEST_F(MetricNamesTest, AMetricThatTheReadmeDoesNotExplainIsAFault) {
  const std::string page =
      page_ + "# HELP tidegate_new_total New.\n# TYPE tidegate_new_total counter\ntidegate_new_total 1\n";
  const Process::Result result = Check(page, ReadText(kRules), ReadText(kReadme));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("README: the table of metrics does not have 'tidegate_new_total'"));
}

TEST_F(MetricNamesTest, AMetricThatIsGoneIsAFaultWhereverItIsNamed) {
  const std::string page = absl::StrReplaceAll(page_, {{"tidegate_readings_total", "tidegate_points_total"}});
  const Process::Result result = Check(page, ReadText(kRules), ReadText(kReadme));
  EXPECT_EQ(result.exit_code, 1);
  for (const char* place : {"rules.yml, line ", "tidegate.json, panel", "README: the server has no"}) {
    EXPECT_THAT(result.out, HasSubstr(place));
  }
}

TEST_F(MetricNamesTest, ALabelOfTheReadmeThatTheServerHasNotIsAFault) {
  const std::string readme =
      absl::StrReplaceAll(ReadText(kReadme), {{"| model, outcome |", "| model, result |"}});
  const Process::Result result = Check(page_, ReadText(kRules), readme);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("'tidegate_readings_total': labels"));
}

TEST_F(MetricNamesTest, AnAlertThatIsNotExplainedOrNotTestedIsAFault) {
  const std::string rules =
      absl::StrReplaceAll(ReadText(kRules), {{"alert: TidegateQueueing", "alert: TidegateLazy"}});
  const Process::Result result = Check(page_, rules, ReadText(kReadme));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("the table of alerts does not have 'TidegateLazy'"));
  EXPECT_THAT(result.out, HasSubstr("'TidegateLazy' is never seen to fire"));
  EXPECT_THAT(result.out, Not(HasSubstr("metric '")));
}

}  // namespace
}  // namespace tidegate
