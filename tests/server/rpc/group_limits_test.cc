#include "server/rpc/group_limits.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace tidegate {
namespace {

class GroupLimitsTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& file, const std::string& text) {
    const std::filesystem::path path = folder_ / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::optional<std::size_t> Limit() const { return MemoryLimit(folder_ / "cgroup", folder_ / "groups"); }

  std::optional<double> Cpus() const { return CpuLimit(folder_ / "cgroup", folder_ / "groups"); }

  const std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) /
      (std::string("group_limits_") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(GroupLimitsTest, TheLeastOfTheGroupsAroundTheProcessHolds) {
  Write("cgroup", "0::/system.slice/tidegate.service\n");
  Write("groups/system.slice/tidegate.service/memory.max", "536870912\n");
  Write("groups/system.slice/memory.max", "max\n");
  EXPECT_EQ(Limit(), 536'870'912u);
  Write("groups/system.slice/memory.max", "268435456\n");
  EXPECT_EQ(Limit(), 268'435'456u);
}

TEST_F(GroupLimitsTest, AContainerIsTheRootOfItsNamespace) {
  Write("cgroup", "0::/\n");
  Write("groups/memory.max", "134217728\n");
  EXPECT_EQ(Limit(), 134'217'728u);
}

TEST_F(GroupLimitsTest, CpusAreWhatAPeriodHasOfTheirTime) {
  Write("cgroup", "0::/system.slice/tidegate.service\n");
  EXPECT_EQ(Cpus(), std::nullopt);
  Write("groups/system.slice/tidegate.service/cpu.max", "max 100000\n");
  EXPECT_EQ(Cpus(), std::nullopt);
  Write("groups/system.slice/cpu.max", "150000 100000\n");
  EXPECT_EQ(Cpus(), 1.5);
  Write("groups/system.slice/tidegate.service/cpu.max", "50000 100000\n");
  EXPECT_EQ(Cpus(), 0.5);
  Write("groups/system.slice/tidegate.service/cpu.max", "50000 0\n");
  EXPECT_EQ(Cpus(), 1.5);
}

TEST_F(GroupLimitsTest, WithoutGroupsThereIsNone) {
  EXPECT_EQ(Limit(), std::nullopt);
  Write("cgroup", "1:memory:/old\n0::/of/another/system\n");
  EXPECT_EQ(Limit(), std::nullopt);
}

}  // namespace
}  // namespace tidegate
