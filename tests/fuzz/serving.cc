#include "tests/fuzz/serving.h"

#include <google/protobuf/stubs/logging.h>
#include <grpcpp/support/slice.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr std::size_t kMaxStreams = 8;
constexpr std::size_t kControls = 64;  // readings of the control stream that are known

std::vector<std::shared_ptr<const Model>> Models() {
  std::vector<std::shared_ptr<const Model>> models;
  for (const ServedModel& served : FuzzModels().models()) models.push_back(served.model);
  return models;
}

Repository MakeModels() {
  const auto folder = std::filesystem::temp_directory_path() / absl::StrCat("tidegate_fuzz_", getpid());
  for (const std::string name : {"tiny", "other", "reorders"}) {
    ModelSpec spec = TinySpec(name == "other" ? LayerKind::kLstm : LayerKind::kGru);
    spec.name = name;
    if (name == "reorders") spec.reorder_window = 3;
    Require(WriteModel(folder / name / "1", spec, TinyTensors(spec)).ok(), "a model can be written");
  }
  auto repository = Repository::Load(folder, "tiny");
  std::filesystem::remove_all(folder);
  Require(repository.ok(), "a model that was written can be read");
  return *std::move(repository);
}

// The control stream's answers on a server of its own, serialised.
std::vector<std::string> ControlAnswers() {
  LoneShard shard(Models(), kMaxStreams);
  Admission admission(FuzzModels(), *shard.peer, shard.metrics, absl::Minutes(5));
  std::vector<std::string> answers;
  for (std::size_t t = 0; t < kControls; ++t) {
    const std::string bytes = FuzzReadings({Serving::kControl}, static_cast<int>(t)).SerializeAsString();
    grpc::Slice slice(bytes);
    grpc::ByteBuffer buffer(&slice, 1);
    Require(admission.Admit(buffer, nullptr, nullptr).ok(), "the control stream's requests are right");
    Exchange* const exchange = admission.Run().front();
    answers.push_back(exchange->response.SerializeAsString());
    admission.Release(exchange);
  }
  return answers;
}

}  // namespace

const Repository& FuzzModels() {
  google::protobuf::SetLogHandler(nullptr);  // a line for every string that is not UTF-8
  static const Repository repository = MakeModels();
  return repository;
}

v1::PushRequest FuzzReadings(const std::vector<std::string>& ids, int t) {
  v1::PushRequest request;
  for (const std::string& id : ids) {
    request.add_stream_id(id);
    request.add_timestamp((t + 1) * 1'000'000'000LL);
    request.add_value(20 + static_cast<float>(t % 7));
    request.add_value(50 + static_cast<float>(t % 5));
  }
  return request;
}

Serving::Serving()
    : shard_(Models(), kMaxStreams),
      admission_(FuzzModels(), *shard_.peer, shard_.metrics, absl::Minutes(5)),
      streams_(FuzzModels(), shard_.shard, /*index=*/0, /*shards=*/1) {}

Serving::~Serving() { Settle(); }

void Serving::Push(absl::string_view bytes, NamedStreams* streams) {
  v1::PushRequest request;
  if (request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    const auto& ids = request.stream_id();
    if (std::find(ids.begin(), ids.end(), kControl) != ids.end()) return;
  }
  Admit(std::string(bytes), streams);
}

void Serving::PushControl() {
  if (controls_ == kControls) return;
  Admit(FuzzReadings({kControl}, static_cast<int>(controls_++)).SerializeAsString(), nullptr);
}

void Serving::Admit(const std::string& bytes, NamedStreams* streams) {
  grpc::Slice slice(bytes);
  grpc::ByteBuffer buffer(&slice, 1);
  const auto exchange = admission_.Admit(buffer, streams, nullptr);
  if (!exchange.ok()) {
    const absl::StatusCode code = exchange.status().code();
    return Require(code == absl::StatusCode::kInvalidArgument || code == absl::StatusCode::kNotFound ||
                       code == absl::StatusCode::kResourceExhausted,
                   "a request is refused for what it holds");
  }
  readings_ += (*exchange)->size();
}

void Serving::CheckAnswer(const Exchange& exchange) {
  const v1::PushRequest& request = exchange.request;
  const v1::PushResponse& response = exchange.response;
  const int n = request.timestamp_size();
  Require(response.outcome_size() == n, "every reading has an outcome");
  for (const int outcome : response.outcome()) {
    Require(v1::Outcome_IsValid(outcome) && outcome != 0, "an outcome is one of those of the API");
  }
  if (request.acknowledge_only()) {
    Require(response.forecast_size() == 0, "no forecasts are sent where none are wanted");
  } else {
    Require(static_cast<std::size_t>(response.forecast_size()) ==
                static_cast<std::size_t>(n) * response.horizon() *
                    static_cast<std::size_t>(response.quantile_size()),
            "every reading has a forecast of the length that was asked for");
  }
  if (n == 1 && request.stream_id_size() == 1 && request.stream_id(0) == kControl) {
    static const std::vector<std::string> expected = ControlAnswers();
    Require(response.SerializeAsString() == expected[control_answers_++],
            "the control stream is answered as if it were alone");
  }
}

void Serving::Settle() {
  while (!shard_.peer->idle()) {
    for (Exchange* exchange : admission_.Run()) {
      CheckAnswer(*exchange);
      admission_.Release(exchange);
    }
  }
  std::size_t counted = 0;
  for (const ModelMetrics& model : shard_.metrics.models) {
    for (const Counter& outcome : model.readings) counted += outcome.value();
  }
  Require(counted == readings_, "every reading is counted with exactly one outcome");
  Require(control_answers_ == controls_, "every reading of the control stream is answered");
}

std::string WriteMessages(const std::vector<FuzzMessage>& messages) {
  std::string input;
  for (const FuzzMessage& message : messages) {
    input += static_cast<char>(message.kind);
    input += static_cast<char>(message.bytes.size() & 255);
    input += static_cast<char>(message.bytes.size() >> 8);
    input += message.bytes;
  }
  return input;
}

std::vector<FuzzMessage> ReadMessages(absl::string_view input) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(input[i]); };
  std::vector<FuzzMessage> messages;
  while (input.size() > 3) {
    const std::size_t size = byte(1) + 256u * byte(2);
    messages.push_back({byte(0), std::string(input.substr(3, size))});
    input.remove_prefix(std::min(input.size(), 3 + size));
  }
  return messages;
}

}  // namespace tidegate
