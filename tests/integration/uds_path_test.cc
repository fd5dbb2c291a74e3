// A node whose blobs are files, over its Unix socket: the client gets paths, and descriptors beside
// those of sealed objects.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "packice/backends/memory_lease_table.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/peer_conformance.h"
#include "packice/peers/local_peer.h"
#include "packice/transport/uds_peer.h"
#include "packice/transport/uds_server.h"
#include "path_store.h"
#include "temporary_directory.h"

namespace packice {
namespace {

class UdsPathUnderTest final : public PeerUnderTest {
 public:
  explicit UdsPathUnderTest(const PeerOptions& options) {
    LocalPeerOptions local;
    local.capacity = options.capacity;
    local.describe_session = UdsServer::Describe;
    local.eviction.kind = EvictionKind::kLru;
    local.background_reaper = false;
    local.clock = &clock_;
    std::filesystem::create_directory(files());
    node_ = std::make_unique<LocalPeer>(std::make_unique<PathStore>(files()),
                                        std::make_unique<MemoryLeaseTable>(clock_),
                                        /*policy=*/nullptr, local);
    UdsServerOptions server;
    server.path = directory_.path() + "/socket";
    server_ = *UdsServer::Start(*node_, server);
    UdsPeerOptions client;
    client.path = server.path;
    peer_ = *UdsPeer::Connect(client);
  }
  ~UdsPathUnderTest() override {
    peer_.reset();
    server_.reset();
    node_.reset();
  }

  Peer& peer() override { return *peer_; }
  void Advance(absl::Duration by) override {
    clock_.Advance(by);
    node_->RunDue();
  }
  void AdvanceWithoutTimers(absl::Duration by) override { clock_.Advance(by); }

  std::string files() const { return directory_.path() + "/files"; }

 private:
  TemporaryDirectory directory_;
  FakeClock clock_;
  std::unique_ptr<LocalPeer> node_;
  std::unique_ptr<UdsServer> server_;
  std::unique_ptr<UdsPeer> peer_;
};

PeerParam UdsPath() {
  PeerParam param;
  param.name = "UdsPath";
  param.make = [](const PeerOptions& options) {
    return std::make_unique<UdsPathUnderTest>(options);
  };
  param.ids_are_utf8_only = true;
  return param;
}

INSTANTIATE_TEST_SUITE_P(UdsPath, PeerConformance, testing::Values(UdsPath()), PeerParam::NameOf);
INSTANTIATE_TEST_SUITE_P(UdsPath, PeerEvictionConformance, testing::Values(UdsPath()),
                         PeerParam::NameOf);

class UdsPathTest : public PeerFixture {
 protected:
  std::string Files() const { return static_cast<UdsPathUnderTest&>(*under_test_).files(); }
  std::vector<std::string> FileNames() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(Files())) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
};

INSTANTIATE_TEST_SUITE_P(UdsPath, UdsPathTest, testing::Values(UdsPath()), PeerParam::NameOf);

TEST_P(UdsPathTest, WithoutRoomACreateIsToldWhichProcessHoldsIt) {
  PeerOptions options;
  options.capacity = 1 << 20;
  Start(options);
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 1 << 20));
  const absl::Status status = Create("b", 1).status();
  EXPECT_THAT(status, HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(status.message(), testing::HasSubstr(absl::StrCat("held by pid ", getpid(), ";")));
}

TEST_P(UdsPathTest, AWriterGetsThePathAndAReaderADescriptor) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a", 5));
  const BlobDescriptor written = creator.object->blobs()[0]->Describe();
  ASSERT_TRUE(absl::holds_alternative<PathDescriptor>(written));
  EXPECT_EQ(absl::get<PathDescriptor>(written).path, Files() + "/1.new");
  ASSERT_THAT(creator.object->blobs()[0]->Write(0, "bytes"), IsOk());
  ASSERT_THAT(Seal(creator), IsOk());

  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  EXPECT_TRUE(absl::holds_alternative<FdDescriptor>(reader.object->blobs()[0]->Describe()));
  EXPECT_EQ(BytesOf(reader), "bytes");
}

TEST_P(UdsPathTest, AReaderNeedsNoPath) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  std::filesystem::permissions(Files() + "/1", std::filesystem::perms::owner_read);
  ASSERT_OK_AND_ASSIGN(Grant reader, Read("a"));
  std::filesystem::rename(Files() + "/1", Files() + "/elsewhere");
  EXPECT_EQ(BytesOf(reader), "bytes");
}

TEST_P(UdsPathTest, OtherProgramsMayWriteThePath) {
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("a"));
  std::ofstream(Files() + "/1.new") << "copied";
  ASSERT_OK_AND_ASSIGN(Sealed sealed, Seal(creator));
  EXPECT_EQ(sealed.size, 6u);
  EXPECT_THAT(Get("a"), IsOkAndHolds("copied"));
}

TEST_P(UdsPathTest, AFileOfAnotherSizeIsCorruptAndLeavesNoLease) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  std::filesystem::permissions(Files() + "/1", std::filesystem::perms::owner_all);
  std::filesystem::rename(Files() + "/1", Files() + "/elsewhere");
  std::ofstream(Files() + "/1") << "longer bytes";
  EXPECT_THAT(Read("a"), HasKind(ErrorKind::kCorrupt));
  EXPECT_EQ(GetStats().read_leases, 0u);
}

TEST_P(UdsPathTest, SeveralBlobsAndABatchKeepTheirDescriptorsApart) {
  for (const std::string id : {"a", "b"}) {
    AcquireRequest request = CreateRequest(id);
    request.blob_sizes = {2, 0, 3};
    ASSERT_OK_AND_ASSIGN(Grant creator, Acquire(request));
    ASSERT_THAT(creator.object->blobs()[0]->Write(0, id + "0"), IsOk());
    ASSERT_THAT(creator.object->blobs()[2]->Write(0, id + "-2"), IsOk());
    ASSERT_THAT(Seal(creator), IsOk());
  }
  Pending<absl::StatusOr<Grant>> a, b;
  peer().Gather([&] {
    peer().Acquire(Request(Access::kRead, "a"), a.Callback());
    peer().Acquire(Request(Access::kRead, "b"), b.Callback());
  });
  ASSERT_OK_AND_ASSIGN(Grant first, a.Wait());
  ASSERT_OK_AND_ASSIGN(Grant second, b.Wait());
  EXPECT_EQ(BytesOf(first, 0), "a0");
  EXPECT_EQ(BytesOf(first, 1), "");
  EXPECT_EQ(BytesOf(first, 2), "a-2");
  EXPECT_EQ(BytesOf(second, 0), "b0");
  EXPECT_EQ(BytesOf(second, 2), "b-2");
}

TEST_P(UdsPathTest, NothingIsLeftOfWhatIsOver) {
  ASSERT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Grant creator, Create("b", 4));
  EXPECT_EQ(FileNames().size(), 2u);
  ASSERT_THAT(Release(creator), IsOk());
  ASSERT_THAT(Remove("a"), IsOk());
  EXPECT_THAT(FileNames(), testing::IsEmpty());
}

}  // namespace
}  // namespace packice
