#include "test_certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace packice {
namespace {

template <typename T, void (*Free)(T*)>
struct Freed {
  void operator()(T* object) const { Free(object); }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509, X509_free>>;

void Extend(X509* certificate, int kind, const char* value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
  ASSERT_NE(extension, nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Certificate NewCertificate(EVP_PKEY* key, const std::string& common_name, long serial) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  return certificate;
}

template <typename Write>
void WriteFile(const std::string& path, Write write) {
  FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(write(file), 1);
  std::fclose(file);
}

}  // namespace

GrpcTls MakeCertificates(const std::string& directory, const std::string& name) {
  const std::string base = absl::StrCat(directory, "/", name);
  const GrpcTls files{base + ".crt", base + ".key", base + "-authority.crt"};

  const Key authority_key(EVP_EC_gen("P-256"));
  const std::string authority_name = absl::StrCat(name, " authority");
  const Certificate authority = NewCertificate(authority_key.get(), authority_name, 1);
  X509_set_issuer_name(authority.get(), X509_get_subject_name(authority.get()));
  Extend(authority.get(), NID_basic_constraints, "critical,CA:TRUE");
  EXPECT_GT(X509_sign(authority.get(), authority_key.get(), EVP_sha256()), 0);

  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate = NewCertificate(key.get(), name, 2);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(authority.get()));
  Extend(certificate.get(), NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  EXPECT_GT(X509_sign(certificate.get(), authority_key.get(), EVP_sha256()), 0);

  WriteFile(files.certificate, [&](FILE* f) { return PEM_write_X509(f, certificate.get()); });
  WriteFile(files.authority, [&](FILE* f) { return PEM_write_X509(f, authority.get()); });
  WriteFile(files.key, [&](FILE* f) {
    return PEM_write_PrivateKey(f, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return files;
}

}  // namespace packice
