// Seal and Discard: what freezes, what goes away, and who may do it. See peer_conformance.h.
#include <string>

#include "packice/core/testing/peer_fixture.h"

namespace packice {

// --- Seal.

TEST_P(PeerConformance, SealMakesTheObjectReadable) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 5));
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Sealed sealed, Seal(creator));
  EXPECT_EQ(sealed.object_id, Id("a"));
  EXPECT_EQ(sealed.size, 5u);
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_P(PeerConformance, SealFreezesTheBytesForTheCreatorToo) {
  ASSERT_OK_AND_ASSIGN(Grant creator, PutAndHold("a", "bytes"));
  Blob& blob = *creator.object->blobs()[0];
  EXPECT_THAT(blob.Write(0, "x"), HasKind(ErrorKind::kPermissionDenied));
  if (GetParam().maps_unsealed) {
    EXPECT_THAT(blob.Map(MapAccess::kReadWrite), HasKind(ErrorKind::kPermissionDenied));
  }
  EXPECT_EQ(BytesOf(creator), "bytes");
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_P(PeerConformance, SealMergesMetadataBeforeItFreezes) {
  AcquireRequest request = CreateRequest("a", 0);
  request.metadata = Meta({{"kept", "1"}, {"replaced", "\"old\""}});
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(request));
  ASSERT_THAT(Seal(creator, Meta({{"replaced", "\"new\""}, {"added", "[1,2]"}})), IsOk());
  const Metadata expected = Meta({{"kept", "1"}, {"replaced", "\"new\""}, {"added", "[1,2]"}});
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  EXPECT_EQ(reader.object->metadata(), expected);
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("a"));
  EXPECT_EQ(info.metadata, expected);
}

TEST_P(PeerConformance, MetadataTooLargeToSealWithIsInvalidAndSealsNothing) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 5));
  EXPECT_THAT(Seal(creator, TooLargeMetadata()), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotSealed));
  EXPECT_THAT(creator.object->blobs()[0]->Write(0, "bytes"), IsOk());
  ASSERT_THAT(Seal(creator, Meta({{"small", "1"}})), IsOk());
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("a"));
  EXPECT_EQ(info.metadata, Meta({{"small", "1"}}));
}

TEST_P(PeerConformance, MetadataTooLargeOnceMergedIsInvalid) {
  const std::string half = absl::StrCat("\"", std::string(Metadata::kMaxBytes / 2, 'x'), "\"");
  AcquireRequest request = CreateRequest("a", 0);
  request.metadata = Meta({{"one", half}});
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(request));
  EXPECT_THAT(Seal(creator, Meta({{"two", half}})), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Seal(creator, Meta({{"one", half}})), IsOk()) << "replaced, not added";
}

TEST_P(PeerConformance, SealSetsTheFinalSizeWhereCreateGaveNone) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a"));
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, "bytes and more"), IsOk());
  ASSERT_OK_AND_ASSIGN(Sealed sealed, SealWithSize(creator, 5));
  EXPECT_EQ(sealed.size, 5u);
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_P(PeerConformance, ASealSizeThatContradictsTheDeclaredOneIsInvalidAndSealsNothing) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 5));
  EXPECT_THAT(SealWithSize(creator, 4), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(SealWithSize(creator, 6), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotSealed));
  EXPECT_THAT(creator.object->blobs()[0]->Write(0, "bytes"), IsOk());
  EXPECT_THAT(SealWithSize(creator, 5), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_P(PeerConformance, ASecondSealAlreadyExists) {
  ASSERT_OK_AND_ASSIGN(Grant creator, PutAndHold("a", "bytes"));
  EXPECT_THAT(Seal(creator), HasKind(ErrorKind::kAlreadyExists));
  EXPECT_THAT(Seal(creator, Meta({{"k", "1"}})), HasKind(ErrorKind::kAlreadyExists));
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("a"));
  EXPECT_TRUE(info.metadata.empty()) << "metadata is frozen";
}

TEST_P(PeerConformance, SealTakesACreateLease) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  EXPECT_THAT(Seal(reader), HasKind(ErrorKind::kPermissionDenied));
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  EXPECT_THAT(Seal(writer), HasKind(ErrorKind::kPermissionDenied));
}

TEST_P(PeerConformance, SealWithALeaseThatIsOverIsLeaseExpired) {
  Grant unknown;
  unknown.lease.id = *LeaseId::Parse("0123456789abcdef0123456789abcdef");
  EXPECT_THAT(Seal(unknown), HasKind(ErrorKind::kLeaseExpired));
  ASSERT_OK_AND_ASSIGN(Grant released, Create("a", 0));
  ASSERT_THAT(Release(released), IsOk());
  EXPECT_THAT(Seal(released), HasKind(ErrorKind::kLeaseExpired));
  ASSERT_OK_AND_ASSIGN(Grant discarded, Create("a", 0));
  ASSERT_THAT(Discard(discarded), IsOk());
  EXPECT_THAT(Seal(discarded), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
}

TEST_P(PeerConformance, SealIsBusyWhileAWritableMappingIsOpen) {
  if (!GetParam().sees_writable_mappings) GTEST_SKIP() << "this medium cannot tell";
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 5));
  ASSERT_OK_AND_ASSIGN(Mapping mapping, creator.object->blobs()[0]->Map(MapAccess::kReadWrite));
  EXPECT_THAT(Seal(creator, Meta({{"attempt", "1"}})), HasKind(ErrorKind::kBusy));
  // The object is as before: unsealed, writable, without the metadata of the attempt.
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotSealed));
  mapping.bytes()[0] = 'b';
  mapping = Mapping();
  EXPECT_THAT(creator.object->blobs()[0]->Write(1, "ytes"), IsOk());
  ASSERT_THAT(Seal(creator), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("a"));
  EXPECT_TRUE(info.metadata.empty());
}

TEST_P(PeerConformance, BytesWrittenThroughAMappingAreSealed) {
  if (!GetParam().maps_unsealed) GTEST_SKIP() << "this peer's unsealed blobs cannot be mapped";
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 5));
  {
    ASSERT_OK_AND_ASSIGN(Mapping mapping, creator.object->blobs()[0]->Map(MapAccess::kReadWrite));
    absl::string_view("bytes").copy(mapping.bytes().data(), 5);
  }
  ASSERT_THAT(Seal(creator), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_P(PeerConformance, ASealedCreateLeasePinsLikeARead) {
  ASSERT_OK_AND_ASSIGN(Grant creator, PutAndHold("a", "bytes"));
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("a"));
  EXPECT_EQ(info.leases, 1u);
  ASSERT_THAT(Release(creator), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes")) << "released, but not gone";
}

// --- Discard.

TEST_P(PeerConformance, DiscardTakesACreateOrWriteLease) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  EXPECT_THAT(Discard(reader), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));

  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  EXPECT_THAT(Discard(writer), IsOk());
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotFound));

  ASSERT_OK_AND_ASSIGN(Grant creator, Create("b", 5));
  EXPECT_THAT(Discard(creator), IsOk());
  EXPECT_THAT(Read("b"), HasKind(ErrorKind::kNotFound));

  ASSERT_OK_AND_ASSIGN(Grant sealer, PutAndHold("c", "bytes"));
  EXPECT_THAT(Discard(sealer), IsOk());
  EXPECT_THAT(Read("c"), HasKind(ErrorKind::kNotFound));
}

TEST_P(PeerConformance, DiscardEndsTheLease) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 5));
  ASSERT_THAT(Discard(creator), IsOk());
  EXPECT_THAT(Discard(creator), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(Renew(creator, absl::Seconds(1)), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(Release(creator), IsOk());
  const PeerStats stats = GetStats();
  EXPECT_EQ(stats.create_leases, 0u);
  EXPECT_EQ(stats.objects, 0u);
}

TEST_P(PeerConformance, DiscardWithAnUnknownLeaseIsLeaseExpired) {
  Grant unknown;
  unknown.lease.id = *LeaseId::Parse("0123456789abcdef0123456789abcdef");
  EXPECT_THAT(Discard(unknown), HasKind(ErrorKind::kLeaseExpired));
}

TEST_P(PeerConformance, ADiscardedIdIsFreeAtOnceWhileReadersKeepTheBytes) {
  ASSERT_THAT(Put("a", "old bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant old_reader, Read("a"));
  ASSERT_OK_AND_ASSIGN(Mapping mapping, old_reader.object->blobs()[0]->Map(MapAccess::kReadOnly));
  ASSERT_THAT(Remove("a"), IsOk());
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Ids(), testing::IsEmpty());
  EXPECT_EQ(BytesOf(old_reader), "old bytes");

  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 3));
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotSealed)) << "the new one, not the old one";
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, "new"), IsOk());
  ASSERT_THAT(Seal(creator), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds("new"));
  EXPECT_EQ(BytesOf(old_reader), "old bytes");
  EXPECT_EQ(mapping.view(), "old bytes");
}

TEST_P(PeerConformance, LeasesOnADiscardedObjectDoNotTouchItsSuccessor) {
  ASSERT_THAT(Put("a", "old"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant old_reader, Read("a"));
  ASSERT_OK_AND_ASSIGN(Grant old_timed, WithTtl(Access::kRead, "a", absl::Seconds(10)));
  ASSERT_THAT(Remove("a"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 3));
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("a"));
  EXPECT_EQ(info.leases, 1u) << "of its own";
  EXPECT_THAT(Release(old_reader), IsOk());
  Advance(absl::Seconds(11));
  EXPECT_THAT(Create("a", 3), HasKind(ErrorKind::kBusy));
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, "new"), IsOk());
  ASSERT_THAT(Seal(creator), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds("new"));
}

TEST_P(PeerConformance, TheIdIsFreeEvenWhileAWriteLeaseOnTheDiscardedObjectLives) {
  ASSERT_OK_AND_ASSIGN(Grant creator, PutAndHold("a", "old"));
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a", kOther));
  ASSERT_THAT(Discard(creator), IsOk());
  ASSERT_THAT(Put("a", "new"), IsOk());
  // Whatever the late writer is told, it is the old object that it had a right to.
  const absl::Status late = Discard(writer, kOther);
  EXPECT_THAT(Get("a"), IsOkAndHolds("new")) << late;
}

TEST_P(PeerConformance, DiscardedBytesCountUntilTheLastReaderReleases) {
  if (!GetParam().one_copy) GTEST_SKIP() << "tiers have several copies";
  ASSERT_THAT(Put("a", "12345"), IsOk());
  EXPECT_EQ(GetStats().bytes, Footprint({5}));
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  ASSERT_THAT(Remove("a"), IsOk());
  PeerStats stats = GetStats();
  EXPECT_EQ(stats.objects, 0u);
  EXPECT_EQ(stats.bytes, Footprint({5}));
  ASSERT_THAT(Release(reader), IsOk());
  EXPECT_EQ(GetStats().bytes, 0u);
}

}  // namespace packice
