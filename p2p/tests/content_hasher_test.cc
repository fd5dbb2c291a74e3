#include "packice/p2p/content_hasher.h"

#include <gtest/gtest.h>

#include <string>

namespace packice {
namespace {

TEST(ContentHasher, IsTheFunctionThatItsNameSays) {
  // `printf abc | xxhsum -H2` and `printf abc | sha256sum`.
  EXPECT_EQ(HashOf(HashKind::kXxh3, "abc").ToText(), "xxh3:06b05ab6733a618578af5f94892f3950");
  EXPECT_EQ(HashOf(HashKind::kSha256, "abc").ToText(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(ContentHasher, DoesNotCareHowTheBytesCome) {
  for (HashKind kind : {HashKind::kXxh3, HashKind::kSha256}) {
    const std::string bytes(100'000, 'x');
    const auto hasher = ContentHasher::Make(kind);
    for (size_t at = 0; at < bytes.size(); at += 777) hasher->Update(bytes.substr(at, 777));
    EXPECT_EQ(hasher->Finish(), HashOf(kind, bytes));
    hasher->Update("abc");
    EXPECT_EQ(hasher->Finish(), HashOf(kind, "abc")) << "it starts anew";
  }
}

TEST(ContentDigest, ComesBackFromItsEncodedForm) {
  const ContentDigest digest = HashOf(HashKind::kSha256, "abc");
  EXPECT_EQ(*ContentDigest::Decode(digest.Encode()), digest);
  EXPECT_TRUE(ContentDigest::Decode("")->empty());
  EXPECT_FALSE(ContentDigest::Decode(digest.Encode().substr(1)).ok());
  EXPECT_FALSE(ContentDigest::Decode(digest.Encode() + "x").ok());
}

}  // namespace
}  // namespace packice
