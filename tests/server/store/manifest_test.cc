#include "server/store/manifest.h"

#include <filesystem>
#include <string>

#include "gtest/gtest.h"
#include "server/store/files.h"
#include "server/store/store.h"
#include "tests/support/scratch_folder.h"

namespace tidegate {
namespace {

// RocksDB's own manifest, as it wrote it.
class ManifestTest : public testing::Test {
 protected:
  ManifestTest() {
    EXPECT_TRUE(Store::Open({.folder = folder_.path()}).ok());
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "store")) {
      if (entry.path().filename().string().starts_with("MANIFEST-")) path_ = entry.path().string();
    }
    EXPECT_TRUE(ReadFile(*files_, path_, text_).ok());
  }

  const std::shared_ptr<rocksdb::FileSystem> files_ = rocksdb::FileSystem::Default();
  ScratchFolder folder_;
  std::string path_;
  std::string text_;
};

TEST_F(ManifestTest, AllOfItIsWhole) { EXPECT_EQ(WholeRecords(text_), text_.size()); }

TEST_F(ManifestTest, EndsBeforeWhatIsTorn) {
  std::size_t whole = 0;
  for (std::size_t size = 0; size < text_.size(); ++size) {
    const std::size_t now = WholeRecords(absl::string_view(text_).substr(0, size));
    EXPECT_GE(now, whole);
    EXPECT_LE(now, size);
    whole = now;
  }
  for (std::size_t at = 0; at < text_.size(); ++at) {
    std::string flipped = text_;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    EXPECT_LE(WholeRecords(flipped), at);
  }
}

TEST_F(ManifestTest, ACutOneOpensAsWithoutItsEnd) {
  ASSERT_TRUE(WriteFile(*files_, path_, text_ + "torn").ok());
  EXPECT_TRUE(Store::Open({.folder = folder_.path()}).ok());
  EXPECT_TRUE(std::filesystem::exists(path_ + ".torn"));
}

}  // namespace
}  // namespace tidegate
