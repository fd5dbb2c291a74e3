// Copy by composition: an object read from one node and created on another.
#include "node.h"

namespace packice {
namespace {

// Between nodes of every kind, in both directions.
class CopyObjectTest : public ::testing::TestWithParam<std::tuple<Way, Way>> {
 protected:
  uint64_t Objects(Client& client) {
    const absl::StatusOr<NodeStats> stats = client.Stats();
    EXPECT_THAT(stats, IsOk());
    return stats.ok() ? stats->peer.objects : ~uint64_t{0};
  }

  // Two named nodes of one test would be the same one.
  static Way Other(Way way) { return way == Way::kNamed ? Way::kDirect : way; }

  TestNode source_{std::get<0>(GetParam())};
  TestNode target_{Other(std::get<1>(GetParam()))};
  std::unique_ptr<Client> from_ = source_.Connect();
  std::unique_ptr<Client> to_ = target_.Connect();
};

INSTANTIATE_TEST_SUITE_P(Ways, CopyObjectTest, ::testing::Combine(EveryWay(), EveryWay()),
                         [](const auto& pair) {
                           return NameOf(std::get<0>(pair.param)) + "To" +
                                  NameOf(std::get<1>(pair.param));
                         });

TEST_P(CopyObjectTest, BytesBlobsAndMetadataArrive) {
  const std::string bytes = Pattern((5 << 20) + 17);
  ASSERT_THAT(from_->Put("a", bytes,
                         {.sizes = {1000, 0, bytes.size() - 1000},
                          .metadata_json = R"({"step":7,"prev_objid":"z"})"}),
              IsOk());
  ASSERT_OK_AND_ASSIGN(const Sealed sealed, CopyObject(*from_, *to_, "a"));
  EXPECT_EQ(sealed.object_id.bytes(), "a");
  EXPECT_EQ(sealed.size, bytes.size());
  ASSERT_OK_AND_ASSIGN(const Reader copy, to_->Get("a"));
  ASSERT_EQ(copy.blob_count(), 3u);
  EXPECT_EQ(copy.blob_size(0), 1000u);
  EXPECT_EQ(copy.blob_size(1), 0u);
  EXPECT_EQ(copy.blob_size(3), 0u) << "there is none";
  EXPECT_THAT(copy.View(0), IsOkAndHolds(bytes.substr(0, 1000)));
  EXPECT_THAT(copy.View(2), IsOkAndHolds(bytes.substr(1000)));
  EXPECT_EQ(copy.metadata_json(), R"({"prev_objid":"z","step":7})");
  ASSERT_OK_AND_ASSIGN(const ObjectInfo info, to_->Stat("a"));
  EXPECT_FALSE(info.expires_at.has_value());
  EXPECT_EQ(info.leases, 1u) << "that of the test";
}

TEST_P(CopyObjectTest, CopyMayHaveAnotherIdAlsoOnTheSameNode) {
  ASSERT_THAT(from_->Put("a", "12345"), IsOk());
  ASSERT_THAT(CopyObject(*from_, *to_, "a", "b"), IsOk());
  ASSERT_THAT(CopyObject(*from_, *from_, "a", "c"), IsOk());
  ASSERT_OK_AND_ASSIGN(const Reader b, to_->Get("b"));
  EXPECT_THAT(b.View(), IsOkAndHolds("12345"));
  ASSERT_OK_AND_ASSIGN(const Reader c, from_->Get("c"));
  EXPECT_THAT(c.View(), IsOkAndHolds("12345"));
}

TEST_P(CopyObjectTest, CopyLivesNoLongerThanTheOriginal) {
  ASSERT_THAT(from_->Put("a", "1", {.object_ttl = absl::Hours(1)}), IsOk());
  ASSERT_OK_AND_ASSIGN(const ObjectInfo original, from_->Stat("a"));
  ASSERT_THAT(CopyObject(*from_, *to_, "a"), IsOk());
  ASSERT_OK_AND_ASSIGN(const ObjectInfo copy, to_->Stat("a"));
  ASSERT_TRUE(copy.expires_at.has_value());
  EXPECT_LE(absl::AbsDuration(*copy.expires_at - *original.expires_at), absl::Seconds(30));
}

TEST_P(CopyObjectTest, FailuresAreThoseOfTheStepAndLeaveNothing) {
  EXPECT_THAT(CopyObject(*from_, *to_, "a"), HasKind(ErrorKind::kNotFound));
  ASSERT_THAT(from_->Put("a", "new"), IsOk());
  ASSERT_THAT(to_->Put("a", "old"), IsOk());
  EXPECT_THAT(CopyObject(*from_, *to_, "a"), HasKind(ErrorKind::kAlreadyExists));
  EXPECT_THAT(CopyObject(*from_, *to_, "a", std::string(256, 'x')),
              HasKind(ErrorKind::kInvalidArgument));
  {
    ASSERT_OK_AND_ASSIGN(const Writer writer, from_->Create("half"));
    EXPECT_THAT(CopyObject(*from_, *to_, "half"), HasKind(ErrorKind::kNotSealed));
  }
  EXPECT_EQ(Objects(*to_), 1u);
  ASSERT_OK_AND_ASSIGN(const ObjectInfo info, from_->Stat("a"));
  EXPECT_EQ(info.leases, 0u);
}

TEST(CopyObjectRoomTest, TargetWithoutRoomKeepsNothing) {
  TestNode source(Way::kDirect);
  LocalPeerOptions options;
  options.capacity = 1000;
  TestNode target(Way::kSocket, options);
  const std::unique_ptr<Client> from = source.Connect();
  const std::unique_ptr<Client> to = target.Connect();
  ASSERT_THAT(from->Put("a", Pattern(2000)), IsOk());
  EXPECT_THAT(CopyObject(*from, *to, "a"), HasKind(ErrorKind::kCapacity));
  ASSERT_OK_AND_ASSIGN(const NodeStats stats, to->Stats());
  EXPECT_EQ(stats.peer.objects, 0u);
  EXPECT_EQ(stats.peer.bytes, 0u);
}

}  // namespace
}  // namespace packice
