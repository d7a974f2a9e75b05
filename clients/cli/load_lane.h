#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>

#include "absl/status/status.h"
#include "clients/cli/connection.h"
#include "clients/cli/load_feed.h"

namespace grpc {
class CompletionQueue;
}  // namespace grpc

namespace tidegate {

// One call of Stream, or the calls of Push for the same share of the streams: sends the messages of its feed
// as soon as they are due and the call takes them. Messages that are due together are handed to gRPC with a
// hint that more follows, so that they leave together. One thread, that of the completion queue.
class LoadLane {
 public:
  using Clock = std::chrono::steady_clock;

  // A message that was sent.
  struct Sent {
    Clock::time_point intended;  // when it was to be sent
    std::size_t readings;
    bool opening;  // made by LoadFeed::Open
  };

  // Who is told.
  class Owner {
   public:
    virtual void OnSend(const Sent& sent) = 0;
    virtual void OnAnswer(LoadLane& lane, const Sent& sent, grpc::ByteBuffer& answer) = 0;
    // A call of Push came back with RESOURCE_EXHAUSTED.
    virtual void OnRefusal(LoadLane& lane, const Sent& sent) = 0;
    // The server has ended a call, or a call of Push came back with another error; or the last one, by Close.
    virtual void OnEnd(const grpc::Status& status) = 0;
    // The feed has ended.
    virtual void OnFeedEnd() = 0;

   protected:
    ~Owner() = default;
  };

  // What a tag of the completion queue points to.
  class Operation {
   public:
    virtual void Complete(bool ok) = 0;

   protected:
    ~Operation() = default;
  };

  virtual ~LoadLane() = default;

  // One more message is due since `intended`; Flush sends it.
  void Add(Clock::time_point intended) { due_.push_back(intended); }
  virtual void Flush() = 0;
  // Nothing is due, all is answered.
  bool idle() const { return due_.empty() && unanswered_ == 0; }
  bool opened() const { return feed_.opened(); }

  // Sends no more and ends the call, at once if it is not idle.
  virtual void Close() = 0;
  // The same, at once in any case.
  virtual void Cancel() = 0;
  bool closed() const { return closed_; }

 protected:
  LoadLane(LoadFeed feed, Owner& owner) : feed_(std::move(feed)), owner_(owner) {}

  // The next message that is due, as bytes, and told to the owner. Requires one; empty: the feed has ended.
  grpc::ByteBuffer Take(Sent& sent);

  LoadFeed feed_;
  Owner& owner_;
  std::deque<Clock::time_point> due_;
  std::size_t unanswered_ = 0;
  bool closed_ = false;
};

std::unique_ptr<LoadLane> MakeStreamLane(LoadFeed feed, LoadLane::Owner& owner, const Connection& connection,
                                         grpc::CompletionQueue& queue);
std::unique_ptr<LoadLane> MakePushLane(LoadFeed feed, LoadLane::Owner& owner, const Connection& connection,
                                       grpc::CompletionQueue& queue);

}  // namespace tidegate
