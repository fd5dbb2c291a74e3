// Acquire without waiting: each access against each state, and what is granted. See
// peer_conformance.h.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "packice/core/testing/peer_fixture.h"

namespace packice {

// --- Acquire CREATE.

TEST_P(PeerConformance, CreateGrantsANewObject) {
  ASSERT_OK_AND_ASSIGN(Grant grant, Create("a", 4));
  EXPECT_NE(grant.lease.id, LeaseId());
  EXPECT_EQ(grant.lease.object_id, Id("a"));
  EXPECT_EQ(grant.lease.access, Access::kCreate);
  EXPECT_EQ(grant.lease.ttl, absl::InfiniteDuration());
  ASSERT_NE(grant.object, nullptr);
  EXPECT_EQ(grant.object->id(), Id("a"));
  EXPECT_EQ(grant.object->state(), ObjectState::kCreating);
  ASSERT_EQ(grant.object->blobs().size(), 1u);
  EXPECT_EQ(grant.object->size(), 4u);
}

TEST_P(PeerConformance, CreateOfASealedObjectAlreadyExists) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  EXPECT_THAT(Create("a", 4), HasKind(ErrorKind::kAlreadyExists));
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_P(PeerConformance, CreateOfASealedObjectAlreadyExistsWhoeverHoldsIt) {
  ASSERT_OK_AND_ASSIGN(Grant creator, PutAndHold("a", "bytes"));
  EXPECT_THAT(Create("a", 4), HasKind(ErrorKind::kAlreadyExists));
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  EXPECT_THAT(Create("a", 4), HasKind(ErrorKind::kAlreadyExists));
}

TEST_P(PeerConformance, CreateIsBusyWhileALiveLeaseCreatesTheObject) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 4));
  EXPECT_THAT(Create("a", 4), HasKind(ErrorKind::kBusy));
  AcquireRequest others = Request(Access::kCreate, "a", kOther);
  EXPECT_THAT(Acquire(others), HasKind(ErrorKind::kBusy));
  ASSERT_THAT(Release(creator), IsOk());
  EXPECT_THAT(Create("a", 4), IsOk());
}

TEST_P(PeerConformance, CreateWithoutAnIdMakesOne) {
  ASSERT_OK_AND_ASSIGN(Grant a, Create("", 1));
  ASSERT_OK_AND_ASSIGN(Grant b, Create("", 1));
  EXPECT_FALSE(a.lease.object_id.empty());
  EXPECT_EQ(a.object->id(), a.lease.object_id);
  EXPECT_NE(a.lease.object_id, b.lease.object_id);
  ASSERT_THAT(Seal(a), IsOk());
  EXPECT_THAT(Read(a.lease.object_id.bytes()), IsOk());
}

TEST_P(PeerConformance, CreateReservesADeclaredSizeAndKeepsTheWriterToIt) {
  ASSERT_OK_AND_ASSIGN(Grant grant, Create("a", 4));
  Blob& blob = *grant.object->blobs()[0];
  EXPECT_EQ(blob.size(), 4u);
  EXPECT_THAT(blob.Write(0, "12345"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(blob.Write(0, "1234"), IsOk());
  ASSERT_THAT(Seal(grant), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds("1234"));
}

TEST_P(PeerConformance, CreateWithoutSizesIsOneBlobThatGrows) {
  ASSERT_OK_AND_ASSIGN(Grant grant, Create("a"));
  ASSERT_EQ(grant.object->blobs().size(), 1u);
  Blob& blob = *grant.object->blobs()[0];
  EXPECT_EQ(blob.size(), 0u);
  ASSERT_THAT(blob.Write(0, "some"), IsOk());
  ASSERT_THAT(blob.Write(4, " more"), IsOk());
  ASSERT_OK_AND_ASSIGN(Sealed sealed, Seal(grant));
  EXPECT_EQ(sealed.size, 9u);
  EXPECT_THAT(Get("a"), IsOkAndHolds("some more"));
}

TEST_P(PeerConformance, CreateTakesSeveralBlobs) {
  AcquireRequest request = CreateRequest("a");
  request.blob_sizes = {3, 0, 5};
  ASSERT_OK_AND_ASSIGN(Grant grant, Acquire(request));
  ASSERT_EQ(grant.object->blobs().size(), 3u);
  EXPECT_EQ(grant.object->size(), 8u);
  ASSERT_THAT(grant.object->blobs()[0]->Write(0, "abc"), IsOk());
  ASSERT_THAT(grant.object->blobs()[2]->Write(0, "defgh"), IsOk());
  ASSERT_OK_AND_ASSIGN(Sealed sealed, Seal(grant));
  EXPECT_EQ(sealed.size, 8u);

  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  ASSERT_EQ(reader.object->blobs().size(), 3u);
  EXPECT_EQ(BytesOf(reader, 0), "abc");
  EXPECT_EQ(BytesOf(reader, 1), "");
  EXPECT_EQ(BytesOf(reader, 2), "defgh");
}

TEST_P(PeerConformance, AnObjectMayBeEmpty) {
  ASSERT_THAT(Put("declared", ""), IsOk());
  EXPECT_THAT(Get("declared"), IsOkAndHolds(""));
  ASSERT_OK_AND_ASSIGN(Grant grant, Create("undeclared"));
  ASSERT_OK_AND_ASSIGN(Sealed sealed, Seal(grant));
  EXPECT_EQ(sealed.size, 0u);
  EXPECT_THAT(Get("undeclared"), IsOkAndHolds(""));
}

TEST_P(PeerConformance, LargeObjectsKeepTheirBytes) {
  std::string bytes(5'000'001, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 + (i >> 12));
  ASSERT_THAT(Put("a", bytes), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  EXPECT_TRUE(BytesOf(reader) == bytes);
}

TEST_P(PeerConformance, AnyBytesMakeAnId) {
  std::vector<std::string> ids = {"/",
                                  "a/b",
                                  "..",
                                  "../../etc/passwd",
                                  "\"",
                                  "'",
                                  "new\nline",
                                  "\t",
                                  " ",
                                  "\\",
                                  "%2e%2e",
                                  "?a=b#c",
                                  "\xF0\x9F\xA7\x8A",
                                  std::string("nul\0nul", 7),
                                  std::string(255, 'x')};
  if (!GetParam().ids_are_utf8_only) {
    ids.insert(ids.end(), {"\xFF\xFE", "\xC3", std::string(255, '\x80')});
  }
  for (const std::string& id : ids) {
    SCOPED_TRACE(Id(id).ToQuoted());
    ASSERT_THAT(Put(id, absl::StrCat("bytes of ", id)), IsOk());
  }
  for (const std::string& id : ids) {
    SCOPED_TRACE(Id(id).ToQuoted());
    EXPECT_THAT(Get(id), IsOkAndHolds(absl::StrCat("bytes of ", id)));
    EXPECT_THAT(Create(id), HasKind(ErrorKind::kAlreadyExists));
    ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat(id));
    EXPECT_EQ(info.object_id, Id(id));
  }
  EXPECT_THAT(Ids(), testing::UnorderedElementsAreArray(ids));
}

// --- Acquire READ.

TEST_P(PeerConformance, ReadOfAnUnknownObjectIsNotFound) {
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotFound));
}

TEST_P(PeerConformance, ReadWhileTheObjectIsBeingCreatedIsNotSealed) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 4));
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotSealed));
  EXPECT_THAT(Read("a", kOther), HasKind(ErrorKind::kNotSealed));
}

TEST_P(PeerConformance, ReadGrantsTheSealedObject) {
  AcquireRequest request = CreateRequest("a", 5);
  request.metadata = Meta({{"kind", "\"greeting\""}});
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(request));
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, "hello"), IsOk());
  ASSERT_THAT(Seal(creator), IsOk());

  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  EXPECT_EQ(reader.lease.access, Access::kRead);
  EXPECT_EQ(reader.lease.object_id, Id("a"));
  EXPECT_NE(reader.lease.id, creator.lease.id);
  EXPECT_EQ(reader.object->id(), Id("a"));
  EXPECT_EQ(reader.object->state(), ObjectState::kSealed);
  EXPECT_EQ(reader.object->metadata(), Meta({{"kind", "\"greeting\""}}));
  EXPECT_EQ(BytesOf(reader), "hello");
  ASSERT_OK_AND_ASSIGN(Mapping mapping, reader.object->blobs()[0]->Map(MapAccess::kReadOnly));
  EXPECT_EQ(mapping.view(), "hello");
}

TEST_P(PeerConformance, AReaderCannotChangeTheBytes) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  Blob& blob = *reader.object->blobs()[0];
  EXPECT_THAT(blob.Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(blob.Map(MapAccess::kReadWrite), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_EQ(BytesOf(reader), "bytes");
}

TEST_P(PeerConformance, ManyMayReadAtOnce) {
  ASSERT_OK_AND_ASSIGN(Grant creator, PutAndHold("a", "bytes"));
  ASSERT_OK_AND_ASSIGN(Grant first, Read("a"));
  ASSERT_OK_AND_ASSIGN(Grant second, Read("a"));
  ASSERT_OK_AND_ASSIGN(Grant others, Read("a", kOther));
  EXPECT_NE(first.lease.id, second.lease.id);
  EXPECT_EQ(BytesOf(others), "bytes");
}

TEST_P(PeerConformance, ReadIsGrantedBesideAWriteLease) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

// --- Acquire WRITE.

TEST_P(PeerConformance, WriteOfAnUnknownObjectIsNotFound) {
  EXPECT_THAT(Write("a"), HasKind(ErrorKind::kNotFound));
}

TEST_P(PeerConformance, WriteIsBusyWhileAnotherLeaseCreates) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 4));
  EXPECT_THAT(Write("a"), HasKind(ErrorKind::kBusy));
}

TEST_P(PeerConformance, WriteIsBusyWhileAnotherLeaseWrites) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  EXPECT_EQ(writer.lease.access, Access::kWrite);
  EXPECT_THAT(Write("a"), HasKind(ErrorKind::kBusy));
  EXPECT_THAT(Write("a", kOther), HasKind(ErrorKind::kBusy));
  ASSERT_THAT(Release(writer), IsOk());
  EXPECT_THAT(Write("a"), IsOk());
}

TEST_P(PeerConformance, WriteIsGrantedBesideReadersAndASealedCreator) {
  ASSERT_OK_AND_ASSIGN(Grant creator, PutAndHold("a", "bytes"));
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  EXPECT_THAT(Write("a"), IsOk());
}

TEST_P(PeerConformance, AWriteLeaseNeverChangesSealedBytes) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  ASSERT_NE(writer.object, nullptr);
  EXPECT_THAT(writer.object->blobs()[0]->Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(writer.object->blobs()[0]->Map(MapAccess::kReadWrite),
              HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

// --- Requests that can never succeed.

TEST_P(PeerConformance, OnlyCreateMayLeaveOutTheId) {
  EXPECT_THAT(Read(""), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Write(""), HasKind(ErrorKind::kInvalidArgument));
}

TEST_P(PeerConformance, MoreThanTheMostBlobsAreInvalid) {
  AcquireRequest request = CreateRequest("a");
  request.blob_sizes.assign(Object::kMaxBlobs + 1, 1);
  EXPECT_THAT(Acquire(request), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
}

TEST_P(PeerConformance, TtlsAreOverZero) {
  for (absl::Duration ttl : {absl::ZeroDuration(), -absl::Seconds(1)}) {
    AcquireRequest request = CreateRequest("a", 1);
    request.ttl = ttl;
    EXPECT_THAT(Acquire(request), HasKind(ErrorKind::kInvalidArgument));
    request.ttl.reset();
    request.object_ttl = ttl;
    EXPECT_THAT(Acquire(request), HasKind(ErrorKind::kInvalidArgument));
  }
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
}

TEST_P(PeerConformance, MetadataTooLargeToCreateWithIsInvalid) {
  AcquireRequest request = CreateRequest("a", 1);
  request.metadata = TooLargeMetadata();
  EXPECT_THAT(Acquire(request), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
}

TEST_P(PeerConformance, AnObjectNoMediumHasRoomForIsCapacityAndLeavesNoTrace) {
  EXPECT_THAT(Create("a", uint64_t{1} << 62), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_EQ(GetStats().bytes, 0u);
  EXPECT_THAT(Put("a", "bytes"), IsOk());
}

TEST_P(PeerConformance, BlobSizesThatOverflowTogetherAreCapacityOrInvalid) {
  AcquireRequest request = CreateRequest("a");
  request.blob_sizes = {(uint64_t{1} << 63) + 1, uint64_t{1} << 63};
  EXPECT_THAT(Acquire(request),
              testing::AnyOf(HasKind(ErrorKind::kCapacity), HasKind(ErrorKind::kInvalidArgument)));
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
}

// --- Callbacks.

TEST_P(PeerConformance, ACallbackMayCallThePeerAgain) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  Pending<absl::Status> released;
  peer().Acquire(Request(Access::kRead, "a"), [&](absl::StatusOr<Grant> grant) {
    ASSERT_THAT(grant, IsOk());
    peer().Release(Of(*grant, kMine), released.Callback());
  });
  EXPECT_THAT(released.Wait(), IsOk());
  EXPECT_EQ(GetStats().read_leases, 0u);
}

TEST_P(PeerConformance, GatheredCallsAreAnsweredAsEver) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("b", 0));
  Waiting hit, miss, waiting;
  Pending<absl::StatusOr<PeerStats>> stats;
  peer().Gather([&] {
    peer().Acquire(Request(Access::kRead, "a"), hit.Callback());
    peer().Acquire(Request(Access::kRead, "nothing"), miss.Callback());
    AcquireRequest request = Request(Access::kRead, "b");
    request.wait = absl::Hours(1);
    peer().Acquire(request, waiting.Callback());
    peer().Stats(stats.Callback());
  });
  EXPECT_THAT(hit.Wait(), IsOk());
  EXPECT_THAT(miss.Wait(), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(stats.Wait(), IsOk());
  ASSERT_TRUE(Eventually([&] { return WaitingCalls() == 1; }));
  ASSERT_THAT(Seal(creator), IsOk());
  EXPECT_THAT(waiting.Wait(), IsOk());
}

// --- Invariants under concurrency.

TEST_P(PeerConformance, OneCreatorAtATime) {
  constexpr int kThreads = 4;
  for (int round = 0; round < 20; ++round) {
    const std::string id = absl::StrCat("object ", round);
    std::atomic<int> granted{0};
    std::atomic<int> busy{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        absl::StatusOr<Grant> grant = Create(id, 1);
        if (grant.ok()) granted.fetch_add(1);
        if (!grant.ok() && KindOf(grant.status()) == ErrorKind::kBusy) busy.fetch_add(1);
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(granted.load(), 1);
    ASSERT_EQ(busy.load(), kThreads - 1);
  }
}

TEST_P(PeerConformance, NoReaderEverSeesAnUnsealedTornOrChangedByte) {
  constexpr int kRounds = 60;
  constexpr size_t kSize = 20'000;
  std::atomic<bool> finished{false};
  std::atomic<int> torn{0};
  std::atomic<int> failed{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      while (!finished.load()) {
        absl::StatusOr<Grant> grant = Read("a");
        if (!grant.ok()) {
          const ErrorKind kind = KindOf(grant.status());
          if (kind != ErrorKind::kNotFound && kind != ErrorKind::kNotSealed) failed.fetch_add(1);
          std::this_thread::yield();
          continue;
        }
        // Every version consists of one byte, kSize times, and none of them is zero.
        const std::string before = BytesOf(*grant);
        std::this_thread::yield();
        const std::string after = BytesOf(*grant);
        const bool whole = before.size() == kSize && before[0] != '\0' &&
                           before == std::string(kSize, before[0]) && after == before;
        if (!whole) torn.fetch_add(1);
        if (!Release(*grant).ok()) failed.fetch_add(1);
      }
    });
  }
  for (int round = 0; round < kRounds; ++round) {
    EXPECT_THAT(Put("a", std::string(kSize, static_cast<char>('A' + round % 26))), IsOk());
    EXPECT_THAT(Remove("a"), IsOk());
  }
  finished.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn.load(), 0);
  EXPECT_EQ(failed.load(), 0);
}

}  // namespace packice
