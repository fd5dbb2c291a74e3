#include "packice/core/lease_id.h"

#include <set>
#include <string>

#include "absl/hash/hash.h"
#include "packice/core/random.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

TEST(LeaseIdTest, IsWrittenAs32HexadecimalDigitsAndReadBack) {
  FakeRandom random;
  for (int i = 0; i < 1000; ++i) {
    const LeaseId id = LeaseId::Random(random);
    const std::string text = id.ToString();
    EXPECT_EQ(text.size(), 32u);
    EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_THAT(LeaseId::Parse(text), IsOkAndHolds(id));
  }
}

TEST(LeaseIdTest, KeepsEveryDigit) {
  const std::string text = "0123456789abcdeffedcba9876543210";
  ASSERT_OK_AND_ASSIGN(LeaseId id, LeaseId::Parse(text));
  EXPECT_EQ(id.ToString(), text);
  EXPECT_EQ(id.low_bits(), 0xfedcba9876543210u);
}

TEST(LeaseIdTest, ReadsDigitsOfEitherCase) {
  EXPECT_EQ(*LeaseId::Parse("ABCDEF00000000000000000000ABCDEF"),
            *LeaseId::Parse("abcdef00000000000000000000abcdef"));
}

TEST(LeaseIdTest, AnythingElseIsInvalid) {
  for (absl::string_view text :
       {"", "0", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0",
        "0123456789abcdef0123456789abcdeg", " 0123456789abcdef0123456789abcde",
        "0x23456789abcdef0123456789abcdef", "-123456789abcdef0123456789abcdef",
        "01234567-89ab-cdef-0123-456789ab"}) {
    EXPECT_THAT(LeaseId::Parse(text), HasKind(ErrorKind::kInvalidArgument)) << text;
  }
  EXPECT_THAT(LeaseId::Parse(absl::string_view("0123456789abcdef0123456789abcde\0", 32)),
              HasKind(ErrorKind::kInvalidArgument));
}

TEST(LeaseIdTest, DefaultsToTheIdOfNoLease) {
  EXPECT_EQ(LeaseId().ToString(), std::string(32, '0'));
  EXPECT_NE(LeaseId::Random(RandomSource::System()), LeaseId());
}

TEST(LeaseIdTest, Compares) {
  const LeaseId low = *LeaseId::Parse("00000000000000000000000000000001");
  const LeaseId high = *LeaseId::Parse("00000000000000010000000000000000");
  EXPECT_LT(low, high);
  EXPECT_FALSE(high < low);
  EXPECT_NE(low, high);
  EXPECT_EQ(absl::HashOf(low), absl::HashOf(low));
}

TEST(LeaseIdTest, NoTwoAreTheSame) {
  std::set<LeaseId> ids;
  for (int i = 0; i < 100'000; ++i) ids.insert(LeaseId::Random(RandomSource::System()));
  EXPECT_EQ(ids.size(), 100'000u);
}

// No proof of randomness, but of every bit being drawn at all: each is set in about half of the
// ids.
TEST(LeaseIdTest, All128BitsAreRandom) {
  constexpr int kIds = 4096;
  int set[128] = {};
  for (int i = 0; i < kIds; ++i) {
    const std::string text = LeaseId::Random(RandomSource::System()).ToString();
    for (int bit = 0; bit < 128; ++bit) {
      const char digit = text[static_cast<size_t>(bit / 4)];
      const int value = digit <= '9' ? digit - '0' : digit - 'a' + 10;
      set[bit] += value >> (bit % 4) & 1;
    }
  }
  // Ten standard deviations (32 each) off: that happens by chance less than once in 10^20 runs.
  for (int bit = 0; bit < 128; ++bit) {
    EXPECT_GT(set[bit], kIds / 2 - 320) << bit;
    EXPECT_LT(set[bit], kIds / 2 + 320) << bit;
  }
}

}  // namespace
}  // namespace packice
