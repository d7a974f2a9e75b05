// What is learnt from and what is only tested on.
#include "clients/cli/learning_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/model/spec.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

class LearningDataTest : public testing::Test {
 protected:
  ~LearningDataTest() override { std::filesystem::remove(flags_.file); }

  // Adds rows [begin, end) of stream `stream`, a second apart.
  void AddRows(const std::string& stream, int begin, int end, const std::string& value = "") {
    for (int t = begin; t < end; ++t)
      absl::StrAppend(&text_, t, ",", stream, ",", value.empty() ? absl::StrCat(t % 7) : value, "\n");
  }

  absl::StatusOr<LearningData> Read() {
    std::ofstream(flags_.file) << text_;
    return ReadLearningData(flags_);
  }

  LearningDataTest() {
    flags_.file = (std::filesystem::path(testing::TempDir()) / "learning_data_test.csv").string();
    flags_.readings.stream_column = "stream";
    flags_.readings.time_unit = TimeUnit::kSeconds;
    flags_.options.horizon = 5;
    flags_.options.warm_up = 10;
  }

  LearningFlags flags_;
  std::string text_ = "time,stream,value\n";
};

TEST_F(LearningDataTest, TheTestPartIsTheLastOfEachStreamWhateverItsGaps) {
  AddRows("a", 0, 400);
  AddRows("a", 1000, 1500);
  AddRows("a", 2000, 2100);
  AddRows("b", 0, 500);
  const auto data = Read();
  ASSERT_TRUE(data.ok()) << data.status();
  // Of a the last 200 of 1,000 rows: 100 of its second piece, and all of the third.
  ASSERT_EQ(data->learn.size(), 3u);
  ASSERT_EQ(data->test.size(), 3u);
  EXPECT_EQ(data->learn[0].size(), 400u);
  EXPECT_EQ(data->learn[1].size(), 400u);
  EXPECT_EQ(data->test[0].size() - data->from[0], 100u);
  EXPECT_EQ(data->from[1], 0u);
  EXPECT_EQ(data->test[1].size(), 100u);
  EXPECT_EQ(data->learn[2].size(), 400u);
  EXPECT_EQ(data->test[2].size() - data->from[2], 100u);
  const std::int64_t first_tested = data->test[0].time_ns[data->from[0]];
  for (const Series& series : {data->learn[0], data->learn[1]})
    EXPECT_LT(series.time_ns.back(), first_tested);
}

TEST_F(LearningDataTest, PiecesWithoutATargetAreNotLearntFrom) {
  AddRows("a", 0, 400, "NA");
  AddRows("a", 1000, 1600);
  const auto data = Read();
  ASSERT_TRUE(data.ok()) << data.status();
  ASSERT_EQ(data->learn.size(), 1u);
  EXPECT_EQ(data->learn[0].size(), 400u);
}

// It goes into the model's JSON.
TEST_F(LearningDataTest, AFileNameThatIsNotUtf8IsMadeSo) {
  flags_.file = (std::filesystem::path(testing::TempDir()) / "caf\xe9.csv").string();
  AddRows("a", 0, 500);
  const auto data = Read();
  ASSERT_TRUE(data.ok()) << data.status();
  ModelSpec spec = TinySpec();
  spec.trained_on = data->options.trained_on;
  EXPECT_THAT(WriteSpec(spec), HasSubstr("caf\xef\xbf\xbd.csv, the first 80 %"));
}

TEST_F(LearningDataTest, SaysAtOnceWhatIsTooShort) {
  AddRows("a", 0, 500);
  flags_.options.horizon = 30;
  flags_.test = 0.05;
  EXPECT_THAT(std::string(Read().status().message()),
              HasSubstr("the test part of no stream has the 30 readings that a forecast takes"));
  AddRows("a", 500, 700, "NA");
  flags_.options.horizon = 5;
  flags_.test = 0.2;
  EXPECT_THAT(
      std::string(Read().status().message()),
      HasSubstr("learning_data_test.csv: the test part of no stream has the 5 readings that a forecast "
                "takes, with values of 'value' to score"));
  flags_.options.horizon = 200;
  EXPECT_THAT(std::string(Read().status().message()), HasSubstr("before the test part no stream has 844"));
}

}  // namespace
}  // namespace tidegate
