#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidegate {

// The PEM files of one end of a TLS connection, by path; empty: none.
struct TlsFiles {
  std::string certificate = {};  // --tls-cert: its own, then those between it and an authority
  std::string key = {};          // --tls-key: of its own certificate, not encrypted
  std::string authorities = {};  // the certificates it trusts in the other end
  absl::string_view authorities_flag = "--tls-ca";  // to name in errors

  bool empty() const { return certificate.empty() && key.empty() && authorities.empty(); }
};

// What is in these files.
struct Pem {
  std::string certificate;
  std::string key;
  std::string authorities;
  bool operator==(const Pem&) const = default;
};

// The text of a file that a person wrote or made, at most 1 MiB. InvalidArgument: it cannot be read, or is
// longer; the message names the flag and the file.
absl::StatusOr<std::string> ReadFlagFile(absl::string_view flag, const std::string& file);

// Reads the files. InvalidArgument: a certificate without a key or a key without a certificate; errors of
// ReadFlagFile.
absl::StatusOr<Pem> ReadPem(const TlsFiles& files);

// InvalidArgument: not PEM, no certificate, an encrypted key, or a key of another certificate; the message
// names the flag and the file.
absl::Status CheckPem(const Pem& pem, const TlsFiles& files);

}  // namespace tidegate
