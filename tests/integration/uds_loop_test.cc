// What takes long does not hold up the event loop that a client shares with others, nor may it keep
// a wait from being given up.
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "node_test.h"
#include "packice/backends/memory_lease_table.h"
#include "packice/core/latch.h"
#include "packice/core/testing/heap_blob_store.h"
#include "packice/peers/local_peer.h"
#include "packice/transport/uds_server.h"
#include "temporary_directory.h"

namespace packice {
namespace {

// A blob of a disk that is busy: nothing is written until the gate opens.
class SlowBlob final : public Blob {
 public:
  SlowBlob(std::unique_ptr<Blob> bytes, Latch& gate, bool file)
      : bytes_(std::move(bytes)), gate_(gate), file_(file) {}

  uint64_t size() const override { return bytes_->size(); }
  bool sealed() const override { return bytes_->sealed(); }
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override {
    return bytes_->Read(offset, out);
  }
  absl::Status Write(uint64_t offset, absl::string_view bytes) override {
    gate_.Wait();
    return bytes_->Write(offset, bytes);
  }
  absl::Status Seal(absl::optional<uint64_t> size) override { return bytes_->Seal(size); }
  absl::StatusOr<Mapping> Map(MapAccess access) const override { return bytes_->Map(access); }
  BlobDescriptor Describe() const override {
    if (file_) return PathDescriptor{"/nowhere", 0, size()};
    return bytes_->Describe();
  }

 private:
  const std::unique_ptr<Blob> bytes_;
  Latch& gate_;
  const bool file_;
};

class SlowStore final : public BlobStore {
 public:
  SlowStore(Latch& gate, bool files) : gate_(gate), files_(files) {}

  absl::StatusOr<std::unique_ptr<Blob>> Create(absl::optional<uint64_t> size) override {
    absl::StatusOr<std::unique_ptr<Blob>> blob = heap_.Create(size);
    if (!blob.ok()) return blob;
    return std::make_unique<SlowBlob>(*std::move(blob), gate_, files_);
  }

 private:
  HeapBlobStore heap_;
  Latch& gate_;
  const bool files_;
};

class UdsLoop : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    node_ = std::make_unique<LocalPeer>(std::make_unique<SlowStore>(gate_, /*files=*/GetParam()),
                                        std::make_unique<MemoryLeaseTable>(Clock::System()),
                                        /*policy=*/nullptr, LocalPeerOptions());
    UdsServerOptions options;
    options.path = directory_ / "socket";
    options.threads = 1;
    server_ = *UdsServer::Start(*node_, options);
  }
  void TearDown() override { gate_.Set(); }

  RawClient Connect() const { return RawClient(directory_ / "socket"); }
  // As many bytes as it takes to be slow: any, of a file.
  static uint64_t Size() { return GetParam() ? 1000 : 2 << 20; }
  static std::string PutLine(absl::string_view id, absl::string_view more = "") {
    return absl::StrCat(R"({"op":"put","object_id":")", id, R"(","staged":{"offset":0,"size":)",
                        Size(), "}", more, "}\n");
  }
  RawClient Staging() const {
    RawClient client = Connect();
    EXPECT_EQ(client.Ask(R"({"op":"stage"})").Kind(), "ok");
    return client;
  }

  TemporaryDirectory directory_;
  Latch gate_;
  std::unique_ptr<LocalPeer> node_;
  std::unique_ptr<UdsServer> server_;
};

TEST_P(UdsLoop, OthersAreServedWhileAPutIsWritten) {
  RawClient slow = Staging();
  slow.Send(PutLine("a"));
  RawClient other = Connect();
  EXPECT_TRUE(Eventually([&] { return FiguresOf(other).creates == 1; }));
  gate_.Set();
  EXPECT_EQ(slow.Receive().Kind(), "ok");
}

TEST_P(UdsLoop, APutThatWaitsBehindOthersCanBeGivenUp) {
  RawClient creator = Connect();
  const std::string lease = creator.Ask(CreateLine("a", 1)).Text("lease_id");
  RawClient waiting = Staging();
  std::vector<RawClient> busy;
  for (int i = 0; i < 8; ++i) busy.push_back(Staging());
  for (size_t i = 0; i < busy.size(); ++i) busy[i].Send(PutLine(absl::StrCat("busy ", i)));
  waiting.Send(PutLine("a", R"(,"wait_seconds":600)"));
  EXPECT_TRUE(Eventually([&] { return FiguresOf(creator).waiting == 1; }, absl::Seconds(5)));
  waiting.Close();
  gate_.Set();
  for (RawClient& client : busy) EXPECT_EQ(client.Receive().Kind(), "ok");
  busy.clear();
  EXPECT_TRUE(Eventually([&] { return FiguresOf(creator).connections == 1; }, absl::Seconds(5)));
  // Of the wait nothing is left that would hold up the server's end.
  creator.Ask(LeaseLine("release", lease));
}

INSTANTIATE_TEST_SUITE_P(Blobs, UdsLoop, testing::Bool(),
                         [](const auto& medium) { return medium.param ? "InFiles" : "Large"; });

}  // namespace
}  // namespace packice
