#include "clients/cli/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using Cells = std::vector<std::string>;
using Rows = std::vector<std::pair<std::size_t, Cells>>;

Rows Parse(absl::string_view text) {
  Rows rows;
  const absl::Status status = ParseCsv(text, "a.csv", [&](const CsvRow& row) {
    rows.emplace_back(row.line, Cells(row.cells.begin(), row.cells.end()));
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return rows;
}

std::string Error(absl::string_view text) {
  return std::string(ParseCsv(text, "a.csv", [](const CsvRow&) { return absl::OkStatus(); }).message());
}

TEST(CsvTest, RowsHaveTheLinesOfTheFile) {
  EXPECT_THAT(Parse("a,b\n1,2\n\n3,\n"),
              ElementsAre(Pair(1, Cells{"a", "b"}), Pair(2, Cells{"1", "2"}), Pair(4, Cells{"3", ""})));
}

TEST(CsvTest, QuotedCellsHoldCommasQuotesAndLineEnds) {
  EXPECT_THAT(Parse("a,b\n\"x, \"\"y\"\"\",\"two\nlines\"\n1,2\n"),
              ElementsAre(Pair(1, Cells{"a", "b"}), Pair(2, Cells{"x, \"y\"", "two\nlines"}),
                          Pair(4, Cells{"1", "2"})));
}

TEST(CsvTest, LineEndsMayBeCrLfOrCrAndTheLastMayBeMissing) {
  EXPECT_THAT(Parse("a\r\n1\r\n\r\n2"),
              ElementsAre(Pair(1, Cells{"a"}), Pair(2, Cells{"1"}), Pair(4, Cells{"2"})));
  EXPECT_THAT(Parse("a\r1\r2"), ElementsAre(Pair(1, Cells{"a"}), Pair(2, Cells{"1"}), Pair(3, Cells{"2"})));
}

TEST(CsvTest, ByteOrderMarkAndBlanksAroundCellsAreNotPartOfThem) {
  EXPECT_THAT(Parse("\xEF\xBB\xBFtime , value\n1, 2\n"),
              ElementsAre(Pair(1, Cells{"time", "value"}), Pair(2, Cells{"1", "2"})));
}

TEST(CsvTest, AnEmptyTextHasNoRows) { EXPECT_THAT(Parse(""), ElementsAre()); }

TEST(CsvTest, LongFilesKeepTheirLineNumbersAcrossChunks) {
  std::string text = "a,b\n";
  for (int i = 0; i < 50'000; ++i) text += "12,34\n";
  EXPECT_EQ(Parse(text).back().first, 50'001u);
}

TEST(CsvTest, ErrorsNameFileAndLine) {
  EXPECT_EQ(Error("a,b\n1,2\n1,2,3\n"), "a.csv:3: 3 cells, the header has 2 columns");
  EXPECT_EQ(Error("a,b\n1\n"), "a.csv:2: 1 cell, the header has 2 columns");
  EXPECT_THAT(Error("a,b\n1,2\n1,x\"y\n"), HasSubstr("a.csv:3: a quote"));
  EXPECT_THAT(Error("a,b\n1,\"2\n"), HasSubstr("a.csv:2: a quote"));
  EXPECT_THAT(Error(absl::string_view("a,b\n1,\0\n", 8)), HasSubstr("a.csv:2: a NUL byte"));
}

TEST(CsvTest, TheCallersErrorEndsTheReading) {
  int rows = 0;
  const absl::Status status = ParseCsv("a\n1\n2\n", "a.csv", [&](const CsvRow&) {
    return ++rows == 2 ? absl::InvalidArgumentError("enough") : absl::OkStatus();
  });
  EXPECT_EQ(status.message(), "enough");
  EXPECT_EQ(rows, 2);
}

TEST(CsvTest, AMissingFileIsNamed) {
  const auto ok = [](const CsvRow&) { return absl::OkStatus(); };
  EXPECT_EQ(ReadCsv("/no/such.csv", ok).message(), "/no/such.csv: No such file or directory");
  EXPECT_THAT(std::string(ReadCsv("/", ok).message()), HasSubstr("is a folder"));
}

}  // namespace
}  // namespace tidegate
