#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "absl/status/statusor.h"
#include "proto/tls/pem.h"

namespace tidegate {

// TLS for a server, with files.certificate; with files.authorities, clients must present a certificate of one
// of these. The files are read anew on each handshake, and what has changed holds from that connection on;
// older connections stay. If the new content cannot be used, that is logged once, and what was good stays in
// force, so files may be replaced one after the other. Must outlive the server. InvalidArgument: errors of
// ReadPem and CheckPem.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(const TlsFiles& files);

}  // namespace tidegate
