#include "server/json_formatter.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "nlohmann/json.hpp"
#include "spdlog/details/log_msg.h"

namespace tidegate {
namespace {

std::string Line(const std::string& message, spdlog::level::level_enum level = spdlog::level::info) {
  spdlog::details::log_msg entry("logger", level, message);
  entry.time = spdlog::log_clock::time_point(std::chrono::milliseconds(1'769'860'800'007));
  spdlog::memory_buf_t line;
  JsonFormatter().format(entry, line);
  return {line.data(), line.size()};
}

TEST(JsonFormatterTest, AnEntryIsOneObjectOnOneLine) {
  const std::string line = Line("serving on 127.0.0.1:50051", spdlog::level::warn);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json.at("time"), "2026-01-31T12:00:00.007Z");
  EXPECT_EQ(json.at("level"), "warning");
  EXPECT_EQ(json.at("message"), "serving on 127.0.0.1:50051");
  EXPECT_GT(json.at("thread").get<int>(), 0);
}

TEST(JsonFormatterTest, HostileTextStaysInsideItsString) {
  const std::string hostile = std::string("\"}\n{\"level\":\"error\"} \\ \r\t\b\x1b[31m \x7f ") + '\0' +
                              " \xe2\x80\xa8 Gr\xc3\xbc\xc3\x9f";
  const std::string line = Line(hostile);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  for (const char c : line.substr(0, line.size() - 1)) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json.at("message"), hostile);
  EXPECT_EQ(json.at("level"), "info");
}

TEST(JsonFormatterTest, BytesThatAreNoTextAreReplaced) {
  const auto json = nlohmann::json::parse(Line("a\xff\xc3"));
  EXPECT_EQ(json.at("message"), "a\xef\xbf\xbd\xef\xbf\xbd");
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    ASSERT_TRUE(nlohmann::json::accept(Line(text))) << byte;
  }
}

}  // namespace
}  // namespace tidegate
