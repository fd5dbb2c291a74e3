// Put: a whole object in one call, or nothing of it. See peer_conformance.h.
#include <string>
#include <thread>
#include <vector>

#include "packice/core/testing/peer_fixture.h"

namespace packice {
namespace {

using Putting = Pending<absl::StatusOr<Sealed>>;

}  // namespace

TEST_P(PeerConformance, WhatIsPutIsReadable) {
  ASSERT_OK_AND_ASSIGN(Sealed sealed, PutWhole(PutOf("a", "bytes")));
  EXPECT_EQ(sealed.object_id, Id("a"));
  EXPECT_EQ(sealed.size, 5u);
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_P(PeerConformance, APutLeavesNoLease) {
  ASSERT_THAT(PutWhole(PutOf("a", "bytes")), IsOk());
  EXPECT_EQ(GetStats().create_leases, 0u);
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("a"));
  EXPECT_EQ(info.state, ObjectState::kSealed);
  EXPECT_EQ(info.leases, 0u);
}

TEST_P(PeerConformance, PutOfASealedObjectAlreadyExists) {
  ASSERT_THAT(PutWhole(PutOf("a", "old")), IsOk());
  EXPECT_THAT(PutWhole(PutOf("a", "new bytes")), HasKind(ErrorKind::kAlreadyExists));
  EXPECT_THAT(Get("a"), IsOkAndHolds("old"));
}

TEST_P(PeerConformance, PutIsBusyWhileALeaseCreatesTheObject) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 3));
  EXPECT_THAT(PutWhole(PutOf("a", "bytes")), HasKind(ErrorKind::kBusy));
  ASSERT_THAT(Release(creator), IsOk());
  EXPECT_THAT(PutWhole(PutOf("a", "bytes")), IsOk());
}

TEST_P(PeerConformance, PutMakesAnIdWhereNoneIsGiven) {
  ASSERT_OK_AND_ASSIGN(Sealed first, PutWhole(PutOf("", "one")));
  ASSERT_OK_AND_ASSIGN(Sealed second, PutWhole(PutOf("", "two")));
  EXPECT_NE(first.object_id, second.object_id);
  EXPECT_THAT(Get(first.object_id.bytes()), IsOkAndHolds("one"));
  EXPECT_THAT(Get(second.object_id.bytes()), IsOkAndHolds("two"));
}

TEST_P(PeerConformance, PutFillsSeveralBlobsOneAfterAnother) {
  PutRequest request = PutOf("a", "abcdefgh");
  request.blob_sizes = {3, 0, 5};
  ASSERT_THAT(PutWhole(request), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  ASSERT_EQ(reader.object->blobs().size(), 3u);
  EXPECT_EQ(BytesOf(reader, 0), "abc");
  EXPECT_EQ(BytesOf(reader, 1), "");
  EXPECT_EQ(BytesOf(reader, 2), "defgh");
}

TEST_P(PeerConformance, AnEmptyObjectMayBePut) {
  ASSERT_THAT(PutWhole(PutOf("a", "")), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds(""));
}

TEST_P(PeerConformance, PutOfSizesThatDoNotAddUpIsInvalidAndLeavesNothing) {
  const std::vector<absl::InlinedVector<uint64_t, 1>> wrong = {
      {4}, {6}, {0}, {5, 1}, {2, 2}, {UINT64_MAX, 6}, {UINT64_MAX}};
  for (const auto& sizes : wrong) {
    PutRequest request = PutOf("a", "bytes");
    request.blob_sizes = sizes;
    EXPECT_THAT(PutWhole(request), HasKind(ErrorKind::kInvalidArgument));
  }
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(PutWhole(PutOf("a", "bytes")), IsOk());
}

TEST_P(PeerConformance, PutKeepsMetadata) {
  PutRequest request = PutOf("a", "bytes");
  request.metadata = Meta({{"lang", "\"en\""}, {"n", "1"}});
  ASSERT_THAT(PutWhole(request), IsOk());
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("a"));
  EXPECT_EQ(info.metadata, request.metadata);
}

TEST_P(PeerConformance, PutOfTooLargeMetadataIsInvalidAndLeavesNothing) {
  PutRequest request = PutOf("a", "bytes");
  request.metadata = TooLargeMetadata();
  EXPECT_THAT(PutWhole(request), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(PutWhole(PutOf("a", "bytes")), IsOk());
}

TEST_P(PeerConformance, AnObjectThatIsPutLivesForItsTtl) {
  PutRequest request = PutOf("a", "bytes");
  request.object_ttl = absl::Seconds(10);
  ASSERT_THAT(PutWhole(request), IsOk());
  Advance(absl::Seconds(9));
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
  Advance(absl::Seconds(2));
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
}

TEST_P(PeerConformance, LargeObjectsThatArePutKeepTheirBytes) {
  std::string bytes(9'000'001, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 + (i >> 12));
  for (const size_t size : {size_t{32} << 10, (size_t{32} << 10) + 1, size_t{200'000},
                            size_t{700'001}, size_t{3'000'000}, bytes.size()}) {
    SCOPED_TRACE(size);
    const absl::string_view part(bytes.data(), size);
    const std::string id = absl::StrCat("object ", size);
    ASSERT_THAT(PutWhole(PutOf(id, part)), IsOk());
    ASSERT_OK_AND_ASSIGN(Grant reader, Read(id));
    EXPECT_TRUE(BytesOf(reader) == part);
    ASSERT_THAT(Release(reader), IsOk());
  }
  EXPECT_EQ(GetStats().create_leases, 0u);
}

TEST_P(PeerConformance, AWaitingPutGoesOnWhenTheCreatorGivesUp) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 3));
  PutRequest request = PutOf("a", "bytes");
  request.wait = absl::Hours(1);
  Putting putting;
  peer().Put(request, putting.Callback());
  ASSERT_TRUE(Eventually([&] { return WaitingCalls() == 1; }));
  EXPECT_FALSE(putting.IsDone());
  ASSERT_THAT(Release(creator), IsOk());
  EXPECT_THAT(putting.Wait(), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_P(PeerConformance, AWaitingPutAlreadyExistsWhenTheCreatorSeals) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 3));
  PutRequest request = PutOf("a", "bytes");
  request.wait = absl::Hours(1);
  Putting putting;
  peer().Put(request, putting.Callback());
  ASSERT_TRUE(Eventually([&] { return WaitingCalls() == 1; }));
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, "old"), IsOk());
  ASSERT_THAT(Seal(creator), IsOk());
  EXPECT_THAT(putting.Wait(), HasKind(ErrorKind::kAlreadyExists));
  EXPECT_THAT(Get("a"), IsOkAndHolds("old"));
}

TEST_P(PeerConformance, AWaitingPutEndsInTimeoutAndByCancel) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 3));
  PutRequest request = PutOf("a", "bytes");
  request.wait = absl::Seconds(10);
  Putting late;
  peer().Put(request, late.Callback());
  request.wait = absl::Hours(1);
  request.operation = NewOperationId();
  Putting cancelled;
  peer().Put(request, cancelled.Callback());
  ASSERT_TRUE(Eventually([&] { return WaitingCalls() == 2; }));
  Advance(absl::Seconds(11));
  EXPECT_THAT(late.Wait(), HasKind(ErrorKind::kTimeout));
  peer().Cancel(request.operation);
  EXPECT_THAT(cancelled.Wait(), HasKind(ErrorKind::kTimeout));
  EXPECT_THAT(Seal(creator), IsOk()) << "who was waited for is not disturbed";
}

TEST_P(PeerConformance, GatheredPutsAreAnsweredAsEver) {
  ASSERT_THAT(PutWhole(PutOf("taken", "old")), IsOk());
  const std::string large(100'000, 'x');
  std::vector<Putting> putting(20);
  Putting taken, big;
  peer().Gather([&] {
    for (size_t i = 0; i < putting.size(); ++i) {
      peer().Put(PutOf(absl::StrCat("object ", i), "bytes"), putting[i].Callback());
    }
    peer().Put(PutOf("taken", "new"), taken.Callback());
    peer().Put(PutOf("big", large), big.Callback());
  });
  for (const Putting& one : putting) EXPECT_THAT(one.Wait(), IsOk());
  EXPECT_THAT(taken.Wait(), HasKind(ErrorKind::kAlreadyExists));
  EXPECT_THAT(big.Wait(), IsOk());
  EXPECT_THAT(Get("object 19"), IsOkAndHolds("bytes"));
  EXPECT_THAT(Get("big"), IsOkAndHolds(large));
}

TEST_P(PeerConformance, OfManyPutsOfOneIdOneHappens) {
  constexpr int kThreads = 4;
  for (int round = 0; round < 10; ++round) {
    const std::string id = absl::StrCat("object ", round);
    std::vector<absl::Status> outcomes(kThreads);
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([this, i, &id, &outcomes] {
        outcomes[i] = PutWhole(PutOf(id, absl::StrCat("bytes of ", i))).status();
      });
    }
    for (std::thread& thread : threads) thread.join();
    int winner = -1;
    for (int i = 0; i < kThreads; ++i) {
      if (!outcomes[i].ok()) continue;
      EXPECT_EQ(winner, -1);
      winner = i;
    }
    ASSERT_NE(winner, -1);
    EXPECT_THAT(Get(id), IsOkAndHolds(absl::StrCat("bytes of ", winner)));
  }
  EXPECT_EQ(GetStats().create_leases, 0u);
}

TEST_P(PeerEvictionConformance, PutMakesRoomAsCreateDoes) {
  FillWithUnleased();
  const std::string unit = Unit('e');
  ASSERT_THAT(PutWhole(PutOf("e", unit)), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("b", "c", "d", "e"));
}

TEST_P(PeerEvictionConformance, APutWithoutRoomIsCapacityAndLeavesNothing) {
  FillWithUnleased();
  std::vector<Grant> pins;
  for (const char* id : {"a", "b", "c", "d"}) {
    ASSERT_OK_AND_ASSIGN(Grant pin, Read(id));
    pins.push_back(std::move(pin));
  }
  const std::string unit = Unit('e');
  EXPECT_THAT(PutWhole(PutOf("e", unit)), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(Stat("e"), HasKind(ErrorKind::kNotFound));
  ASSERT_THAT(Release(pins.back()), IsOk());
  pins.pop_back();
  EXPECT_THAT(PutWhole(PutOf("e", unit)), IsOk()) << "the id is free";
}

}  // namespace packice
