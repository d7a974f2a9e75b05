#include "server/shard/stream_handles.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

using State = StreamHandles::State;

TEST(StreamHandlesTest, CountOnAndRememberWhatIsNotBoundYet) {
  const std::array<std::shared_ptr<const Model>, 1> models = {TinyModel()};
  StreamBudget budget(10);
  StreamTable table(budget);
  table.AddModel(*models[0]);
  const StreamKey known = *table.Create("known", 0);
  StreamHandles handles;
  for (const char* id : {"known", "new", "", "new"}) handles.Add(id, table);
  ASSERT_EQ(handles.size(), 4u);
  EXPECT_EQ(handles.state(0), State::kBound);
  EXPECT_EQ(handles.key(0), known);
  EXPECT_EQ(handles.state(1), State::kNamed);
  EXPECT_EQ(handles.id(1), "new");
  EXPECT_EQ(handles.state(2), State::kBadId);
  EXPECT_EQ(handles.state(3), State::kNamed);

  const StreamKey created = *table.Create("new", 0);
  handles.Bind(1, created);
  EXPECT_EQ(handles.state(1), State::kBound);
  EXPECT_EQ(handles.key(1), created);
  EXPECT_EQ(handles.state(3), State::kNamed);
  handles.Clear();
  EXPECT_EQ(handles.size(), 0u);
}

TEST(StreamHandlesTest, IdsAreShortTextWithoutControlCharacters) {
  for (const std::string& good :
       {std::string("a"), std::string("hall/7 #2"), std::string(128, 'x'), std::string("\xc3\xa9t\xc3\xa9"),
        std::string("\xc2\xa0"), std::string("\xe6\xb8\xa9")}) {
    EXPECT_TRUE(IsStreamId(good)) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string(129, 'x'), std::string("a\nb"), std::string("a\0b", 3),
        std::string("\x7f"), std::string("\xc2\x85"), std::string("\x1b[0m")}) {
    EXPECT_FALSE(IsStreamId(bad)) << bad;
  }
}

}  // namespace
}  // namespace tidegate
