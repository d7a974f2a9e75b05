#include "server/rpc/rpc_server.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "server/rpc/group_limits.h"
#include "server/rpc/limits.h"

namespace tidegate {
namespace {

// What connections without calls have to end by themselves.
constexpr absl::Duration kFarewell = absl::Milliseconds(250);

// Keeps gRPC's threads until the process ends: with the last user gone gRPC would join them, and one that
// still polls a connection takes up to 10 s.
void KeepLibrary() {
  static const bool kept = (grpc_init(), true);
  static_cast<void>(kept);
}

// At most a quarter of what the server may use, if there is a limit.
std::size_t QuarterOfMemory(std::size_t bytes) {
  const auto most = MemoryLimit();
  return most ? std::min(bytes, *most / 4) : bytes;
}

void SetLimits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits::kMessageBytes));
  // gRPC 1.51 applies the limit only after decompression, so that a small message can take any amount of
  // memory.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  grpc::ResourceQuota quota("tidegate");
  quota.Resize(QuarterOfMemory(limits::kTransportBytes));
  quota.SetMaxThreads(limits::kReflectionThreads);
  builder.SetResourceQuota(quota);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits::kConnectionCalls);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, static_cast<int>(limits::kMetadataBytes));
  // A second server on the same port must fail to start instead of taking half of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Notices clients that vanished, and lets idle clients ping.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
}

// Takes gRPC's reflection away: to link its library puts it, and polling threads for it, into every server.
class NoReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins, [](const auto& plugin) {
      return dynamic_cast<grpc::reflection::ProtoServerReflectionPlugin*>(plugin.get()) != nullptr;
    });
  }
};

void SetReflection(bool wanted, grpc::ServerBuilder& builder) {
  if (!wanted) {
    builder.SetOption(std::make_unique<NoReflection>());
    return;
  }
  // The plugin's service is synchronous: one queue and one polling thread are enough for it.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(const Options& options,
                                                            const Repository& repository, Metrics& metrics) {
  const auto colon = options.listen.rfind(':');
  if (colon == std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot listen on '", options.listen, "': expected HOST:PORT, such as 127.0.0.1:50051"));
  }
  std::unique_ptr<RpcServer> server(new RpcServer(options.max_streams, repository));
  server->host_ = options.listen.substr(0, colon + 1);
  KeepLibrary();
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();  // does nothing after the first time
  grpc::ServerBuilder builder;
  SetLimits(builder);
  SetReflection(options.reflection, builder);
  server->credentials_ =
      options.credentials != nullptr ? options.credentials : grpc::InsecureServerCredentials();
  builder.AddListeningPort(options.listen, server->credentials_, &server->port_);
  ServingGroup& group = server->group_;
  builder.RegisterService(&group.forecaster);
  builder.RegisterService(&group.health);
  group.authentication = options.authentication;
  for (std::size_t i = 0; i < metrics.shards(); ++i) {
    group.mailboxes.push_back(std::make_unique<Mailbox>([&group, i] { group.loops[i]->WakeUp(); }));
  }
  ServingOptions serving = options.serving;
  serving.recovers = options.store != nullptr;
  serving.unsent_bytes = QuarterOfMemory(serving.unsent_bytes);
  serving.client_unsent_bytes = QuarterOfMemory(4 * serving.client_unsent_bytes) / 4;
  serving.subscription_bytes =
      QuarterOfMemory(limits::kSubscriptions * limits::kSubscriptionBytes) / limits::kSubscriptions;
  for (std::size_t i = 0; i < metrics.shards(); ++i) {
    group.loops.push_back(
        std::make_unique<ServingLoop>(i, group, repository, serving, metrics.shard(i), builder));
  }
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on '", options.listen,
                     "': is another program using the port, is the address one of this "
                     "machine, and HOST:PORT?"));
  }
  if (options.store != nullptr) {
    server->keeper_ = std::make_unique<StreamKeeper>(*options.store, options.keeping, group, metrics);
  }
  if (options.expire_after > absl::ZeroDuration()) {
    server->expiry_ = std::make_unique<Expiry>(group, server->keeper_.get(), options.expire_after);
  }
  if (options.store != nullptr && !options.backups.empty()) {
    server->backups_ = std::make_unique<Backups>(*options.store, options.backups);
  }
  server->models_ =
      std::make_unique<ModelAdmin>(options.models, repository, group, metrics, server->keeper_.get());
  server->admin_ = std::make_unique<AdminThread>();
  group.admin = server->admin_.get();
  group.models = server->models_.get();
  group.backups = server->backups_.get();
  for (const auto& loop : group.loops) loop->Start();
  return server;
}

RpcServer::~RpcServer() { EndCalls(absl::ZeroDuration()); }

absl::Status RpcServer::Recover(const std::atomic<bool>& stop) {
  if (keeper_ != nullptr) {
    if (auto s = keeper_->Recover(repository_, stop); !s.ok()) return s;
  }
  if (expiry_ != nullptr) expiry_->Start();
  return absl::OkStatus();
}

void RpcServer::AnnounceShutdown() {
  if (std::exchange(announced_, true)) return;
  for (const auto& loop : group_.loops) loop->AnnounceShutdown();
}

absl::Status RpcServer::Shutdown(absl::Duration grace) {
  if (server_ == nullptr) return absl::OkStatus();
  EndCalls(grace);
  return keeper_ == nullptr ? absl::OkStatus() : keeper_->Close();
}

void RpcServer::EndCalls(absl::Duration grace) {
  if (server_ == nullptr) return;
  AnnounceShutdown();
  admin_->Drain();
  if (backups_ != nullptr) backups_->Stop();
  for (const auto& loop : group_.loops) loop->Drain();
  // gRPC waits not only for calls but for every connection, and a client that does nothing does not see that
  // it is to end.
  WaitUntilNoCalls(absl::Now() + grace);
  server_->Shutdown(absl::ToChronoTime(absl::Now() + std::min(grace, kFarewell)));
  WaitUntilNoCalls(absl::InfiniteFuture());
  admin_.reset();
  if (expiry_ != nullptr) expiry_->Stop();
  if (keeper_ != nullptr) keeper_->Stop();
  // Else the journal would tell a loop that has ended what became durable.
  WaitForLoops(absl::Now() + grace, [](ServingLoop& loop, const std::function<void()>& done) {
    loop.Post([&loop, done] { loop.shard().WhenDurable(done); });
  });
  for (const auto& loop : group_.loops) loop->End();
  server_.reset();
}

void RpcServer::WaitUntilNoCalls(absl::Time deadline) {
  WaitForLoops(deadline,
               [](ServingLoop& loop, const std::function<void()>& done) { loop.WhenWithoutCalls(done); });
}

bool RpcServer::Answers(absl::Duration limit) {
  return WaitForLoops(absl::Now() + limit,
                      [](ServingLoop& loop, const std::function<void()>& done) { loop.Post(done); });
}

// Until each loop has called `done`. False: one has not by the deadline.
bool RpcServer::WaitForLoops(
    absl::Time deadline, const std::function<void(ServingLoop&, const std::function<void()>& done)>& ask) {
  struct Loops {
    std::atomic<std::size_t> left;
    absl::Notification none;
  };
  const auto loops = std::make_shared<Loops>();  // a loop may come to it after the deadline
  loops->left = group_.loops.size();
  for (const auto& loop : group_.loops) {
    ask(*loop, [loops] {
      if (--loops->left == 0) loops->none.Notify();
    });
  }
  return loops->none.WaitForNotificationWithDeadline(deadline);
}

}  // namespace tidegate
