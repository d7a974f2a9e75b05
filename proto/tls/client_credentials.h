#pragma once

#include <grpcpp/security/credentials.h>

#include <memory>

#include "absl/status/statusor.h"
#include "proto/tls/pem.h"

namespace tidegate {

// What a client connects with: no TLS if `files` is empty. Else TLS with a server whose certificate is of
// files.authorities and names the host that is connected to, and, if there is a certificate, with that one of
// its own. Read once. InvalidArgument: a certificate without authorities; errors of ReadPem and CheckPem.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeClientCredentials(const TlsFiles& files);

}  // namespace tidegate
