// What the wire alone costs: answers messages of tidegate.v1.Forecaster as a server would, without model or
// streams. Same messages, same size of answers, same way of serving: one thread, answers are gathered until
// the completion queue is dry and leave together. serve_against_echo.py runs it beside tidegate-server.
//   echo_server PORT HORIZON QUANTILES     port 0: a free one

#include <grpc/support/time.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <string>
#include <vector>

#include "tidegate/v1/forecaster.grpc.pb.h"

namespace tidegate {
namespace {

using Service = v1::Forecaster::WithRawMethod_Push<
    v1::Forecaster::WithRawMethod_Stream<v1::Forecaster::WithRawMethod_GetCursor<v1::Forecaster::Service>>>;

// Makes answers; its messages are used over and over.
class Answerer {
 public:
  Answerer(int horizon, int quantiles) : horizon_(horizon), quantiles_(quantiles) {}

  grpc::ByteBuffer Answer(grpc::ByteBuffer& bytes) {
    grpc::ProtoBufferReader reader(&bytes);
    if (!request_.ParseFromZeroCopyStream(&reader)) return {};
    const int n = request_.timestamp_size();
    const int floats = request_.acknowledge_only() ? 0 : horizon_ * quantiles_;
    response_.Clear();
    Fill(response_.mutable_outcome(), n, v1::OUTCOME_APPLIED);
    response_.set_interval(1'000'000'000);
    if (floats > 0) {
      Forecast(n, floats);
      Fill(response_.mutable_anomaly_score(), n, 0.5f);
      Fill(response_.mutable_steps(), n, 1u);
      Fill(response_.mutable_quality(), n, 0u);
      response_.set_horizon(static_cast<std::uint32_t>(horizon_));
      for (int q = 1; q <= quantiles_; ++q)
        response_.add_quantile(static_cast<float>(q) / static_cast<float>(quantiles_ + 1));
    }
    grpc::ByteBuffer answer;
    grpc::ProtoBufferWriter writer(&answer, grpc::kProtoBufferWriterMaxBufferLength,
                                   static_cast<int>(response_.ByteSizeLong()));
    response_.SerializeToZeroCopyStream(&writer);
    return answer;
  }

 private:
  template <typename Field, typename Value>
  static void Fill(Field* field, int n, Value value) {
    field->Reserve(n);
    field->AddNAlreadyReserved(n);
    std::fill_n(field->mutable_data(), n, value);
  }

  // Each reading's first value, as often as there are steps.
  void Forecast(int n, int floats) {
    auto* field = response_.mutable_forecast();
    field->Reserve(n * floats);
    field->AddNAlreadyReserved(n * floats);
    float* out = field->mutable_data();
    for (int i = 0; i < n; ++i, out += floats) std::fill_n(out, floats, request_.value(i));
  }

  int horizon_;
  int quantiles_;
  v1::PushRequest request_;
  v1::PushResponse response_;
};

class Call {
 public:
  virtual ~Call() = default;
  virtual void Complete(int operation, bool ok) = 0;
  virtual void Answer() = 0;  // the queue is dry
};

struct Tag {
  Call* call;
  int operation;
};

struct Loop {
  Service service;
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
  Answerer answerer;
  std::vector<Call*> waiting;  // with answers to send
};

// A call of Push or GetCursor.
class Unary final : public Call {
 public:
  using Request = void (Service::*)(grpc::ServerContext*, grpc::ByteBuffer*,
                                    grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>*,
                                    grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*);
  Unary(Loop& loop, Request request) : loop_(loop), request_(request) {
    (loop_.service.*request_)(&context_, &message_, &writer_, loop_.queue.get(), loop_.queue.get(), &start_);
  }
  void Complete(int operation, bool ok) override {
    if (operation == 0 && ok) {
      new Unary(loop_, request_);
      loop_.waiting.push_back(this);
    } else {
      delete this;
    }
  }
  void Answer() override {
    writer_.Finish(request_ == &Service::RequestPush ? loop_.answerer.Answer(message_) : Empty(),
                   grpc::Status::OK, &finish_);
  }

 private:
  static grpc::ByteBuffer Empty() {
    const grpc::Slice none;
    return {&none, 1};
  }

  Loop& loop_;
  Request request_;
  grpc::ServerContext context_;
  grpc::ByteBuffer message_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer_{&context_};
  Tag start_{this, 0};
  Tag finish_{this, 1};
};

// A call of Stream: reads on while answers wait; hints on every write but the last that waits, and never on
// the first of the call.
class Stream final : public Call {
 public:
  explicit Stream(Loop& loop) : loop_(loop) {
    loop_.service.RequestStream(&context_, &stream_, loop_.queue.get(), loop_.queue.get(), &start_);
  }
  ~Stream() override { std::erase(loop_.waiting, this); }
  void Complete(int operation, bool ok) override {
    if (operation == 0) {
      if (!ok) return delete this;
      new Stream(loop_);
      stream_.Read(&message_, &read_);
    } else if (operation == 1) {
      reading_ = ok;
      if (ok) {
        answers_.push_back(loop_.answerer.Answer(message_));
        stream_.Read(&message_, &read_);
        if (!writing_ && answers_.size() == 1) loop_.waiting.push_back(this);
      }
      EndIfOver();
    } else if (operation == 2) {
      writing_ = false;
      broken_ |= !ok;
      if (!broken_ && !answers_.empty()) Answer();
      EndIfOver();
    } else {
      delete this;
    }
  }
  void Answer() override {
    if (writing_ || broken_ || answers_.empty()) return;
    const grpc::ByteBuffer answer = answers_.front();  // shares its bytes
    answers_.pop_front();
    grpc::WriteOptions options;
    if (answered_ && !answers_.empty()) options.set_buffer_hint();
    answered_ = true;
    writing_ = true;
    stream_.Write(answer, options, &write_);
  }

 private:
  void EndIfOver() {
    if (reading_ || writing_ || (!answers_.empty() && !broken_)) return;
    stream_.Finish(grpc::Status::OK, &finish_);
  }

  Loop& loop_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_{&context_};
  grpc::ByteBuffer message_;
  std::deque<grpc::ByteBuffer> answers_;
  bool reading_ = true;
  bool writing_ = false;
  bool answered_ = false;
  bool broken_ = false;
  Tag start_{this, 0};
  Tag read_{this, 1};
  Tag write_{this, 2};
  Tag finish_{this, 3};
};

int Main(const std::string& port, int horizon, int quantiles) {
  Loop loop{.service = {}, .queue = nullptr, .answerer = Answerer(horizon, quantiles), .waiting = {}};
  grpc::ServerBuilder builder;
  int bound = 0;
  builder.AddListeningPort("127.0.0.1:" + port, grpc::InsecureServerCredentials(), &bound);
  builder.RegisterService(&loop.service);
  loop.queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::cout << "echo_server ready: grpc=127.0.0.1:" << bound << std::endl;
  new Unary(loop, &Service::RequestPush);
  new Unary(loop, &Service::RequestGetCursor);
  new Stream(loop);

  void* tag = nullptr;
  bool ok = false;
  const auto complete = [&] {
    static_cast<Tag*>(tag)->call->Complete(static_cast<Tag*>(tag)->operation, ok);
  };
  const gpr_timespec past = gpr_inf_past(GPR_CLOCK_MONOTONIC);
  while (loop.queue->Next(&tag, &ok)) {  // until it is killed
    complete();
    while (loop.queue->AsyncNext(&tag, &ok, past) == grpc::CompletionQueue::GOT_EVENT) complete();
    std::vector<Call*> waiting;
    waiting.swap(loop.waiting);
    for (Call* call : waiting) call->Answer();
  }
  return 0;
}

}  // namespace
}  // namespace tidegate

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "echo_server PORT HORIZON QUANTILES\n";
    return 1;
  }
  return tidegate::Main(argv[1], std::atoi(argv[2]), std::atoi(argv[3]));
}
