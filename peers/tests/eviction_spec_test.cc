// The names of eviction policies, as `--eviction` takes them.
#include "packice/peers/eviction_spec.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(EvictionSpecTest, EveryNameIsRead) {
  for (const EvictionKind kind : EvictionKinds()) {
    ASSERT_OK_AND_ASSIGN(const EvictionSpec spec, ParseEvictionSpec(EvictionKindName(kind)));
    EXPECT_EQ(spec.kind, kind);
    EXPECT_EQ(spec.ToString(), EvictionKindName(kind));
  }
}

TEST(EvictionSpecTest, TheDefaultIsS3FifoThatPromotesAtTheSecondRead) {
  const EvictionSpec spec;
  EXPECT_EQ(spec.ToString(), "s3fifo");
  EXPECT_EQ(spec.promote, 2u);
}

TEST(EvictionSpecTest, KeysAreReadAndWrittenBack) {
  ASSERT_OK_AND_ASSIGN(const EvictionSpec spec,
                       ParseEvictionSpec("s3fifo,promote=1,small=0.25,ghost=2"));
  EXPECT_EQ(spec.promote, 1u);
  EXPECT_EQ(spec.small, 0.25);
  EXPECT_EQ(spec.ghost, 2);
  EXPECT_EQ(spec.ToString(), "s3fifo,promote=1,small=0.25,ghost=2");
}

TEST(EvictionSpecTest, AnUnknownNameIsToldWhichThereAre) {
  for (const char* text : {"", "arc", "LRU", "lru ", ",lru"}) {
    const absl::Status status = ParseEvictionSpec(text).status();
    EXPECT_THAT(status, HasKind(ErrorKind::kInvalidArgument)) << text;
    EXPECT_THAT(status.message(), HasSubstr("there are s3fifo, lru, sieve, gdsf, fifo"));
  }
}

TEST(EvictionSpecTest, AnUnknownKeyIsToldWhichThereAre) {
  const absl::Status s3fifo = ParseEvictionSpec("s3fifo,window=3").status();
  EXPECT_THAT(s3fifo, HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(s3fifo.message(), AllOf(HasSubstr("window"), HasSubstr("promote, small and ghost")));
  const absl::Status lru = ParseEvictionSpec("lru,promote=2").status();
  EXPECT_THAT(lru, HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(lru.message(), HasSubstr("lru has no keys"));
}

TEST(EvictionSpecTest, ValuesOutOfRangeAreInvalid) {
  for (const char* text :
       {"s3fifo,promote=0", "s3fifo,promote=4", "s3fifo,promote=x", "s3fifo,promote", "s3fifo,",
        "s3fifo,small=0", "s3fifo,small=1", "s3fifo,small=nan", "s3fifo,ghost=-1",
        "s3fifo,ghost=11", "s3fifo,ghost=nan"}) {
    EXPECT_THAT(ParseEvictionSpec(text), HasKind(ErrorKind::kInvalidArgument)) << text;
  }
}

}  // namespace
}  // namespace packice
