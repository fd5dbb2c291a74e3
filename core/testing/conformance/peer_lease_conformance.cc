// How leases end and whose they are: Release, TTLs, Renew, sessions. See peer_conformance.h.
#include "packice/core/testing/peer_fixture.h"

namespace packice {

// --- Release.

TEST_P(PeerConformance, ReleaseOfAnUnsealedCreateLeaseRemovesTheObject) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 5));
  ASSERT_THAT(Release(creator), IsOk());
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotFound));
  const PeerStats stats = GetStats();
  EXPECT_EQ(stats.objects, 0u);
  EXPECT_EQ(stats.bytes, 0u);
  EXPECT_EQ(stats.create_leases, 0u);
}

TEST_P(PeerConformance, ReleaseOfAnyOtherLeaseKeepsTheObject) {
  ASSERT_OK_AND_ASSIGN(Grant creator, PutAndHold("a", "bytes"));
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  EXPECT_THAT(Release(creator), IsOk());
  EXPECT_THAT(Release(reader), IsOk());
  EXPECT_THAT(Release(writer), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_P(PeerConformance, ReleaseIsIdempotent) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  ASSERT_OK_AND_ASSIGN(Grant other, Read("a"));
  EXPECT_THAT(Release(reader), IsOk());
  EXPECT_THAT(Release(reader), IsOk());
  EXPECT_EQ(GetStats().read_leases, 1u) << "it ended one lease, not two";
  Grant unknown;
  unknown.lease.id = *LeaseId::Parse("0123456789abcdef0123456789abcdef");
  EXPECT_THAT(Release(unknown), IsOk());
}

TEST_P(PeerConformance, WhoDoesNotCareForTheAnswerReleasesWithoutACallback) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  peer().Release(Of(reader, kMine), nullptr);
  EXPECT_TRUE(Eventually([&] { return GetStats().read_leases == 0; }));
  peer().Release(Of(reader, kMine), nullptr);
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_P(PeerConformance, ReleaseEndsTheRights) {
  ASSERT_OK_AND_ASSIGN(Grant creator, PutAndHold("a", "bytes"));
  ASSERT_THAT(Release(creator), IsOk());
  EXPECT_THAT(Discard(creator), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(Renew(creator, absl::Seconds(1)), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_P(PeerConformance, AHolderKeepsTheBytesLongerThanTheLease) {
  if (!GetParam().bytes_outlive_the_lease) GTEST_SKIP() << "a remote peer's do not";
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  ASSERT_THAT(Release(reader), IsOk());
  ASSERT_THAT(Remove("a"), IsOk());
  EXPECT_EQ(BytesOf(reader), "bytes");
}

// --- TTL.

TEST_P(PeerConformance, AnExpiredUnsealedCreateLeaseTakesTheObjectAlong) {
  ASSERT_OK_AND_ASSIGN(Grant creator, WithTtl(Access::kCreate, "a", absl::Seconds(10)));
  EXPECT_EQ(creator.lease.ttl, absl::Seconds(10));
  Advance(absl::Seconds(9));
  EXPECT_THAT(Stat("a"), IsOk());
  Advance(absl::Seconds(2));
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Seal(creator), HasKind(ErrorKind::kLeaseExpired));
  const PeerStats stats = GetStats();
  EXPECT_EQ(stats.objects, 0u);
  EXPECT_EQ(stats.bytes, 0u);
  EXPECT_EQ(stats.create_leases, 0u);
  EXPECT_EQ(stats.expired_leases, 1u);
}

TEST_P(PeerConformance, AnExpiredLeaseOnASealedObjectKeepsTheObject) {
  ASSERT_OK_AND_ASSIGN(Grant creator, WithTtl(Access::kCreate, "a", absl::Seconds(10)));
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, "bytes"), IsOk());
  ASSERT_THAT(Seal(creator), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, WithTtl(Access::kRead, "a", absl::Seconds(10)));
  Advance(absl::Seconds(11));
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("a"));
  EXPECT_EQ(info.leases, 0u);
}

TEST_P(PeerConformance, AnExpiredLeaseIsNoLongerGoodForAnything) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, WithTtl(Access::kWrite, "a", absl::Seconds(10)));
  Advance(absl::Seconds(11));
  EXPECT_THAT(Discard(writer), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(Renew(writer, absl::Seconds(10)), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(Release(writer), IsOk()) << "a lease that is over is released";
  EXPECT_THAT(Write("a"), IsOk()) << "it excludes nobody";
}

TEST_P(PeerConformance, NoAccessSeesAnExpiredLeaseAsLiveHoweverLateTheTimer) {
  ASSERT_OK_AND_ASSIGN(Grant creator, WithTtl(Access::kCreate, "a", absl::Seconds(10)));
  ASSERT_THAT(Put("b", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant writer, WithTtl(Access::kWrite, "b", absl::Seconds(10)));
  ASSERT_THAT(Put("c", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, WithTtl(Access::kRead, "c", absl::Seconds(10)));
  under_test_->AdvanceWithoutTimers(absl::Seconds(11));
  EXPECT_THAT(Seal(creator), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Create("a", 1), IsOk());
  EXPECT_THAT(Discard(writer), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(Write("b"), IsOk());
  EXPECT_THAT(Renew(reader, absl::Seconds(10)), HasKind(ErrorKind::kLeaseExpired));
}

TEST_P(PeerConformance, ALeaseWithoutATtlOutlivesAnyTime) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 0));
  Advance(under_test_->LongTime());
  EXPECT_THAT(Seal(creator), IsOk());
}

TEST_P(PeerConformance, ALeaseWithATtlIsGoodInEverySession) {
  AcquireRequest request = CreateRequest("a", 5);
  request.ttl = absl::Seconds(10);
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(request));
  EXPECT_THAT(Renew(creator, absl::Seconds(20), kOther), IsOk());
  EXPECT_THAT(Seal(creator, kOther), IsOk());
  EXPECT_THAT(Discard(creator, SessionId::kNone), IsOk());
  ASSERT_THAT(Put("b", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, WithTtl(Access::kRead, "b", absl::Seconds(10)));
  EXPECT_THAT(Release(reader, kOther), IsOk());
  EXPECT_EQ(GetStats().read_leases, 0u);
}

// --- Renew.

TEST_P(PeerConformance, RenewGivesATtlFromNowOn) {
  ASSERT_OK_AND_ASSIGN(Grant creator, WithTtl(Access::kCreate, "a", absl::Seconds(10)));
  Advance(absl::Seconds(9));
  EXPECT_THAT(Renew(creator, absl::Seconds(20)), IsOkAndHolds(absl::Seconds(20)));
  Advance(absl::Seconds(19));
  EXPECT_THAT(Stat("a"), IsOk());
  Advance(absl::Seconds(2));
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
}

TEST_P(PeerConformance, RenewMayShorten) {
  ASSERT_OK_AND_ASSIGN(Grant creator, WithTtl(Access::kCreate, "a", absl::Hours(1)));
  ASSERT_THAT(Renew(creator, absl::Seconds(10)), IsOk());
  Advance(absl::Seconds(11));
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
}

TEST_P(PeerConformance, ARenewedLeaseNoLongerBelongsToItsSession) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 0));
  ASSERT_OK_AND_ASSIGN(Grant sentinel, Create("b", 0));
  ASSERT_THAT(Renew(creator, absl::Seconds(10)), IsOk());
  peer().EndSession(kMine);
  ASSERT_TRUE(Eventually([&] { return GetStats().create_leases == 1; }));
  EXPECT_THAT(Seal(creator, kOther), IsOk());
  Advance(absl::Seconds(11));
  EXPECT_EQ(GetStats().create_leases, 0u);
}

TEST_P(PeerConformance, RenewOfALeaseThatIsOverIsLeaseExpired) {
  Grant unknown;
  unknown.lease.id = *LeaseId::Parse("0123456789abcdef0123456789abcdef");
  EXPECT_THAT(Renew(unknown, absl::Seconds(1)), HasKind(ErrorKind::kLeaseExpired));
}

TEST_P(PeerConformance, RenewTakesATtlOverZero) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 0));
  EXPECT_THAT(Renew(creator, absl::ZeroDuration()), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Renew(creator, -absl::Seconds(1)), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Seal(creator), IsOk()) << "the lease is as before";
}

// --- The TTL of an object.

TEST_P(PeerConformance, AnObjectsTtlRunsFromSeal) {
  AcquireRequest request = CreateRequest("a", 0);
  request.object_ttl = absl::Seconds(10);
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(request));
  Advance(absl::Seconds(60));
  ASSERT_THAT(Seal(creator), IsOk());
  ASSERT_THAT(Release(creator), IsOk());
  Advance(absl::Seconds(9));
  EXPECT_THAT(Get("a"), IsOkAndHolds(""));
  Advance(absl::Seconds(2));
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Stat("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Ids(), testing::IsEmpty());
  const PeerStats stats = GetStats();
  EXPECT_EQ(stats.expired_objects, 1u);
  EXPECT_EQ(stats.objects, 0u);
  EXPECT_THAT(Create("a", 1), IsOk()) << "its id is free";
}

TEST_P(PeerConformance, ASealMaySayWhenTheObjectsLifeEnds) {
  ASSERT_THAT(Put("clock", ""), IsOk());
  ASSERT_OK_AND_ASSIGN(ObjectInfo clock, Stat("clock"));
  const absl::Time end = *clock.sealed_at + absl::Seconds(10);
  ASSERT_OK_AND_ASSIGN(Grant creator, PutUntil("a", end));
  ASSERT_THAT(Release(creator), IsOk());
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("a"));
  EXPECT_EQ(info.expires_at, end) << "not what its creation said";
  Advance(absl::Seconds(9));
  EXPECT_THAT(Get("a"), IsOk());
  Advance(absl::Seconds(2));
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_EQ(GetStats().expired_objects, 1u);
}

TEST_P(PeerConformance, AnObjectWhoseLifeIsOverAtItsSealIsGoneAtOnce) {
  ASSERT_THAT(Put("clock", ""), IsOk());
  ASSERT_OK_AND_ASSIGN(ObjectInfo clock, Stat("clock"));
  Advance(absl::Seconds(60));
  ASSERT_OK_AND_ASSIGN(Grant creator, PutUntil("a", *clock.sealed_at));
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_EQ(BytesOf(creator).size(), 1u) << "its creator holds it";
  ASSERT_THAT(Release(creator), IsOk());
  EXPECT_THAT(Create("a", 1), IsOk()) << "its id is free";
  EXPECT_EQ(GetStats().expired_objects, 1u);
}

TEST_P(PeerConformance, NoAccessSeesAnExpiredObjectHoweverLateTheTimer) {
  AcquireRequest request = CreateRequest("a", 0);
  request.object_ttl = absl::Seconds(10);
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(request));
  ASSERT_THAT(Seal(creator), IsOk());
  ASSERT_THAT(Release(creator), IsOk());
  under_test_->AdvanceWithoutTimers(absl::Seconds(11));
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotFound));
}

TEST_P(PeerConformance, AnExpiredObjectStaysReadableForWhoHoldsIt) {
  AcquireRequest request = CreateRequest("a", 5);
  request.object_ttl = absl::Seconds(10);
  ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(request));
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, "bytes"), IsOk());
  ASSERT_THAT(Seal(creator), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  Advance(absl::Seconds(11));
  EXPECT_EQ(BytesOf(reader), "bytes");
  EXPECT_THAT(Release(reader), IsOk());
  EXPECT_THAT(Release(creator), IsOk());
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_EQ(GetStats().bytes, 0u);
}

// --- Sessions.

TEST_P(PeerConformance, AnotherSessionsLeaseIsPermissionDenied) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 5));
  EXPECT_THAT(Seal(creator, kOther), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(Discard(creator, kOther), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(Release(creator, kOther), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(Renew(creator, absl::Seconds(1), kOther), HasKind(ErrorKind::kPermissionDenied));
  // Nothing of that happened.
  ASSERT_OK_AND_ASSIGN(ObjectInfo info, Stat("a"));
  EXPECT_EQ(info.state, ObjectState::kCreating);
  Advance(absl::Seconds(2));
  ASSERT_THAT(Seal(creator), IsOk());

  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  EXPECT_THAT(Release(reader, kOther), HasKind(ErrorKind::kPermissionDenied));
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("a"));
  EXPECT_THAT(Discard(writer, kOther), HasKind(ErrorKind::kPermissionDenied));
}

TEST_P(PeerConformance, EndOfASessionEndsItsLeasesWithoutTtlOnly) {
  ASSERT_THAT(Put("sealed", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("unsealed", 5));
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("sealed"));
  ASSERT_OK_AND_ASSIGN(Grant writer, Write("sealed"));
  ASSERT_OK_AND_ASSIGN(Grant timed, WithTtl(Access::kRead, "sealed", absl::Seconds(10)));
  ASSERT_OK_AND_ASSIGN(Grant others, Read("sealed", kOther));

  peer().EndSession(kMine);
  ASSERT_TRUE(Eventually([&] {
    const PeerStats stats = GetStats();
    return stats.create_leases == 0 && stats.write_leases == 0 && stats.read_leases == 2;
  }));
  EXPECT_THAT(Stat("unsealed"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Get("sealed"), IsOkAndHolds("bytes"));
  EXPECT_THAT(Seal(creator), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(Discard(writer), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(Renew(timed, absl::Seconds(10)), IsOk());
  EXPECT_THAT(Renew(others, absl::Seconds(10), kOther), IsOk());
  if (!GetParam().bytes_outlive_the_lease) return;
  EXPECT_EQ(BytesOf(reader), "bytes") << "the bytes stay with who has them";
}

TEST_P(PeerConformance, EndOfASessionWithoutLeasesChangesNothing) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 0));
  peer().EndSession(kOther);
  peer().EndSession(kOther);
  EXPECT_THAT(Seal(creator), IsOk());
}

}  // namespace packice
