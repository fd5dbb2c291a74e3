// What a FileSystemPeer finds again: after it was closed, after it was killed, and after somebody
// was at its files.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/blocking.h"
#include "packice/core/mutex.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/peers/file_system_peer.h"
#include "temp_dir.h"

namespace packice {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ObjectId Id(absl::string_view bytes) { return *ObjectId::Parse(bytes); }

AcquireRequest Request(Access access, absl::string_view id) {
  AcquireRequest request;
  request.access = access;
  request.object_id = Id(id);
  return request;
}

absl::StatusOr<Grant> Written(Peer& peer, absl::string_view id, absl::string_view bytes,
                              absl::optional<absl::Duration> object_ttl = absl::nullopt) {
  AcquireRequest request = Request(Access::kCreate, id);
  request.blob_sizes = {bytes.size()};
  request.object_ttl = object_ttl;
  request.metadata.Set("of", absl::StrCat("\"", id, "\""));
  absl::StatusOr<Grant> grant = blocking::Acquire(peer, request);
  if (!grant.ok()) return grant;
  if (absl::Status s = grant->object->blobs()[0]->Write(0, bytes); !s.ok()) return s;
  return grant;
}

absl::Status Put(Peer& peer, absl::string_view id, absl::string_view bytes,
                 absl::optional<absl::Duration> object_ttl = absl::nullopt) {
  absl::StatusOr<Grant> grant = Written(peer, id, bytes, object_ttl);
  if (!grant.ok()) return grant.status();
  const absl::Status sealed = blocking::Seal(peer, {grant->lease.id, {}, {}, {}, {}}).status();
  if (!sealed.ok()) return sealed;
  return blocking::Release(peer, {grant->lease.id, {}, {}});
}

absl::StatusOr<std::string> Get(Peer& peer, absl::string_view id) {
  absl::StatusOr<Grant> grant = blocking::Acquire(peer, Request(Access::kRead, id));
  if (!grant.ok()) return grant.status();
  std::string all;
  for (const auto& blob : grant->object->blobs()) {
    std::string bytes(blob->size(), '\0');
    absl::StatusOr<size_t> read = blob->Read(0, absl::MakeSpan(bytes.data(), bytes.size()));
    if (!read.ok()) return read.status();
    all += bytes.substr(0, *read);
  }
  if (absl::Status s = blocking::Release(peer, {grant->lease.id, {}, {}}); !s.ok()) return s;
  return all;
}

absl::Status Remove(Peer& peer, absl::string_view id) {
  absl::StatusOr<Grant> grant = blocking::Acquire(peer, Request(Access::kWrite, id));
  if (!grant.ok()) return grant.status();
  return blocking::Discard(peer, {grant->lease.id, {}, {}});
}

absl::Status Rename(Peer& peer, absl::string_view from, absl::string_view to) {
  absl::StatusOr<Grant> grant = blocking::Acquire(peer, Request(Access::kWrite, from));
  if (!grant.ok()) return grant.status();
  return blocking::Relocate(peer, {grant->lease.id, Id(to), {}, {}});
}

std::vector<std::string> Ids(Peer& peer) {
  const absl::StatusOr<ListPage> page = blocking::List(peer, {});
  std::vector<std::string> ids;
  for (const ObjectInfo& info : page->objects) ids.emplace_back(info.object_id.bytes());
  return ids;
}

class FileSystemRestartTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<FileSystemPeer>> TryOpen() {
    FileSystemPeerOptions options;
    options.directory = directory_.path() + "/data";
    options.capacity = capacity_;
    options.verify_reads = verify_reads_;
    options.background_reaper = false;
    options.clock = &clock_;
    options.log = [this](absl::string_view line) {
      MutexLock lock(lines_mutex_);
      lines_.emplace_back(line);
    };
    return FileSystemPeer::Open(options);
  }
  // Closes the peer that was open, and opens another one.
  FileSystemPeer& Open() {
    peer_.reset();
    absl::StatusOr<std::unique_ptr<FileSystemPeer>> peer = TryOpen();
    EXPECT_THAT(peer, IsOk());
    peer_ = *std::move(peer);
    return *peer_;
  }
  void Close() { peer_.reset(); }

  // Runs a peer in another process that ends as if by power loss, but for what the kernel keeps.
  void InAProcessThatIsKilled(const std::function<void(FileSystemPeer&)>& run) {
    Close();
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      run(Open());
      if (!HasFailure()) kill(getpid(), SIGKILL);
      _exit(1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "something failed in the child";
  }

  // The file of an object's only blob.
  static std::string FileOf(Peer& peer, absl::string_view id) {
    absl::StatusOr<Grant> grant = blocking::Acquire(peer, Request(Access::kRead, id));
    EXPECT_THAT(grant, IsOk());
    const BlobDescriptor descriptor = grant->object->blobs()[0]->Describe();
    EXPECT_THAT(blocking::Release(peer, {grant->lease.id, {}, {}}), IsOk());
    return absl::get<PathDescriptor>(descriptor).path;
  }
  size_t FilesUnder(absl::string_view relative) {
    size_t files = 0;
    for (const auto& entry :
         fs::recursive_directory_iterator(absl::StrCat(directory_.path(), "/data/", relative))) {
      if (entry.is_regular_file()) ++files;
    }
    return files;
  }
  std::vector<std::string> lines() {
    MutexLock lock(lines_mutex_);
    return lines_;
  }

  absl::optional<uint64_t> capacity_;
  bool verify_reads_ = false;
  TempDir directory_;
  FakeClock clock_;
  Mutex lines_mutex_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(lines_mutex_);
  std::unique_ptr<FileSystemPeer> peer_;
};

TEST_F(FileSystemRestartTest, WhatWasSealedIsThereAgainAndNothingElse) {
  {
    FileSystemPeer& peer = Open();
    ASSERT_THAT(Put(peer, "a", "a's bytes"), IsOk());
    ASSERT_THAT(Put(peer, "b", "b's bytes", absl::Hours(1)), IsOk());
    ASSERT_THAT(Put(peer, "gone", "bytes"), IsOk());
    ASSERT_THAT(Remove(peer, "gone"), IsOk());
    ASSERT_THAT(Put(peer, "old", "moved"), IsOk());
    ASSERT_THAT(Rename(peer, "old", "new"), IsOk());
    ASSERT_THAT(Put(peer, "empty", ""), IsOk());
    ASSERT_THAT(Written(peer, "unsealed", "bytes"), IsOk());
  }
  const absl::StatusOr<ListPage> before = blocking::List(*peer_, {});
  FileSystemPeer& peer = Open();
  EXPECT_THAT(Ids(peer), ElementsAre("a", "b", "empty", "new"));
  const absl::StatusOr<ListPage> after = blocking::List(peer, {});
  for (const ObjectInfo& info : after->objects) {
    const auto same =
        std::find_if(before->objects.begin(), before->objects.end(),
                     [&](const ObjectInfo& other) { return other.object_id == info.object_id; });
    ASSERT_NE(same, before->objects.end());
    EXPECT_EQ(info.metadata, same->metadata);
    EXPECT_EQ(info.blob_sizes, same->blob_sizes);
    EXPECT_EQ(info.created_at, same->created_at);
    EXPECT_EQ(info.sealed_at, same->sealed_at);
    EXPECT_EQ(info.expires_at, same->expires_at);
  }
  EXPECT_THAT(Get(peer, "a"), IsOkAndHolds("a's bytes"));
  EXPECT_THAT(Get(peer, "b"), IsOkAndHolds("b's bytes"));
  EXPECT_THAT(Get(peer, "new"), IsOkAndHolds("moved"));
  EXPECT_THAT(Get(peer, "empty"), IsOkAndHolds(""));
  EXPECT_EQ(blocking::Stats(peer)->bytes, 3 * 4096u);
  EXPECT_EQ(FilesUnder("objects"), 4u);
  EXPECT_EQ(FilesUnder("attachments"), 0u);
  EXPECT_THAT(lines(), IsEmpty()) << "nothing to tell after a clean end";
  clock_.Advance(absl::Hours(2));
  EXPECT_THAT(Ids(peer), ElementsAre("a", "empty", "new"));
}

TEST_F(FileSystemRestartTest, AnObjectOfManyBlobsComesBackWhole) {
  {
    FileSystemPeer& peer = Open();
    AcquireRequest request = Request(Access::kCreate, "a");
    for (uint64_t i = 0; i < 20; ++i) request.blob_sizes.push_back(i);
    ASSERT_OK_AND_ASSIGN(Grant grant, blocking::Acquire(peer, request));
    for (uint64_t i = 0; i < 20; ++i) {
      const std::string bytes(i, static_cast<char>('a' + i));
      ASSERT_THAT(grant.object->blobs()[i]->Write(0, bytes), IsOk());
    }
    ASSERT_THAT(blocking::Seal(peer, {grant.lease.id, {}, {}, {}, {}}), IsOk());
  }
  FileSystemPeer& peer = Open();
  std::string expected;
  for (uint64_t i = 0; i < 20; ++i) expected += std::string(i, static_cast<char>('a' + i));
  EXPECT_THAT(Get(peer, "a"), IsOkAndHolds(expected));
}

TEST_F(FileSystemRestartTest, AKilledPeerLosesNothingThatItAnswered) {
  InAProcessThatIsKilled([](FileSystemPeer& peer) {
    EXPECT_THAT(Put(peer, "a", "a's bytes"), IsOk());
    EXPECT_THAT(Put(peer, "gone", "bytes"), IsOk());
    EXPECT_THAT(Remove(peer, "gone"), IsOk());
    EXPECT_THAT(Put(peer, "old", "moved"), IsOk());
    EXPECT_THAT(Rename(peer, "old", "new"), IsOk());
    EXPECT_THAT(Written(peer, "unsealed", "half of the by"), IsOk());
    // Somebody reads what goes: its file is still there when the process is not any more.
    EXPECT_THAT(Put(peer, "read", "bytes"), IsOk());
    EXPECT_THAT(blocking::Acquire(peer, Request(Access::kRead, "read")), IsOk());
    EXPECT_THAT(Remove(peer, "read"), IsOk());
  });
  EXPECT_EQ(FilesUnder("attachments"), 1u);
  EXPECT_EQ(FilesUnder("objects"), 3u);
  FileSystemPeer& peer = Open();
  EXPECT_THAT(Ids(peer), ElementsAre("a", "new"));
  EXPECT_THAT(Get(peer, "a"), IsOkAndHolds("a's bytes"));
  EXPECT_THAT(Get(peer, "new"), IsOkAndHolds("moved"));
  EXPECT_EQ(FilesUnder("attachments"), 0u);
  peer.AwaitIdle();
  EXPECT_EQ(FilesUnder("objects"), 2u);
  EXPECT_EQ(FilesUnder("quarantine"), 0u);
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("ended without notice: 1 unfinished"),
                                   HasSubstr("2 objects with their files: 0 damaged, 0 files")));
}

TEST_F(FileSystemRestartTest, AfterAKillTheFilesAreLookedThrough) {
  std::string lost;
  std::string cut;
  {
    FileSystemPeer& peer = Open();
    for (const char* id : {"lost", "cut", "whole"}) ASSERT_THAT(Put(peer, id, "bytes"), IsOk());
    lost = FileOf(peer, "lost");
    cut = FileOf(peer, "cut");
  }
  InAProcessThatIsKilled([](FileSystemPeer&) {});
  fs::remove(lost);
  fs::resize_file(cut, 3);
  std::ofstream(directory_.path() + "/data/objects/00/0000000000000777") << "whose is this?";
  FileSystemPeer& peer = Open();
  peer.AwaitIdle();
  EXPECT_THAT(Ids(peer), ElementsAre("whole"));
  EXPECT_EQ(blocking::Stats(peer)->quarantined, 2u);
  EXPECT_THAT(lines(), Contains(HasSubstr("\"lost\" is damaged")));
  EXPECT_THAT(lines(), Contains(HasSubstr("\"cut\" is damaged")));
  EXPECT_THAT(lines(), Contains(HasSubstr("2 damaged, 1 files without an object")));
  EXPECT_EQ(FilesUnder("quarantine"), 4u) << "two files, and why";
  EXPECT_THAT(Get(peer, "whole"), IsOkAndHolds("bytes"));
}

TEST_F(FileSystemRestartTest, ADamagedFileIsFoundWhenItIsWantedAndTheOthersAreServed) {
  std::string lost;
  std::string cut;
  std::string flipped;
  {
    FileSystemPeer& peer = Open();
    for (const char* id : {"lost", "cut", "flipped", "whole"}) {
      ASSERT_THAT(Put(peer, id, "bytes"), IsOk());
    }
    lost = FileOf(peer, "lost");
    cut = FileOf(peer, "cut");
    flipped = FileOf(peer, "flipped");
  }
  verify_reads_ = true;
  FileSystemPeer& peer = Open();
  fs::remove(lost);
  fs::resize_file(cut, 3);
  fs::permissions(flipped, fs::perms::owner_all);
  std::fstream(flipped, std::ios::in | std::ios::out) << "B";
  for (const char* id : {"lost", "cut", "flipped"}) {
    EXPECT_THAT(Get(peer, id), HasKind(ErrorKind::kCorrupt)) << id;
  }
  EXPECT_THAT(Get(peer, "whole"), IsOkAndHolds("bytes"));
  EXPECT_THAT(Ids(peer), ElementsAre("whole"));
  EXPECT_EQ(blocking::Stats(peer)->quarantined, 3u);
  Open();
  EXPECT_THAT(Ids(*peer_), ElementsAre("whole")) << "for good";
}

TEST_F(FileSystemRestartTest, WhatExpiredMeanwhileIsGone) {
  ASSERT_THAT(Put(Open(), "a", "bytes", absl::Minutes(1)), IsOk());
  Close();
  clock_.Advance(absl::Minutes(2));
  FileSystemPeer& peer = Open();
  EXPECT_THAT(Ids(peer), IsEmpty());
  peer.AwaitIdle();
  EXPECT_EQ(FilesUnder("objects"), 0u);
}

TEST_F(FileSystemRestartTest, ASmallerCapacityEvictsTheOldest) {
  {
    FileSystemPeer& peer = Open();
    for (const char* id : {"c", "a", "b"}) {
      ASSERT_THAT(Put(peer, id, std::string(4096, 'x')), IsOk());
      clock_.Advance(absl::Seconds(1));
    }
  }
  capacity_ = 2 * 4096;
  FileSystemPeer& peer = Open();
  peer.AwaitIdle();
  EXPECT_THAT(Ids(peer), ElementsAre("a", "b"));
  EXPECT_EQ(FilesUnder("objects"), 2u);
}

TEST_F(FileSystemRestartTest, TwoPeersDoNotShareADirectory) {
  Open();
  EXPECT_THAT(TryOpen(), HasKind(ErrorKind::kBusy));
}

TEST_F(FileSystemRestartTest, WhatIsNoDataDirectoryIsLeftAlone) {
  fs::create_directory(directory_.path() + "/data");
  std::ofstream(directory_.path() + "/data/letter.txt") << "dear";
  EXPECT_THAT(TryOpen(), HasKind(ErrorKind::kInvalidArgument));
}

TEST_F(FileSystemRestartTest, AnotherVersionOfTheFormatIsUnsupported) {
  Open();
  Close();
  std::ofstream(directory_.path() + "/data/packice.format") << "packice 77\n";
  EXPECT_THAT(TryOpen(), HasKind(ErrorKind::kUnsupported));
}

TEST_F(FileSystemRestartTest, ADamagedCatalogIsToldWithTheWayOut) {
  ASSERT_THAT(Put(Open(), "a", "bytes"), IsOk());
  Close();
  std::ofstream(directory_.path() + "/data/catalog.sqlite") << std::string(8192, 'x');
  const auto peer = TryOpen();
  EXPECT_THAT(peer, HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(std::string(peer.status().message()), HasSubstr("fsck"));
}

// The directory goes away under a running node and comes back.
TEST_F(FileSystemRestartTest, AFaultOfTheDiskIsAnsweredAndOver) {
  FileSystemPeer& peer = Open();
  ASSERT_THAT(Put(peer, "a", "bytes"), IsOk());
  const std::string data = directory_.path() + "/data";
  // New files have nowhere to go.
  fs::rename(data + "/attachments", data + "/elsewhere");
  EXPECT_THAT(Put(peer, "b", "bytes"), HasKind(ErrorKind::kIo));
  EXPECT_THAT(Get(peer, "a"), IsOkAndHolds("bytes"));
  EXPECT_THAT(Ids(peer), ElementsAre("a"));
  fs::rename(data + "/elsewhere", data + "/attachments");
  EXPECT_THAT(Put(peer, "b", "bytes"), IsOk());
  EXPECT_THAT(Get(peer, "b"), IsOkAndHolds("bytes"));
}

}  // namespace
}  // namespace packice
