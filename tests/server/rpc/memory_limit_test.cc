#include "server/rpc/memory_limit.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace tidegate {
namespace {

class MemoryLimitTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& file, const std::string& text) {
    const std::filesystem::path path = folder_ / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::optional<std::size_t> Limit() const { return MemoryLimit(folder_ / "cgroup", folder_ / "groups"); }

  const std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) /
      (std::string("memory_limit_") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(MemoryLimitTest, TheLeastOfTheGroupsAroundTheProcessHolds) {
  Write("cgroup", "0::/system.slice/tidegate.service\n");
  Write("groups/system.slice/tidegate.service/memory.max", "536870912\n");
  Write("groups/system.slice/memory.max", "max\n");
  EXPECT_EQ(Limit(), 536'870'912u);
  Write("groups/system.slice/memory.max", "268435456\n");
  EXPECT_EQ(Limit(), 268'435'456u);
}

TEST_F(MemoryLimitTest, AContainerIsTheRootOfItsNamespace) {
  Write("cgroup", "0::/\n");
  Write("groups/memory.max", "134217728\n");
  EXPECT_EQ(Limit(), 134'217'728u);
}

TEST_F(MemoryLimitTest, WithoutGroupsThereIsNone) {
  EXPECT_EQ(Limit(), std::nullopt);
  Write("cgroup", "1:memory:/old\n0::/of/another/system\n");
  EXPECT_EQ(Limit(), std::nullopt);
}

}  // namespace
}  // namespace tidegate
