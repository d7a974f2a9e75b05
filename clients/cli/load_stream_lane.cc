#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <utility>

#include "clients/cli/load_lane.h"

namespace tidegate {
namespace {

class StreamLane final : public LoadLane {
 public:
  StreamLane(LoadFeed feed, Owner& owner, const Connection& connection, grpc::CompletionQueue& queue)
      : LoadLane(std::move(feed), owner), stub_(connection.channel()) {
    connection.Authorize(context_);
    stream_ = stub_.PrepareCall(&context_, "/tidegate.v1.Forecaster/Stream", &queue);
    stream_->StartCall(&start_);
  }

  // Starts one write; its completion starts the next. The hint is never on a call's first message, which
  // would keep its headers back as well.
  void Flush() override {
    if (!ready_ || writing_ || due_.empty()) return;
    Sent sent;
    const grpc::ByteBuffer bytes = Take(sent);
    if (bytes.Length() == 0) return;
    sent_.push_back(sent);
    grpc::WriteOptions options;
    if (!due_.empty() && !sent.opening) options.set_buffer_hint();
    writing_ = true;
    stream_->Write(bytes, options, &write_);
  }

  void Close() override {
    if (unanswered_ > 0 || writing_ || closed_) return Cancel();
    ready_ = false;
    due_.clear();
    stream_->WritesDone(&writes_done_);
  }

  void Cancel() override {
    ready_ = false;
    due_.clear();
    context_.TryCancel();
  }

 private:
  struct Tag final : Operation {
    using Handler = void (StreamLane::*)(bool ok);
    Tag(StreamLane* l, Handler h) : lane(l), handler(h) {}
    void Complete(bool ok) override { (lane->*handler)(ok); }
    StreamLane* lane;
    Handler handler;
  };

  void Started(bool ok) {
    if (!ok) return Finish();
    ready_ = true;
    stream_->Read(&answer_, &read_);
    Flush();
  }

  void Written(bool ok) {
    writing_ = false;
    if (ok) Flush();  // else the read fails as well
  }

  void Read(bool ok) {
    if (!ok || sent_.empty()) return Finish();
    const Sent sent = sent_.front();
    sent_.pop_front();
    --unanswered_;
    owner_.OnAnswer(*this, sent, answer_);
    stream_->Read(&answer_, &read_);
  }

  void WritesEnded(bool) {}

  void Finish() {
    ready_ = false;
    stream_->Finish(&status_, &finish_);
  }

  void Finished(bool) {
    closed_ = true;
    owner_.OnEnd(status_);
  }

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  grpc::ByteBuffer answer_;
  grpc::Status status_;
  std::deque<Sent> sent_;  // unanswered
  bool ready_ = false;     // has begun and is to go on
  bool writing_ = false;
  Tag start_{this, &StreamLane::Started};
  Tag write_{this, &StreamLane::Written};
  Tag read_{this, &StreamLane::Read};
  Tag writes_done_{this, &StreamLane::WritesEnded};
  Tag finish_{this, &StreamLane::Finished};
};

}  // namespace

std::unique_ptr<LoadLane> MakeStreamLane(LoadFeed feed, LoadLane::Owner& owner, const Connection& connection,
                                         grpc::CompletionQueue& queue) {
  return std::make_unique<StreamLane>(std::move(feed), owner, connection, queue);
}

}  // namespace tidegate
