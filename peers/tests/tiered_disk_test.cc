// Memory over files, and files over files: what a node of this kind is made of.
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/file_system_peer.h"
#include "packice/peers/memory_peer.h"
#include "packice/peers/tiered_peer.h"
#include "temp_dir.h"

namespace packice {
namespace {

using testing::ElementsAre;

constexpr uint64_t kHot = 1 << 20;

class TieredDiskTest : public testing::Test {
 protected:
  std::unique_ptr<Peer> Disk(const std::string& name) const {
    FileSystemPeerOptions options;
    options.directory = directory_.path() + "/" + name;
    absl::StatusOr<std::unique_ptr<FileSystemPeer>> disk = FileSystemPeer::Open(std::move(options));
    EXPECT_THAT(disk, IsOk());
    return *std::move(disk);
  }
  static std::unique_ptr<Peer> Memory() {
    LocalPeerOptions options;
    options.capacity = kHot;
    return MakeMemoryPeer(std::move(options));
  }
  void Start(std::unique_ptr<Peer> hot, WritePolicy policy = WritePolicy::kBack) {
    TieredPeerOptions options;
    options.write_policy = policy;
    absl::StatusOr<std::unique_ptr<TieredPeer>> tiered =
        TieredPeer::Open(std::move(hot), Disk("cold"), std::move(options));
    ASSERT_THAT(tiered, IsOk());
    tiered_ = *std::move(tiered);
  }

  static AcquireRequest Request(Access access, const std::string& id) {
    AcquireRequest request;
    request.access = access;
    request.object_id = *ObjectId::Parse(id);
    return request;
  }
  absl::Status Put(const std::string& id, const std::string& bytes) {
    AcquireRequest request = Request(Access::kCreate, id);
    request.blob_sizes = {bytes.size()};
    absl::StatusOr<Grant> grant = blocking::Acquire(*tiered_, std::move(request));
    if (!grant.ok()) return grant.status();
    EXPECT_THAT(grant->object->blobs()[0]->Write(0, bytes), IsOk());
    grant->object.reset();
    SealRequest seal;
    seal.lease_id = grant->lease.id;
    absl::Status status = blocking::Seal(*tiered_, std::move(seal)).status();
    EXPECT_THAT(blocking::Release(*tiered_, {grant->lease.id, {}, {}}), IsOk());
    return status;
  }
  absl::StatusOr<std::string> Get(const std::string& id) {
    absl::StatusOr<Grant> grant = blocking::Acquire(*tiered_, Request(Access::kRead, id));
    if (!grant.ok()) return grant.status();
    std::string bytes(grant->object->size(), '\0');
    const absl::StatusOr<size_t> got =
        grant->object->blobs()[0]->Read(0, absl::MakeSpan(bytes.data(), bytes.size()));
    EXPECT_THAT(blocking::Release(*tiered_, {grant->lease.id, {}, {}}), IsOk());
    if (!got.ok()) return got.status();
    return bytes;
  }
  std::vector<std::string> TiersOf(const std::string& id) {
    const absl::StatusOr<ObjectInfo> info = blocking::Stat(*tiered_, *ObjectId::Parse(id));
    EXPECT_THAT(info, IsOk());
    return info.ok() ? info->tiers : std::vector<std::string>();
  }

  TempDir directory_;
  std::unique_ptr<TieredPeer> tiered_;
};

TEST_F(TieredDiskTest, AFlushedNodeHasEverythingAfterItsEnd) {
  Start(Memory());
  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(Put("o" + std::to_string(i), std::string(60'000, char('a' + i % 26))), IsOk());
  }
  ASSERT_THAT(tiered_->Flush(absl::Minutes(1)), IsOk());
  tiered_.reset();
  Start(Memory());
  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(Get("o" + std::to_string(i)),
                IsOkAndHolds(std::string(60'000, char('a' + i % 26))));
  }
}

TEST_F(TieredDiskTest, WithWriteThroughWhatWasSealedIsThereWithoutAFlush) {
  Start(Memory(), WritePolicy::kThrough);
  EXPECT_THAT(Put("a", "bytes"), IsOk());
  tiered_.reset();
  Start(Memory());
  EXPECT_THAT(Get("a"), IsOkAndHolds("bytes"));
}

TEST_F(TieredDiskTest, ADurableHotTierIsTakenUpWhereItWasLeft) {
  Start(Disk("hot"));
  EXPECT_THAT(Put("a", "first"), IsOk());
  EXPECT_THAT(Put("b", "second"), IsOk());
  EXPECT_THAT(TiersOf("a"), ElementsAre("hot"));
  tiered_.reset();
  Start(Disk("hot"));
  EXPECT_THAT(Get("a"), IsOkAndHolds("first"));
  ASSERT_THAT(tiered_->Flush(absl::Minutes(1)), IsOk());
  EXPECT_THAT(TiersOf("a"), ElementsAre("hot", "cold"));
  EXPECT_THAT(TiersOf("b"), ElementsAre("hot", "cold"));
}

TEST_F(TieredDiskTest, ADamagedObjectInColdIsCorruptOnceAndCanBeCreatedAfresh) {
  Start(Memory(), WritePolicy::kThrough);
  EXPECT_THAT(Put("a", "some bytes"), IsOk());
  tiered_.reset();
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(directory_.path() + "/cold/objects")) {
    if (!entry.is_regular_file()) continue;
    std::filesystem::permissions(entry.path(), std::filesystem::perms::owner_write,
                                 std::filesystem::perm_options::add);
    std::filesystem::resize_file(entry.path(), 3);
  }
  Start(Memory());
  EXPECT_THAT(Get("a"), HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(Get("a"), HasKind(ErrorKind::kNotFound));
  EXPECT_EQ(blocking::Stats(*tiered_)->quarantined, 1u);
  EXPECT_THAT(Put("a", "anew"), IsOk());
  EXPECT_THAT(Get("a"), IsOkAndHolds("anew"));
}

TEST_F(TieredDiskTest, ThreeTiersAreTwoTiersOneOfWhichIsTwo) {
  Start(Disk("hot"));
  TieredPeerOptions options;
  absl::StatusOr<std::unique_ptr<TieredPeer>> three =
      TieredPeer::Open(Memory(), std::move(tiered_), std::move(options));
  ASSERT_THAT(three, IsOk());
  tiered_ = *std::move(three);
  EXPECT_THAT(Put("a", "bytes"), IsOk());
  ASSERT_THAT(tiered_->Flush(absl::Minutes(1)), IsOk());
  EXPECT_THAT(TiersOf("a"), ElementsAre("hot", "cold/hot"));
  const absl::StatusOr<PeerStats> stats = blocking::Stats(*tiered_);
  ASSERT_THAT(stats, IsOk());
  std::vector<std::string> names;
  for (const TierStats& tier : stats->tiers) names.push_back(tier.name);
  EXPECT_THAT(names, ElementsAre("hot", "cold", "cold/hot", "cold/cold"));
  EXPECT_EQ(stats->objects, 1u);
}

}  // namespace
}  // namespace packice
