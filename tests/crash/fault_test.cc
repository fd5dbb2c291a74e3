// The disk is full, fails, is read-only or goes away: what clients are told, that nothing half done
// shows, and that the node goes on when the fault is over.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "crash_node.h"
#include "crash_rounds.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/unique_fd.h"
#include "steps.h"

namespace packice {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// "EIO sync data/objects/*"
std::string Rule(const std::string& action, const Step& step, const std::string& which = "") {
  return absl::StrCat(action, " ", step.selector, " ", which);
}

class FaultTest : public testing::Test {
 protected:
  FaultTest() : disk_(FaultyDisk::Memory::kForgetful), node_(&disk_) {}

  void SetUp() override {
    ASSERT_TRUE(node_.Start()) << node_.Log();
    client_.emplace(node_.Connect());
    ASSERT_EQ(Put("before"), "ok");
    // What nobody holds is evicted when the disk is full.
    ASSERT_EQ(client_->Ask(ReadLine("before")).Kind(), "ok");
  }

  // Whatever happened: the node is up, what it had is there, and a new object can be put.
  void TearDown() override {
    if (!client_) return;
    disk_.SetRules({});
    EXPECT_EQ(Read("before"), "ok");
    EXPECT_EQ(Put("after"), "ok") << "it goes on when the fault is over";
    const std::vector<std::string> objects = Listed(*client_);
    client_.reset();
    EXPECT_EQ(node_.Stop(), 0);
    EXPECT_THAT(FilesIn("attachments"), IsEmpty()) << "nothing half done is left";
    EXPECT_EQ(node_.Fsck(), "");
    ASSERT_TRUE(node_.Start()) << node_.Log();
    client_.emplace(node_.Connect());
    EXPECT_EQ(Listed(*client_), objects) << "a further start brings nothing else";
    EXPECT_EQ(Read("before"), "ok");
    EXPECT_EQ(Read("after"), "ok");
  }

  TestObject ObjectOf(const std::string& id) const {
    return {std::hash<std::string>()(id) >> 20, {5000}};
  }

  // The lease on a new object, whose bytes are written; fails the test otherwise.
  std::string Create(const std::string& id) {
    std::string lease;
    EXPECT_EQ(TryCreate(id, lease), "ok");
    return lease;
  }

  std::string TryCreate(const std::string& id, std::string& lease) {
    const TestObject object = ObjectOf(id);
    const Response grant = client_->Ask(CreateLine(id, object.sizes[0]));
    if (grant.Kind() != "ok") return grant.Kind();
    UniqueFd fd(open(grant.Text("path").c_str(), O_WRONLY | O_CLOEXEC));
    EXPECT_TRUE(fd) << grant.line;
    const std::string bytes = object.Bytes(0);
    EXPECT_EQ(write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    lease = grant.Text("lease_id");
    return "ok";
  }

  std::string Ask(absl::string_view op, const std::string& lease) {
    return client_->Ask(LeaseLine(op, lease)).Kind();
  }

  // "ok", or the kind of the first failure.
  std::string Put(const std::string& id) {
    std::string lease;
    const std::string created = TryCreate(id, lease);
    if (created != "ok") return created;
    const std::string kind = Ask("seal", lease);
    Ask("release", lease);
    return kind;
  }

  std::string Read(const std::string& id) {
    const Response grant = client_->Ask(ReadLine(id));
    if (grant.Kind() != "ok") return grant.Kind();
    const std::string complaint = Compare(grant, ObjectOf(id));
    Ask("release", grant.Text("lease_id"));
    return complaint.empty() ? "ok" : complaint;
  }

  std::string Discard(const std::string& id) {
    const Response grant = client_->Ask(
        absl::StrCat(R"({"op":"acquire","intent":"write","object_id":")", id, R"("})"));
    if (grant.Kind() != "ok") return grant.Kind();
    const std::string kind = Ask("discard", grant.Text("lease_id"));
    Ask("release", grant.Text("lease_id"));
    return kind;
  }

  std::vector<std::string> FilesIn(const std::string& part) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(node_.data()) / part)) {
      if (entry.is_regular_file()) names.push_back(entry.path());
    }
    return names;
  }

  // The power fails, and comes back.
  void LosePower() {
    client_.reset();
    node_.Kill();
    disk_.SetRules({});
    disk_.LosePower();
    ASSERT_TRUE(node_.Start()) << node_.Log();
    client_.emplace(node_.Connect());
  }

  FaultyDisk disk_;
  CrashNode node_;
  absl::optional<RawClient> client_;
};

// ---- One kind of call fails ----

struct Fault {
  const char* error;
  Step step;
  const char* kind;
};

void PrintTo(const Fault& fault, std::ostream* os) { *os << fault.error << " " << fault.step.name; }

constexpr Step kAttachmentAllocate = {"attachment.allocate", "allocate data/attachments/*"};

class FaultOfAPut : public FaultTest, public testing::WithParamInterface<Fault> {};

TEST_P(FaultOfAPut, IsToldAsItsKindAndLeavesNothing) {
  disk_.SetRules({Rule(GetParam().error, GetParam().step)});
  EXPECT_EQ(Put("a"), GetParam().kind);
  EXPECT_THAT(disk_.Fired(), Not(IsEmpty()));
  EXPECT_EQ(Read("a"), "not_found");
  EXPECT_EQ(Read("before"), "ok");
  disk_.SetRules({});
  EXPECT_EQ(Put("a"), "ok");
  EXPECT_EQ(Read("a"), "ok");
}

INSTANTIATE_TEST_SUITE_P(
    EachStep, FaultOfAPut,
    testing::Values(Fault{"ENOSPC", kAttachmentCreate, "capacity"},
                    Fault{"ENOSPC", kAttachmentAllocate, "capacity"},
                    Fault{"ENOSPC", kBlobRename, "capacity"},
                    Fault{"ENOSPC", kBlobSync, "capacity"},
                    Fault{"ENOSPC", kDirectorySync, "capacity"},
                    Fault{"ENOSPC", kCatalogWrite, "capacity"},
                    Fault{"EDQUOT", kAttachmentAllocate, "capacity"},
                    Fault{"EDQUOT", kBlobSync, "capacity"}, Fault{"EIO", kAttachmentCreate, "io"},
                    Fault{"EIO", kAttachmentAllocate, "io"}, Fault{"EIO", kBlobRename, "io"},
                    Fault{"EIO", kBlobSync, "io"}, Fault{"EIO", kDirectorySync, "io"},
                    Fault{"EIO", kCatalogWrite, "io"}, Fault{"EIO", kCatalogSync, "io"},
                    Fault{"EROFS", kAttachmentCreate, "io"}, Fault{"EROFS", kBlobRename, "io"}),
    [](const testing::TestParamInfo<Fault>& fault) {
      std::string name = absl::StrCat(fault.param.error, "_", fault.param.step.name);
      name.replace(name.find('.'), 1, "_");
      return name;
    });

class FaultOfADiscard : public FaultTest, public testing::WithParamInterface<Fault> {};

TEST_P(FaultOfADiscard, LeavesTheObject) {
  ASSERT_EQ(Put("a"), "ok");
  disk_.SetRules({Rule(GetParam().error, GetParam().step)});
  EXPECT_EQ(Discard("a"), GetParam().kind);
  EXPECT_EQ(Read("a"), "ok");
  disk_.SetRules({});
  EXPECT_EQ(Discard("a"), "ok");
  EXPECT_EQ(Read("a"), "not_found");
}

INSTANTIATE_TEST_SUITE_P(EachStep, FaultOfADiscard,
                         testing::Values(Fault{"ENOSPC", kCatalogWrite, "capacity"},
                                         Fault{"EIO", kCatalogWrite, "io"},
                                         Fault{"EIO", kCatalogSync, "io"}),
                         [](const testing::TestParamInfo<Fault>& fault) {
                           std::string name =
                               absl::StrCat(fault.param.error, "_", fault.param.step.name);
                           name.replace(name.find('.'), 1, "_");
                           return name;
                         });

// Over HTTP the node writes the bytes.
class FaultOfAPutOverHttp : public FaultTest {
 protected:
  std::string PutOverHttp(const std::string& id) {
    HttpClient client = node_.ConnectHttp();
    return client.Ask(absl::StrCat("PUT /objects/", id), bytes_).Outcome();
  }
  void ExpectRead(const std::string& id) {
    EXPECT_EQ(node_.ConnectHttp().Ask(absl::StrCat("GET /objects/", id, "/data")).body, bytes_);
  }

  const std::string bytes_ = TestObject{17, {300'000}}.Bytes(0);
};

TEST_F(FaultOfAPutOverHttp, IsToldAsItsKindAndLeavesNothing) {
  disk_.SetRules({Rule("ENOSPC", kBlobWrite)});
  EXPECT_EQ(PutOverHttp("a"), "507 capacity");
  disk_.SetRules({Rule("EIO", kBlobWrite)});
  EXPECT_EQ(PutOverHttp("a"), "500 io");
  EXPECT_EQ(Read("a"), "not_found");
  disk_.SetRules({});
  EXPECT_EQ(PutOverHttp("a"), "201 ok");
  ExpectRead("a");
}

TEST_F(FaultOfAPutOverHttp, AShortOrInterruptedWriteIsGoneOnWith) {
  disk_.SetRules({Rule("EINTR", kBlobWrite, "1-2"), Rule("short", kBlobWrite)});
  EXPECT_EQ(PutOverHttp("a"), "201 ok");
  EXPECT_THAT(disk_.Fired(), SizeIs(testing::Ge(4u)));
  ExpectRead("a");
}

// ---- The whole disk ----

constexpr char kAllChanges[] = "create,write,truncate,allocate,rename,link,unlink,mkdir";

TEST_F(FaultTest, AFullDiskIsToldAndReadsGoOn) {
  disk_.SetRules({absl::StrCat("ENOSPC create,write,allocate,rename,mkdir,link *")});
  for (const char* const id : {"a", "b", "c"}) EXPECT_EQ(Put(id), "capacity");
  EXPECT_EQ(Read("before"), "ok");
  EXPECT_EQ(client_->Ask(R"({"op":"stats"})").Number("objects"), 1);
}

TEST_F(FaultTest, ADiskThatBecomesReadOnlyIsToldAndReadsGoOn) {
  disk_.SetRules({absl::StrCat("EROFS ", kAllChanges, " *")});
  for (const char* const id : {"a", "b", "c"}) EXPECT_EQ(Put(id), "io");
  EXPECT_EQ(Discard("before"), "io");
  EXPECT_EQ(Read("before"), "ok");
}

class GoneDirectory : public FaultTest, public testing::WithParamInterface<const char*> {};

TEST_P(GoneDirectory, IsToldUntilItIsBack) {
  const fs::path part = fs::path(node_.data()) / GetParam();
  fs::rename(part, disk_ / "elsewhere");
  EXPECT_EQ(Put("a"), "io");
  EXPECT_EQ(Read("a"), "not_found");
  EXPECT_EQ(client_->Ask(R"({"op":"stats"})").Kind(), "ok") << "the node stays up";
  fs::rename(disk_ / "elsewhere", part);
  EXPECT_EQ(Put("a"), "ok");
}

INSTANTIATE_TEST_SUITE_P(EachPart, GoneDirectory, testing::Values("attachments", "objects"));

TEST_F(FaultTest, ADirectoryThatIsDeletedIsToldForEver) {
  fs::remove_all(node_.data());
  EXPECT_EQ(Put("a"), "io");
  EXPECT_EQ(client_->Ask(R"({"op":"stats"})").Kind(), "ok") << "the node stays up";
  EXPECT_EQ(Put("b"), "io");
  client_.reset();
  node_.Stop();
}

// ---- What no client need know ----

class Nuisance : public FaultTest, public testing::WithParamInterface<const char*> {};

TEST_P(Nuisance, IsNotToBeSeen) {
  disk_.SetRules({GetParam()});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Put(absl::StrCat("a", i)), "ok");
  EXPECT_THAT(disk_.Fired(), Not(IsEmpty()));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Read(absl::StrCat("a", i)), "ok");
    EXPECT_EQ(Discard(absl::StrCat("a", i)), "ok");
  }
}

INSTANTIATE_TEST_SUITE_P(Each, Nuisance,
                         testing::Values("short write data/*", "EINTR write data/* 1-3",
                                         "EINTR create data/* 1-3", "EINTR open data/* 1-3",
                                         "EINTR allocate data/* 1-3",
                                         "EINTR sync data/attachments/*|data/objects/* 1-2",
                                         "EINTR syncdir data/objects/* 1-2"));

// ---- A sync that fails is not tried again ----

class FailedSync : public FaultTest, public testing::WithParamInterface<Step> {
 protected:
  // The object is not there, neither now nor after a power loss; others are.
  void ExpectLost() {
    EXPECT_EQ(Read("lost"), "not_found");
    for (int i = 0; i < 10; ++i) EXPECT_EQ(Put(absl::StrCat("next/", i)), "ok");
    LosePower();
    EXPECT_EQ(Read("lost"), "not_found");
    for (int i = 0; i < 10; ++i) EXPECT_EQ(Read(absl::StrCat("next/", i)), "ok");
    EXPECT_EQ(Read("before"), "ok");
  }
};

// Only the first sync fails: the kernel has dropped what it was to save, and says so once.
TEST_P(FailedSync, IsNotMadeUpForByALaterOne) {
  disk_.SetRules({Rule("EIO", GetParam(), "1")});
  EXPECT_EQ(Put("lost"), "io");
  EXPECT_THAT(disk_.Fired(), SizeIs(1));
  ExpectLost();
}

INSTANTIATE_TEST_SUITE_P(EachKind, FailedSync,
                         testing::Values(kBlobSync, kDirectorySync, kCatalogSync),
                         [](const testing::TestParamInfo<Step>& kind) {
                           std::string name = kind.param.name;
                           name.replace(name.find('.'), 1, "_");
                           return name;
                         });

class FailedSyncOfBytes : public FailedSync {};

TEST_P(FailedSyncOfBytes, LeavesNothingToSealAgain) {
  const std::string lease = Create("lost");
  disk_.SetRules({Rule("EIO", GetParam(), "1")});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Ask("seal", lease), "io");
  EXPECT_EQ(Ask("release", lease), "ok");
  ExpectLost();
}

INSTANTIATE_TEST_SUITE_P(EachKind, FailedSyncOfBytes, testing::Values(kBlobSync, kDirectorySync),
                         [](const testing::TestParamInfo<Step>& kind) {
                           std::string name = kind.param.name;
                           name.replace(name.find('.'), 1, "_");
                           return name;
                         });

// The bytes are on disk; what could not be saved is written anew.
TEST_F(FaultTest, AFailedSyncOfTheCatalogLeavesASealThatMayBeTriedAgain) {
  const std::string lease = Create("late");
  disk_.SetRules({Rule("EIO", kCatalogSync, "1")});
  EXPECT_EQ(Ask("seal", lease), "io");
  EXPECT_EQ(Read("late"), "not_sealed");
  EXPECT_EQ(Ask("seal", lease), "ok");
  LosePower();
  EXPECT_EQ(Read("late"), "ok");
}

// ---- Any single call fails ----

class SomeFault : public testing::TestWithParam<const char*> {};

TEST_P(SomeFault, OfAnyCallIsToldAndNothingIsLost) {
  CrashPlan plan;
  plan.crashes = {Crash::kKill, Crash::kPowerLoss, Crash::kPowerLossWithSurvivors};
  plan.fault = GetParam();
  CrashRounds crashes(std::move(plan), CrashSeed());
  EXPECT_THAT(crashes.Run(CrashRoundCount(25)), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Each, SomeFault, testing::Values("EIO", "ENOSPC"));

// ---- While a node starts ----

TEST(FaultsOfAStart, EndItWithTheirKindOrNotAtAll) {
  FaultyDisk disk(FaultyDisk::Memory::kForgetful);
  CrashNode node(&disk);
  int failed = 0;
  for (const auto& [error, code] : {std::pair("EIO", 8), std::pair("ENOSPC", 11)}) {
    for (int n = 1; n <= 40; ++n) {
      disk.SetRules({Rule(error, kAnyStep, absl::StrCat(n))});
      if (node.Start()) {
        EXPECT_EQ(node.Stop(), 0);
      } else {
        EXPECT_THAT(node.exit_code(), AnyOf(code, 8, 11))
            << error << " of call " << n << ": " << node.Log();
        ++failed;
      }
      disk.SetRules({});
      ASSERT_TRUE(node.Start()) << "after " << error << " of call " << n << ": " << node.Log();
      EXPECT_EQ(node.Stop(), 0);
      EXPECT_EQ(node.Fsck(), "");
      // A first start has the most to do.
      if (n % 2 == 0) fs::remove_all(node.data());
    }
  }
  EXPECT_GT(failed, 5);
}

// What the first start had made and not yet synced, the second finds made.
TEST(ADeathInAFirstStart, LeavesNothingThatTheNextPowerFailureTakes) {
  FaultyDisk disk(FaultyDisk::Memory::kForgetful);
  CrashNode node(&disk);
  const std::string bytes = TestObject{17, {5000}}.Bytes(0);
  // The shards, of which there are many, are all alike.
  bool died = true;
  for (int n = 1; died; n += n < 20 ? 1 : 17) {
    SCOPED_TRACE(absl::StrCat("killed before call ", n));
    disk.MakeAllDurable();
    disk.SetRules({Rule("kill-before", kAnyStep, absl::StrCat(n))});
    died = !node.Start();
    node.Kill();
    disk.SetRules({});
    ASSERT_TRUE(node.Start()) << node.Log();
    ASSERT_EQ(node.ConnectHttp().Ask("PUT /objects/a", bytes).Outcome(), "201 ok");
    node.Kill();
    disk.LosePower();
    ASSERT_TRUE(node.Start()) << node.Log();
    EXPECT_TRUE(node.ConnectHttp().Ask("GET /objects/a/data").body == bytes);
    node.Kill();
    fs::remove_all(node.data());
  }
}

}  // namespace
}  // namespace packice
