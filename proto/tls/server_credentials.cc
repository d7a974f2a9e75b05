#include "proto/tls/server_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "spdlog/spdlog.h"

namespace tidegate {
namespace {

// gRPC 1.51 aborts if a later config has no authorities, though without them it asks no client for a
// certificate: the server's own certificate stands in, and nothing is ever compared with it.
grpc_ssl_server_certificate_config* MakeConfig(const Pem& pem) {
  const grpc_ssl_pem_key_cert_pair pair = {.private_key = pem.key.c_str(),
                                           .cert_chain = pem.certificate.c_str()};
  const std::string& authorities = pem.authorities.empty() ? pem.certificate : pem.authorities;
  return grpc_ssl_server_certificate_config_create(authorities.c_str(), &pair, 1);
}

// grpc::SslServerCredentials reads nothing anew, and the file watcher of grpc::experimental polls by a
// thread; below both, gRPC's core asks for the certificate on each handshake.
class ReloadingCredentials final : public grpc::ServerCredentials {
 public:
  ReloadingCredentials(TlsFiles files, Pem good) : files_(std::move(files)), seen_(std::move(good)) {
    const auto request = files_.authorities.empty()
                             ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                             : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
    credentials_ = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(request, &Fetch, this));
  }
  ReloadingCredentials(const ReloadingCredentials&) = delete;
  ReloadingCredentials& operator=(const ReloadingCredentials&) = delete;
  ~ReloadingCredentials() override { grpc_server_credentials_release(credentials_); }

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // What gRPC calls, from any thread; the first time when the port is added.
  static grpc_ssl_certificate_config_reload_status Fetch(void* self,
                                                         grpc_ssl_server_certificate_config** config) {
    return static_cast<ReloadingCredentials*>(self)->Reload(config);
  }

  grpc_ssl_certificate_config_reload_status Reload(grpc_ssl_server_certificate_config** config) {
    const absl::MutexLock lock(&mutex_);
    if (!started_) {
      started_ = true;
      *config = MakeConfig(*seen_);
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
    }
    absl::StatusOr<Pem> now = ReadPem(files_);
    if (now == seen_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    seen_ = std::move(now);
    const absl::Status usable = seen_.ok() ? CheckPem(*seen_, files_) : seen_.status();
    if (!usable.ok()) {
      spdlog::error("TLS goes on with the certificates it has: {}", std::string(usable.message()));
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    spdlog::info("TLS: new connections get what is in {} now", files_.certificate);
    *config = MakeConfig(*seen_);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const TlsFiles files_;
  grpc_server_credentials* credentials_;
  absl::Mutex mutex_;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  absl::StatusOr<Pem> seen_ ABSL_GUARDED_BY(mutex_);  // the last content read, or why it could not be
};

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(const TlsFiles& files) {
  auto pem = ReadPem(files);
  if (!pem.ok()) return pem.status();
  if (files.certificate.empty()) {
    return absl::InvalidArgumentError(std::string(files.authorities_flag) +
                                      " needs --tls-cert and --tls-key");
  }
  if (auto s = CheckPem(*pem, files); !s.ok()) return s;
  return std::make_shared<ReloadingCredentials>(files, *std::move(pem));
}

}  // namespace tidegate
