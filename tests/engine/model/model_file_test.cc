#include "engine/model/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "engine/stream/stream.h"
#include "engine/tensor/precision.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

class ModelFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    ASSERT_TRUE(WriteModel(folder_, spec_, tensors_).ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Read(const char* name) {
    std::ifstream file(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void Write(const char* name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }

  const ModelSpec spec_ = TinySpec();
  const Tensors tensors_ = TinyTensors(spec_);
  std::filesystem::path folder_;
};

TEST_F(ModelFileTest, AModelThatWasWrittenForecastsTheSameBits) {
  const auto read = ReadModel(folder_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(ForecastAfter(**read, tensors_.at("golden.values").values),
            tensors_.at("golden.forecast").values);
}

TEST_F(ModelFileTest, AMissingFileIsNotFound) {
  std::filesystem::remove(folder_ / "weights.safetensors");
  const auto status = ReadModel(folder_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("weights.safetensors"));
}

TEST_F(ModelFileTest, AFolderInPlaceOfAFileIsAnErrorThatNamesIt) {
  std::filesystem::remove(folder_ / "model.json");
  std::filesystem::create_directory(folder_ / "model.json");
  const auto status = ReadModel(folder_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("model.json: Is a directory"));
}

TEST_F(ModelFileTest, AnyFlippedBitOfTheWeightsIsFound) {
  const std::string good = Read("weights.safetensors");
  for (std::size_t byte = 0; byte < good.size(); byte += 37) {
    std::string bad = good;
    bad[byte] = static_cast<char>(bad[byte] ^ (1 << byte % 8));
    Write("weights.safetensors", bad);
    const auto status = ReadModel(folder_).status();
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << "byte " << byte;
    ASSERT_THAT(status.message(), HasSubstr("sha256"));
  }
}

TEST_F(ModelFileTest, ASpecThatDoesNotFitTheWeightsFailsTheGoldenPair) {
  std::string json = Read("model.json");
  const auto at = json.find("\"mean\": 20");
  ASSERT_NE(at, std::string::npos) << json;
  json.replace(at, 10, "\"mean\": 30");
  Write("model.json", json);
  EXPECT_THAT(ReadModel(folder_).status().message(), HasSubstr("golden pair"));
}

// What a specification asks for is held against the file before memory is taken for it.
TEST_F(ModelFileTest, SizesThatTheFileDoesNotHaveAreRefusedAtOnce) {
  ModelSpec spec = spec_;
  spec.layers.assign(4, {.kind = LayerKind::kConv1d, .units = 4096, .kernel = 1024});  // 69 GB each
  spec.layers.push_back({.units = 1});
  EXPECT_THAT(std::string(Model::Create(spec, tensors_).status().message()), HasSubstr("; expected ["));
}

TEST_F(ModelFileTest, TensorsThatNoModelHasAreRefused) {
  const auto error = [&](const char* name, Tensor tensor) {
    Tensors tensors = tensors_;
    tensors[name] = std::move(tensor);
    return std::string(Model::Create(spec_, tensors).status().message());
  };
  EXPECT_THAT(error("golden.values", ZeroTensor({257, 2})), HasSubstr("257 readings, expected at most 256"));
  Tensor falls = tensors_.at("residuals.quantiles");
  std::swap(falls.values.front(), falls.values.back());
  EXPECT_THAT(error("residuals.quantiles", falls), HasSubstr("residuals.quantiles"));
  Tensors tensors = {{"layers.9.weight", {{std::size_t{1} << 61, 0}, {}}}};
  EXPECT_TRUE(Reduce(Precision::kInt8, tensors).ok()) << "without a loop over rows that are none";
}

TEST_F(ModelFileTest, AStateGoesOnWithWhatMadeIt) {
  const auto checksum = [&](const auto& change) {
    ModelSpec spec = spec_;
    change(spec);
    return StateChecksum(**Model::Create(spec, tensors_));
  };
  const std::string as_it_is = checksum([](ModelSpec&) {});
  EXPECT_EQ(checksum([](ModelSpec& spec) { spec.trained_on = "another file"; }), as_it_is);
  EXPECT_NE(checksum([](ModelSpec& spec) { spec.bridge_limit += 1; }), as_it_is);
  EXPECT_NE(checksum([](ModelSpec& spec) { spec.weights_sha256 = std::string(64, '1'); }), as_it_is);
}

TEST_F(ModelFileTest, EveryTruncationOfTheSpecIsAnErrorThatNamesTheFile) {
  const std::string good = Read("model.json");
  for (std::size_t n = 0; n + 2 < good.size(); n += 11) {
    Write("model.json", good.substr(0, n));
    ASSERT_THAT(ReadModel(folder_).status().message(), HasSubstr("model.json")) << n;
  }
}

}  // namespace
}  // namespace tidegate
