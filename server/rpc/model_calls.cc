#include "server/rpc/model_calls.h"

#include "server/rpc/admin_call.h"
#include "server/rpc/model_admin.h"

namespace tidegate {
namespace {

class LoadModelCall final : public AdminCall<v1::LoadModelRequest, v1::ModelInfo> {
 public:
  explicit LoadModelCall(ServingLoop& loop)
      : AdminCall(loop, Method::kLoadModel, &ForecasterService::RequestLoadModel) {}

 private:
  void WaitForNext() override { new LoadModelCall(loop_); }
  void Serve() override {
    Ask([this] { return loop_.group().models->Load(request_.model(), request_.version()); });
  }
  void End(const absl::Status& status) override {
    // It may have been unloaded again meanwhile.
    const auto index = status.ok() ? loop_.repository().Find(request_.model()) : status;
    if (index.ok()) DescribeModel(loop_.repository(), *index, response_);
    Finish(index.status());
  }
};

class UnloadModelCall final : public AdminCall<v1::UnloadModelRequest, v1::UnloadModelResponse> {
 public:
  explicit UnloadModelCall(ServingLoop& loop)
      : AdminCall(loop, Method::kUnloadModel, &ForecasterService::RequestUnloadModel) {}

 private:
  void WaitForNext() override { new UnloadModelCall(loop_); }
  void Serve() override {
    Ask([this] {
      return loop_.group().models->Unload(request_.model(), request_.delete_streams(), deleted_);
    });
  }
  void End(const absl::Status& status) override {
    response_.set_deleted_streams(deleted_);
    Finish(status);
  }

  std::uint64_t deleted_ = 0;
};

class SetDefaultModelCall final : public AdminCall<v1::SetDefaultModelRequest, v1::SetDefaultModelResponse> {
 public:
  explicit SetDefaultModelCall(ServingLoop& loop)
      : AdminCall(loop, Method::kSetDefaultModel, &ForecasterService::RequestSetDefaultModel) {}

 private:
  void WaitForNext() override { new SetDefaultModelCall(loop_); }
  void Serve() override {
    Ask([this] { return loop_.group().models->SetDefault(request_.model()); });
  }
};

}  // namespace

void WaitForModelCalls(ServingLoop& loop) {
  new LoadModelCall(loop);
  new UnloadModelCall(loop);
  new SetDefaultModelCall(loop);
}

}  // namespace tidegate
