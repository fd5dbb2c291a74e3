#include "packice/p2p/testing/directory_fixture.h"

#include <algorithm>
#include <utility>

namespace packice {

ContentDigest DirectoryConformance::Content(absl::string_view name) {
  std::string bytes(name);
  bytes.resize(DigestBytes(HashKind::kXxh3), '.');
  return ContentDigest(HashKind::kXxh3, bytes);
}

Holding DirectoryConformance::Whole(absl::string_view object_id, absl::string_view content) {
  Holding holding;
  holding.object_id = Id(object_id);
  holding.digest = Content(content);
  holding.size = 4000;
  holding.pieces = 4;
  holding.pieces_held = 4;
  holding.sealed_at = absl::FromUnixSeconds(100);
  return holding;
}

Holding DirectoryConformance::Part(absl::string_view object_id, uint32_t pieces_held) {
  Holding holding = Whole(object_id);
  holding.pieces_held = pieces_held;
  holding.sealed_at = absl::UnixEpoch();
  return holding;
}

std::vector<std::string> DirectoryConformance::AddressesOf(const Location& location) {
  std::vector<std::string> addresses;
  for (const Holder& holder : location.holders) addresses.push_back(holder.address);
  return addresses;
}

absl::StatusOr<Location> DirectoryConformance::Locate(const Node& node, LocateRequest request) {
  Pending<absl::StatusOr<Location>> pending;
  node.directory->Locate(std::move(request), pending.Callback());
  absl::StatusOr<Location> location = pending.Wait();
  EXPECT_EQ(pending.calls(), 1);
  return location;
}

absl::StatusOr<std::vector<ObjectId>> DirectoryConformance::List(const Node& node,
                                                                 const std::string& prefix,
                                                                 const std::string& after,
                                                                 size_t limit) {
  Pending<absl::StatusOr<std::vector<ObjectId>>> pending;
  node.directory->List(prefix, after, limit, pending.Callback());
  return pending.Wait();
}

Location DirectoryConformance::LocateUntil(const Node& node, absl::string_view object_id,
                                           std::vector<std::string> holders) {
  std::sort(holders.begin(), holders.end());
  absl::StatusOr<Location> location;
  const auto told = [&] {
    location = Locate(node, object_id);
    if (!location.ok()) return false;
    std::vector<std::string> addresses = AddressesOf(*location);
    std::sort(addresses.begin(), addresses.end());
    return addresses == holders;
  };
  EXPECT_TRUE(Eventually(told)) << "waited for " << testing::PrintToString(holders)
                                << ", was told of "
                                << (location.ok() ? testing::PrintToString(AddressesOf(*location))
                                                  : location.status().ToString());
  return location.value_or(Location());
}

}  // namespace packice
