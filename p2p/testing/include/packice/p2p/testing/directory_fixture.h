// The fixture of the directory conformance suite: a fleet of nodes, each with its view of one
// directory. See directory_conformance.h.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/time/clock.h"
#include "absl/types/optional.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/p2p/directory.h"

namespace packice {

// Nodes that share one directory, none yet.
class DirectoryFleet {
 public:
  struct Node {
    Directory* directory = nullptr;  // lives as long as the fleet
    std::string address;             // as others hear of it
  };

  virtual ~DirectoryFleet() = default;

  // A further node, which knows of the others when this returns.
  virtual Node AddNode(const std::string& zone) = 0;

  // Lets what was told get around: called again and again until what a test waits for holds, so a
  // fleet whose messages travel by themselves may return at once.
  virtual void Settle() = 0;
};

struct DirectoryParam {
  std::string name;  // letters and digits
  std::function<std::unique_ptr<DirectoryFleet>()> make;
  size_t origin_grants = 0;  // nodes that are let to the origin at a time, where that is counted

  static std::string NameOf(const testing::TestParamInfo<DirectoryParam>& info) {
    return info.param.name;
  }
};

inline void PrintTo(const DirectoryParam& param, std::ostream* os) { *os << param.name; }
inline void PrintTo(const ObjectId& id, std::ostream* os) { *os << id.ToQuoted(); }
inline void PrintTo(const ContentDigest& digest, std::ostream* os) { *os << digest.ToText(); }

class DirectoryConformance : public testing::TestWithParam<DirectoryParam> {
 protected:
  using Node = DirectoryFleet::Node;

  static ObjectId Id(absl::string_view bytes) { return *ObjectId::Parse(bytes); }
  // The content that is called so.
  static ContentDigest Content(absl::string_view name);
  // All four pieces of `content`, sealed at second 100.
  static Holding Whole(absl::string_view object_id, absl::string_view content = "content");
  static Holding Part(absl::string_view object_id, uint32_t pieces_held);
  static std::vector<std::string> AddressesOf(const Location& location);

  LocateRequest Request(absl::string_view object_id) {
    LocateRequest request;
    request.object_id = Id(object_id);
    return request;
  }
  absl::StatusOr<Location> Locate(const Node& node, LocateRequest request);
  absl::StatusOr<Location> Locate(const Node& node, absl::string_view object_id) {
    return Locate(node, Request(object_id));
  }
  absl::StatusOr<std::vector<ObjectId>> List(const Node& node, const std::string& prefix,
                                             const std::string& after, size_t limit);

  // Waits until `node` is told of exactly these holders, in any order, and returns what it is told;
  // after a long time it returns whatever it is told, with a failure of the test.
  Location LocateUntil(const Node& node, absl::string_view object_id,
                       std::vector<std::string> holders);

  // Waits until `condition` holds, and lets things get around meanwhile.
  template <typename Condition>
  bool Eventually(Condition condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (!condition()) {
      if (absl::Now() > deadline) return false;
      fleet_->Settle();
      std::this_thread::yield();
    }
    return true;
  }

  std::unique_ptr<DirectoryFleet> fleet_ = GetParam().make();
  const Node x_ = fleet_->AddNode("east");
  const Node y_ = fleet_->AddNode("east");
  const Node z_ = fleet_->AddNode("west");
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DirectoryConformance);

}  // namespace packice
