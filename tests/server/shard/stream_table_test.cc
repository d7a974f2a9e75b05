#include "server/shard/stream_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

class StreamTableTest : public testing::Test {
 protected:
  const std::array<std::shared_ptr<const Model>, 2> models_ = {TinyModel(TinySpec(LayerKind::kGru, 3)),
                                                               TinyModel(TinySpec(LayerKind::kLstm, 5))};
};

TEST_F(StreamTableTest, StreamsStayInTheirPlacesAndKeepTheirFloats) {
  StreamBudget budget(10'000);
  StreamTable table(budget);
  for (const auto& model : models_) table.AddModel(*model);
  std::vector<StreamKey> keys;
  std::vector<float*> places;
  for (std::size_t i = 0; i < 2'000; ++i) {
    const auto model = static_cast<std::uint32_t>(i % 3 == 0);
    const auto key = table.Create(absl::StrCat("s", i), model);
    ASSERT_TRUE(key);
    EXPECT_EQ(key->model, model);
    EXPECT_EQ(table.header(*key).steps, 0u);
    table.header(*key).timestamp_ns = static_cast<std::int64_t>(i);
    ASSERT_EQ(table.floats(*key).size(), StreamFloats(*models_[model]));
    std::ranges::fill(table.floats(*key), static_cast<float>(i));
    keys.push_back(*key);
    places.push_back(table.floats(*key).data());
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ASSERT_EQ(table.Find(absl::StrCat("s", i)), keys[i]);
    ASSERT_EQ(table.floats(keys[i]).data(), places[i]);
    ASSERT_EQ(table.header(keys[i]).timestamp_ns, static_cast<std::int64_t>(i));
    for (const float v : table.floats(keys[i])) ASSERT_EQ(v, static_cast<float>(i));
  }
  EXPECT_EQ(table.streams(0) + table.streams(1), 2'000u);
  EXPECT_EQ(table.state_bytes(1), table.streams(1) * (sizeof(StreamHeader) + 4 * StreamFloats(*models_[1])));
}

// What a journal deletes may be on the disk still.
TEST_F(StreamTableTest, StreamsThatAreBroughtBackMayBeMoreThanTheBudgetForAWhile) {
  StreamBudget budget(2);
  StreamTable table(budget);
  for (const auto& model : models_) table.AddModel(*model);
  std::vector<StreamKey> keys;
  for (const char* id : {"a", "b", "c"}) keys.push_back(table.Restore(id, 0));
  EXPECT_EQ(budget.taken(), 3u);
  table.Remove(keys[0]);
  EXPECT_FALSE(table.Create("d", 0));
  table.Remove(keys[1]);
  EXPECT_TRUE(table.Create("d", 0));
  EXPECT_EQ(budget.taken(), 2u);
}

TEST_F(StreamTableTest, ASlotIsForAnotherStreamOnceItsOwnIsRemoved) {
  StreamBudget budget(2);
  StreamTable table(budget);
  for (const auto& model : models_) table.AddModel(*model);
  const StreamKey a = *table.Create("a", 0);
  table.Create("b", 0);
  table.header(a).steps = 7;
  table.Remove(a);
  EXPECT_FALSE(table.Find("a"));
  EXPECT_FALSE(table.Holds(a));
  EXPECT_EQ(table.streams(0), 1u);
  const StreamKey c = *table.Create("c", 0);
  EXPECT_EQ(c.slot, a.slot);
  EXPECT_TRUE(table.Holds(c));
  EXPECT_FALSE(table.Holds(a));
  EXPECT_EQ(table.header(c).steps, 0u);
  EXPECT_EQ(table.slots(0), 2u);
}

TEST_F(StreamTableTest, ASlotWhoseGenerationsHaveRunOutStaysEmpty) {
  StreamBudget budget(2);
  StreamTable table(budget);
  for (const auto& model : models_) table.AddModel(*model);
  const StreamKey first = *table.Create("s", 0);
  StreamKey last = first;
  for (int i = 0; i < 65'536; ++i) {
    table.Remove(last);
    EXPECT_FALSE(table.Holds(first));
    last = *table.Create("s", 0);
  }
  EXPECT_NE(last.slot, first.slot);
  EXPECT_FALSE(table.Holds(first));
}

TEST_F(StreamTableTest, FullIsFullOverAllModels) {
  StreamBudget budget(3);
  StreamTable table(budget);
  for (const auto& model : models_) table.AddModel(*model);
  EXPECT_TRUE(table.Create("a", 0));
  EXPECT_TRUE(table.Create("b", 1));
  EXPECT_TRUE(table.Create("c", 0));
  EXPECT_FALSE(table.Create("d", 1));
  EXPECT_FALSE(table.Find("d"));
  EXPECT_TRUE(table.Find("c"));
}

}  // namespace
}  // namespace tidegate
