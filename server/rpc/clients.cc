#include "server/rpc/clients.h"

#include <grpcpp/server_context.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/fault/fault.h"
#include "server/rpc/authentication.h"
#include "server/rpc/limits.h"

namespace tidegate {
namespace {

constexpr std::size_t kFew = 64;

}  // namespace

std::shared_ptr<Client> Clients::Find(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  std::weak_ptr<Client>& known = clients_[name];
  std::shared_ptr<Client> client = known.lock();
  if (client != nullptr) return client;
  known = client = std::make_shared<Client>();
  if (clients_.size() > 2 * cleaned_ + kFew) {
    absl::erase_if(clients_, [](const auto& entry) { return entry.second.expired(); });
    cleaned_ = clients_.size();
  }
  return client;
}

OpenCall::~OpenCall() {
  if (client_ == nullptr) return;
  --client_->calls;
  if (subscribed_) --client_->subscriptions;
  client_->handles -= handles_;
}

absl::Status OpenCall::Open(std::shared_ptr<Client> client) {
  if (client->calls++ >= limits::kClientCalls) {
    --client->calls;
    return Refusal(Fault::kClientCalls, "",
                   absl::StrCat("this client has ", limits::kClientCalls,
                                " calls of Stream and Subscribe open, the most it may have"));
  }
  client_ = std::move(client);
  return absl::OkStatus();
}

absl::Status OpenCall::Subscribe() {
  subscribed_ = client_->subscriptions++ < limits::kClientSubscriptions;
  if (subscribed_) return absl::OkStatus();
  --client_->subscriptions;
  return Refusal(Fault::kSubscriptionsFull, "",
                 absl::StrCat("this client has ", limits::kClientSubscriptions,
                              " subscriptions, the most it may have: end those that it does not need"));
}

bool OpenCall::full() const { return client_->readings >= limits::kClientReadings; }

absl::Status OpenCall::Name(std::size_t streams) {
  if (streams == 0) return absl::OkStatus();
  handles_ += streams;
  if ((client_->handles += streams) <= limits::kClientHandles) return absl::OkStatus();
  return Refusal(Fault::kTooManyStreamIds, "stream_id",
                 absl::StrCat("the calls of this client have named more than ", limits::kClientHandles,
                              " streams: end those that it does not need"));
}

std::string ClientName(const grpc::ServerContext& context, bool tokens) {
  const auto certificate = context.auth_context();
  if (certificate != nullptr && certificate->IsPeerAuthenticated()) {
    const std::vector<grpc::string_ref> identity = certificate->GetPeerIdentity();
    if (!identity.empty())
      return absl::StrCat("certificate ", std::string(identity[0].data(), identity[0].size()));
  }
  if (tokens) {
    if (const absl::string_view token = TokenOf(context.client_metadata()); !token.empty())
      return absl::StrCat("token ", token);
  }
  const std::string peer = context.peer();
  return std::string(HostOf(peer));
}

absl::string_view HostOf(absl::string_view peer) {
  const std::size_t colon = peer.rfind(':');
  const bool has_port = colon != absl::string_view::npos && peer.find(':') != colon;
  return has_port ? peer.substr(0, colon) : peer;
}

}  // namespace tidegate
