#include "engine/model/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

class ConvertTest : public testing::TestWithParam<Precision> {
 protected:
  ConvertTest() : spec_(TinySpec()) {
    spec_.layers = {{.kind = LayerKind::kConv1d, .units = 6, .kernel = 3},
                    {.units = 33},
                    {.kind = LayerKind::kLstm, .units = 20, .projection = 7},
                    {.kind = LayerKind::kGluGru, .units = 5}};
    tensors_ = TinyTensors(spec_);
  }
  ModelSpec spec_;
  Tensors tensors_;
};

TEST_P(ConvertTest, TheWrittenModelIsSmallerAndForecastsNearlyTheSame) {
  const auto converted = ConvertModel({spec_, tensors_}, GetParam());
  ASSERT_TRUE(converted.ok()) << converted.status();
  EXPECT_GT(converted->loss.forecasts, 0u);
  EXPECT_GT(converted->loss.mean_change, 0);
  EXPECT_LT(converted->loss.largest_change, GetParam() == Precision::kBf16 ? 0.01 : 0.05);
  EXPECT_NEAR(converted->loss.mae_after, converted->loss.mae_before, 0.05);

  const auto folder = std::filesystem::path(testing::TempDir()) / PrecisionName(GetParam());
  const auto before = folder / "f32", after = folder / "converted";
  ASSERT_TRUE(WriteModel(before, spec_, tensors_).ok());
  ASSERT_TRUE(WriteModel(after, converted->files.spec, converted->files.tensors).ok());
  EXPECT_LT(file_size(after / "weights.safetensors"), 0.75 * file_size(before / "weights.safetensors"));
  const auto read = ReadModel(after);  // replays the golden pair
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)->spec().precision, GetParam());
  EXPECT_EQ(ForecastAfter(**read, tensors_.at("golden.values").values),
            converted->files.tensors.at("golden.forecast").values);
  std::filesystem::remove_all(folder);
}

TEST_P(ConvertTest, AConvertedModelDoesNotConvertAgain) {
  const auto converted = ConvertModel({spec_, tensors_}, GetParam());
  ASSERT_TRUE(converted.ok()) << converted.status();
  EXPECT_THAT(ConvertModel(converted->files, Precision::kBf16).status().message(),
              HasSubstr("only f32 converts"));
}

TEST_P(ConvertTest, WeightsThatAreNotOfTheSpecsPrecisionAreRefused) {
  spec_.precision = GetParam();
  EXPECT_THAT(Model::Create(spec_, tensors_).status().message(), HasSubstr(PrecisionName(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(Precisions, ConvertTest, testing::Values(Precision::kBf16, Precision::kInt8),
                         [](const auto& precision) { return PrecisionName(precision.param); });

}  // namespace
}  // namespace tidegate
