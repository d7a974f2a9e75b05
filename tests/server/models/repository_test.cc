#include "server/models/repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "engine/model/model_file.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

class RepositoryTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              (std::string("repository_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Writes a model that says it is `name`.
  void Write(const std::string& place, const std::string& name) {
    ModelSpec spec = TinySpec();
    spec.name = name;
    const absl::Status written = WriteModel(folder_ / place, spec, TinyTensors(spec));
    ASSERT_TRUE(written.ok()) << written;
  }

  absl::Status LoadError(const std::string& default_model = "") {
    return Repository::Load(folder_, default_model).status();
  }

  std::filesystem::path folder_;
};

TEST_F(RepositoryTest, ServesTheHighestVersionAsANumber) {
  Write("hall/2", "hall");
  Write("hall/10", "hall");
  Write("hall/9", "hall");
  const auto repository = Repository::Load(folder_, "");
  ASSERT_TRUE(repository.ok()) << repository.status();
  ASSERT_EQ(repository->models().size(), 1u);
  EXPECT_EQ(repository->models()[0].version, 10u);
  EXPECT_EQ(repository->models()[0].model->spec().name, "hall");
}

TEST_F(RepositoryTest, TheOnlyModelIsTheDefault) {
  Write("hall/1", "hall");
  const auto repository = Repository::Load(folder_, "");
  ASSERT_TRUE(repository.ok()) << repository.status();
  EXPECT_EQ(repository->Find("").value(), 0u);
  EXPECT_EQ(repository->Find("hall").value(), 0u);
}

TEST_F(RepositoryTest, OfSeveralModelsOneIsTheDefaultIfItWasNamed) {
  Write("hall/1", "hall");
  Write("yard/1", "yard");
  const auto unnamed = Repository::Load(folder_, "");
  ASSERT_TRUE(unnamed.ok()) << unnamed.status();
  EXPECT_EQ(unnamed->Find("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(unnamed->Find("").status().message(), HasSubstr("hall, yard"));
  const auto named = Repository::Load(folder_, "yard");
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_EQ(named->Find("").value(), named->Find("yard").value());
}

TEST_F(RepositoryTest, AModelThatIsNotThereIsNotFoundAndTheOthersAreNamed) {
  Write("hall/1", "hall");
  const auto repository = Repository::Load(folder_, "");
  ASSERT_TRUE(repository.ok()) << repository.status();
  EXPECT_EQ(repository->Find("yard").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(repository->Find("yard").status().message(), HasSubstr("this server has hall"));
  EXPECT_THAT(LoadError("yard").message(), HasSubstr("no model 'yard'"));
}

TEST_F(RepositoryTest, HiddenFoldersAndFilesArePassedOver) {
  Write("hall/1", "hall");
  std::filesystem::create_directories(folder_ / ".git");
  std::filesystem::create_directories(folder_ / "hall" / ".new");
  std::ofstream(folder_ / "README.md") << "models";
  EXPECT_TRUE(LoadError().ok()) << LoadError();
}

TEST_F(RepositoryTest, ErrorsNameTheFolder) {
  EXPECT_THAT(LoadError().message(), HasSubstr("no model in this folder"));
  std::filesystem::create_directories(folder_ / "hall");
  EXPECT_THAT(LoadError().message(), HasSubstr("hall: no version of this model"));
  std::filesystem::create_directories(folder_ / "hall" / "1");
  EXPECT_THAT(LoadError().message(), HasSubstr("hall/1/model.json"));
  std::filesystem::create_directories(folder_ / "hall" / "v2");
  EXPECT_THAT(LoadError().message(), HasSubstr("hall/v2: expected a version"));
  std::filesystem::remove(folder_ / "hall" / "v2");
  std::filesystem::create_directories(folder_ / "hall" / "01");
  EXPECT_THAT(LoadError().message(), HasSubstr("hall/01: expected a version"));
  std::filesystem::remove_all(folder_ / "hall");
  Write("hall/1", "yard");
  EXPECT_THAT(LoadError().message(), HasSubstr("names the model 'yard', its folder 'hall'"));
  std::filesystem::remove_all(folder_);
  EXPECT_EQ(LoadError().code(), absl::StatusCode::kNotFound);
}

TEST_F(RepositoryTest, AModelThatIsBeingTrainedIsPassedOver) {
  std::filesystem::create_directories(folder_ / "yard" / ".checkpoint");
  EXPECT_THAT(LoadError().message(), HasSubstr("no model in this folder"));
  Write("hall/1", "hall");
  const auto repository = Repository::Load(folder_, "");
  ASSERT_TRUE(repository.ok()) << repository.status();
  EXPECT_EQ(repository->models().size(), 1u);
}

TEST_F(RepositoryTest, ABrokenModelIsAnErrorEvenBesideAGoodOne) {
  Write("hall/1", "hall");
  Write("yard/1", "yard");
  std::ofstream(folder_ / "yard" / "1" / "weights.safetensors", std::ios::app) << "x";
  EXPECT_THAT(LoadError().message(), HasSubstr("yard/1"));
}

}  // namespace
}  // namespace tidegate
