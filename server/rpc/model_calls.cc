#include "server/rpc/model_calls.h"

#include <utility>

#include "server/rpc/model_admin.h"
#include "server/rpc/unary_call.h"

namespace tidegate {
namespace {

// Common to the three: what the admin has done is answered in the loop's thread.
template <typename Request, typename Response>
class ModelCall : public UnaryCall<Request, Response> {
 protected:
  using UnaryCall<Request, Response>::UnaryCall;

  ModelAdmin::Done Then() {
    return [this](absl::Status status) {
      this->loop_.Post([this, status = std::move(status)] { End(status); });
    };
  }
  virtual void End(const absl::Status& status) { this->Finish(status); }
  ModelAdmin& admin() { return *this->loop_.group().models; }
};

class LoadModelCall final : public ModelCall<v1::LoadModelRequest, v1::ModelInfo> {
 public:
  explicit LoadModelCall(ServingLoop& loop)
      : ModelCall(loop, Method::kLoadModel, &ForecasterService::RequestLoadModel) {}

 private:
  void WaitForNext() override { new LoadModelCall(loop_); }
  void Serve() override { admin().Load(request_.model(), request_.version(), Then()); }
  void End(const absl::Status& status) override {
    // It may have been unloaded again meanwhile.
    const auto index = status.ok() ? loop_.repository().Find(request_.model()) : status;
    if (index.ok()) DescribeModel(loop_.repository(), *index, response_);
    Finish(index.status());
  }
};

class UnloadModelCall final : public ModelCall<v1::UnloadModelRequest, v1::UnloadModelResponse> {
 public:
  explicit UnloadModelCall(ServingLoop& loop)
      : ModelCall(loop, Method::kUnloadModel, &ForecasterService::RequestUnloadModel) {}

 private:
  void WaitForNext() override { new UnloadModelCall(loop_); }
  void Serve() override { admin().Unload(request_.model(), request_.delete_streams(), deleted_, Then()); }
  void End(const absl::Status& status) override {
    response_.set_deleted_streams(deleted_);
    Finish(status);
  }

  std::uint64_t deleted_ = 0;
};

class SetDefaultModelCall final : public ModelCall<v1::SetDefaultModelRequest, v1::SetDefaultModelResponse> {
 public:
  explicit SetDefaultModelCall(ServingLoop& loop)
      : ModelCall(loop, Method::kSetDefaultModel, &ForecasterService::RequestSetDefaultModel) {}

 private:
  void WaitForNext() override { new SetDefaultModelCall(loop_); }
  void Serve() override { admin().SetDefault(request_.model(), Then()); }
};

}  // namespace

void WaitForModelCalls(ServingLoop& loop) {
  new LoadModelCall(loop);
  new UnloadModelCall(loop);
  new SetDefaultModelCall(loop);
}

}  // namespace tidegate
