#include "clients/cli/connection.h"

#include <grpcpp/create_channel.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "clients/client/resuming_stream.h"
#include "proto/tls/client_credentials.h"

namespace tidegate {
namespace {

// The header that carries the token of a file; empty: no file.
absl::StatusOr<std::string> Authorization(const std::string& file) {
  if (file.empty()) return std::string();
  const auto text = ReadFlagFile("--token-file", file);
  if (!text.ok()) return text.status();
  const absl::string_view token = absl::StripAsciiWhitespace(*text);
  if (token.empty() || !std::all_of(token.begin(), token.end(), absl::ascii_isgraph)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--token-file: ", file, ": expected one token of printable characters without spaces"));
  }
  return absl::StrCat("Bearer ", token);
}

}  // namespace

void AddConnectionFlags(CLI::App& command, ConnectionOptions& options) {
  command.add_option("--server", options.server, "HOST:PORT")->capture_default_str();
  command.add_option("--tls-ca", options.tls.authorities,
                     "Connect with TLS, and trust a server with a certificate of those in this PEM file");
  auto* const certificate =
      command.add_option("--tls-cert", options.tls.certificate, "PEM file with this client's certificate");
  auto* const key = command.add_option("--tls-key", options.tls.key, "PEM file with its private key");
  certificate->needs(key);
  key->needs(certificate);
  command.add_option("--token-file", options.token_file, "Send the bearer token that this file holds");
}

absl::StatusOr<Connection> Connection::Open(const ConnectionOptions& options) {
  auto authorization = Authorization(options.token_file);
  if (!authorization.ok()) return authorization.status();
  const auto credentials = MakeClientCredentials(options.tls);
  if (!credentials.ok()) return credentials.status();
  Connection connection;
  connection.authorization_ = *std::move(authorization);
  connection.server_ = options.server;
  connection.credentials_ = *credentials;
  connection.channel_ = connection.NewChannel();
  if (!connection.channel_->WaitForConnected(absl::ToChronoTime(absl::Now() + options.timeout))) {
    return absl::UnavailableError(absl::StrCat(
        "no server answers at ", options.server, " within ", absl::FormatDuration(options.timeout),
        options.tls.empty() ? " without TLS" : " with TLS and these certificates",
        "; is tidegate-server running there (--server HOST:PORT)",
        options.tls.empty() ? ", or does it want TLS (--tls-ca FILE)?" : "?"));
  }
  return connection;
}

std::shared_ptr<grpc::Channel> Connection::NewChannel() const {
  grpc::ChannelArguments arguments;
  ResumingStream::SetUp(arguments);
  arguments.SetMaxReceiveMessageSize(-1);                   // as long as the server's horizon makes it
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);          // a feed goes to its server, not to a web proxy
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own, not shared
  return grpc::CreateCustomChannel(server_, credentials_, arguments);
}

void Connection::Authorize(grpc::ClientContext& context) const {
  if (!authorization_.empty()) context.AddMetadata("authorization", authorization_);
}

}  // namespace tidegate
