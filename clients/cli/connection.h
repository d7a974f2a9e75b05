#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/security/credentials.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/tls/pem.h"

namespace tidegate {

// Which server a command talks to, and how.
struct ConnectionOptions {
  std::string server = "127.0.0.1:50051";  // HOST:PORT
  TlsFiles tls;                            // empty: no TLS
  std::string token_file;                  // holds a bearer token; empty: none is sent
  absl::Duration timeout = absl::Seconds(5);
};

// The flags of every command that connects to a server: --server, --tls-ca, --tls-cert, --tls-key,
// --token-file.
void AddConnectionFlags(CLI::App& command, ConnectionOptions& options);

// A connection to a server.
class Connection {
 public:
  // Connects. Unavailable: the server does not answer in time, or the two do not agree on TLS.
  // InvalidArgument: a file that cannot be used.
  static absl::StatusOr<Connection> Open(const ConnectionOptions& options);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  std::shared_ptr<grpc::Channel> NewChannel() const;  // a further connection to the same server

  // To be done to the context of each call: adds the bearer token, if there is one.
  void Authorize(grpc::ClientContext& context) const;

 private:
  std::string server_;
  std::shared_ptr<grpc::ChannelCredentials> credentials_;
  std::shared_ptr<grpc::Channel> channel_;
  std::string authorization_;
};

}  // namespace tidegate
