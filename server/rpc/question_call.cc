#include "server/rpc/question_call.h"

#include "server/rpc/unary_call.h"

namespace tidegate {
namespace {

// Where a request is answered: at one shard, or at each in turn, the answer growing.
constexpr std::size_t kEverywhere = static_cast<std::size_t>(-1);

template <typename Request, typename Response>
class QuestionCall final : public UnaryCall<Request, Response> {
 public:
  using Base = UnaryCall<Request, Response>;
  struct Form {
    Method method;
    typename Base::Wait wait;
    absl::Status (*answer)(ServingLoop&, const Request&, Response&);
    std::size_t (*place)(const Request&, std::size_t shards);
  };

  QuestionCall(ServingLoop& loop, const Form& form) : Base(loop, form.method, form.wait), form_(form) {}

 private:
  void WaitForNext() override { new QuestionCall(this->loop_, form_); }

  void Serve() override {
    const std::size_t place = form_.place(this->request_, this->loop_.shards());
    everywhere_ = place == kEverywhere;
    Ask(everywhere_ ? 0 : place);
  }

  void Ask(std::size_t shard) {
    this->loop_.At(
        shard, [this](ServingLoop& there) { status_ = form_.answer(there, this->request_, this->response_); },
        [this, shard] {
          const bool more = everywhere_ && status_.ok() && shard + 1 < this->loop_.shards();
          more ? Ask(shard + 1) : this->Finish(status_);
        });
  }

  const Form form_;
  bool everywhere_ = false;
  absl::Status status_;
};

// One form of question: `method` of `service`, which waits by `wait`.
template <typename Request, typename Response>
void WaitFor(ServingLoop& loop, Method method, typename UnaryCall<Request, Response>::Wait wait,
             absl::Status (*answer)(ServingLoop&, const Request&, Response&),
             std::size_t (*place)(const Request&, std::size_t)) {
  new QuestionCall<Request, Response>(loop, {method, wait, answer, place});
}

template <auto kMethod, typename Request, typename Response>
absl::Status AskStreams(ServingLoop& there, const Request& request, Response& response) {
  return (there.streams().*kMethod)(request, response);
}

template <auto kMethod, typename Request, typename Response>
absl::Status AskModels(ServingLoop& there, const Request& request, Response& response) {
  return (there.models().*kMethod)(request, response);
}

template <typename Request>
std::size_t AtStream(const Request& request, std::size_t shards) {
  return ShardOf(request.stream_id(), shards);
}

template <typename Request>
std::size_t Everywhere(const Request&, std::size_t) {
  return kEverywhere;
}

}  // namespace

void WaitForQuestions(ServingLoop& loop) {
  using Service = ForecasterService;
  WaitFor<v1::ForecastRequest, v1::ForecastResponse>(loop, Method::kForecast, &Service::RequestForecast,
                                                     AskStreams<&StreamService::Forecast>, AtStream);
  WaitFor<v1::GetCursorRequest, v1::GetCursorResponse>(loop, Method::kGetCursor, &Service::RequestGetCursor,
                                                       AskStreams<&StreamService::GetCursor>, Everywhere);
  WaitFor<v1::GetStreamRequest, v1::StreamInfo>(loop, Method::kGetStream, &Service::RequestGetStream,
                                                AskStreams<&StreamService::GetStream>, AtStream);
  WaitFor<v1::ListStreamsRequest, v1::ListStreamsResponse>(
      loop, Method::kListStreams, &Service::RequestListStreams, AskStreams<&StreamService::ListStreams>,
      [](const v1::ListStreamsRequest& request, std::size_t shards) {
        return StreamService::ShardOfPage(request, shards);
      });
  WaitFor<v1::ResetStreamRequest, v1::ResetStreamResponse>(loop, Method::kResetStream,
                                                           &Service::RequestResetStream,
                                                           AskStreams<&StreamService::ResetStream>, AtStream);
  WaitFor<v1::DeleteStreamRequest, v1::DeleteStreamResponse>(
      loop, Method::kDeleteStream, &Service::RequestDeleteStream, AskStreams<&StreamService::DeleteStream>,
      AtStream);
  WaitFor<v1::ExportStreamRequest, v1::StreamState>(loop, Method::kExportStream,
                                                    &Service::RequestExportStream,
                                                    AskStreams<&StreamService::ExportStream>, AtStream);
  WaitFor<v1::ImportStreamRequest, v1::StreamInfo>(loop, Method::kImportStream, &Service::RequestImportStream,
                                                   AskStreams<&StreamService::ImportStream>, AtStream);
  WaitFor<v1::ListModelsRequest, v1::ListModelsResponse>(loop, Method::kListModels,
                                                         &Service::RequestListModels,
                                                         AskModels<&ModelService::ListModels>, Everywhere);
  WaitFor<v1::GetModelRequest, v1::ModelInfo>(loop, Method::kGetModel, &Service::RequestGetModel,
                                              AskModels<&ModelService::GetModel>, Everywhere);
}

}  // namespace tidegate
