// The calls about streams, over gRPC.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/rpc/rpc_fixture.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class StreamServiceTest : public RpcFixture {
 protected:
  v1::StreamInfo Info(const std::string& id) {
    v1::GetStreamRequest request;
    v1::StreamInfo info;
    request.set_stream_id(id);
    const grpc::Status status = Call(&v1::Forecaster::Stub::GetStream, request, info);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return info;
  }
};

TEST_F(StreamServiceTest, AForecastWithoutAReadingHasTheBitsOfTheLastAnswer) {
  v1::PushResponse last;
  for (int t = 1; t <= 6; ++t) last = Pushed(Readings({"a"}, t));
  v1::ForecastRequest request;
  request.set_stream_id("a");
  for (int again = 0; again < 2; ++again) {
    v1::ForecastResponse response;
    ASSERT_TRUE(Call(&v1::Forecaster::Stub::Forecast, request, response).ok());
    EXPECT_EQ(std::vector<float>(response.forecast().begin(), response.forecast().end()),
              std::vector<float>(last.forecast().begin(), last.forecast().end()));
    EXPECT_EQ(response.horizon(), 3u);
    EXPECT_THAT(response.quantile(), ElementsAre(0.1f, 0.5f, 0.9f));
    EXPECT_EQ(response.interval(), kSecond);
    EXPECT_EQ(response.stream().timestamp(), 6 * kSecond);
  }
  request.set_horizon(2);
  request.add_quantile(0.5f);
  v1::ForecastResponse part;
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::Forecast, request, part).ok());
  EXPECT_THAT(part.forecast(), ElementsAre(last.forecast(1), last.forecast(4)));

  // The question has changed nothing: the next answers are those of a stream that was never asked.
  for (int t = 1; t <= 6; ++t) Pushed(Readings({"b"}, t));
  v1::PushResponse asked = Pushed(Readings({"a"}, 7)), unasked = Pushed(Readings({"b"}, 7));
  EXPECT_EQ(asked.SerializeAsString(), unasked.SerializeAsString());
}

TEST_F(StreamServiceTest, AStreamIsDescribed) {
  Pushed(Readings({"a", "b"}, 1));
  Pushed(Readings({"a"}, 3));  // one missing between
  const v1::StreamInfo info = Info("a");
  EXPECT_EQ(info.stream_id(), "a");
  EXPECT_EQ(info.model(), "tiny");
  EXPECT_EQ(info.timestamp(), 3 * kSecond);
  EXPECT_EQ(info.steps(), 3u);
  EXPECT_EQ(info.quality() & v1::QUALITY_BRIDGED, v1::QUALITY_BRIDGED);
}

TEST_F(StreamServiceTest, CursorsOfKnownAndUnknownStreams) {
  Pushed(Readings({"a", "b"}, 5));
  v1::GetCursorRequest request;
  for (const char* id : {"b", "nobody", "a", ""}) request.add_stream_id(id);
  v1::GetCursorResponse response;
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::GetCursor, request, response).ok());
  EXPECT_THAT(response.timestamp(), ElementsAre(5 * kSecond, -1, 5 * kSecond, -1));
  EXPECT_THAT(response.steps(), ElementsAre(1, 0, 1, 0));
  for (int i = 0; i < 4096; ++i) request.add_stream_id("a");
  const grpc::Status status = Call(&v1::Forecaster::Stub::GetCursor, request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("at most 4096"));
}

TEST_F(StreamServiceTest, UnknownStreamsAreNotFoundByName) {
  v1::ForecastRequest forecast;
  v1::ForecastResponse forecasted;
  forecast.set_stream_id("nobody\n");
  const grpc::Status status = Call(&v1::Forecaster::Stub::Forecast, forecast, forecasted);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("no stream 'nobody\\n'"));
  v1::ResetStreamRequest reset;
  v1::ResetStreamResponse done;
  EXPECT_EQ(Call(&v1::Forecaster::Stub::ResetStream, reset, done).error_code(), grpc::StatusCode::NOT_FOUND);
  Pushed(Readings({"a"}, 1));
  forecast.set_stream_id("a");
  forecast.set_horizon(4);
  EXPECT_EQ(Call(&v1::Forecaster::Stub::Forecast, forecast, forecasted).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(StreamServiceTest, AResetStreamBeginsAnewAndItsNeighbourGoesOn) {
  const v1::PushResponse first = Pushed(Readings({"a"}, 1));
  Pushed(Readings({"a", "b"}, 2));
  v1::ResetStreamRequest request;
  v1::ResetStreamResponse response;
  request.set_stream_id("a");
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::ResetStream, request, response).ok());
  EXPECT_EQ(Info("a").timestamp(), -1);
  v1::ForecastRequest forecast;
  v1::ForecastResponse none;
  forecast.set_stream_id("a");
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::Forecast, forecast, none).ok());
  ASSERT_EQ(none.forecast_size(), 9);
  EXPECT_TRUE(std::isnan(none.forecast(0)));
  const v1::PushResponse again = Pushed(Readings({"a"}, 1));  // no longer late
  EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString());
  EXPECT_EQ(Info("b").steps(), 1u);
}

TEST_F(StreamServiceTest, ADeletedStreamIsGoneAndItsIdBeginsAnew) {
  const v1::PushResponse first = Pushed(Readings({"a"}, 1));
  Pushed(Readings({"a", "b"}, 2));
  v1::DeleteStreamRequest request;
  v1::DeleteStreamResponse response;
  request.set_stream_id("a");
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::DeleteStream, request, response).ok());
  EXPECT_EQ(Call(&v1::Forecaster::Stub::DeleteStream, request, response).error_code(),
            grpc::StatusCode::NOT_FOUND);
  v1::ListStreamsRequest list;
  v1::ListStreamsResponse page;
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::ListStreams, list, page).ok());
  ASSERT_EQ(page.stream_size(), 1);
  EXPECT_EQ(page.stream(0).stream_id(), "b");
  Pushed(Readings({"c"}, 9));  // takes the slot
  const v1::PushResponse again = Pushed(Readings({"a"}, 1));
  EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString());
  EXPECT_EQ(Info("c").timestamp(), 9 * kSecond);
}

TEST_F(StreamServiceTest, AHandleOfADeletedStreamReachesNoOther) {
  grpc::ClientContext context;
  const auto call = stub_->Stream(&context);
  v1::PushResponse answer;
  ASSERT_TRUE(call->Write(Readings({"a"}, 1)));
  ASSERT_TRUE(call->Read(&answer));
  v1::DeleteStreamRequest request;
  v1::DeleteStreamResponse response;
  request.set_stream_id("a");
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::DeleteStream, request, response).ok());
  Pushed(Readings({"other"}, 1));  // takes the slot
  v1::PushRequest next;
  AddReading(next, 2);
  next.add_handle(0);
  ASSERT_TRUE(call->Write(next));
  ASSERT_TRUE(call->Read(&answer));
  EXPECT_THAT(answer.outcome(), ElementsAre(v1::OUTCOME_INVALID));
  EXPECT_THAT(answer.reason(), ElementsAre(v1::REASON_STREAM_DELETED));
  EXPECT_EQ(Info("other").steps(), 1u);
  call->WritesDone();
  EXPECT_TRUE(call->Finish().ok());
}

TEST_F(StreamServiceTest, AForkGoesOnLikeItsOriginAndHasAStateOfItsOwn) {
  for (int t = 1; t <= 5; ++t) Pushed(Readings({"a"}, t));
  v1::ForkStreamRequest request;
  v1::StreamInfo info;
  request.set_stream_id("a");
  request.set_new_stream_id("b");
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::ForkStream, request, info).ok());
  EXPECT_EQ(info.stream_id(), "b");
  EXPECT_EQ(info.steps(), 5u);
  const v1::PushResponse a = Pushed(Readings({"a"}, 6)), b = Pushed(Readings({"b"}, 6));
  EXPECT_EQ(a.SerializeAsString(), b.SerializeAsString());
  EXPECT_EQ(Call(&v1::Forecaster::Stub::ForkStream, request, info).error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
  request.set_new_stream_id("b\n");
  EXPECT_EQ(Call(&v1::Forecaster::Stub::ForkStream, request, info).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(StreamServiceTest, AnImportedStreamGoesOnBitForBit) {
  for (int t = 1; t <= 5; ++t) Pushed(Readings({"a"}, t));
  v1::ExportStreamRequest from;
  v1::ImportStreamRequest to;
  from.set_stream_id("a");
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::ExportStream, from, *to.mutable_state()).ok());
  to.set_stream_id("b");
  v1::StreamInfo info;
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::ImportStream, to, info).ok());
  EXPECT_EQ(info.timestamp(), 5 * kSecond);
  v1::PushResponse retry = Pushed(Readings({"b"}, 5));  // also a retry of the reading before
  EXPECT_THAT(retry.outcome(), ElementsAre(v1::OUTCOME_DUPLICATE));
  const v1::PushResponse a = Pushed(Readings({"a"}, 6)), b = Pushed(Readings({"b"}, 6));
  EXPECT_EQ(a.SerializeAsString(), b.SerializeAsString());
}

class HeldStreamServiceTest : public StreamServiceTest {
 protected:
  ModelSpec Spec() const override {
    ModelSpec spec = TinySpec();
    spec.reorder_window = 3;
    return spec;
  }
};

TEST_F(HeldStreamServiceTest, AnImportedStreamHoldsTheReadingsOfItsOrigin) {
  v1::PushRequest first = Readings({"a"}, 1), early = Readings({"a"}, 3), filler = Readings({"a"}, 2);
  first.add_sequence(1);
  early.add_sequence(2);
  filler.add_sequence(3);
  Pushed(first);
  const v1::PushResponse held = Pushed(early);
  EXPECT_THAT(held.outcome(), ElementsAre(v1::OUTCOME_APPLIED));
  EXPECT_THAT(held.quality(), ElementsAre(v1::QUALITY_HELD));
  EXPECT_THAT(held.steps(), ElementsAre(1u));
  EXPECT_THAT(held.sequence(), ElementsAre(2u));
  EXPECT_TRUE(std::isnan(held.forecast(0)));
  const v1::StreamInfo before = Info("a");
  EXPECT_EQ(before.timestamp(), kSecond);
  EXPECT_EQ(before.sequence(), 2u);
  EXPECT_EQ(before.quality() & v1::QUALITY_HELD, 0u);

  v1::ExportStreamRequest from;
  from.set_stream_id("a");
  const auto copy = [&](const std::string& id) {
    v1::ImportStreamRequest to;
    ASSERT_TRUE(Call(&v1::Forecaster::Stub::ExportStream, from, *to.mutable_state()).ok());
    to.set_stream_id(id);
    v1::StreamInfo info;
    const grpc::Status status = Call(&v1::Forecaster::Stub::ImportStream, to, info);
    EXPECT_TRUE(status.ok()) << status.error_message();
  };
  const auto send = [&](v1::PushRequest& request, const std::string& id) {
    request.set_stream_id(0, id);
    return Pushed(request).SerializeAsString();
  };
  copy("b");
  EXPECT_EQ(send(early, "b"), send(early, "a")) << "known as a retry";
  EXPECT_EQ(send(filler, "b"), send(filler, "a"));
  EXPECT_EQ(Info("b").timestamp(), 3 * kSecond);
  copy("c");  // whose last number is not that of its last reading
  for (const std::string id : {"b", "c"}) {
    EXPECT_EQ(send(filler, id), send(filler, "a"));
    EXPECT_EQ(send(early, id), send(early, "a"));
  }
}

TEST_F(StreamServiceTest, AStateThatIsNoneIsRefused) {
  for (int t = 1; t <= 5; ++t) Pushed(Readings({"a"}, t));
  v1::ExportStreamRequest from;
  v1::StreamState good;
  from.set_stream_id("a");
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::ExportStream, from, good).ok());
  const auto import = [&](const std::function<void(v1::StreamState&)>& change) {
    v1::ImportStreamRequest to;
    v1::StreamInfo info;
    to.set_stream_id("b");
    *to.mutable_state() = good;
    change(*to.mutable_state());
    return Call(&v1::Forecaster::Stub::ImportStream, to, info).error_code();
  };
  using Code = grpc::StatusCode;
  EXPECT_EQ(import([](v1::StreamState& s) { s.add_state(0); }), Code::INVALID_ARGUMENT);
  EXPECT_EQ(import([](v1::StreamState& s) { s.clear_state(); }), Code::INVALID_ARGUMENT);
  EXPECT_EQ(import([](v1::StreamState& s) { s.set_state(0, NAN); }), Code::INVALID_ARGUMENT);
  EXPECT_EQ(import([](v1::StreamState& s) { s.set_state(s.state_size() - 1, INFINITY); }),
            Code::INVALID_ARGUMENT);
  EXPECT_EQ(import([](v1::StreamState& s) { s.set_timestamp(-1); }), Code::INVALID_ARGUMENT);
  EXPECT_EQ(import([](v1::StreamState& s) { s.set_steps(0); }), Code::INVALID_ARGUMENT);
  // What no stream has, a store would not read again.
  EXPECT_EQ(import([](v1::StreamState& s) { s.set_refused_reason(v1::REASON_DISK_FULL); }),
            Code::INVALID_ARGUMENT);
  EXPECT_EQ(import([](v1::StreamState& s) { s.set_refused(static_cast<v1::Outcome>(256)); }),
            Code::INVALID_ARGUMENT);
  EXPECT_EQ(import([](v1::StreamState& s) { s.set_weights_sha256("0"); }), Code::FAILED_PRECONDITION);
  EXPECT_EQ(import([](v1::StreamState& s) { s.set_model("unknown"); }), Code::NOT_FOUND);
  EXPECT_EQ(import([](v1::StreamState&) {}), Code::OK);
  EXPECT_EQ(import([](v1::StreamState&) {}), Code::ALREADY_EXISTS);
}

TEST_F(StreamServiceTest, PagesHoldEveryStreamOnce) {
  std::vector<std::string> ids(300);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = absl::StrCat(i % 2 == 0 ? "even/" : "odd/", i);
  Pushed(Readings(ids, 1));
  v1::PushRequest other = Readings({"odd/elsewhere"}, 1);
  other.set_model("other");
  Pushed(other);
  const auto list = [&](v1::ListStreamsRequest request) {
    std::vector<std::string> found;
    do {
      v1::ListStreamsResponse page;
      const grpc::Status status = Call(&v1::Forecaster::Stub::ListStreams, request, page);
      EXPECT_TRUE(status.ok()) << status.error_message();
      EXPECT_LE(page.stream_size(), 100);
      for (const v1::StreamInfo& info : page.stream()) found.push_back(info.stream_id());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    EXPECT_EQ(std::set<std::string>(found.begin(), found.end()).size(), found.size());
    return found.size();
  };
  v1::ListStreamsRequest request;
  EXPECT_EQ(list(request), 301u);
  request.set_page_size(7);
  EXPECT_EQ(list(request), 301u);
  request.set_prefix("odd/");
  EXPECT_EQ(list(request), 151u);
  request.set_model("tiny");
  EXPECT_EQ(list(request), 150u);
  request.set_model("other");
  EXPECT_EQ(list(request), 1u);
}

TEST_F(StreamServiceTest, BadPagesAreErrors) {
  v1::ListStreamsRequest request;
  v1::ListStreamsResponse page;
  const auto code = [&] { return Call(&v1::Forecaster::Stub::ListStreams, request, page).error_code(); };
  for (const char* token : {"x", "0:0", "0:0:", "0:9:0", "1:0:0", "0:0:0:0", "0:-1:0", "0:cold:x"}) {
    request.set_page_token(token);
    EXPECT_EQ(code(), grpc::StatusCode::INVALID_ARGUMENT) << token;
  }
  request.set_page_token("0:0:4000000000");  // beyond the last: an empty page
  EXPECT_EQ(code(), grpc::StatusCode::OK);
  request.clear_page_token();
  request.set_page_size(1001);
  EXPECT_EQ(code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.set_page_size(1);
  request.set_model("unknown");
  EXPECT_EQ(code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace tidegate
