#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/metrics/metrics.h"
#include "server/models/repository.h"
#include "server/rpc/admin_thread.h"
#include "server/rpc/backups.h"
#include "server/rpc/expiry.h"
#include "server/rpc/model_admin.h"
#include "server/rpc/serving_loop.h"
#include "server/rpc/stream_keeper.h"

namespace tidegate {

// A gRPC server with the Forecaster service and the standard health service (grpc.health.v1), which knows the
// names
// "" and "tidegate.v1.Forecaster". Start, AnnounceShutdown and Shutdown are for one thread.
class RpcServer {
 public:
  struct Options {
    std::string listen = "127.0.0.1:0";                              // HOST:PORT; port 0: a free one
    std::shared_ptr<grpc::ServerCredentials> credentials = nullptr;  // null: no TLS
    bool reflection = false;              // gRPC server reflection (v1alpha), on polling threads of its own
    std::filesystem::path models;         // folder that LoadModel reads from
    std::size_t max_streams = 1'000'000;  // over all models and shards
    Authentication* authentication = nullptr;  // null: everyone may call everything; must outlive the server
    Store* store = nullptr;                    // null: streams live in memory only; must outlive the server
    StreamKeeper::Options keeping;             // with a store
    absl::Duration expire_after;               // see Expiry; zero: streams stay
    std::filesystem::path backups;             // folder for copies of the store; empty: none are made
    ServingOptions serving;
  };

  // Listens, and serves until Shutdown, with a thread for each shard of `metrics`, which must outlive it, and
  // which nobody else may write. Unavailable: the address cannot be listened on, for instance since another
  // server does.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const Options& options,
                                                          const Repository& repository, Metrics& metrics);
  ~RpcServer();  // if it has not been shut down: ends all calls, and leaves the store as a crash does

  int port() const { return port_; }
  std::string address() const { return host_ + std::to_string(port_); }

  // With a store: brings its streams back; until then calls are refused, and health is NOT_SERVING. Once, and
  // before anything else. Then, with or without: begins to forget streams that nobody feeds. Errors as those
  // of StreamKeeper::Recover.
  absl::Status Recover(const std::atomic<bool>& stop);

  // Whether every shard's thread has answered within `limit`. Not during or after Shutdown; else from any
  // thread.
  bool Answers(absl::Duration limit);

  // Null: streams do not expire.
  Expiry* expiry() { return expiry_.get(); }

  // Health answers NOT_SERVING from now on, so that clients go elsewhere; all calls are served as before.
  void AnnounceShutdown();

  // Answers what was admitted, ends streams with UNAVAILABLE, and cancels the calls that are still open after
  // `grace`; then puts all streams into the store, if there is one and Recover has succeeded. Errors of the
  // store.
  absl::Status Shutdown(absl::Duration grace);

 private:
  RpcServer(std::size_t max_streams, const Repository& repository)
      : repository_(repository), group_(max_streams) {}

  void EndCalls(absl::Duration grace);
  void WaitUntilNoCalls(absl::Time deadline);
  bool WaitForLoops(absl::Time deadline,
                    const std::function<void(ServingLoop&, const std::function<void()>& done)>& ask);

  const Repository repository_;  // as of the start
  std::string host_;             // with the colon
  int port_ = 0;
  bool announced_ = false;
  std::shared_ptr<grpc::ServerCredentials> credentials_;  // outlive the server, as those that reload ask
  ServingGroup group_;
  std::unique_ptr<StreamKeeper> keeper_;
  std::unique_ptr<Expiry> expiry_;
  std::unique_ptr<ModelAdmin> models_;
  std::unique_ptr<Backups> backups_;
  std::unique_ptr<AdminThread> admin_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace tidegate
