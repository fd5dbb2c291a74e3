// Lookup: the grant of a live lease, for whoever has nothing but its id. See peer_conformance.h.
#include "packice/core/testing/peer_fixture.h"

namespace packice {

TEST_P(PeerLookupConformance, AnyLiveLeaseIsFoundWithItsObject) {
  ASSERT_OK_AND_ASSIGN(Grant creator, PutAndHold("a", "bytes"));
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  for (const Grant* granted : {&creator, &reader, &writer}) {
    ASSERT_OK_AND_ASSIGN(Grant found, Lookup(*granted));
    EXPECT_EQ(found.lease.id, granted->lease.id);
    EXPECT_EQ(found.lease.access, granted->lease.access);
    EXPECT_EQ(found.lease.object_id, Id("a"));
    EXPECT_EQ(BytesOf(found), "bytes");
  }
}

TEST_P(PeerLookupConformance, ACreatorGoesOnWritingWithWhatItFound) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 5));
  {
    ASSERT_OK_AND_ASSIGN(Grant found, Lookup(creator));
    EXPECT_EQ(found.object->state(), ObjectState::kCreating);
    ASSERT_THAT(found.object->blobs()[0]->Write(0, "bytes"), IsOk());
  }
  ASSERT_THAT(Seal(creator), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_P(PeerLookupConformance, LookingUpIsNoLeaseOfItsOwn) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  ASSERT_OK_AND_ASSIGN(Grant found, Lookup(reader));
  EXPECT_EQ(GetStats().read_leases, 1u);
  ASSERT_THAT(Release(found), IsOk());
  EXPECT_EQ(GetStats().read_leases, 0u);
  EXPECT_EQ(BytesOf(found), "bytes");
}

TEST_P(PeerLookupConformance, ALeaseThatIsOverIsLeaseExpired) {
  Grant unknown;
  unknown.lease.id = *LeaseId::Parse("0123456789abcdef0123456789abcdef");
  EXPECT_THAT(Lookup(unknown), HasKind(ErrorKind::kLeaseExpired));
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant released, Read("a"));
  ASSERT_THAT(Release(released), IsOk());
  EXPECT_THAT(Lookup(released), HasKind(ErrorKind::kLeaseExpired));
  ASSERT_OK_AND_ASSIGN(Grant timed, WithTtl(Access::kRead, "a", absl::Seconds(10)));
  EXPECT_THAT(Lookup(timed, kOther), IsOk()) << "with a TTL it is whoever's who knows its id";
  Advance(absl::Seconds(11));
  EXPECT_THAT(Lookup(timed), HasKind(ErrorKind::kLeaseExpired));
}

TEST_P(PeerLookupConformance, AnotherSessionsLeaseIsPermissionDenied) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  EXPECT_THAT(Lookup(reader, kOther), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(Lookup(reader), IsOk());
}

TEST_P(PeerLookupConformance, AReaderOfADiscardedObjectFindsItsOwn) {
  ASSERT_THAT(Put("a", "old"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  ASSERT_THAT(Remove("a"), IsOk());
  ASSERT_THAT(Put("a", "new"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant found, Lookup(reader));
  EXPECT_EQ(BytesOf(found), "old");
}

}  // namespace packice
