#include "tests/support/certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <fstream>

namespace tidegate {
namespace {

X509* Make(const std::string& name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  static long serial = 1;
  X509* const made = X509_new();
  X509_set_version(made, 2);  // that is, 3
  ASN1_INTEGER_set(X509_get_serialNumber(made), serial++);
  X509_gmtime_adj(X509_getm_notBefore(made), -60);
  X509_gmtime_adj(X509_getm_notAfter(made), 3600);
  X509_set_pubkey(made, key);
  X509_NAME* const subject = X509_get_subject_name(made);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509* const signer = issuer == nullptr ? made : issuer;
  X509_set_issuer_name(made, X509_get_subject_name(signer));
  X509V3_CTX context;
  X509V3_set_ctx(&context, signer, made, nullptr, nullptr, 0);
  const auto add = [&](int nid, const char* value) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    X509_add_ext(made, extension, -1);
    X509_EXTENSION_free(extension);
  };
  if (issuer == nullptr) {
    add(NID_basic_constraints, "critical,CA:TRUE");
  } else {
    add(NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
  }
  X509_sign(made, issuer_key == nullptr ? key : issuer_key, EVP_sha256());
  return made;
}

// The PEM text that `write` puts into a BIO.
template <typename Write>
std::string Text(Write write) {
  BIO* const bio = BIO_new(BIO_s_mem());
  write(bio);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

}  // namespace

struct TestAuthority::Made {
  EVP_PKEY* key;
  X509* certificate;
};

TestAuthority::TestAuthority(const std::string& name) : made_(new Made()) {
  made_->key = EVP_EC_gen("P-256");
  made_->certificate = Make(name, made_->key, nullptr, nullptr);
  certificate_ = Text([this](BIO* bio) { PEM_write_bio_X509(bio, made_->certificate); });
}

TestAuthority::~TestAuthority() {
  X509_free(made_->certificate);
  EVP_PKEY_free(made_->key);
  delete made_;
}

void TestAuthority::Issue(const std::filesystem::path& certificate, const std::filesystem::path& key) const {
  EVP_PKEY* const made_key = EVP_EC_gen("P-256");
  X509* const made = Make("tidegate-test", made_key, made_->certificate, made_->key);
  ReplaceFile(certificate, Text([&](BIO* bio) { PEM_write_bio_X509(bio, made); }));
  ReplaceFile(key, Text([&](BIO* bio) {
                PEM_write_bio_PrivateKey(bio, made_key, nullptr, nullptr, 0, nullptr, nullptr);
              }));
  X509_free(made);
  EVP_PKEY_free(made_key);
}

void ReplaceFile(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path next = file.string() + ".next";
  std::ofstream(next, std::ios::binary) << text;
  std::filesystem::rename(next, file);
}

}  // namespace tidegate
