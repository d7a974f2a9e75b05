#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "clients/cli/load_lane.h"

namespace tidegate {
namespace {

class PushLane final : public LoadLane {
 public:
  PushLane(LoadFeed feed, Owner& owner, const Connection& connection, grpc::CompletionQueue& queue)
      : LoadLane(std::move(feed), owner),
        connection_(connection),
        stub_(connection.channel()),
        queue_(queue) {}

  void Flush() override {
    while (!closed_ && !due_.empty()) {
      auto call = std::make_unique<Call>(*this);
      const grpc::ByteBuffer bytes = Take(call->sent);
      if (bytes.Length() == 0) return;
      connection_.Authorize(call->context);
      call->reader = stub_.PrepareUnaryCall(&call->context, "/tidegate.v1.Forecaster/Push", bytes, &queue_);
      call->reader->StartCall();
      Call* under_way = call.release();  // until Complete
      calls_.insert(under_way);
      under_way->reader->Finish(&under_way->answer, &under_way->status, under_way);
    }
  }

  void Close() override { Cancel(); }

  void Cancel() override {
    due_.clear();
    for (Call* call : calls_) call->context.TryCancel();
    closed_ = true;
  }

 private:
  // One call of Push.
  struct Call final : Operation {
    explicit Call(PushLane& l) : lane(l) {}
    void Complete(bool) override {
      lane.calls_.erase(this);
      --lane.unanswered_;
      if (status.ok()) {
        lane.owner_.OnAnswer(lane, sent, answer);
      } else if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
        lane.owner_.OnRefusal(lane, sent);
      } else {
        lane.owner_.OnEnd(status);
      }
      delete this;
    }
    PushLane& lane;
    grpc::ClientContext context;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
    grpc::ByteBuffer answer;
    grpc::Status status;
    Sent sent = {};
  };

  const Connection& connection_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue& queue_;
  absl::flat_hash_set<Call*> calls_;  // under way
};

}  // namespace

std::unique_ptr<LoadLane> MakePushLane(LoadFeed feed, LoadLane::Owner& owner, const Connection& connection,
                                       grpc::CompletionQueue& queue) {
  return std::make_unique<PushLane>(std::move(feed), owner, connection, queue);
}

}  // namespace tidegate
