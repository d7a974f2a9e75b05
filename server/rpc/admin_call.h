#pragma once

#include <utility>

#include "server/rpc/admin_thread.h"
#include "server/rpc/unary_call.h"

namespace tidegate {

// A call whose work the administrators' thread does: its end is answered in the loop's thread.
template <typename Request, typename Response>
class AdminCall : public UnaryCall<Request, Response> {
 protected:
  using UnaryCall<Request, Response>::UnaryCall;

  void Ask(AdminThread::Work work) {
    this->loop_.group().admin->Ask(std::move(work), [this](absl::Status status) {
      this->loop_.Post([this, status = std::move(status)] { End(status); });
    });
  }
  virtual void End(const absl::Status& status) { this->Finish(status); }
};

}  // namespace tidegate
