#include "proto/tls/client_credentials.h"

#include "absl/status/status.h"

namespace tidegate {

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeClientCredentials(const TlsFiles& files) {
  if (files.empty()) return grpc::InsecureChannelCredentials();
  if (files.authorities.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key need --tls-ca: whom to trust");
  }
  const auto pem = ReadPem(files);
  if (!pem.ok()) return pem.status();
  if (auto s = CheckPem(*pem, files); !s.ok()) return s;
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = pem->authorities;
  options.pem_cert_chain = pem->certificate;
  options.pem_private_key = pem->key;
  return grpc::SslCredentials(options);
}

}  // namespace tidegate
