// The part of the directory conformance suite that is about lists. See directory_conformance.h.
#pragma once

#include <string>
#include <vector>

#include "packice/p2p/testing/directory_fixture.h"

namespace packice {

class DirectoryListConformance : public DirectoryConformance {
 protected:
  static std::vector<ObjectId> Ids(const std::vector<std::string>& bytes) {
    std::vector<ObjectId> ids;
    for (const std::string& each : bytes) ids.push_back(Id(each));
    return ids;
  }
  // Waits until the node lists exactly these.
  void ListUntil(const Node& node, const std::string& prefix, const std::string& after,
                 size_t limit, const std::vector<std::string>& expected) {
    absl::StatusOr<std::vector<ObjectId>> listed;
    EXPECT_TRUE(Eventually([&] {
      listed = List(node, prefix, after, limit);
      return listed.ok() && *listed == Ids(expected);
    })) << "was told "
        << (listed.ok() ? testing::PrintToString(*listed) : listed.status().ToString());
  }
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DirectoryListConformance);

TEST_P(DirectoryListConformance, ListsWhatSomebodyHoldsWholeInTheOrderOfBytes) {
  for (const char* id : {"b", "\xff", "a/2", "a/1"}) x_.directory->Announce(Whole(id));
  y_.directory->Announce(Whole("a/1"));
  y_.directory->Announce(Part("parts only", 3));
  z_.directory->Announce(Whole("c"));
  ListUntil(z_, "", "", 100, {"a/1", "a/2", "b", "c", "\xff"});
  ListUntil(x_, "", "", 100, {"a/1", "a/2", "b", "c", "\xff"});
}

TEST_P(DirectoryListConformance, ListsByPrefixAndByPages) {
  for (const char* id : {"a", "m/1", "m/2", "m/3", "m/4", "n"}) x_.directory->Announce(Whole(id));
  ListUntil(y_, "m/", "", 100, {"m/1", "m/2", "m/3", "m/4"});
  ListUntil(y_, "m/", "", 3, {"m/1", "m/2", "m/3"});
  ListUntil(y_, "m/", "m/3", 3, {"m/4"});
  ListUntil(y_, "m/", "m/4", 3, {});
  ListUntil(y_, "", "m/25", 2, {"m/3", "m/4"});
  ListUntil(y_, "none", "", 3, {});
}

TEST_P(DirectoryListConformance, WhatIsWithdrawnIsListedNoMore) {
  x_.directory->Announce(Whole("a"));
  x_.directory->Announce(Whole("b"));
  ListUntil(y_, "", "", 10, {"a", "b"});
  x_.directory->Withdraw(Id("a"));
  ListUntil(y_, "", "", 10, {"b"});
}

}  // namespace packice
