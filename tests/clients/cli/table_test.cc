#include "clients/cli/table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace tidegate {
namespace {

TEST(TableTest, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({"stream", "error"}, 1);
  table.Add({"a", "1.5"});
  table.Add({"longer name", "-12.25"});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(),
            "  stream        error\n"
            "  -------------------\n"
            "  a               1.5\n"
            "  longer name  -12.25\n");
}

TEST(TableTest, NumbersForPeople) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(1000), "1,000");
  EXPECT_EQ(Grouped(12'345'678), "12,345,678");
  EXPECT_EQ(Seconds(85e-6), "85 us");
  EXPECT_EQ(Seconds(1.254e-3), "1.25 ms");
  EXPECT_EQ(Seconds(3.42), "3.4 s");
}

}  // namespace
}  // namespace tidegate
