#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "engine/model/safetensors.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

// A file with this header text and so many zero bytes of data, made by hand.
std::string File(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string bytes(reinterpret_cast<const char*>(&length), 8);
  return bytes + header + std::string(data_bytes, '\0');
}

std::string Error(const std::string& bytes) {
  const auto parsed = ParseSafetensors(bytes);
  EXPECT_FALSE(parsed.ok());
  return std::string(parsed.status().message());
}

constexpr char kGood[] =
    R"({"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})";

TEST(SafetensorsTest, WhatIsWrittenIsReadBack) {
  const Tensors tensors = {
      {"a", {{2, 3}, {1, 2, 3, 4, 5, -6.5f}}}, {"empty", {{0, 4}, {}}}, {"scalar", {{}, {7}}}};
  const std::string bytes = WriteSafetensors(tensors);
  const auto read = ParseSafetensors(bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 3u);
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(read->at(name).shape, tensor.shape) << name;
    EXPECT_EQ(read->at(name).values, tensor.values) << name;
  }
  EXPECT_EQ(WriteSafetensors(*read), bytes);
}

TEST(SafetensorsTest, LesserPrecisionsAreReadBackTheSame) {
  for (const Precision precision : {Precision::kBf16, Precision::kInt8}) {
    Tensors tensors = {{"head.bias", {{2}, {0.1f, 0.2f}}},
                       {"layers.0.weight", {{3, 1, 2}, {1.5f, -0.7f, 100, 3e-5f, 0, 0}}},
                       {"layers.0.weight_ih", {{0, 4}, {}}}};
    ASSERT_TRUE(Reduce(precision, tensors).ok());
    const auto read = ParseSafetensors(WriteSafetensors(tensors, precision));
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(read->size(), tensors.size());
    for (const auto& [name, tensor] : tensors) {
      EXPECT_EQ(read->at(name).shape, tensor.shape) << name;
      EXPECT_EQ(read->at(name).values, tensor.values) << name;
    }
  }
}

TEST(SafetensorsTest, BytesWantTheirScales) {
  EXPECT_THAT(Error(File(R"({"w":{"dtype":"I8","shape":[2,4],"data_offsets":[0,8]}})", 8)),
              HasSubstr("'w': is I8 and has no tensor of scales"));
  EXPECT_THAT(Error(File(R"({"w":{"dtype":"I8","shape":[2,2],"data_offsets":[0,4]},)"
                         R"("w.scale":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                         8)),
              HasSubstr("scales"));
  EXPECT_THAT(Error(File(R"({"w":{"dtype":"I8","shape":[],"data_offsets":[0,1]}})", 1)), HasSubstr("scales"));
  EXPECT_THAT(Error(File(R"({"w":{"dtype":"I8","shape":[2,1],"data_offsets":[0,2]},)"
                         R"("w.scale":{"dtype":"I8","shape":[2],"data_offsets":[2,4]},)"
                         R"("w.scale.scale":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                         12)),
              HasSubstr("'w.scale': is I8 and the scales of another tensor"));
}

TEST(SafetensorsTest, AFileMadeByHandIsRead) {
  const auto read = ParseSafetensors(File(kGood, 8));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->at("w").values, (std::vector<float>{0, 0}));
}

TEST(SafetensorsTest, EveryTruncationIsAnError) {
  const std::string bytes = File(kGood, 8);
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(ParseSafetensors(bytes.substr(0, n)).ok()) << n;
}

TEST(SafetensorsTest, DeparturesFromTheFormatAreNamed) {
  EXPECT_THAT(Error("short"), HasSubstr("too few"));
  EXPECT_THAT(Error(std::string(8, '\xff')), HasSubstr("header of 18446744073709551615 bytes"));
  EXPECT_THAT(Error(File("[]", 0)), HasSubstr("expected an object"));
  EXPECT_THAT(Error(File("{", 0)), HasSubstr("not valid JSON"));
  EXPECT_THAT(Error(File(kGood, 12)), HasSubstr("cover 8 of 12"));
  EXPECT_THAT(Error(File(kGood, 4)), HasSubstr("outside the file"));
  EXPECT_THAT(Error(File(R"({"w":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})", 8)),
              HasSubstr("F32, BF16 and I8 are read"));
  EXPECT_THAT(Error(File(R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8)),
              HasSubstr("takes 12 bytes"));
  EXPECT_THAT(Error(File(R"({"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8)),
              HasSubstr("shape"));
  EXPECT_THAT(Error(File(R"({"w":{"dtype":"F32","shape":[1.5],"data_offsets":[0,8]}})", 8)),
              HasSubstr("shape"));
  EXPECT_THAT(Error(File(R"({"w":{"dtype":"F32","shape":[1,1,1,1,2],"data_offsets":[0,8]}})", 8)),
              HasSubstr("shape"));
  EXPECT_THAT(Error(File(R"({"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", 8)),
              HasSubstr("overflows"));
  EXPECT_THAT(Error(File(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8)),
              HasSubstr("outside"));
  EXPECT_THAT(Error(File(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                         R"("b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                         8)),
              HasSubstr("overlaps"));
  EXPECT_THAT(Error(File(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                         R"("w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                         8)),
              HasSubstr("stands twice"));
  EXPECT_THAT(Error(File(R"({"w":{"dtype":"F32","shape":[[[[1]]]],"data_offsets":[0,8]}})", 8)),
              HasSubstr("deeper"));
}

TEST(SafetensorsTest, ValuesThatAreNotFiniteAreRefused) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::string bytes = WriteSafetensors({{"w", {{3}, {1, bad, 2}}}});
    EXPECT_THAT(Error(bytes), HasSubstr("tensor 'w': value 1 is not finite"));
  }
}

TEST(FindTensorTest, NamesWhatIsMissingOrMisshapen) {
  const Tensors tensors = {{"w", {{2}, {1, 2}}}};
  ASSERT_TRUE(FindTensor(tensors, "w", {2}).ok());
  EXPECT_THAT(FindTensor(tensors, "w", {1, 2}).status().message(),
              HasSubstr("'w' has shape [2]; expected [1, 2]"));
  EXPECT_THAT(FindTensor(tensors, "v", {3}).status().message(),
              HasSubstr("'v' is missing; expected shape [3]"));
}

}  // namespace
}  // namespace tidegate
