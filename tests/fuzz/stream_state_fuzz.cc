// A message as an ImportStreamRequest, with the model's name and checksum put right if the first byte's
// lowest bit is set (the next two say which model's): a state that is taken can be exported, copied and
// stepped, and harms no other stream.

#include <cstring>

#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/serving.h"

namespace tidegate {
namespace {

v1::StreamState Export(Serving& serving, const std::string& id) {
  v1::ExportStreamRequest request;
  request.set_stream_id(id);
  v1::StreamState state;
  Require(serving.streams().ExportStream(request, state).ok(), "a stream that was imported can be exported");
  return state;
}

bool SameBits(const v1::StreamState& a, const v1::StreamState& b) {
  return a.state_size() == b.state_size() &&
         std::memcmp(a.state().data(), b.state().data(),
                     sizeof(float) * static_cast<std::size_t>(a.state_size())) == 0;
}

}  // namespace

std::vector<std::string> Seeds() {
  Serving serving;
  std::vector<std::string> seeds;
  const auto& models = FuzzModels().models();
  for (std::size_t m = 0; m < models.size(); ++m) {
    const std::string& id = models[m].name;
    for (const int t : {0, 1, 3, 4}) {  // with a reorder window the last two are held
      v1::PushRequest reading = FuzzReadings({id}, t);
      reading.set_model(id);
      serving.Push(reading.SerializeAsString(), nullptr);
      serving.Settle();
      v1::ImportStreamRequest request;
      request.set_stream_id("new");
      *request.mutable_state() = Export(serving, id);
      seeds.push_back(std::string(1, static_cast<char>(1 + 2 * m)) + request.SerializeAsString());
    }
  }
  return seeds;
}

void Fuzz(absl::string_view input) {
  if (input.empty()) return;
  v1::ImportStreamRequest request;
  if (!request.ParseFromArray(input.data() + 1, static_cast<int>(input.size() - 1))) return;
  if ((input[0] & 1) != 0) {
    const auto& models = FuzzModels().models();
    const ServedModel& served = models[static_cast<unsigned char>(input[0]) / 2 % 4 % models.size()];
    request.mutable_state()->set_model(served.name);
    request.mutable_state()->set_weights_sha256(served.model->spec().weights_sha256);
  }
  Serving serving;
  serving.PushControl();
  serving.Settle();
  v1::StreamInfo info;
  if (serving.streams().ImportStream(request, info).ok()) {
    Require(info.stream_id() == request.stream_id(), "the stream has the name it was given");
    const v1::StreamState state = Export(serving, request.stream_id());
    Require(SameBits(state, request.state()), "a state is exported as it was imported");
    v1::ImportStreamRequest copy;
    copy.set_stream_id("copy");
    *copy.mutable_state() = state;
    if (request.stream_id() != copy.stream_id()) {
      Require(serving.streams().ImportStream(copy, info).ok(), "what was exported can be imported");
      Require(SameBits(state, Export(serving, "copy")), "a copy is the same");
    }
    v1::ForecastRequest forecast;
    forecast.set_stream_id(request.stream_id());
    v1::ForecastResponse answer;
    Require(serving.streams().Forecast(forecast, answer).ok(), "a stream that was imported has a forecast");
    for (const std::int64_t later : {0, 3, 1, 2, 2, 9, 1000}) {
      v1::PushRequest reading = FuzzReadings({request.stream_id()}, 0);
      reading.set_model(request.state().model());
      const auto time =
          static_cast<std::uint64_t>(state.timestamp()) + static_cast<std::uint64_t>(later) * 1'000'000'000;
      reading.set_timestamp(0, static_cast<std::int64_t>(time));
      serving.Push(reading.SerializeAsString(), nullptr);
    }
  }
  serving.PushControl();
}

}  // namespace tidegate
