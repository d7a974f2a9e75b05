#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "server/rpc/exchange.h"

namespace tidegate {

class Call;

// What a call waits for from its completion queue.
enum class Operation : std::uint8_t { kStart, kRead, kWrite, kFinish, kDone };

// What a completion queue hands back.
struct Tag {
  Call* call;
  Operation operation;
};

// Whether something that should end, such as the sending of an answer, goes on for too long; looked at now
// and then.
class Stall {
 public:
  bool Lasts(absl::Time now, absl::Duration most) {
    since_ = std::min(since_, now);
    return now - since_ >= most;
  }

 private:
  absl::Time since_ = absl::InfiniteFuture();
};

// One call, from the wait for a client to its last completion, upon which it deletes itself. All methods are
// called by the thread of its ServingLoop.
class Call {
 public:
  virtual ~Call() = default;

  // The operation has ended; ok as grpc::CompletionQueue::Next says.
  virtual void Complete(Operation operation, bool ok) = 0;

  // Some of the call's exchanges have been answered; sends what is due.
  virtual void Answer() {}

  // Looks at the message that it holds (ServingLoop::Hold). False: it must hold it on.
  virtual bool TakeHeld() { return true; }

  // What ServingLoop::Health says has changed.
  virtual void HealthChanged() {}

  // Some seconds have passed.
  virtual void Tick(absl::Time /*now*/) {}

  // Admitted requests are still answered, no more are taken. A call that ends by itself does nothing.
  virtual void Drain() {}
};

}  // namespace tidegate
