// Calls of a client that are gathered for one message: their order, and what is too much for one.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/codec.h"
#include "packice/transport/uds_peer.h"
#include "packice/transport/uds_server.h"
#include "temporary_directory.h"

namespace packice {
namespace {

class UdsGather : public testing::Test {
 protected:
  UdsGather() {
    UdsServerOptions server;
    server.path = directory_ / "socket";
    server_ = *UdsServer::Start(*node_, server);
    UdsPeerOptions client;
    client.path = server.path;
    peer_ = *UdsPeer::Connect(client);
  }
  static PutRequest Putting(absl::string_view id, absl::string_view bytes) {
    PutRequest put;
    put.object_id = *ObjectId::Parse(id);
    put.bytes = bytes;
    return put;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<LocalPeer> node_ = MakeMemoryPeer();
  std::unique_ptr<UdsServer> server_;
  std::unique_ptr<UdsPeer> peer_;
};

TEST_F(UdsGather, NoPutOvertakesWhatWasGatheredBeforeIt) {
  for (const size_t size : {size_t{100}, size_t{100'000}, size_t{1} << 20, size_t{12} << 20}) {
    const std::string bytes(size, 'x');
    // The first of its size may have to ask for the memory that the others go through.
    for (int i = 0; i < 3; ++i) {
      const std::string id = absl::StrCat(size, "/", i);
      AcquireRequest create;
      create.access = Access::kCreate;
      create.object_id = *ObjectId::Parse(id);
      create.blob_sizes = {1};
      ASSERT_OK_AND_ASSIGN(const Grant grant, blocking::Acquire(*peer_, create));
      Pending<absl::Status> released;
      Pending<absl::StatusOr<Sealed>> put;
      peer_->Gather([&] {
        peer_->Release({.lease_id = grant.lease.id}, released.Callback());
        peer_->Put(Putting(id, bytes), put.Callback());
      });
      EXPECT_THAT(released.Wait(), IsOk());
      EXPECT_THAT(put.Wait(), IsOk()) << id;
    }
  }
}

TEST_F(UdsGather, WhatIsTooMuchForOneMessageGoesInSeveral) {
  std::vector<Pending<absl::StatusOr<Sealed>>> puts(40);
  Pending<absl::StatusOr<Grant>> creator;
  peer_->Gather([&] {
    AcquireRequest create;
    create.access = Access::kCreate;
    create.object_id = *ObjectId::Parse("created");
    peer_->Acquire(create, creator.Callback());
    for (size_t i = 0; i < puts.size(); ++i) {
      PutRequest put = Putting(absl::StrCat("put ", i), "bytes");
      ASSERT_OK_AND_ASSIGN(put.metadata, ParseMetadata(absl::StrCat(
                                             R"({"long":")", std::string(60'000, 'x'), "\"}")));
      peer_->Put(std::move(put), puts[i].Callback());
    }
  });
  EXPECT_THAT(creator.Wait(), IsOk());
  for (auto& put : puts) EXPECT_THAT(put.Wait(), IsOk());
}

TEST_F(UdsGather, WhatACallbackAsksForWhileTheyAreSentIsSentToo) {
  server_.reset();
  const ObjectId id = *ObjectId::Parse("a");
  Pending<absl::StatusOr<ObjectInfo>> second;
  peer_->Gather([&] {
    peer_->Stat(id, [&](const absl::StatusOr<ObjectInfo>& first) {
      EXPECT_THAT(first, HasKind(ErrorKind::kUnavailable));
      peer_->Stat(id, second.Callback());
    });
  });
  EXPECT_TRUE(second.IsDone());
}

}  // namespace
}  // namespace packice
