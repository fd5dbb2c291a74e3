#include "packice/peers/tier_events.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/blocking.h"
#include "packice/core/event_ring.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"

namespace packice {
namespace {

using testing::ElementsAre;

using Page = absl::StatusOr<EventPage>;

const EventKinds kAll = EventKinds::AllButReads().With(EventKind::kRead);

class TierEventsTest : public testing::Test {
 protected:
  Page Read(EventKinds kinds = kAll) {
    Pending<Page> pending;
    ring_.Read({.kinds = kinds}, OperationId::kNone, pending.Callback());
    return pending.Wait();
  }
  std::vector<std::string> Told() {
    const Page page = Read();
    std::vector<std::string> told;
    for (const EventRecord& event : page->events) {
      told.push_back(absl::StrCat(event.tier, " ", EventKindName(event.kind),
                                  event.detail.empty() ? "" : " ", event.detail));
    }
    return told;
  }

  EventRing ring_;
};

TEST_F(TierEventsTest, NamesOfTiersWithinTiersAddUp) {
  TierEvents cold("cold", ring_);
  TierEvents hot("hot", cold);
  const Event event{EventKind::kEvicted, OperationId{1}, ObjectId(), 1};
  cold.Publish(event);
  hot.Publish(event);
  EXPECT_THAT(Told(), ElementsAre("cold evicted", "cold/hot evicted"));
}

TEST_F(TierEventsTest, ReadsAreToldWhereTheyAreToBe) {
  TierEvents tells("hot", ring_);
  TierEvents silent("hot", ring_, /*tells_reads=*/false);
  EXPECT_FALSE(tells.WantsReads());
  EXPECT_THAT(Read(), IsOk());
  EXPECT_TRUE(tells.WantsReads());
  EXPECT_FALSE(silent.WantsReads());
}

// What a peer tells of reads: each that found its object, once somebody asks, and none of its own
// housekeeping. Copies between tiers are told apart from what clients created.
TEST_F(TierEventsTest, APeerTellsOfReadsAndMarksCopies) {
  TierEvents hot("hot", ring_);
  LocalPeerOptions options;
  options.events = &hot;
  const std::unique_ptr<Peer> peer = MakeMemoryPeer(std::move(options));
  const auto put = [&](absl::string_view id, bool quiet) {
    AcquireRequest create;
    create.access = Access::kCreate;
    create.object_id = *ObjectId::Parse(id);
    create.blob_sizes = {1};
    create.quiet = quiet;
    const absl::StatusOr<Grant> grant = blocking::Acquire(*peer, create);
    ASSERT_THAT(grant, IsOk());
    SealRequest seal;
    seal.lease_id = grant->lease.id;
    ASSERT_THAT(blocking::Seal(*peer, seal), IsOk());
    ASSERT_THAT(blocking::Release(*peer, {grant->lease.id}), IsOk());
  };
  const auto read = [&](absl::string_view id, bool quiet) {
    AcquireRequest request;
    request.object_id = *ObjectId::Parse(id);
    request.quiet = quiet;
    return blocking::Acquire(*peer, request).status();
  };
  put("a", /*quiet=*/false);
  put("b", /*quiet=*/true);
  EXPECT_THAT(read("a", false), IsOk());
  EXPECT_THAT(Told(),
              ElementsAre("hot created", "hot sealed", "hot created copy", "hot sealed copy"))
      << "nobody had asked for reads";
  EXPECT_THAT(read("a", false), IsOk());
  EXPECT_THAT(read("a", true), IsOk());
  EXPECT_THAT(read("none", false), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Told(), ElementsAre("hot created", "hot sealed", "hot created copy",
                                  "hot sealed copy", "hot read"));
}

}  // namespace
}  // namespace packice
