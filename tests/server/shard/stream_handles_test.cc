#include "server/shard/stream_handles.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

using State = StreamHandles::State;

class StreamHandlesTest : public testing::Test {
 protected:
  StreamHandlesTest() { table_.AddModel(*model_); }

  const std::shared_ptr<const Model> model_ = TinyModel();
  StreamBudget budget_{10};
  StreamTable table_{budget_};
};

TEST_F(StreamHandlesTest, CountOnAndRememberWhatIsNotBoundYet) {
  const StreamKey known = *table_.Create("known", 0);
  StreamHandles handles;
  for (const char* id : {"known", "new", "", "new"}) handles.Add(id, table_);
  ASSERT_EQ(handles.size(), 4u);
  EXPECT_EQ(handles.state(0), State::kBound);
  EXPECT_EQ(handles.key(0), known);
  EXPECT_EQ(handles.state(1), State::kNamed);
  EXPECT_EQ(handles.id(1), "new");
  EXPECT_EQ(handles.state(2), State::kBadId);
  EXPECT_EQ(handles.state(3), State::kNamed);

  const StreamKey created = *table_.Create("new", 0);
  handles.Bind(1, created);
  EXPECT_EQ(handles.state(1), State::kBound);
  EXPECT_EQ(handles.key(1), created);
  EXPECT_EQ(handles.state(3), State::kNamed);
  handles.Clear();
  EXPECT_EQ(handles.size(), 0u);
}

TEST_F(StreamHandlesTest, KeepIdsOfStreamsThatMayLeave) {
  const StreamKey known = *table_.Create("known", 0);
  StreamHandles handles;
  const std::string longest(128, 'x');
  for (const std::string& id : {std::string("known"), longest, std::string(), std::string("new")}) {
    handles.Add(id, table_, /*keep=*/true);
  }
  EXPECT_EQ(handles.state(2), State::kBadId);
  const StreamKey created = *table_.Create("new", 0);
  handles.Bind(3, created);
  handles.Bind(1, *table_.Create(longest, 0));
  handles.Bind(0, created);  // it came back under another key
  EXPECT_EQ(handles.key(0), created);
  EXPECT_EQ(handles.id(0), "known");
  EXPECT_EQ(handles.id(1), longest);
  EXPECT_EQ(handles.id(3), "new");
  EXPECT_NE(handles.key(0), known);
}

TEST_F(StreamHandlesTest, ForgetIdsOnceAllStreamsExist) {
  StreamHandles handles;
  for (std::uint32_t i = 0; i < 10; i += 2) {
    const std::string first = "stream-" + std::to_string(i), second = "stream-" + std::to_string(i + 1);
    handles.Add(first, table_);
    handles.Add(second, table_);
    EXPECT_EQ(handles.id(i), first);
    EXPECT_EQ(handles.id(i + 1), second);
    handles.Bind(i, *table_.Create(first, 0));
    EXPECT_EQ(handles.id(i + 1), second);
    handles.Bind(i + 1, *table_.Create(second, 0));
    EXPECT_EQ(handles.state(i), State::kBound);
    EXPECT_EQ(handles.state(i + 1), State::kBound);
  }
}

TEST_F(StreamHandlesTest, IdsAreShortTextWithoutControlCharacters) {
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
