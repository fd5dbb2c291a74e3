// What every Directory must do. A directory's test file includes this and instantiates it:
//
//   INSTANTIATE_TEST_SUITE_P(Tracker, DirectoryConformance,
//                            testing::Values(DirectoryParam{"Tracker", MakeFleet}),
//                            DirectoryParam::NameOf);
//
// One that can list instantiates DirectoryListConformance (directory_list_conformance.h) as well,
// one that counts who reads from the origin DirectoryGrantConformance.
//
// What one node tells takes time to reach the others, so each rule is tested by waiting for what
// must come, and what must not come is looked for behind something that came.
#pragma once

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "packice/p2p/testing/directory_fixture.h"
#include "packice/p2p/testing/directory_watch_conformance.h"  // IWYU pragma: export

namespace packice {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::SizeIs;

// --- Locate and Announce.

TEST_P(DirectoryConformance, WhatNobodyHoldsHasNoDigest) {
  ASSERT_OK_AND_ASSIGN(Location location, Locate(x_, "a"));
  EXPECT_TRUE(location.digest.empty());
  EXPECT_THAT(location.holders, IsEmpty());
  EXPECT_EQ(location.origin_grant, absl::nullopt) << "who has no origin is let to none";
  EXPECT_EQ(location.retry_after, absl::nullopt);
}

TEST_P(DirectoryConformance, WhatANodeAnnouncesOthersFind) {
  x_.directory->Announce(Whole("a"));
  for (const Node& asker : {y_, z_}) {
    const Location location = LocateUntil(asker, "a", {x_.address});
    EXPECT_EQ(location.digest, Content("content"));
    EXPECT_EQ(location.size, 4000u);
    EXPECT_EQ(location.pieces, 4u);
    ASSERT_THAT(location.holders, SizeIs(1));
    const Holder& holder = location.holders.front();
    EXPECT_EQ(holder.zone, "east");
    EXPECT_TRUE(holder.complete);
    EXPECT_EQ(holder.pieces_held, 4u);
    EXPECT_GE(holder.age, absl::ZeroDuration());
    EXPECT_LT(holder.age, absl::Minutes(1));
  }
}

TEST_P(DirectoryConformance, ANodeIsNeverToldOfItself) {
  x_.directory->Announce(Whole("a"));
  y_.directory->Announce(Whole("a"));
  LocateUntil(z_, "a", {x_.address, y_.address});
  LocateUntil(x_, "a", {y_.address});
  LocateUntil(y_, "a", {x_.address});
}

TEST_P(DirectoryConformance, WhereAllHoldersAreExcludedTheContentIsStillTold) {
  x_.directory->Announce(Whole("a"));
  LocateUntil(y_, "a", {x_.address});
  LocateRequest request = Request("a");
  request.exclude = {x_.address, "nobody:1"};
  ASSERT_OK_AND_ASSIGN(Location location, Locate(y_, request));
  EXPECT_EQ(location.digest, Content("content"));
  EXPECT_THAT(location.holders, IsEmpty());
}

TEST_P(DirectoryConformance, IdsAreAnyBytes) {
  const std::string odd("\0\xff\n/ ../\"", 9);
  const std::string longest(ObjectId::kMaxBytes, '\xfe');
  x_.directory->Announce(Whole(odd, "odd"));
  x_.directory->Announce(Whole(longest, "longest"));
  EXPECT_EQ(LocateUntil(y_, odd, {x_.address}).digest, Content("odd"));
  EXPECT_EQ(LocateUntil(y_, longest, {x_.address}).digest, Content("longest"));
}

TEST_P(DirectoryConformance, DigestsOfBothKindsAreToldAsTheyAre) {
  Holding holding = Whole("a");
  holding.digest = ContentDigest(HashKind::kSha256, std::string(32, '\x80'));
  x_.directory->Announce(holding);
  EXPECT_EQ(LocateUntil(y_, "a", {x_.address}).digest, holding.digest);
}

TEST_P(DirectoryConformance, AnEmptyObjectIsHeldWhole) {
  Holding empty = Whole("a");
  empty.size = empty.pieces = empty.pieces_held = 0;
  x_.directory->Announce(empty);
  const Location location = LocateUntil(y_, "a", {x_.address});
  EXPECT_TRUE(location.holders.at(0).complete);
  EXPECT_EQ(location.size, 0u);
}

TEST_P(DirectoryConformance, WhatIsWithdrawnIsNotFound) {
  x_.directory->Announce(Whole("a"));
  y_.directory->Announce(Whole("a"));
  LocateUntil(z_, "a", {x_.address, y_.address});
  x_.directory->Withdraw(Id("a"));
  LocateUntil(z_, "a", {y_.address});
  y_.directory->Withdraw(Id("a"));
  EXPECT_TRUE(LocateUntil(z_, "a", {}).digest.empty());
}

TEST_P(DirectoryConformance, WhatIsAnnouncedAgainAfterItWasWithdrawnIsFound) {
  x_.directory->Announce(Whole("a"));
  x_.directory->Withdraw(Id("a"));
  x_.directory->Announce(Whole("a"));
  LocateUntil(y_, "a", {x_.address});
  x_.directory->Withdraw(Id("a"));
  LocateUntil(y_, "a", {});
  x_.directory->Announce(Whole("a"));
  LocateUntil(y_, "a", {x_.address});
}

TEST_P(DirectoryConformance, ToWithdrawWhatWasNeverHeldIsNothing) {
  y_.directory->Withdraw(Id("a"));
  x_.directory->Announce(Whole("a"));
  y_.directory->Withdraw(Id("a"));
  y_.directory->Announce(Whole("b"));
  LocateUntil(z_, "b", {y_.address});
  LocateUntil(z_, "a", {x_.address});
}

TEST_P(DirectoryConformance, WhatIsAnnouncedAtOnceIsAllFound) {
  constexpr int kObjects = 500;
  for (int i = 0; i < kObjects; ++i) {
    (i % 2 ? x_ : y_).directory->Announce(Whole(absl::StrCat("object ", i)));
  }
  for (int i = 0; i < kObjects; ++i) {
    LocateUntil(z_, absl::StrCat("object ", i), {(i % 2 ? x_ : y_).address});
    ASSERT_FALSE(HasFailure());
  }
}

TEST_P(DirectoryConformance, AnObjectPastItsOwnLifeIsNotFound) {
  Holding holding = Whole("past");
  holding.expires_at = absl::Now() - absl::Hours(1);
  x_.directory->Announce(holding);
  holding.object_id = Id("yet to come");
  holding.expires_at = absl::Now() + absl::Hours(1);
  x_.directory->Announce(holding);
  LocateUntil(y_, "yet to come", {x_.address});
  EXPECT_TRUE(LocateUntil(y_, "past", {}).digest.empty());
}

// --- Parts.

TEST_P(DirectoryConformance, AHolderOfPartsIsToldAsSuchUntilItHasAll) {
  x_.directory->Announce(Part("a", 1));
  const Holder part = LocateUntil(y_, "a", {x_.address}).holders.at(0);
  EXPECT_FALSE(part.complete);
  EXPECT_EQ(part.pieces_held, 1u);

  x_.directory->Announce(Whole("a"));
  EXPECT_TRUE(Eventually([&] {
    const auto location = Locate(y_, "a");
    return location.ok() && !location->holders.empty() && location->holders[0].complete &&
           location->holders[0].pieces_held == 4;
  }));
}

TEST_P(DirectoryConformance, ACompleteHolderIsToldHoweverManyHoldParts) {
  std::vector<std::string> addresses = {x_.address};
  x_.directory->Announce(Whole("a"));
  for (int i = 0; i < 5; ++i) {
    const Node node = fleet_->AddNode("west");
    node.directory->Announce(Part("a", 3));
    addresses.push_back(node.address);
  }
  LocateUntil(z_, "a", addresses);
  for (size_t max : {1, 2, 3}) {
    LocateRequest request = Request("a");
    request.max = max;
    ASSERT_OK_AND_ASSIGN(Location location, Locate(z_, request));
    EXPECT_LE(location.holders.size(), max);
    EXPECT_THAT(AddressesOf(location), Contains(x_.address));
  }
}

// --- Which content.

TEST_P(DirectoryConformance, OfSeveralContentsTheOneSealedLastCounts) {
  Holding old = Whole("a", "old");
  Holding young = Whole("a", "young");
  young.sealed_at = old.sealed_at + absl::Seconds(10);
  young.size = 8000;
  young.pieces = young.pieces_held = 8;
  x_.directory->Announce(young);
  y_.directory->Announce(old);
  y_.directory->Announce(Whole("behind"));
  LocateUntil(z_, "behind", {y_.address});
  const Location location = LocateUntil(z_, "a", {x_.address});
  EXPECT_EQ(location.digest, Content("young"));
  EXPECT_EQ(location.size, 8000u);
  EXPECT_EQ(location.pieces, 8u);

  x_.directory->Withdraw(Id("a"));
  EXPECT_EQ(LocateUntil(z_, "a", {y_.address}).digest, Content("old"));
}

TEST_P(DirectoryConformance, ANodeHoldsOneContentUnderAnId) {
  Holding next = Whole("a", "next");
  next.sealed_at += absl::Seconds(10);
  x_.directory->Announce(Whole("a"));
  LocateUntil(y_, "a", {x_.address});
  x_.directory->Announce(next);
  EXPECT_TRUE(Eventually([&] {
    const auto location = Locate(y_, "a");
    return location.ok() && location->digest == Content("next");
  }));
  x_.directory->Withdraw(Id("a"));
  EXPECT_TRUE(LocateUntil(y_, "a", {}).digest.empty()) << "the former one is gone as well";
}

// --- Which holders.

TEST_P(DirectoryConformance, HoldersOfTheSameZoneComeFirst) {
  const Node west = fleet_->AddNode("west");
  x_.directory->Announce(Whole("a"));
  west.directory->Announce(Whole("a"));
  EXPECT_THAT(AddressesOf(LocateUntil(z_, "a", {x_.address, west.address})),
              ElementsAre(west.address, x_.address));
  EXPECT_THAT(AddressesOf(LocateUntil(y_, "a", {x_.address, west.address})),
              ElementsAre(x_.address, west.address));
}

TEST_P(DirectoryConformance, NoMoreHoldersAreToldThanAskedFor) {
  x_.directory->Announce(Whole("a"));
  y_.directory->Announce(Whole("a"));
  LocateUntil(z_, "a", {x_.address, y_.address});
  LocateRequest request = Request("a");
  request.max = 1;
  ASSERT_OK_AND_ASSIGN(Location location, Locate(z_, request));
  EXPECT_THAT(location.holders, SizeIs(1));
}

TEST_P(DirectoryConformance, ExcludedHoldersAreNotTold) {
  x_.directory->Announce(Whole("a"));
  y_.directory->Announce(Whole("a"));
  LocateUntil(z_, "a", {x_.address, y_.address});
  LocateRequest request = Request("a");
  request.exclude = {x_.address};
  ASSERT_OK_AND_ASSIGN(Location location, Locate(z_, request));
  EXPECT_THAT(AddressesOf(location), ElementsAre(y_.address));
}

TEST_P(DirectoryConformance, NoReportOfOneNodeTakesAHolderFromTheOthers) {
  x_.directory->Announce(Whole("a"));
  LocateUntil(y_, "a", {x_.address});
  for (HolderFault fault :
       {HolderFault::kGone, HolderFault::kCorrupt, HolderFault::kSlow, HolderFault::kBusy}) {
    for (int i = 0; i < 5; ++i) z_.directory->Report(Id("a"), x_.address, fault);
  }
  z_.directory->Announce(Whole("behind"));
  LocateUntil(y_, "behind", {z_.address});
  LocateUntil(y_, "a", {x_.address});
}

TEST_P(DirectoryConformance, ReportsOfNobodyAndOnNothingAreTaken) {
  x_.directory->Report(Id("never heard of"), "nobody:1", HolderFault::kGone);
  x_.directory->Report(Id("never heard of"), "", HolderFault::kOrigin);
  x_.directory->Announce(Whole("a"));
  LocateUntil(y_, "a", {x_.address});
}

// --- The origin.

TEST_P(DirectoryConformance, WhoHasAnOriginForWhatNobodyHoldsIsLetToItAtLast) {
  LocateRequest request = Request("a");
  request.has_origin = true;
  Location location;
  EXPECT_TRUE(Eventually([&] {
    location = Locate(x_, request).value_or(Location());
    EXPECT_TRUE(location.digest.empty());
    EXPECT_NE(location.origin_grant.has_value(), location.retry_after.has_value());
    return location.origin_grant.has_value() || testing::Test::HasFailure();
  })) << "others, who do not even ask, are not waited for without end";
  ASSERT_NE(location.origin_grant, absl::nullopt);
  EXPECT_GT(*location.origin_grant, absl::ZeroDuration());
  ASSERT_OK_AND_ASSIGN(location, Locate(x_, request));
  EXPECT_NE(location.origin_grant, absl::nullopt) << "who asks again keeps its right";
}

TEST_P(DirectoryConformance, WhoHasAnOriginIsSentToAHolderWhereThereIsOne) {
  x_.directory->Announce(Whole("a"));
  LocateUntil(y_, "a", {x_.address});
  LocateRequest request = Request("a");
  request.has_origin = true;
  ASSERT_OK_AND_ASSIGN(Location location, Locate(y_, request));
  EXPECT_THAT(AddressesOf(location), ElementsAre(x_.address));
  EXPECT_EQ(location.origin_grant, absl::nullopt);
}

// Of directories that count who reads from the origin: instantiated where DirectoryParam says how
// many may.
class DirectoryGrantConformance : public DirectoryConformance {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DirectoryGrantConformance);

TEST_P(DirectoryGrantConformance, FewAreLetToTheOriginAtATime) {
  LocateRequest request = Request("a");
  request.has_origin = true;
  std::vector<Node> granted;
  for (size_t i = 0; i < GetParam().origin_grants; ++i) {
    granted.push_back(fleet_->AddNode("east"));
    ASSERT_OK_AND_ASSIGN(Location location, Locate(granted.back(), request));
    EXPECT_NE(location.origin_grant, absl::nullopt);
  }
  ASSERT_OK_AND_ASSIGN(Location location, Locate(z_, request));
  EXPECT_EQ(location.origin_grant, absl::nullopt);
  ASSERT_NE(location.retry_after, absl::nullopt);
  EXPECT_GT(*location.retry_after, absl::ZeroDuration());

  granted.front().directory->Report(Id("a"), "", HolderFault::kOrigin);
  EXPECT_TRUE(Eventually([&] {
    const auto again = Locate(z_, request);
    return again.ok() && again->origin_grant.has_value();
  })) << "whose origin failed makes room for the next";
}

// --- Threads.

TEST_P(DirectoryConformance, NodesTellAndAskAtTheSameTime) {
  constexpr int kObjects = 50;
  const std::vector<Node> nodes = {x_, y_, z_};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < nodes.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < kObjects; ++k) {
        const std::string own = absl::StrCat(i, "/", k);
        nodes[i].directory->Announce(Whole("shared"));
        nodes[i].directory->Announce(Whole(own));
        EXPECT_THAT(Locate(nodes[i], absl::StrCat((i + 1) % 3, "/", k)), IsOk());
        if (k % 2) nodes[i].directory->Withdraw(Id(own));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  LocateUntil(x_, "shared", {y_.address, z_.address});
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node& asker = nodes[(i + 1) % 3];
    LocateUntil(asker, absl::StrCat(i, "/", kObjects - 2), {nodes[i].address});
    LocateUntil(asker, absl::StrCat(i, "/", kObjects - 1), {});
  }
}

}  // namespace packice
