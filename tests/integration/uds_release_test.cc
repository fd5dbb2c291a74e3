// Releases whose answers nobody wants: they cost no message of their own, and are never late.
#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "node_test.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/uds_peer.h"
#include "packice/transport/uds_server.h"
#include "temporary_directory.h"

namespace packice {
namespace {

class UdsRelease : public testing::Test {
 protected:
  UdsRelease() {
    UdsServerOptions server;
    server.path = directory_ / "socket";
    server_ = *UdsServer::Start(*node_, server);
    peer_ = Connect();
  }

  std::unique_ptr<UdsPeer> Connect() const {
    return *UdsPeer::Connect({.path = directory_ / "socket"});
  }
  void Put(absl::string_view id) {
    PutRequest request;
    request.object_id = *ObjectId::Parse(id);
    request.bytes = "bytes";
    ASSERT_THAT(blocking::Put(*peer_, request), IsOk());
  }
  absl::StatusOr<Grant> Acquire(Access access, absl::string_view id,
                                absl::optional<absl::Duration> ttl = absl::nullopt) {
    AcquireRequest request;
    request.access = access;
    request.object_id = *ObjectId::Parse(id);
    request.ttl = ttl;
    return blocking::Acquire(*peer_, request);
  }
  // Asked without the socket, so that no request takes a release along.
  uint64_t ReadLeases() const { return blocking::Stats(*node_)->read_leases; }

  TemporaryDirectory directory_;
  std::unique_ptr<Peer> node_ = MakeMemoryPeer(LocalPeerOptions());
  std::unique_ptr<UdsServer> server_;
  std::unique_ptr<UdsPeer> peer_;
};

TEST_F(UdsRelease, IsNeverOvertakenByALaterRequest) {
  for (int i = 0; i < 200; ++i) {
    Put("a");
    ASSERT_OK_AND_ASSIGN(const Grant reader, Acquire(Access::kRead, "a"));
    ASSERT_OK_AND_ASSIGN(const Grant writer, Acquire(Access::kWrite, "a"));
    peer_->Release({reader.lease.id}, nullptr);
    // `busy` while anybody else holds a lease.
    ASSERT_THAT(blocking::Relocate(*peer_, {writer.lease.id, *ObjectId::Parse("b")}), IsOk());
    ASSERT_OK_AND_ASSIGN(const Grant owner, Acquire(Access::kWrite, "b"));
    ASSERT_THAT(blocking::Discard(*peer_, {owner.lease.id}), IsOk());
  }
}

TEST_F(UdsRelease, ReachesTheNodeWithoutAnotherRequest) {
  Put("a");
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK_AND_ASSIGN(const Grant reader, Acquire(Access::kRead, "a"));
    EXPECT_EQ(ReadLeases(), 1u);
    peer_->Release({reader.lease.id}, nullptr);
    EXPECT_TRUE(Eventually([&] { return ReadLeases() == 0; }));
  }
}

TEST_F(UdsRelease, OfManyLeasesReachesTheNodeToo) {
  Put("a");
  std::vector<Grant> readers;
  for (int i = 0; i < 200; ++i) {
    ASSERT_OK_AND_ASSIGN(Grant reader, Acquire(Access::kRead, "a"));
    readers.push_back(std::move(reader));
  }
  for (const Grant& reader : readers) peer_->Release({reader.lease.id}, nullptr);
  EXPECT_TRUE(Eventually([&] { return ReadLeases() == 0; }));
}

TEST_F(UdsRelease, KeepsItsPlaceAmongGatheredCalls) {
  AcquireRequest create;
  create.access = Access::kCreate;
  create.object_id = *ObjectId::Parse("a");
  create.blob_sizes = {0};
  ASSERT_OK_AND_ASSIGN(const Grant creator, blocking::Acquire(*peer_, create));
  using Answer = absl::StatusOr<Sealed>;
  const Answer sealed = blocking::Await<Answer>(*peer_, [&](Done<Answer> done) {
    peer_->Gather([&] {
      SealRequest seal;
      seal.lease_id = creator.lease.id;
      peer_->Seal(std::move(seal), std::move(done));
      peer_->Release({creator.lease.id}, nullptr);
    });
  });
  EXPECT_THAT(sealed, IsOk());
  EXPECT_EQ(blocking::Stats(*node_)->create_leases, 0u);
}

TEST_F(UdsRelease, OfALeaseThatOutlivesTheConnectionIsSentBeforeItsEnd) {
  Put("a");
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK_AND_ASSIGN(const Grant reader, Acquire(Access::kRead, "a", absl::Hours(1)));
    peer_->Release({reader.lease.id}, nullptr);
    peer_ = Connect();
    ASSERT_TRUE(Eventually([&] { return ReadLeases() == 0; }));
  }
}

TEST_F(UdsRelease, DoesNoHarmWhenTheNodeIsGone) {
  Put("a");
  ASSERT_OK_AND_ASSIGN(const Grant reader, Acquire(Access::kRead, "a", absl::Hours(1)));
  peer_->Release({reader.lease.id}, nullptr);
  server_.reset();
  peer_->Release({reader.lease.id}, nullptr);
  EXPECT_THAT(Acquire(Access::kRead, "a"), HasKind(ErrorKind::kUnavailable));
  UdsServerOptions server;
  server.path = directory_ / "socket";
  server_ = *UdsServer::Start(*node_, server);
  EXPECT_THAT(Acquire(Access::kWrite, "a"), IsOk());
}

}  // namespace
}  // namespace packice
