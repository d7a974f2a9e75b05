// What a comparison of families says of them.
#include "clients/cli/compare_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

namespace tidegate {
namespace {

using testing::HasSubstr;
using testing::Not;

CompareReport::Score ScoreOf(double mae) {
  CompareReport::Score score;
  HorizonScore horizon = {.horizon = 6};
  horizon.errors[static_cast<std::size_t>(Forecaster::kModel)] = {.targets = 10, .mae = mae};
  horizon.errors[static_cast<std::size_t>(Forecaster::kLastValue)] = {.targets = 10, .mae = 0.75};
  score.test.horizons.push_back(horizon);
  return score;
}

CompareReport::Row RowOf(Family family, double mae) {
  CompareReport::Row row = {.family = family};
  row.scores[CompareReport::kCarried] = ScoreOf(mae);
  return row;
}

std::string Printed(const CompareReport& report) {
  std::ostringstream out;
  PrintCompare(report, out);
  return out.str();
}

// The row of the GRU, which has it, is not the first.
TEST(CompareReportTest, TheLinearBaselineIsToldWhereverItsRowIs) {
  CompareReport report = {.horizon = 6, .rows = {RowOf(Family::kLstm, 0.5), RowOf(Family::kGru, 0.4)}};
  report.rows[1].scores[CompareReport::kCarried]->test.horizons[0].errors[static_cast<std::size_t>(
      Forecaster::kLinear)] = {.targets = 10, .mae = 0.625};
  CompareWithGru(report);
  EXPECT_THAT(Printed(report),
              HasSubstr("The last value errs by 0.7500, a linear autoregression by 0.6250."));
  const auto json = nlohmann::json::parse(CompareJson(report));
  EXPECT_EQ(json["last_value_mae"], 0.75);
  EXPECT_EQ(json["linear_mae"], 0.625);
  EXPECT_THAT(CompareHtml(report), HasSubstr("a linear autoregression by 0.625"));
}

TEST(CompareReportTest, WithoutTheGruNoDifferenceToItIsTold) {
  CompareReport report = {.file = "caf\xe9.csv", .horizon = 6, .rows = {RowOf(Family::kLstm, 0.5)}};
  CompareWithGru(report);
  EXPECT_THAT(Printed(report), Not(HasSubstr("+0.0 %")));
  EXPECT_THAT(CompareHtml(report), Not(HasSubstr("+0.0 %")));
  const auto json = nlohmann::json::parse(CompareJson(report));
  EXPECT_TRUE(json["families"][0]["state_carried_on"]["against_gru"].is_null());
  EXPECT_TRUE(json["families"][0]["state_carried_on"]["p"].is_null());
}

}  // namespace
}  // namespace tidegate
