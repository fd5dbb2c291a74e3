#include "packice/core/object_id.h"

#include <string>

#include "absl/hash/hash.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

ObjectId Id(absl::string_view bytes) { return *ObjectId::Parse(bytes); }

TEST(ObjectIdTest, HasOneTo255Bytes) {
  EXPECT_THAT(ObjectId::Parse(""), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(ObjectId::Parse("a"), IsOk());
  EXPECT_THAT(ObjectId::Parse(std::string(255, 'x')), IsOk());
  EXPECT_THAT(ObjectId::Parse(std::string(256, 'x')), HasKind(ErrorKind::kInvalidArgument));
}

TEST(ObjectIdTest, MayBeAnyBytes) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    EXPECT_EQ(Id(bytes).bytes(), bytes);
  }
}

TEST(ObjectIdTest, IsEmptyByDefault) {
  EXPECT_TRUE(ObjectId().empty());
  EXPECT_FALSE(Id("a").empty());
}

TEST(ObjectIdTest, ComparesByBytes) {
  EXPECT_EQ(Id("a"), Id("a"));
  EXPECT_NE(Id("a"), Id("b"));
  EXPECT_LT(Id("a"), Id("b"));
  EXPECT_LT(Id("a"), Id("aa"));
  EXPECT_LT(Id("a"), Id("\xFF")) << "bytes are not signed";
  EXPECT_NE(Id(std::string("a\0b", 3)), Id(std::string("a\0c", 3)));
  EXPECT_EQ(absl::HashOf(Id("a")), absl::HashOf(Id("a")));
  EXPECT_NE(absl::HashOf(Id("a")), absl::HashOf(Id("b")));
}

TEST(ObjectIdTest, IsQuotedForMessages) {
  EXPECT_EQ(Id("plain/id").ToQuoted(), "\"plain/id\"");
  EXPECT_EQ(Id("a\nb\"c").ToQuoted(), "\"a\\nb\\\"c\"") << "no id forges a line of a log";
  EXPECT_EQ(Id("\xC3\xA9").ToQuoted(), "\"\xC3\xA9\"");
}

}  // namespace
}  // namespace packice
