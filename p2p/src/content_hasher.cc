#include "packice/p2p/content_hasher.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include <new>

namespace packice {
namespace {

class Xxh3Hasher final : public ContentHasher {
 public:
  Xxh3Hasher() : state_(XXH3_createState()) {
    if (state_ == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(state_);
  }
  ~Xxh3Hasher() override { XXH3_freeState(state_); }

  void Update(absl::string_view bytes) override {
    XXH3_128bits_update(state_, bytes.data(), bytes.size());
  }
  ContentDigest Finish() override {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_));
    XXH3_128bits_reset(state_);
    return ContentDigest(HashKind::kXxh3,
                         absl::string_view(reinterpret_cast<const char*>(canonical.digest),
                                           sizeof(canonical.digest)));
  }

 private:
  XXH3_state_t* const state_;
};

class Sha256Hasher final : public ContentHasher {
 public:
  Sha256Hasher() : context_(EVP_MD_CTX_new()) {
    if (context_ == nullptr) throw std::bad_alloc();
    EVP_DigestInit_ex(context_, EVP_sha256(), nullptr);
  }
  ~Sha256Hasher() override { EVP_MD_CTX_free(context_); }

  void Update(absl::string_view bytes) override {
    EVP_DigestUpdate(context_, bytes.data(), bytes.size());
  }
  ContentDigest Finish() override {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_, digest, &size);
    EVP_DigestInit_ex(context_, EVP_sha256(), nullptr);
    return ContentDigest(HashKind::kSha256,
                         absl::string_view(reinterpret_cast<const char*>(digest), size));
  }

 private:
  EVP_MD_CTX* const context_;
};

}  // namespace

std::unique_ptr<ContentHasher> ContentHasher::Make(HashKind kind) {
  if (kind == HashKind::kSha256) return std::make_unique<Sha256Hasher>();
  return std::make_unique<Xxh3Hasher>();
}

ContentDigest HashOf(HashKind kind, absl::string_view bytes) {
  const std::unique_ptr<ContentHasher> hasher = ContentHasher::Make(kind);
  hasher->Update(bytes);
  return hasher->Finish();
}

}  // namespace packice
