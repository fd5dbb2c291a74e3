// What a tracker needs for a million holdings, and that no call has to wait for all of them.
#include <malloc.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/p2p/content_digest.h"
#include "tracker_table.h"

namespace packice {
namespace {

constexpr uint64_t kEntries = 1'000'000;
constexpr uint64_t kOfMessage = 1000;
constexpr size_t kMaxBytesOfEntry = 250;

size_t HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

tracker::v1::AnnounceRequest Message(uint64_t number) {
  tracker::v1::AnnounceRequest request;
  request.mutable_node()->set_address(absl::StrCat("10.0.0.", number % 4, ":7701"));
  request.set_sequence(number / 4 + 1);
  const std::string digest = ContentDigest(HashKind::kXxh3, std::string(16, 'd')).Encode();
  for (uint64_t i = 0; i < kOfMessage; ++i) {
    tracker::v1::Holding& holding = *request.add_holdings();
    // 32 bytes, in no order.
    holding.set_object_id(absl::StrFormat("%032x", (number * kOfMessage + i) * 0x9e3779b97f4a7c15));
    holding.set_digest(digest);
    holding.set_size(64 << 20);
    holding.set_pieces(16);
    holding.set_pieces_held(16);
  }
  return request;
}

TEST(TrackerMemoryTest, AMillionHoldingsFitAndGoAgain) {
  const Instant now = absl::Hours(1);
  const size_t before = HeapBytes();
  TrackerTable table{TrackerTableOptions()};
  for (uint64_t number = 0; number < kEntries / kOfMessage; ++number) {
    ASSERT_THAT(table.Announce(Message(number), now), IsOk());
  }
  ASSERT_EQ(table.counts().holdings, kEntries);
  const size_t bytes = (HeapBytes() - before) / kEntries;
  std::printf("%zu bytes for each holding\n", bytes);
  EXPECT_LE(bytes, kMaxBytesOfEntry);

  // All nodes fall silent; the question that finds out does a small part of the work.
  const Instant later = now + absl::Minutes(1);
  tracker::v1::LocateRequest request;
  request.set_object_id(Message(0).holdings(0).object_id());
  auto response = table.Locate(request, later);
  ASSERT_THAT(response, IsOk());
  EXPECT_EQ(response->holders_size(), 0);
  EXPECT_GT(table.counts().holdings, kEntries - 100);
  while (table.Sweep(later, 1000)) {
  }
  EXPECT_EQ(table.counts().holdings, 0u);
  EXPECT_EQ(table.counts().objects, 0u);
  EXPECT_LT(HeapBytes() - before, kEntries);
}

}  // namespace
}  // namespace packice
