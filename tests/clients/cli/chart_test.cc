#include "clients/cli/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "clients/cli/chart_axis.h"

namespace tidegate {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> Texts(const ChartAxis& axis) {
  std::vector<std::string> texts;
  for (const auto& [value, text] : axis.Ticks(5)) texts.push_back(text);
  return texts;
}

TEST(ChartAxisTest, TicksAreRound) {
  using Kind = ChartAxis::Kind;
  EXPECT_THAT(Texts(ChartAxis(Kind::kNumber, -0.1, 0.93, 0, 1)), ElementsAre("0", "0.5"));
  EXPECT_THAT(Texts(ChartAxis(Kind::kNumber, 0, 96, 0, 1)), ElementsAre("0", "20", "40", "60", "80"));
  EXPECT_THAT(Texts(ChartAxis(Kind::kPercent, 0.7, 1, 0, 1)), ElementsAre("70 %", "80 %", "90 %", "100 %"));
  EXPECT_THAT(Texts(ChartAxis(Kind::kTime, 1717156800, 1717156800 + 4 * 86'400, 0, 1)),
              ElementsAre("01 Jun", "02 Jun", "03 Jun", "04 Jun"));
  EXPECT_EQ(ChartAxis(Kind::kNumber, 10, 20, 100, 300).Pixel(15), 200);
}

TEST(ChartTest, MissingPointsBreakALineAndTextIsEscaped) {
  const double missing = std::numeric_limits<double>::quiet_NaN();
  Chart chart = {.title = "a < b & c"};
  chart.lines.push_back({.name = "one", .colour = "model", .points = {{0, 1}, {1, 2}, {2, missing}, {3, 4}}});
  const std::string svg = SvgOf(chart);
  EXPECT_THAT(svg, AllOf(HasSubstr("a &lt; b &amp; c"), Not(HasSubstr("nan")), Not(HasSubstr("http"))));
  const std::size_t path = svg.find("d='M", svg.find("class='line model'"));
  const std::string line = svg.substr(path, svg.find('\'', path + 3) - path);
  EXPECT_EQ(std::count(line.begin(), line.end(), 'M'), 2);
  EXPECT_EQ(std::count(line.begin(), line.end(), 'L'), 1);
}

TEST(ChartTest, AloneItBringsItsStyle) {
  EXPECT_THAT(SvgOf({}, true), AllOf(HasSubstr("<style>"), HasSubstr("prefers-color-scheme:dark"),
                                     HasSubstr("xmlns='http://www.w3.org/2000/svg'")));
}

}  // namespace
}  // namespace tidegate
