#include "proto/tls/pem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

constexpr std::size_t kMostBytes = 1 << 20;

template <typename T, void (*Free)(T*)>
struct Freed {
  void operator()(T* object) const { Free(object); }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509, X509_free>>;

// The source of PEM_read_bio functions.
class Source {
 public:
  explicit Source(const std::string& text)
      : bio_(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))) {}
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source() {
    BIO_free(bio_);
    ERR_clear_error();  // an OpenSSL function of gRPC's would take what is left for its own
  }
  BIO* get() const { return bio_; }

 private:
  BIO* bio_;
};

// Instead of asking for the password of an encrypted key at the terminal.
int NoPassword(char*, int, int, void*) { return 0; }

// The first certificate; null: there is none, or one of them is damaged.
Certificate ReadCertificates(const std::string& text) {
  const Source source(text);
  Certificate first;
  while (Certificate next{PEM_read_bio_X509(source.get(), nullptr, NoPassword, nullptr)}) {
    if (first == nullptr) first = std::move(next);
  }
  return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? std::move(first) : nullptr;
}

Key ReadKey(const std::string& text) {
  const Source source(text);
  return Key(PEM_read_bio_PrivateKey(source.get(), nullptr, NoPassword, nullptr));
}

absl::Status Fault(absl::string_view flag, const std::string& file, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", file, ": ", what));
}

}  // namespace

absl::StatusOr<std::string> ReadFlagFile(absl::string_view flag, const std::string& file) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  std::string text(kMostBytes + 1, '\0');
  if (!in || (!in.read(text.data(), static_cast<std::streamsize>(text.size())) && !in.eof())) {
    return Fault(flag, file, absl::StrCat("cannot be read: ", std::strerror(errno)));
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMostBytes) return Fault(flag, file, "longer than 1 MiB");
  return text;
}

absl::StatusOr<Pem> ReadPem(const TlsFiles& files) {
  if (files.certificate.empty() != files.key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key need each other");
  }
  Pem pem;
  const auto read = [](absl::string_view flag, const std::string& file, std::string& text) -> absl::Status {
    if (file.empty()) return absl::OkStatus();
    auto got = ReadFlagFile(flag, file);
    if (got.ok()) text = *got;
    return got.status();
  };
  if (auto s = read("--tls-cert", files.certificate, pem.certificate); !s.ok()) return s;
  if (auto s = read("--tls-key", files.key, pem.key); !s.ok()) return s;
  if (auto s = read(files.authorities_flag, files.authorities, pem.authorities); !s.ok()) return s;
  return pem;
}

absl::Status CheckPem(const Pem& pem, const TlsFiles& files) {
  if (!files.certificate.empty()) {
    const Certificate certificate = ReadCertificates(pem.certificate);
    if (certificate == nullptr) return Fault("--tls-cert", files.certificate, "holds no certificates in PEM");
    const Key key = ReadKey(pem.key);
    if (key == nullptr) {
      return Fault("--tls-key", files.key, "holds no private key in PEM without a password");
    }
    const bool fits = X509_check_private_key(certificate.get(), key.get()) == 1;
    ERR_clear_error();
    if (!fits) {
      return Fault("--tls-key", files.key,
                   absl::StrCat("is not the key of the first certificate in ", files.certificate));
    }
  }
  if (!files.authorities.empty() && ReadCertificates(pem.authorities) == nullptr) {
    return Fault(files.authorities_flag, files.authorities, "holds no certificates in PEM");
  }
  return absl::OkStatus();
}

}  // namespace tidegate
