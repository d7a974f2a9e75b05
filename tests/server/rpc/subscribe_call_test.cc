#include "server/rpc/subscribe_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/rpc/limits.h"
#include "tests/server/rpc/rpc_fixture.h"

namespace tidegate {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

template <typename Floats>
std::vector<std::uint32_t> Bits(const Floats& floats) {
  std::vector<std::uint32_t> bits;
  bits.reserve(static_cast<std::size_t>(floats.size()));
  for (const float v : floats) bits.push_back(std::bit_cast<std::uint32_t>(v));
  return bits;
}

class SubscribeCallTest : public RpcFixture {
 protected:
  struct Subscriber {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::Events>> reader;
  };
  // On a connection of its own.
  std::unique_ptr<Subscriber> Open(const v1::SubscribeRequest& request) {
    auto subscriber = std::make_unique<Subscriber>();
    const auto stub = v1::Forecaster::NewStub(NewChannel());
    subscriber->reader = stub->Subscribe(&subscriber->context, request);
    subscriber->reader->WaitForInitialMetadata();
    return subscriber;
  }
  grpc::Status Refused(const v1::SubscribeRequest& request) { return Open(request)->reader->Finish(); }
  // The ids of the next n events.
  static std::vector<std::string> NextIds(Subscriber& subscriber, std::size_t n) {
    std::vector<std::string> ids;
    v1::Events events;
    while (ids.size() < n && subscriber.reader->Read(&events))
      ids.insert(ids.end(), events.stream_id().begin(), events.stream_id().end());
    return ids;
  }
};

TEST_F(SubscribeCallTest, EventsHaveTheBitsOfTheAnswersInOrder) {
  const auto all = Open({});
  v1::Events events;
  int seen = 0;
  for (int t = 1; t <= 6; ++t) {
    const v1::PushResponse answer = Pushed(Readings({"a", "b"}, t));
    for (int i = 0; i < 2; i += events.timestamp_size()) {
      ASSERT_TRUE(all->reader->Read(&events));
      ASSERT_EQ(events.timestamp_size(), 2) << "one batch";
      EXPECT_THAT(events.stream_id(), ElementsAre("a", "b"));
      EXPECT_THAT(events.timestamp(), Each(t * kSecond));
      EXPECT_EQ(Bits(events.forecast()), Bits(answer.forecast()));
      EXPECT_EQ(Bits(events.anomaly_score()), Bits(answer.anomaly_score()));
      EXPECT_THAT(events.steps(), testing::ElementsAreArray(answer.steps()));
      EXPECT_THAT(events.quality(), testing::ElementsAreArray(answer.quality()));
      EXPECT_EQ(events.model(), "tiny");
      EXPECT_EQ(events.horizon(), 3u);
      EXPECT_THAT(events.quantile(), ElementsAre(0.1f, 0.5f, 0.9f));
      EXPECT_EQ(events.interval(), kSecond);
      EXPECT_EQ(events.lost(), 0u);
      seen += 2;
    }
  }
  EXPECT_EQ(seen, 12);
  EXPECT_EQ(metrics_.subscriptions.events.value(), 12u);
  EXPECT_EQ(metrics_.subscriptions.open.value(), 1);
  EXPECT_EQ(metrics_.request(Method::kSubscribe, 0).value(), 1u);
}

TEST_F(SubscribeCallTest, OnlyReadingsThatAreAppliedAreEvents) {
  const auto all = Open({});
  Pushed(Readings({"a"}, 1));
  Pushed(Readings({"a"}, 1));                                // duplicate
  Pushed(Readings({"a"}, 0));                                // late
  EXPECT_EQ(Pushed(Readings({"a"}, 4)).quality(0) & 2, 2u);  // bridged: two steps that are no readings
  Pushed(Readings({"b"}, 1));
  EXPECT_THAT(NextIds(*all, 3), ElementsAre("a", "a", "b"));
}

TEST_F(SubscribeCallTest, ChoosesStreamsByIdPrefixAndModel) {
  v1::SubscribeRequest ids, prefix, model, both;
  ids.add_stream_id("b1");
  ids.add_stream_id("a2");
  ids.add_stream_id("b1");  // named twice: once
  prefix.set_prefix("a");
  model.set_model("other");
  both.set_model("other");
  both.add_stream_id("a1");
  both.add_stream_id("o1");
  const auto by_id = Open(ids), by_prefix = Open(prefix), by_model = Open(model), by_both = Open(both);
  for (int t = 1; t <= 2; ++t) {
    Pushed(Readings({"a1", "b1", "a2", "b2"}, t));
    v1::PushRequest other = Readings({"o1", "o2"}, t);
    other.set_model("other");
    Pushed(other);
  }
  EXPECT_THAT(NextIds(*by_id, 4), ElementsAre("b1", "a2", "b1", "a2"));
  EXPECT_THAT(NextIds(*by_prefix, 4), ElementsAre("a1", "a2", "a1", "a2"));
  EXPECT_THAT(NextIds(*by_model, 4), ElementsAre("o1", "o2", "o1", "o2"));
  EXPECT_THAT(NextIds(*by_both, 2), ElementsAre("o1", "o1"));
}

TEST_F(SubscribeCallTest, AMessageHasTheStepsAndLevelsAskedForOfOneModel) {
  v1::SubscribeRequest request;
  request.set_horizon(2);
  request.add_quantile(0.1f);
  request.add_quantile(0.9f);
  const auto part = Open(request);
  const v1::PushResponse answer = Pushed(Readings({"a"}, 1));
  v1::PushRequest other = Readings({"o"}, 1);
  other.set_model("other");
  Pushed(other);
  v1::Events events;
  ASSERT_TRUE(part->reader->Read(&events));
  EXPECT_EQ(events.horizon(), 2u);
  EXPECT_THAT(events.quantile(), ElementsAre(0.1f, 0.9f));
  const std::vector<float> expected = {answer.forecast(0), answer.forecast(2), answer.forecast(3),
                                       answer.forecast(5)};
  EXPECT_EQ(Bits(events.forecast()), Bits(expected));
  EXPECT_EQ(events.model(), "tiny");
  ASSERT_TRUE(part->reader->Read(&events));
  EXPECT_EQ(events.model(), "other");
}

TEST_F(SubscribeCallTest, WhoNeverReadsLosesTheOldestEventsIsToldHowManyAndHoldsUpNobody) {
  const auto slow = Open({});
  std::vector<std::string> ids(500);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = absl::StrCat("s", i);
  int t = 0;
  while (metrics_.subscriptions.lost.value() == 0 && t < 2000) {
    const v1::PushResponse answer = Pushed(Readings(ids, ++t));
    ASSERT_THAT(answer.outcome(), Each(v1::OUTCOME_APPLIED));
  }
  ASSERT_GT(metrics_.subscriptions.lost.value(), 0u);
  EXPECT_GE(Applied() * 110, limits::kSubscriptionBytes / 2);

  std::uint64_t events_read = 0, lost = 0;
  std::map<std::string, std::uint32_t> last;
  v1::Events events;
  while (events_read + lost < Applied() && slow->reader->Read(&events)) {
    lost += events.lost();
    events_read += static_cast<std::uint64_t>(events.timestamp_size());
    ASSERT_LT(events.ByteSizeLong(), limits::kEventsMessageBytes);
    for (int i = 0; i < events.timestamp_size(); ++i) {
      std::uint32_t& before = last[events.stream_id(i)];
      ASSERT_GT(events.steps(i), before);
      before = events.steps(i);
    }
  }
  EXPECT_EQ(events_read + lost, Applied());
  EXPECT_EQ(lost, metrics_.subscriptions.lost.value());
  EXPECT_EQ(last["s499"], static_cast<std::uint32_t>(t)) << "the newest are kept";
}

TEST_F(SubscribeCallTest, RefusesWhatContradictsItselfOrIsNotServed) {
  v1::SubscribeRequest request;
  request.add_stream_id("a");
  request.set_prefix("b");
  EXPECT_EQ(Refused(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(Refused(request).error_message(), HasSubstr("either ids or a prefix"));
  v1::SubscribeRequest bad_id, bad_prefix, steps, level, model;
  bad_id.add_stream_id("");
  bad_prefix.set_prefix("a\n");
  steps.set_horizon(4);
  level.add_quantile(0.2f);
  for (const auto& bad : {bad_id, bad_prefix, steps, level}) {
    EXPECT_EQ(Refused(bad).error_code(), grpc::StatusCode::INVALID_ARGUMENT) << bad.ShortDebugString();
  }
  model.set_model("no such");
  EXPECT_EQ(Refused(model).error_code(), grpc::StatusCode::NOT_FOUND);
  v1::SubscribeRequest many;
  for (std::size_t i = 0; i < limits::kSubscriptionIds; ++i) many.add_stream_id(absl::StrCat(i));
  EXPECT_NE(Open(many), nullptr);
  many.add_stream_id("one more");
  EXPECT_EQ(Refused(many).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(metrics_.request(Method::kSubscribe, 3).value(), 7u);
  EXPECT_EQ(metrics_.request(Method::kSubscribe, 5).value(), 1u);
}

TEST_F(SubscribeCallTest, ThereIsRoomForSoManyAndRoomAgainWhenOneLeaves) {
  std::vector<std::unique_ptr<Subscriber>> open;
  for (std::size_t i = 0; i < limits::kClientSubscriptions; ++i) open.push_back(Open({}));
  EXPECT_EQ(Refused({}).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  Pushed(Readings({"a"}, 1));
  for (const auto& subscriber : open) EXPECT_THAT(NextIds(*subscriber, 1), ElementsAre("a"));
  open.back()->context.TryCancel();
  EXPECT_EQ(open.back()->reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  // The server hears of it a little later.
  for (int t = 2;
       metrics_.subscriptions.open.value() == static_cast<std::int64_t>(limits::kClientSubscriptions); ++t)
    Pushed(Readings({"b"}, t));
  const auto again = Open({});
  Pushed(Readings({"c"}, 1));
  EXPECT_THAT(NextIds(*again, 1), ElementsAre("c"));
}

TEST_F(SubscribeCallTest, ThoseWhoLeaveAreForgotten) {
  v1::SubscribeRequest one;
  one.add_stream_id("a");
  for (int round = 1; round <= 20; ++round) {
    const auto subscriber = Open(round % 2 == 0 ? one : v1::SubscribeRequest());
    Pushed(Readings({"a"}, 2 * round));
    subscriber->context.TryCancel();
    Pushed(Readings({"a"}, 2 * round + 1));
    v1::Events events;
    while (subscriber->reader->Read(&events)) {
    }
    EXPECT_EQ(subscriber->reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_TRUE(server_->Shutdown(absl::InfiniteDuration()).ok());  // would wait for a call that is still open
  EXPECT_EQ(metrics_.subscriptions.open.value(), 0);
}

TEST_F(SubscribeCallTest, ShutdownSendsWhatWaitsAndEndsSubscriptions) {
  const auto subscriber = Open({});
  for (int t = 1; t <= 50; ++t) Pushed(Readings({"a"}, t));
  EXPECT_TRUE(server_->Shutdown(absl::Seconds(10)).ok());
  EXPECT_EQ(NextIds(*subscriber, 1000).size(), 50u) << "the call ends after them";
  const grpc::Status status = subscriber->reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("draining"));
}

}  // namespace
}  // namespace tidegate
