// A sequence of messages to the calls about streams, pages of ListStreams and their tokens among them: none
// may harm the control stream, and a list ends and names no stream twice.

#include <set>

#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/serving.h"

namespace tidegate {
namespace {

enum Kind : unsigned char {
  kList,
  kForecast,
  kGetCursor,
  kGetStream,
  kReset,
  kDelete,
  kFork,
  kExport,
  kPush,
  kControl,
  kKinds
};

template <typename Request, typename Response>
void Ask(Serving& serving, const std::string& bytes,
         absl::Status (StreamService::*call)(const Request&, Response&)) {
  Request request;
  if (!request.ParseFromString(bytes)) return;
  if constexpr (std::is_same_v<Request, v1::ResetStreamRequest> ||
                std::is_same_v<Request, v1::DeleteStreamRequest>) {
    if (request.stream_id() == Serving::kControl) return;
  }
  Response response;
  const absl::Status status = (serving.streams().*call)(request, response);
  Require(status.ok() || !status.message().empty(), "an error has a reason");
}

void List(Serving& serving, const std::string& bytes) {
  v1::ListStreamsRequest request;
  if (!request.ParseFromString(bytes)) return;
  std::set<std::string> seen;
  for (int pages = 0; pages < 100; ++pages) {
    v1::ListStreamsResponse response;
    if (!serving.streams().ListStreams(request, response).ok()) {
      return Require(pages == 0, "a token of the server is taken");
    }
    Require(
        request.page_size() == 0 || static_cast<std::size_t>(response.stream_size()) <= request.page_size(),
        "a page is no longer than asked for");
    for (const v1::StreamInfo& info : response.stream()) {
      Require(seen.insert(info.stream_id()).second, "a list names no stream twice");
    }
    if (response.next_page_token().empty()) return;
    request.set_page_token(response.next_page_token());
  }
  Require(false, "a list ends");
}

void Fork(Serving& serving, const std::string& bytes) {
  v1::ForkStreamRequest request;
  if (!request.ParseFromString(bytes)) return;
  StreamCopy copy;
  v1::StreamInfo info;
  if (!serving.streams().Copy(request.stream_id(), copy).ok()) return;
  static_cast<void>(serving.streams().Paste("new_stream_id", request.new_stream_id(), copy, info));
}

}  // namespace

std::vector<std::string> Seeds() {
  const std::string push = FuzzReadings({"a", "b", "c"}, 1).SerializeAsString();
  v1::PushRequest other = FuzzReadings({"d", "e"}, 1);
  other.set_model("other");
  v1::ListStreamsRequest all, page, some;
  page.set_page_size(1);
  page.set_page_token("0:0:1");
  some.set_page_size(2);
  some.set_model("tiny");
  some.set_prefix("b");
  v1::GetStreamRequest a;
  a.set_stream_id("a");
  v1::ForkStreamRequest fork;
  fork.set_stream_id("a");
  fork.set_new_stream_id("f");
  v1::ForecastRequest forecast;
  forecast.set_stream_id("a");
  forecast.set_horizon(2);
  forecast.add_quantile(0.5f);
  const std::string id = a.SerializeAsString();  // the same in all messages with a stream_id alone
  return {
      WriteMessages({{kPush, push}, {kPush, other.SerializeAsString()}, {kList, all.SerializeAsString()}}),
      WriteMessages({{kPush, push}, {kList, page.SerializeAsString()}, {kList, some.SerializeAsString()}}),
      WriteMessages(
          {{kPush, push}, {kGetStream, id}, {kGetCursor, id}, {kReset, id}, {kExport, id}, {kControl, ""}}),
      WriteMessages(
          {{kPush, push}, {kFork, fork.SerializeAsString()}, {kDelete, id}, {kControl, ""}, {kList, ""}}),
      WriteMessages(
          {{kPush, push}, {kForecast, forecast.SerializeAsString()}, {kDelete, id}, {kPush, push}})};
}

void Fuzz(absl::string_view input) {
  Serving serving;
  serving.PushControl();
  serving.Settle();
  for (const auto& [kind, bytes] : ReadMessages(input)) {
    switch (kind % kKinds) {
      case kList:
        List(serving, bytes);
        break;
      case kForecast:
        Ask(serving, bytes, &StreamService::Forecast);
        break;
      case kGetCursor:
        Ask(serving, bytes, &StreamService::GetCursor);
        break;
      case kGetStream:
        Ask(serving, bytes, &StreamService::GetStream);
        break;
      case kReset:
        Ask(serving, bytes, &StreamService::ResetStream);
        break;
      case kDelete:
        Ask(serving, bytes, &StreamService::DeleteStream);
        break;
      case kFork:
        Fork(serving, bytes);
        break;
      case kExport:
        Ask(serving, bytes, &StreamService::ExportStream);
        break;
      case kPush:
        serving.Push(bytes, nullptr);
        break;  // waits, so that the next call comes between
      case kControl:
        serving.PushControl();
        serving.Settle();
        break;
    }
  }
  serving.PushControl();
}

}  // namespace tidegate
