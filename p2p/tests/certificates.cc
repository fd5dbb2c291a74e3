#include "certificates.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace packice {
namespace {

template <typename T, void (*kFree)(T*)>
struct Free {
  void operator()(T* value) const { kFree(value); }
};
template <typename T, void (*kFree)(T*)>
using Owned = std::unique_ptr<T, Free<T, kFree>>;

using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using Certificate = Owned<X509, X509_free>;

Key MakeKey() { return Key(EVP_EC_gen("P-256")); }

// Signed by `issuer`, which may be itself.
Certificate MakeCertificate(EVP_PKEY* key, absl::string_view name, X509* issuer,
                            EVP_PKEY* issuer_key) {
  Certificate certificate(X509_new());
  X509* const raw = certificate.get();
  X509_set_version(raw, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(raw), issuer == nullptr ? 1 : 2);
  X509_gmtime_adj(X509_getm_notBefore(raw), -60);
  X509_gmtime_adj(X509_getm_notAfter(raw), 3600);
  X509_set_pubkey(raw, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.data()),
                             static_cast<int>(name.size()), -1, 0);
  X509_set_issuer_name(raw, X509_get_subject_name(issuer == nullptr ? raw : issuer));
  if (issuer == nullptr) {
    const Owned<X509_EXTENSION, X509_EXTENSION_free> authority(
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE"));
    X509_add_ext(raw, authority.get(), -1);
  }
  EXPECT_GT(X509_sign(raw, issuer_key, EVP_sha256()), 0);
  return certificate;
}

void WriteCertificate(const std::string& path, X509* certificate) {
  FILE* const file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  PEM_write_X509(file, certificate);
  std::fclose(file);
}

void WriteKey(const std::string& path, EVP_PKEY* key) {
  FILE* const file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
}

}  // namespace

struct Certificates::Keys {
  Key key;
  Certificate certificate;
};

Certificates::Certificates()
    : directory_((std::filesystem::temp_directory_path() / "packice-tls-XXXXXX").string()),
      authority_(std::make_unique<Keys>()) {
  EXPECT_NE(mkdtemp(directory_.data()), nullptr);
  authority_->key = MakeKey();
  authority_->certificate =
      MakeCertificate(authority_->key.get(), "authority", nullptr, authority_->key.get());
  WriteCertificate(directory_ + "/authority.pem", authority_->certificate.get());
}

Certificates::~Certificates() { std::filesystem::remove_all(directory_); }

TlsFiles Certificates::Issue() {
  const std::string base = absl::StrCat(directory_, "/node", ++issued_);
  const Key key = MakeKey();
  const Certificate certificate =
      MakeCertificate(key.get(), "node", authority_->certificate.get(), authority_->key.get());
  WriteCertificate(base + ".pem", certificate.get());
  WriteKey(base + ".key", key.get());
  return {base + ".pem", base + ".key", directory_ + "/authority.pem"};
}

}  // namespace packice
