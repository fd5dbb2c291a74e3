// Nodes that feed each other: real peers, real sockets, a directory that knows everything.
#include "packice/p2p/swarm_peer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "packice/client.h"
#include "packice/peers/file_system_peer.h"
#include "swarm_host.h"
#include "temporary_directory.h"

namespace packice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

std::string Bytes(size_t size, uint32_t seed = 1) {
  std::string bytes(size, '\0');
  uint32_t state = seed * 2654435761u + 12345;
  for (char& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

class SwarmPeerTest : public testing::Test {
 protected:
  std::unique_ptr<SwarmHost> Host(SwarmOptions options = {}) {
    return std::make_unique<SwarmHost>(fleet_, SwarmHost::Memory, nullptr, std::move(options));
  }

  // Until the directory knows `count` whole copies.
  void AwaitHolders(absl::string_view id, size_t count) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (Holders(id) != count) {
      ASSERT_LT(absl::Now(), deadline) << id << " has " << Holders(id) << " holders";
      std::this_thread::yield();
    }
  }

  size_t Holders(absl::string_view id) {
    LocateRequest request;
    request.object_id = SwarmHost::Id(id);
    request.max = LocateRequest::kLimit;
    Pending<absl::StatusOr<Location>> location;
    observer_->Locate(std::move(request), location.Callback());
    const absl::StatusOr<Location> answer = location.Wait();
    EXPECT_THAT(answer, IsOk());
    size_t whole = 0;
    for (const Holder& holder : answer->holders) whole += holder.complete;
    return whole;
  }

  PlainDirectoryFleet fleet_;
  const std::unique_ptr<Directory> observer_ = fleet_.Join("observer:1", "");
};

TEST_F(SwarmPeerTest, AnObjectPutAnywhereIsReadEverywhere) {
  auto a = Host();
  auto b = Host();
  const std::vector<std::string> blobs = {Bytes(300'000), "", Bytes(5 << 20, 2)};
  Metadata metadata;
  metadata.Set("kind", "\"weights\"");
  ASSERT_THAT(a->Put("model", blobs, metadata, absl::Hours(5)), IsOk());
  AwaitHolders("model", 1);

  EXPECT_THAT(b->Get("model"), IsOkAndHolds(blobs));
  const absl::StatusOr<ObjectInfo> there = blocking::Stat(a->peer(), SwarmHost::Id("model"));
  const absl::StatusOr<ObjectInfo> here = blocking::Stat(b->peer(), SwarmHost::Id("model"));
  ASSERT_THAT(here, IsOk());
  EXPECT_EQ(here->metadata, metadata);
  EXPECT_EQ(absl::ToUnixMillis(*here->expires_at), absl::ToUnixMillis(*there->expires_at));
  AwaitHolders("model", 2);
}

TEST_F(SwarmPeerTest, EverySizeComesWhole) {
  auto a = Host();
  auto b = Host();
  constexpr size_t kPiece = Manifest::kMinPieceBytes;
  const std::vector<size_t> sizes = {
      0, 1, 4096, kPiece - 1, kPiece, kPiece + 1, 3 * kPiece, 256 * kPiece + 7, 20 << 20};
  for (size_t size : sizes) {
    const std::string id = absl::StrCat("of-", size);
    ASSERT_THAT(a->Put(id, {Bytes(size, size)}), IsOk());
    AwaitHolders(id, 1);
    EXPECT_THAT(b->Get(id), IsOkAndHolds(ElementsAre(Bytes(size, size)))) << size;
  }
}

TEST_F(SwarmPeerTest, ManySmallObjectsComeOverOneLink) {
  auto a = Host();
  auto b = Host();
  for (int i = 0; i < 200; ++i) {
    ASSERT_THAT(a->Put(absl::StrCat("small-", i), {Bytes(4096, i)}), IsOk());
  }
  AwaitHolders("small-199", 1);
  for (int i = 0; i < 200; ++i) {
    AwaitHolders(absl::StrCat("small-", i), 1);
    EXPECT_THAT(b->Get(absl::StrCat("small-", i)), IsOkAndHolds(ElementsAre(Bytes(4096, i))));
  }
  EXPECT_EQ(b->peer().links(), 1u);
}

TEST_F(SwarmPeerTest, WhatNobodyHasIsNotFound) {
  auto a = Host();
  EXPECT_THAT(a->Get("nothing"), HasKind(ErrorKind::kNotFound));
}

TEST_F(SwarmPeerTest, WithoutADirectoryTheSwarmIsUnavailableAndTheNodeIsNot) {
  auto a = Host();
  ASSERT_THAT(a->Put("mine", {"abc"}), IsOk());
  fleet_.SetUnavailable(true);
  EXPECT_THAT(a->Get("mine"), IsOkAndHolds(ElementsAre("abc")));
  EXPECT_THAT(a->Get("elsewhere"), HasKind(ErrorKind::kUnavailable));
}

TEST_F(SwarmPeerTest, AWaitIsForWhatNobodyHasYet) {
  auto a = Host();
  auto b = Host();
  AcquireRequest request;
  request.object_id = SwarmHost::Id("later");
  request.wait = absl::Seconds(60);
  request.session = SwarmHost::kSession;
  Pending<absl::StatusOr<Grant>> there;
  Pending<absl::StatusOr<Grant>> here;
  b->peer().Acquire(request, there.Callback());
  a->peer().Acquire(request, here.Callback());
  EXPECT_FALSE(there.IsDone());
  ASSERT_THAT(a->Put("later", {Bytes(100'000)}), IsOk());
  EXPECT_THAT(there.Wait(), IsOk());
  EXPECT_THAT(here.Wait(), IsOk());
}

TEST_F(SwarmPeerTest, WhoeverCanMakeWhatNobodyHasDoesNotWaitForIt) {
  auto a = Host();
  const auto client = ConnectDirect(std::shared_ptr<Peer>(std::shared_ptr<void>(), &a->peer()));
  int fills = 0;
  const auto fill = [&fills](Writer& writer) {
    ++fills;
    return writer.Write("made here");
  };
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const Reader reader, client->GetOrCreate("made", fill));
    EXPECT_THAT(reader.View(), IsOkAndHolds("made here"));
  }
  EXPECT_EQ(fills, 1);
}

TEST_F(SwarmPeerTest, AWaitEndsInTimeout) {
  auto a = Host();
  EXPECT_THAT(a->Get("nothing", absl::Milliseconds(20)), HasKind(ErrorKind::kTimeout));
}

TEST_F(SwarmPeerTest, AWaitEndsWhenItIsCancelledOrItsSessionEnds) {
  auto a = Host();
  AcquireRequest request;
  request.object_id = SwarmHost::Id("nothing");
  request.wait = absl::Hours(1);
  request.session = SwarmHost::kSession;
  request.operation = NewOperationId();
  Pending<absl::StatusOr<Grant>> cancelled;
  a->peer().Acquire(request, cancelled.Callback());
  a->peer().Cancel(request.operation);
  EXPECT_THAT(cancelled.Wait(), HasKind(ErrorKind::kTimeout));

  request.operation = OperationId::kNone;
  Pending<absl::StatusOr<Grant>> left;
  a->peer().Acquire(request, left.Callback());
  a->peer().EndSession(SwarmHost::kSession);
  EXPECT_THAT(left.Wait(), HasKind(ErrorKind::kUnavailable));
}

TEST_F(SwarmPeerTest, ConcurrentMissesAreOneDownload) {
  auto a = Host();
  auto b = Host();
  ASSERT_THAT(a->Put("hot", {Bytes(10 << 20)}), IsOk());
  AwaitHolders("hot", 1);
  std::vector<Pending<absl::StatusOr<Grant>>> reads(50);
  for (auto& read : reads) {
    AcquireRequest request;
    request.object_id = SwarmHost::Id("hot");
    request.session = SwarmHost::kSession;
    b->peer().Acquire(std::move(request), read.Callback());
  }
  for (auto& read : reads) EXPECT_THAT(read.Wait(), IsOk());
  EXPECT_EQ(b->peer().counters().downloads_started, 1u);
  EXPECT_EQ(b->peer().counters().received_bytes, 10u << 20);
}

TEST_F(SwarmPeerTest, WhatIsDiscardedIsWithdrawn) {
  auto a = Host();
  ASSERT_THAT(a->Put("gone", {"abc"}), IsOk());
  AwaitHolders("gone", 1);
  ASSERT_THAT(a->Discard("gone"), IsOk());
  AwaitHolders("gone", 0);
}

TEST_F(SwarmPeerTest, WhatIsEvictedIsWithdrawn) {
  auto a = std::make_unique<SwarmHost>(fleet_, [](EventSink& events) {
    LocalPeerOptions options;
    options.events = &events;
    options.capacity = 1 << 20;
    return MakeMemoryPeer(std::move(options));
  });
  ASSERT_THAT(a->Put("first", {Bytes(600'000)}), IsOk());
  AwaitHolders("first", 1);
  ASSERT_THAT(a->Put("second", {Bytes(600'000)}), IsOk());
  AwaitHolders("first", 0);
  AwaitHolders("second", 1);
}

TEST_F(SwarmPeerTest, WhatIsRenamedIsToldUnderItsNewNameAlone) {
  auto a = Host();
  ASSERT_THAT(a->Put("old", {"abc"}), IsOk());
  AwaitHolders("old", 1);
  absl::StatusOr<Grant> grant = a->Acquire("old", Access::kWrite);
  ASSERT_THAT(grant, IsOk());
  RelocateRequest relocate;
  relocate.lease_id = grant->lease.id;
  relocate.session = SwarmHost::kSession;
  relocate.to = SwarmHost::Id("new");
  ASSERT_THAT(blocking::Relocate(a->peer(), std::move(relocate)), IsOk());
  AwaitHolders("new", 1);
  AwaitHolders("old", 0);
}

TEST_F(SwarmPeerTest, AStaleHintIsNoHarm) {
  auto a = Host();
  auto b = Host();
  auto c = Host();
  ASSERT_THAT(a->Put("moved", {Bytes(1000)}), IsOk());
  AwaitHolders("moved", 1);
  ASSERT_THAT(b->Get("moved"), IsOk());
  AwaitHolders("moved", 2);
  // a is gone, and nobody has told.
  a->Stop();
  EXPECT_THAT(c->Get("moved"), IsOkAndHolds(ElementsAre(Bytes(1000))));
}

TEST_F(SwarmPeerTest, ManyReadersFeedEachOther) {
  auto source = Host();
  const std::string bytes = Bytes(16 << 20);
  ASSERT_THAT(source->Put("artifact", {bytes}), IsOk());
  AwaitHolders("artifact", 1);
  constexpr size_t kReaders = 7;
  std::vector<std::unique_ptr<SwarmHost>> readers;
  for (size_t i = 0; i < kReaders; ++i) readers.push_back(Host());
  std::vector<std::thread> threads;
  for (auto& reader : readers) {
    threads.emplace_back(
        [&] { EXPECT_THAT(reader->Get("artifact"), IsOkAndHolds(ElementsAre(bytes))); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LT(source->peer().counters().sent_bytes, kReaders * bytes.size())
      << "the source fed everybody alone";
}

TEST_F(SwarmPeerTest, RemovedEverywhere) {
  std::vector<std::unique_ptr<SwarmHost>> hosts;
  for (int i = 0; i < 3; ++i) hosts.push_back(Host());
  ASSERT_THAT(hosts[0]->Put("unwanted", {Bytes(1000)}), IsOk());
  AwaitHolders("unwanted", 1);
  ASSERT_THAT(hosts[1]->Get("unwanted"), IsOk());
  ASSERT_THAT(hosts[2]->Get("unwanted"), IsOk());
  AwaitHolders("unwanted", 3);

  Pending<absl::StatusOr<std::vector<SwarmPeer::Removal>>> removed;
  hosts[1]->peer().DiscardEverywhere(SwarmHost::Id("unwanted"), removed.Callback());
  const auto removals = removed.Wait();
  ASSERT_THAT(removals, IsOk());
  std::vector<std::string> holders;
  for (const auto& removal : *removals) {
    EXPECT_THAT(removal.result, IsOk());
    holders.push_back(removal.holder);
  }
  EXPECT_THAT(holders, UnorderedElementsAre("", hosts[0]->address(), hosts[2]->address()));
  AwaitHolders("unwanted", 0);
  for (auto& host : hosts) EXPECT_THAT(host->Get("unwanted"), HasKind(ErrorKind::kNotFound));
}

TEST_F(SwarmPeerTest, TheOriginIsReadWhereNobodyHoldsIt) {
  auto origin = MakeMemoryPeer({});
  {
    AcquireRequest create;
    create.access = Access::kCreate;
    create.object_id = SwarmHost::Id("artifact");
    create.blob_sizes = {3 << 20, 4};
    create.session = SwarmHost::kSession;
    absl::StatusOr<Grant> grant = blocking::Acquire(*origin, std::move(create));
    ASSERT_THAT(grant, IsOk());
    ASSERT_THAT(grant->object->blobs()[0]->Write(0, Bytes(3 << 20)), IsOk());
    ASSERT_THAT(grant->object->blobs()[1]->Write(0, "tail"), IsOk());
    SealRequest seal;
    seal.lease_id = grant->lease.id;
    seal.session = SwarmHost::kSession;
    ASSERT_THAT(blocking::Seal(*origin, std::move(seal)), IsOk());
  }
  SwarmHost with_origin(fleet_, SwarmHost::Memory, std::move(origin));
  auto without = Host();
  EXPECT_THAT(with_origin.Get("artifact"), IsOkAndHolds(ElementsAre(Bytes(3 << 20), "tail")));
  EXPECT_EQ(with_origin.peer().counters().origin_copies, 1u);
  AwaitHolders("artifact", 1);
  EXPECT_THAT(without->Get("artifact"), IsOkAndHolds(ElementsAre(Bytes(3 << 20), "tail")));
  EXPECT_THAT(with_origin.Get("nowhere"), HasKind(ErrorKind::kNotFound));
}

TEST_F(SwarmPeerTest, FilesGoFromDiskToDisk) {
  const TemporaryDirectory first;
  const TemporaryDirectory second;
  const auto files = [](const std::string& directory) {
    return [directory](EventSink& events) -> std::unique_ptr<Peer> {
      FileSystemPeerOptions options;
      options.directory = directory;
      options.events = &events;
      absl::StatusOr<std::unique_ptr<FileSystemPeer>> peer =
          FileSystemPeer::Open(std::move(options));
      EXPECT_THAT(peer, IsOk());
      return *std::move(peer);
    };
  };
  const std::vector<std::string> blobs = {Bytes(2'000'000), Bytes(70'000, 5)};
  {
    SwarmHost before(fleet_, files(first / "data"));
    ASSERT_THAT(before.Put("durable", blobs), IsOk());
    AwaitHolders("durable", 1);
  }
  // What was there before the start is told, too.
  SwarmHost a(fleet_, files(first / "data"));
  AwaitHolders("durable", 2);  // the address that is gone is told still
  {
    SwarmHost b(fleet_, files(second / "data"));
    EXPECT_THAT(b.Get("durable"), IsOkAndHolds(blobs));
  }
  PlainDirectoryFleet nobody;
  SwarmHost again(nobody, files(second / "data"));
  EXPECT_THAT(again.Get("durable"), IsOkAndHolds(blobs)) << "what was copied is durable";
}

TEST_F(SwarmPeerTest, Sha256ForFleetsThatDoNotTrustTheirMembers) {
  SwarmOptions options;
  options.digest = HashKind::kSha256;
  auto a = Host(options);
  auto b = Host(options);
  ASSERT_THAT(a->Put("guarded", {Bytes(1 << 20)}), IsOk());
  AwaitHolders("guarded", 1);
  EXPECT_THAT(b->Get("guarded"), IsOkAndHolds(ElementsAre(Bytes(1 << 20))));
}

TEST_F(SwarmPeerTest, AnotherClusterIsRefused) {
  SwarmOptions other;
  other.cluster = "staging";
  auto a = Host();
  auto b = Host(other);
  ASSERT_THAT(a->Put("private", {Bytes(1000)}), IsOk());
  AwaitHolders("private", 1);
  EXPECT_THAT(b->Get("private"), HasKind(ErrorKind::kUnavailable));
}

TEST_F(SwarmPeerTest, AWrongTokenIsRefused) {
  SwarmOptions right;
  right.token = "secret";
  SwarmOptions wrong;
  wrong.token = "guess";
  auto a = Host(right);
  auto b = Host(right);
  auto c = Host(wrong);
  ASSERT_THAT(a->Put("guarded", {Bytes(1000)}), IsOk());
  AwaitHolders("guarded", 1);
  EXPECT_THAT(c->Get("guarded"), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(b->Get("guarded"), IsOk());
}

TEST_F(SwarmPeerTest, AnObjectTooLargeForThisNodeIsCapacity) {
  auto a = Host();
  SwarmHost small(fleet_, [](EventSink& events) {
    LocalPeerOptions options;
    options.events = &events;
    options.capacity = 1 << 20;
    return MakeMemoryPeer(std::move(options));
  });
  ASSERT_THAT(a->Put("large", {Bytes(4 << 20)}), IsOk());
  AwaitHolders("large", 1);
  EXPECT_THAT(small.Get("large"), HasKind(ErrorKind::kCapacity));
}

TEST_F(SwarmPeerTest, DrainsAndLeavesNothingBehind) {
  auto a = Host();
  auto b = Host();
  ASSERT_THAT(a->Put("object", {Bytes(1 << 20)}), IsOk());
  AwaitHolders("object", 1);
  ASSERT_THAT(b->Get("object"), IsOk());
  a->peer().Drain(absl::Seconds(5));
  b->peer().Drain(absl::Seconds(5));
  const absl::StatusOr<PeerStats> stats = blocking::Stats(b->peer().local());
  ASSERT_THAT(stats, IsOk());
  EXPECT_EQ(stats->create_leases, 0u);
  EXPECT_THAT(b->Get("another"), HasKind(ErrorKind::kUnavailable));
}

}  // namespace
}  // namespace packice
