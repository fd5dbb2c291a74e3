// Objects in shared memory over a Unix socket: what a client is told of where they lie, what it may
// rely on, and what clients get that know nothing of it.
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node_test.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/uds_peer.h"
#include "packice/transport/uds_server.h"

namespace packice {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kHello[] = R"({"op":"hello","features":["positioned","segments"]})";

std::string ReadAt(int fd, size_t size, int64_t offset) {
  std::string bytes(size, '\0');
  EXPECT_EQ(pread(fd, bytes.data(), size, offset), static_cast<ssize_t>(size));
  return bytes;
}

// --- By hand.

class UdsSegments : public NodeTest {
 protected:
  void SetUp() override { StartNode(); }

  RawClient Announced() {
    RawClient client = Connect();
    EXPECT_THAT(client.Ask(kHello).line, HasSubstr("\"segments\""));
    return client;
  }
  static void Remove(RawClient& client, absl::string_view id) {
    Response grant =
        client.Ask(absl::StrCat(R"({"op":"acquire","intent":"write","object_id":")", id, R"("})"));
    EXPECT_EQ(client.Ask(LeaseLine("discard", grant.Text("lease_id"))).Kind(), "ok");
  }
};

TEST_F(UdsSegments, ASegmentIsPassedOnceAConnection) {
  RawClient client = Announced();
  Put(client, "a", "first");
  Put(client, "b", "second");
  Response first = client.Ask(ReadLine("a"));
  ASSERT_EQ(first.Text("kind"), "segment") << first.line;
  ASSERT_THAT(first.descriptors, SizeIs(1));
  struct stat info;
  ASSERT_EQ(fstat(first.descriptors[0].get(), &info), 0);
  EXPECT_EQ(first.Number("segment_size"), info.st_size);
  EXPECT_EQ(ReadAt(first.descriptors[0].get(), 5, first.Number("offset")), "first");

  Response second = client.Ask(ReadLine("b"));
  EXPECT_THAT(second.descriptors, SizeIs(0));
  EXPECT_THAT(second.line, Not(HasSubstr("index")));
  EXPECT_EQ(second.Number("segment"), first.Number("segment"));
  EXPECT_EQ(ReadAt(first.descriptors[0].get(), 6, second.Number("offset")), "second");

  RawClient other = Announced();
  EXPECT_THAT(other.Ask(ReadLine("a")).descriptors, SizeIs(1)) << "of another connection";
}

TEST_F(UdsSegments, ABatchNamesItsSegmentOnce) {
  RawClient client = Announced();
  std::vector<std::string> reads;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = absl::StrCat("object ", i);
    Put(client, id, absl::StrCat("bytes of ", i));
    reads.push_back(ReadLine(id));
  }
  RawClient other = Announced();
  const Response all = other.Ask(BatchLine(reads));
  ASSERT_THAT(all.descriptors, SizeIs(1)) << all.line.substr(0, 300);
  EXPECT_EQ(all.Texts("kind").size(), 1000u);
  EXPECT_THAT(all.line, Not(HasSubstr("error")));
}

TEST_F(UdsSegments, NobodyCanWriteWhatIsPassed) {
  RawClient client = Announced();
  Put(client, "a", "sealed");
  Response read = client.Ask(ReadLine("a"));
  ASSERT_THAT(read.descriptors, SizeIs(1));
  const int fd = read.descriptors[0].get();
  EXPECT_EQ(pwrite(fd, "x", 1, read.Number("offset")), -1);
  EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
  EXPECT_EQ(ftruncate(fd, 0), -1);
}

TEST_F(UdsSegments, WhoDidNotAnnounceItGetsASealedMemfdOfTheObjectAlone) {
  RawClient writer = Announced();
  Put(writer, "a", "neighbour");
  Put(writer, "b", "object");
  for (const char* hello : {R"({"op":"hello"})", R"({"op":"hello","features":["positioned"]})",
                            R"({"op":"hello","features":["segments"]})"}) {
    RawClient client = Connect();
    client.Ask(hello);
    Response read = client.Ask(ReadLine("b"));
    EXPECT_EQ(read.Text("kind"), "fd") << read.line;
    ASSERT_THAT(read.descriptors, SizeIs(1));
    const int fd = read.descriptors[0].get();
    struct stat info;
    ASSERT_EQ(fstat(fd, &info), 0);
    EXPECT_EQ(info.st_size, 6);
    EXPECT_EQ(ReadAt(fd, 6, read.Number("offset")), "object");
    EXPECT_EQ(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE) << "no node writes it either";
  }
}

TEST_F(UdsSegments, ALeaseThatTimeEndsComesWithBytesThatStay) {
  RawClient client = Announced();
  Put(client, "a", "object");
  Response read =
      client.Ask(R"({"op":"acquire","intent":"read","object_id":"a","ttl_seconds":60})");
  EXPECT_EQ(read.Text("kind"), "fd") << read.line;
  ASSERT_THAT(read.descriptors, SizeIs(1));
  EXPECT_EQ(fcntl(read.descriptors[0].get(), F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
  client.Ask(LeaseLine("release", read.Text("lease_id")));
}

TEST_F(UdsSegments, BytesAreKeptWhereTheClientSaysSo) {
  RawClient client = Announced();
  Put(client, "anchor", "keeps the segment");
  Put(client, "a", "first!");
  client.Ask(ReadLine("anchor"));
  Response read = client.Ask(ReadLine("a"));
  const std::string lease = read.Text("lease_id");
  const int64_t offset = read.Number("offset");
  EXPECT_EQ(
      client.Ask(absl::StrCat(R"({"op":"release","lease_id":")", lease, R"(","keep_bytes":true})"))
          .Text("status"),
      "released");
  Remove(client, "a");
  const auto place_of_next = [&] {
    Put(client, "b", "second");
    Response placed = client.Ask(ReadLine("b"));
    client.Ask(LeaseLine("release", placed.Text("lease_id")));
    Remove(client, "b");
    return placed.Number("offset");
  };
  EXPECT_NE(place_of_next(), offset);
  EXPECT_EQ(client.Ask(LeaseLine("release", lease)).Text("status"), "released");
  EXPECT_EQ(place_of_next(), offset) << "used again now";
}

TEST_F(UdsSegments, AConnectionKeepsBytesOfSoManyLeasesAndNoMore) {
  constexpr int kMost = 10000;
  RawClient client = Announced();
  Put(client, "a", "object");
  const auto keep = [](absl::string_view lease) {
    return absl::StrCat(R"({"op":"release","lease_id":")", lease, R"(","keep_bytes":true})");
  };
  std::vector<std::string> leases;
  while (leases.size() < kMost) {
    const Response reads = client.Ask(BatchLine(std::vector<std::string>(1000, ReadLine("a"))));
    std::vector<std::string> releases;
    for (const std::string& lease : reads.Texts("lease_id")) {
      leases.push_back(lease);
      releases.push_back(keep(lease));
    }
    ASSERT_FALSE(client.Ask(BatchLine(releases)).Has("error"));
  }
  const std::string last = client.Ask(ReadLine("a")).Text("lease_id");
  EXPECT_EQ(client.Ask(keep(last)).Kind(), "capacity");
  EXPECT_EQ(FiguresOf(client).reads, 1) << "it is as it was";
  EXPECT_EQ(client.Ask(absl::StrCat(R"({"op":"renew","lease_id":")", last, R"(","ttl_seconds":9})"))
                .Kind(),
            "capacity");
  client.Ask(LeaseLine("release", leases[0]));
  EXPECT_EQ(client.Ask(keep(last)).Kind(), "ok");
}

TEST_F(UdsSegments, ALeaseThatIsGivenATtlKeepsItsBytesToo) {
  RawClient client = Announced();
  Put(client, "a", "first!");
  Response read = client.Ask(ReadLine("a"));
  const int64_t offset = read.Number("offset");
  const UniqueFd segment = std::move(read.descriptors.at(0));
  EXPECT_EQ(client
                .Ask(absl::StrCat(R"({"op":"renew","lease_id":")", read.Text("lease_id"),
                                  R"(","ttl_seconds":0.01})"))
                .Text("status"),
            "renewed");
  EXPECT_TRUE(Eventually([&] { return FiguresOf(client).reads == 0; }));
  RemoveAll(client);
  Put(client, "b", "second");
  EXPECT_EQ(ReadAt(segment.get(), 6, offset), "first!");
}

TEST_F(UdsSegments, WhatWasPassedIsDroppedWhenTheNodeGivesItUp) {
  RawClient client = Announced();
  Put(client, "a", "object");
  Response read = client.Ask(ReadLine("a"));
  const std::string segment = read.Json("segment");
  client.Ask(LeaseLine("release", read.Text("lease_id")));
  Remove(client, "a");  // the node of these tests keeps nothing warm
  Put(client, "b", "object");
  bool told = false;
  for (int i = 0; i < 200 && !told; ++i) {
    Response next = client.Ask(ReadLine("b"));
    EXPECT_NE(next.Json("segment"), segment);
    told = next.Has(absl::StrCat("\"dropped\":[", segment, "]"));
    client.Ask(LeaseLine("release", next.Text("lease_id")));
  }
  EXPECT_TRUE(told);
}

// --- When the node has had enough.

class UdsSegmentsOfADeafClient : public UdsSegments {
 protected:
  void SetUp() override {
    NodeFlags flags;
    flags.send_timeout = absl::Milliseconds(100);
    StartNode(flags);
  }
  // Asks and never reads, until the node takes no notice any more and says so.
  static bool IsCutOff(RawClient& deaf) {
    return Eventually([&] {
      pollfd poller = {deaf.socket(), POLLRDHUP, 0};
      if (poll(&poller, 1, 0) != 0) return true;
      static const std::string list = std::string(R"({"op":"list","limit":10000})") + "\n";
      send(deaf.socket(), list.data(), list.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      return false;
    });
  }
};

TEST_F(UdsSegmentsOfADeafClient, ItsBytesStayUntilItGoes) {
  RawClient deaf = Announced();
  Put(deaf, "a", "first!");
  Response read = deaf.Ask(ReadLine("a"));
  const int64_t offset = read.Number("offset");
  const UniqueFd segment = std::move(read.descriptors.at(0));
  for (int i = 0; i < 1000; ++i) Put(watcher(), absl::StrCat("object/", i), "x");
  ASSERT_TRUE(IsCutOff(deaf));
  RemoveAll(watcher());
  for (int i = 0; i < 100; ++i) {
    Put(watcher(), "b", "second");
    RemoveAll(watcher());
  }
  EXPECT_EQ(ReadAt(segment.get(), 6, offset), "first!");
  EXPECT_EQ(FiguresOf(watcher()).reads, 1);
  EXPECT_EQ(FiguresOf(watcher()).connections, 2) << "it counts among those that there may be";
  deaf.Close();
  EXPECT_TRUE(IsAsBefore(kAtOnce));
}

TEST_F(UdsSegmentsOfADeafClient, NothingThatItAsksForIsDoneAnyMore) {
  RawClient deaf = Announced();
  Put(deaf, "a", "first!");
  deaf.Ask(ReadLine("a"));
  for (int i = 0; i < 1000; ++i) Put(watcher(), absl::StrCat("object/", i), "x");
  ASSERT_TRUE(IsCutOff(deaf));
  deaf.Send(absl::StrCat("\n", CreateLine("late", 1), "\n"));
  EXPECT_TRUE(Eventually([&] {
    int unread = -1;
    return ioctl(deaf.socket(), SIOCOUTQ, &unread) == 0 && unread == 0;
  })) << "it is read all the same";
  EXPECT_EQ(FiguresOf(watcher()).creates, 0);
}

TEST_F(UdsSegments, BytesStayWhereTheStreamIsLost) {
  Put(watcher(), "anchor", "keeps the segment");
  RawClient client = Announced();
  Put(client, "a", "first!");
  Response read = client.Ask(ReadLine("a"));
  const UniqueFd segment = std::move(read.descriptors.at(0));
  EXPECT_EQ(client.Ask(R"({"op":"put","object_id":"b","payload":-1})").Kind(), "invalid_argument");
  EXPECT_TRUE(client.AtEnd());
  Remove(watcher(), "a");
  for (int i = 0; i < 100; ++i) {
    Put(watcher(), "b", "second");
    Remove(watcher(), "b");
  }
  EXPECT_EQ(ReadAt(segment.get(), 6, read.Number("offset")), "first!");
}

// --- As a Peer.

class SegmentPeer : public testing::Test {
 protected:
  SegmentPeer() {
    UdsServerOptions server;
    server.path = directory_ / "socket";
    server_ = *UdsServer::Start(*node_, server);
    peer_ = Connect();
  }
  std::unique_ptr<UdsPeer> Connect() {
    UdsPeerOptions client;
    client.path = directory_ / "socket";
    return *UdsPeer::Connect(client);
  }
  static void Put(Peer& peer, absl::string_view id, absl::string_view bytes) {
    PutRequest put;
    put.object_id = *ObjectId::Parse(id);
    put.blob_sizes = {bytes.size()};
    put.bytes = bytes;
    ASSERT_THAT(blocking::Put(peer, std::move(put)), IsOk());
  }
  static absl::StatusOr<Grant> Acquire(Peer& peer, absl::string_view id, Access access) {
    AcquireRequest request;
    request.access = access;
    request.object_id = *ObjectId::Parse(id);
    return blocking::Acquire(peer, std::move(request));
  }
  static absl::Status Release(Peer& peer, const Grant& grant) {
    return blocking::Release(peer, LeaseRequest{.lease_id = grant.lease.id});
  }
  static std::string BytesOf(const Grant& grant) {
    std::string bytes(grant.object->size(), '\0');
    EXPECT_THAT(grant.object->blobs()[0]->Read(0, absl::MakeSpan(bytes)),
                IsOkAndHolds(bytes.size()));
    return bytes;
  }
  // Fills whatever memory is free with other bytes.
  static void Churn(Peer& peer) {
    for (int i = 0; i < 200; ++i) {
      Put(peer, "churn", "XXXXXX");
      ASSERT_OK_AND_ASSIGN(Grant writer, Acquire(peer, "churn", Access::kWrite));
      ASSERT_THAT(blocking::Discard(peer, LeaseRequest{.lease_id = writer.lease.id}), IsOk());
    }
  }

  TemporaryDirectory directory_;
  std::unique_ptr<LocalPeer> node_ = MakeMemoryPeer();
  std::unique_ptr<UdsServer> server_;
  std::unique_ptr<UdsPeer> peer_;
};

TEST_F(SegmentPeer, BytesStayWhileTheyAreSharedHoweverTheLeaseEnds) {
  Put(*peer_, "a", "object");
  ASSERT_OK_AND_ASSIGN(Grant reader, Acquire(*peer_, "a", Access::kRead));
  ASSERT_OK_AND_ASSIGN(Grant writer, Acquire(*peer_, "a", Access::kWrite));
  ASSERT_NE(absl::get<FdDescriptor>(reader.object->blobs()[0]->Describe()).segment, nullptr);
  ASSERT_OK_AND_ASSIGN(Mapping mapping, writer.object->blobs()[0]->Map(MapAccess::kReadOnly));
  ASSERT_THAT(blocking::Discard(*peer_, LeaseRequest{.lease_id = writer.lease.id}), IsOk());
  ASSERT_THAT(Release(*peer_, reader), IsOk());
  EXPECT_THAT(blocking::Stat(*peer_, *ObjectId::Parse("a")), HasKind(ErrorKind::kNotFound));
  Churn(*peer_);
  EXPECT_EQ(BytesOf(reader), "object");
  writer.object.reset();
  Churn(*peer_);
  EXPECT_EQ(mapping.view(), "object") << "a mapping shares them, too";
}

TEST_F(SegmentPeer, BytesStayWhenAnEndOfTheLeaseFailedBefore) {
  Put(*peer_, "a", "object");
  Put(*peer_, "b", "other");
  ASSERT_OK_AND_ASSIGN(Grant writer, Acquire(*peer_, "a", Access::kWrite));
  RelocateRequest relocate;
  relocate.lease_id = writer.lease.id;
  relocate.to = *ObjectId::Parse("b");
  EXPECT_THAT(blocking::Relocate(*peer_, relocate), HasKind(ErrorKind::kAlreadyExists));
  ASSERT_THAT(blocking::Discard(*peer_, LeaseRequest{.lease_id = writer.lease.id}), IsOk());
  ASSERT_THAT(Release(*peer_, writer), IsOk()) << "of a lease that is over";
  Churn(*peer_);
  EXPECT_EQ(BytesOf(writer), "object");
}

// Of whole pages, so that its segment holds nothing else; what was put by its node is used again.
TEST_F(SegmentPeer, ALargeObjectUnderATtlIsACopyThatStays) {
  const std::string bytes(4 << 20, 'a');
  Put(*peer_, "large", bytes);
  AcquireRequest request;
  request.object_id = *ObjectId::Parse("large");
  request.ttl = absl::Hours(1);
  ASSERT_OK_AND_ASSIGN(Grant reader, blocking::Acquire(*peer_, request));
  ASSERT_THAT(Release(*peer_, reader), IsOk());
  {
    ASSERT_OK_AND_ASSIGN(Grant writer, Acquire(*peer_, "large", Access::kWrite));
    ASSERT_THAT(blocking::Discard(*peer_, LeaseRequest{.lease_id = writer.lease.id}), IsOk());
  }
  for (int i = 0; i < 3; ++i) {
    Put(*peer_, absl::StrCat("next ", i), std::string(4 << 20, 'b'));
  }
  EXPECT_EQ(BytesOf(reader), bytes);
}

TEST_F(SegmentPeer, BytesThatNobodySharesAreUsedAgain) {
  Put(*peer_, "a", "object");
  uint64_t offset = 0;
  {
    ASSERT_OK_AND_ASSIGN(Grant writer, Acquire(*peer_, "a", Access::kWrite));
    offset = absl::get<FdDescriptor>(writer.object->blobs()[0]->Describe()).offset;
    ASSERT_THAT(blocking::Discard(*peer_, LeaseRequest{.lease_id = writer.lease.id}), IsOk());
  }
  EXPECT_TRUE(Eventually([&] {
    Put(*peer_, "b", "second");
    const absl::StatusOr<Grant> writer = Acquire(*peer_, "b", Access::kWrite);
    const auto place = absl::get<FdDescriptor>((*writer).object->blobs()[0]->Describe());
    blocking::Discard(*peer_, LeaseRequest{.lease_id = writer->lease.id}).IgnoreError();
    return place.offset == offset;
  }));
}

TEST_F(SegmentPeer, BytesOutliveThePeerThatReadThem) {
  Put(*peer_, "a", "object");
  ASSERT_OK_AND_ASSIGN(Grant reader, Acquire(*peer_, "a", Access::kRead));
  peer_.reset();
  const std::unique_ptr<UdsPeer> other = Connect();
  {
    ASSERT_OK_AND_ASSIGN(Grant writer, Acquire(*other, "a", Access::kWrite));
    ASSERT_THAT(blocking::Discard(*other, LeaseRequest{.lease_id = writer.lease.id}), IsOk());
  }
  Churn(*other);
  EXPECT_EQ(BytesOf(reader), "object");
}

TEST_F(SegmentPeer, ADrainDoesNotWaitForThoseWhoLookAndTheirBytesStay) {
  Put(*peer_, "a", "object");
  ASSERT_OK_AND_ASSIGN(Grant reader, Acquire(*peer_, "a", Access::kRead));
  server_->Drain(absl::InfiniteDuration());
  {
    ASSERT_OK_AND_ASSIGN(Grant writer, Acquire(*node_, "a", Access::kWrite));
    ASSERT_THAT(blocking::Discard(*node_, LeaseRequest{.lease_id = writer.lease.id}), IsOk());
  }
  Churn(*node_);
  EXPECT_EQ(BytesOf(reader), "object");
  EXPECT_EQ(blocking::Stats(*node_)->read_leases, 1u);
  reader.object.reset();
  peer_.reset();
  EXPECT_TRUE(Eventually([&] { return blocking::Stats(*node_)->read_leases == 0; }));
}

TEST_F(SegmentPeer, BytesOutliveTheServer) {
  Put(*peer_, "a", "object");
  Put(*peer_, "b", "kept!!");
  ASSERT_OK_AND_ASSIGN(Grant reader, Acquire(*peer_, "a", Access::kRead));
  ASSERT_OK_AND_ASSIGN(Grant released, Acquire(*peer_, "b", Access::kRead));
  ASSERT_THAT(Release(*peer_, released), IsOk());
  server_.reset();
  for (const char* id : {"a", "b"}) {
    ASSERT_OK_AND_ASSIGN(Grant writer, Acquire(*node_, id, Access::kWrite));
    ASSERT_THAT(blocking::Discard(*node_, LeaseRequest{.lease_id = writer.lease.id}), IsOk());
  }
  Churn(*node_);
  EXPECT_EQ(BytesOf(reader), "object");
  EXPECT_EQ(BytesOf(released), "kept!!");
}

TEST_F(SegmentPeer, BytesOutliveTheNode) {
  Put(*peer_, "a", "object");
  ASSERT_OK_AND_ASSIGN(Grant reader, Acquire(*peer_, "a", Access::kRead));
  server_.reset();
  node_.reset();
  EXPECT_EQ(BytesOf(reader), "object");
}

}  // namespace
}  // namespace packice
