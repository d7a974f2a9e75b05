#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "server/rpc/limits.h"

namespace grpc {
class ServerContext;
}

namespace tidegate {

// What one client has on this server, over all its calls and connections. Thread-safe.
struct Client {
  std::atomic<std::size_t> readings{0};       // taken in whose answer it does not have yet
  std::atomic<std::size_t> unsent{0};         // bytes of these requests and their forecasts
  std::atomic<std::size_t> calls{0};          // open ones that last: Stream and Subscribe
  std::atomic<std::size_t> handles{0};        // streams that open calls of Stream have named
  std::atomic<std::size_t> subscriptions{0};  // of `calls`
};

// The clients that have calls. Thread-safe.
class Clients {
 public:
  // The client of a name, the same as long as somebody holds it.
  std::shared_ptr<Client> Find(const std::string& name);

 private:
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, std::weak_ptr<Client>> clients_ ABSL_GUARDED_BY(mutex_);
  std::size_t cleaned_ ABSL_GUARDED_BY(mutex_) = 0;  // clients when those without calls were last taken out
};

// A call that lasts, counted as its client's while this lives. Owned by the call.
class OpenCall {
 public:
  OpenCall() = default;
  OpenCall(const OpenCall&) = delete;
  OpenCall& operator=(const OpenCall&) = delete;
  ~OpenCall();

  // ResourceExhausted: the client has too many already. Once.
  absl::Status Open(std::shared_ptr<Client> client);

  // The same for a call of Subscribe, which is counted among these too. Once, after Open.
  absl::Status Subscribe();

  // Readings of the call that are taken in, and whose answer is taken or dropped.
  void Add(std::size_t readings) { client_->readings += readings; }
  void Remove(std::size_t readings) { client_->readings -= readings; }
  // An answer is to come, and is taken or dropped; bytes: of its request and its forecasts.
  void Sending(std::size_t bytes) { client_->unsent += bytes; }
  void Sent(std::size_t bytes) { client_->unsent -= bytes; }
  // The client has so many, over all its calls, that none should be added.
  bool full() const;
  // These bytes, of all calls of the client.
  std::size_t unsent() const { return client_->unsent; }

  // The call has named further streams. ResourceExhausted: its client's calls have named too many.
  absl::Status Name(std::size_t streams);

 private:
  std::size_t handles_ = 0;  // of the call
  bool subscribed_ = false;
  std::shared_ptr<Client> client_;  // null: not opened
};

// Who calls: the certificate's name where there is one, else the bearer token if tokens are checked, else the
// address without its port.
std::string ClientName(const grpc::ServerContext& context, bool tokens);

// The host of an address as gRPC writes it: "ipv4:10.0.0.7:4711" and "ipv6:%5B::1%5D:4711" without the port.
absl::string_view HostOf(absl::string_view peer);

}  // namespace tidegate
