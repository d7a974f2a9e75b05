#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/channel_arguments.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tidegate/v1/forecaster.grpc.pb.h"

namespace tidegate {

// Pushes readings to a server so that each is taken exactly once, whatever happens to the server or to the
// way there: a call of Stream that breaks off and begins anew as often as it takes.
//
// Readings are numbered, stream by stream, and kept until their answer has come. When the call breaks
// (Unavailable: the server is gone, draining or brings its streams back; or it has no room) it waits, longer
// each time, asks the server how far the streams have come, and sends again what is unanswered. What the
// server had taken of that it answers DUPLICATE: the last reading of each stream with the forecast of the
// first answer, bit for bit, older ones without. Each message has one answer, in the order of sending.
//
// A server that goes back behind what it has answered (its data are gone, or --durability none) is an error,
// never a silent gap.
//
// Everything happens within the calls of its one thread, the callbacks too; not thread-safe.
class ResumingStream {
 public:
  // The call has broken, or an attempt to begin it anew has failed, or it goes on.
  struct Interruption {
    absl::Status why;            // ok: it goes on
    absl::Duration lasts;        // since it broke
    std::size_t unanswered = 0;  // readings
    absl::Duration next_try;     // after this much; of one that goes on 0
  };

  struct Options {
    v1::PushRequest wanted;              // model, horizon, quantile, acknowledge_only of each message
    std::size_t most_unanswered = 8192;  // readings; Send waits until there are no more
    absl::Duration retry_for = absl::Minutes(5);  // without any answer, then it gives up
    absl::Duration first_delay = absl::Milliseconds(50);
    absl::Duration most_delay = absl::Seconds(2);  // doubled from one attempt to the next up to this
    std::function<void(grpc::ClientContext&)> authorize = {};        // adds what the server wants to see
    std::function<absl::Status(const grpc::Status&)> describe = {};  // of an error, with the same code
    // An error gives up, and is what Send or Finish returns; of a call that goes on it does not count.
    std::function<absl::Status(const Interruption&)> on_interruption = {};
  };

  struct Reading {
    std::uint32_t stream;  // as AddStream returned it
    std::int64_t timestamp_ns;
    std::span<const float> values;  // [F], NaN: missing
    // Else the server knows it by its time alone, and it is not missed if it is lost.
    bool numbered = true;
  };

  struct Answer {
    std::span<const std::uint32_t> streams;  // [N] of the message's readings
    const v1::PushRequest& request;          // its columns, apart from `handle`
    const v1::PushResponse& response;        // with as many outcomes
    absl::Duration latency;                  // since Send
    bool sent_again;                         // the first answer, if there was one, did not arrive
  };
  // An error ends the call and is what Send or Finish returns.
  using OnAnswer = std::function<absl::Status(const Answer&)>;

  // How far a stream has come.
  struct Cursor {
    std::int64_t timestamp_ns = -1;  // of its last applied reading; -1: none, or no such stream
    std::uint64_t sequence = 0;      // the last number that was taken; 0: none
  };

  // What a channel needs so that it notices a server that is gone.
  static void SetUp(grpc::ChannelArguments& arguments);

  // connect: makes a channel to the server, with a connection of its own
  // (GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL); called for every attempt, as a channel that has failed takes its
  // time before it tries again.
  using Connect = std::function<std::shared_ptr<grpc::Channel>()>;
  ResumingStream(Connect connect, Options options, OnAnswer on_answer);
  ~ResumingStream();  // cancels what is under way
  ResumingStream(const ResumingStream&) = delete;
  ResumingStream& operator=(const ResumingStream&) = delete;

  // Asks how far streams have come, as often as it takes. Errors as those of Send.
  absl::StatusOr<std::vector<Cursor>> AskCursors(std::span<const std::string> ids);

  // What the server says of the model that is wanted, asked as often as it takes. Errors as those of Send.
  absl::StatusOr<v1::ModelInfo> AskModel();

  // A stream to push to, each once; its next reading has the number after `last`.
  std::uint32_t AddStream(std::string id, std::uint64_t last = 0);

  // One message. At most 4,096 readings; several may be of one stream, in their order. Returns once it is on
  // its way and no more than most_unanswered readings are unanswered; calls back for the answers that have
  // come. DataLoss: the server has lost readings that it had answered. Unavailable and other codes that time
  // heals: it gave up after retry_for. Other codes: the server refused the message as a whole. After an
  // error every further call returns it.
  absl::Status Send(std::span<const Reading> readings);

  // Waits for all answers and ends the call. Errors as those of Send.
  absl::Status Finish();

  std::size_t unanswered() const { return unanswered_; }
  std::uint64_t interruptions() const { return interruptions_; }  // times that the call has broken

 private:
  enum class Operation { kStart, kRead, kWrite, kFinish };
  // What gRPC hands back when an operation is done.
  static void* TagOf(Operation operation) {
    static std::array tags = {Operation::kStart, Operation::kRead, Operation::kWrite, Operation::kFinish};
    return &tags[static_cast<std::size_t>(operation)];
  }
  static Operation OperationOf(void* tag) { return *static_cast<const Operation*>(tag); }

  struct Stream {
    std::string id;
    std::uint64_t last = 0;      // number given
    std::uint64_t answered = 0;  // number
    std::uint64_t call = 0;      // on which it has its handle
    std::uint32_t handle = 0;
  };
  struct Message {
    v1::PushRequest request;
    std::vector<std::uint32_t> streams;
    absl::Time sent;
    bool again = false;
  };

  void Enqueue(std::span<const Reading> readings);
  // Begins calls and handles what completes, until `done`.
  absl::Status Proceed(const std::function<bool()>& done);
  // Attempts it until it is done, or what is wrong does not pass.
  absl::Status Retry(const std::function<absl::Status()>& attempt);
  void Broke(absl::Status why);
  void GoesOn();
  absl::Status Begin();
  absl::Status CheckCursors();
  absl::Status GetCursors(const v1::GetCursorRequest& request, v1::GetCursorResponse& response);
  void SetUp(grpc::ClientContext& context) const;  // of a question
  void Write();
  absl::Status TakeAnswer();
  absl::Status EndCall(bool cancel);  // the call's own status
  bool Complete(bool wait);           // one operation; false: none has completed
  absl::Status StatusOf(const grpc::Status& status) const;

  v1::Forecaster::Stub& stub();

  const Connect connect_;
  std::unique_ptr<v1::Forecaster::Stub> stub_;  // null: to be connected
  const Options options_;
  const OnAnswer on_answer_;
  std::vector<Stream> streams_;
  std::deque<Message> waiting_;  // unanswered
  std::size_t unanswered_ = 0;   // readings in them
  std::size_t written_ = 0;      // of waiting_, on the present call
  std::uint64_t interruptions_ = 0;
  absl::Status failed_;
  absl::Status broken_by_;                            // why there is no call
  absl::Time broken_since_ = absl::InfiniteFuture();  // no answer since then
  absl::Duration delay_;                              // of the next attempt
  std::minstd_rand random_;

  grpc::CompletionQueue queue_;
  // The call; null: there is none.
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::PushRequest, v1::PushResponse>> call_;
  v1::PushResponse response_;
  std::uint64_t calls_ = 0;
  std::uint32_t handles_ = 0;  // named on it
  bool starting_ = false, reading_ = false, writing_ = false, finishing_ = false;
  bool has_answer_ = false;  // response_ has one that is not taken
  bool over_ = false;        // nothing more comes
};

}  // namespace tidegate
