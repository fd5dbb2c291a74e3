#include "packice/backends/recovery.h"

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data_directory_fixture.h"
#include "durable_node.h"
#include "packice/backends/quarantine.h"

namespace packice {
namespace {

namespace fs = std::filesystem;

class RecoveryTest : public testing::Test {
 protected:
  RecoveryReport Recover() {
    auto report = packice::Recover(node_.directory(), node_.catalog(), node_.clock());
    EXPECT_THAT(report, IsOk());
    return report.ok() ? *report : RecoveryReport();
  }
  // Serials that were told to be damaged, and why.
  ScanReport Scan() {
    damaged_.clear();
    const std::atomic<bool> stop{false};
    auto report = packice::Scan(
        node_.directory(), node_.catalog(), node_.clock(), stop,
        [this](uint64_t serial, absl::string_view why) { damaged_[serial] = std::string(why); });
    EXPECT_THAT(report, IsOk());
    return report.ok() ? *report : ScanReport();
  }
  std::map<std::string, std::string> Files() { return FilesBelow(node_.path() + "/objects"); }
  std::map<std::string, std::string> Quarantined() {
    return FilesBelow(node_.path() + "/quarantine");
  }

  DurableNode node_;
  std::map<uint64_t, std::string> damaged_;
};

TEST_F(RecoveryTest, ACleanDirectoryNeedsNothing) {
  node_.Put("a", "bytes");
  node_.Restart(/*cleanly=*/true);
  const RecoveryReport report = Recover();
  EXPECT_TRUE(report.last_shutdown_was_clean);
  EXPECT_EQ(report.finished_removals + report.unfinished_creates + report.set_aside, 0u);
  const ScanReport scan = Scan();
  EXPECT_EQ(scan.objects, 1u);
  EXPECT_EQ(scan.damaged_objects + scan.orphans, 0u);
  EXPECT_EQ(node_.Get("a"), "bytes");
}

TEST_F(RecoveryTest, RemovalsThatWereCutOffAreFinished) {
  node_.Put("kept", "bytes");
  const uint64_t serial = node_.Put("removed", "other bytes");
  ASSERT_THAT(node_.catalog().Remove(serial), IsOk());
  node_.Restart(/*cleanly=*/false);
  ASSERT_EQ(Files().size(), 2u);
  const RecoveryReport report = Recover();
  EXPECT_FALSE(report.last_shutdown_was_clean);
  EXPECT_EQ(report.finished_removals, 1u);
  EXPECT_EQ(Files().size(), 1u);
  EXPECT_EQ(node_.Get("kept"), "bytes");
  EXPECT_EQ(Recover().finished_removals, 0u) << "a second time changes nothing";
  node_.Restart(/*cleanly=*/true);
  EXPECT_EQ(Recover().finished_removals, 0u);
}

TEST_F(RecoveryTest, UnfinishedCreatesGoAndWhatIsNoneIsSetAside) {
  const std::string attachments = node_.path() + "/attachments/";
  WriteFile(attachments + "0000010000000009", "half an obj");
  WriteFile(attachments + ".letter.swp", "an editor's");
  fs::create_directory(attachments + "000001000000000a");
  const RecoveryReport report = Recover();
  EXPECT_EQ(report.unfinished_creates, 1u);
  EXPECT_EQ(report.set_aside, 2u);
  EXPECT_TRUE(fs::is_empty(attachments));
  EXPECT_EQ(Quarantined().at("attachments_.letter.swp"), "an editor's");
  EXPECT_THAT(Quarantined().at("attachments_.letter.swp.why"),
              testing::HasSubstr("what: attachments/.letter.swp\n"));
}

TEST_F(RecoveryTest, AScanSetsOrphansAsideAndDeletesNothing) {
  node_.Put("a", "bytes");
  WriteFile(node_.path() + "/objects/a7/0000000000000009", "nobody's");
  WriteFile(node_.path() + "/objects/00/README", "a person's");
  EXPECT_EQ(Scan().orphans, 2u);
  EXPECT_EQ(Files().size(), 1u);
  EXPECT_EQ(Quarantined().at("objects_a7_0000000000000009"), "nobody's");
  EXPECT_EQ(Quarantined().at("objects_00_README"), "a person's");
  EXPECT_EQ(Scan().orphans, 0u) << "a second time changes nothing";
  // What lies there already is not replaced.
  WriteFile(node_.path() + "/objects/00/README", "another");
  EXPECT_EQ(Scan().orphans, 1u);
  EXPECT_EQ(Quarantined().at("objects_00_README"), "a person's");
  EXPECT_EQ(Quarantined().at("objects_00_README.1"), "another");
}

TEST_F(RecoveryTest, ASealedFileOfACommitThatNeverCameIsAnOrphanOfTheNextRunOnly) {
  auto blob = node_.SealBlob("a", "bytes");
  blob->Keep();  // as if the node were killed here
  blob.reset();
  EXPECT_EQ(Scan().orphans, 0u) << "the running node may be about to commit it";
  node_.Restart(/*cleanly=*/false);
  EXPECT_EQ(Scan().orphans, 1u);
}

TEST_F(RecoveryTest, AScanTellsOfMissingFilesAndWrongSizes) {
  node_.Put("good", "bytes");
  const uint64_t missing = node_.Put("missing", "bytes");
  const uint64_t shorter = node_.Put("shorter", "bytes");
  const uint64_t link = node_.Put("link", "bytes");
  fs::remove(node_.PathOf("missing"));
  WriteFile(node_.PathOf("shorter"), "byte");
  fs::remove(node_.PathOf("link"));
  fs::create_symlink(node_.PathOf("good"), node_.PathOf("link"));
  const ScanReport report = Scan();
  EXPECT_EQ(report.objects, 4u);
  EXPECT_EQ(report.damaged_objects, 3u);
  EXPECT_THAT(damaged_[missing], testing::HasSubstr("missing"));
  EXPECT_THAT(damaged_[shorter], testing::HasSubstr("4 bytes, and was sealed with 5"));
  EXPECT_THAT(damaged_[link], testing::HasSubstr("no regular file"));
}

TEST_F(RecoveryTest, ARemovedObjectThatIsStillReadIsNoOrphan) {
  const uint64_t serial = node_.Put("a", "bytes");
  node_.Restart(/*cleanly=*/true);
  auto reader = node_.OpenBlob("a");
  ASSERT_THAT(node_.catalog().Remove(serial), IsOk());
  reader->Drop();
  EXPECT_EQ(Scan().orphans, 0u);
  reader.reset();
  EXPECT_TRUE(Files().empty());
  EXPECT_EQ(Scan().orphans, 0u);
}

TEST_F(RecoveryTest, AScanLeavesANodeThatServesAlone) {
  for (int i = 0; i < 100; ++i) node_.Put(absl::StrCat("old ", i), "bytes");
  node_.Restart(/*cleanly=*/true);
  std::atomic<bool> done{false};
  std::thread server([&] {
    for (int i = 0; i < 100; ++i) {
      node_.Put(absl::StrCat("new ", i), "bytes");
      node_.Discard(absl::StrCat("old ", i));
    }
    done.store(true);
  });
  do {
    const ScanReport report = Scan();
    EXPECT_EQ(report.orphans, 0u);
    EXPECT_EQ(report.damaged_objects, 0u);
  } while (!done.load());
  server.join();
  EXPECT_TRUE(Quarantined().empty());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(node_.Get(absl::StrCat("new ", i)), "bytes");
}

TEST_F(RecoveryTest, AScanStopsWhenItIsToldTo) {
  node_.Put("a", "bytes");
  fs::remove(node_.PathOf("a"));
  const std::atomic<bool> stop{true};
  auto report = packice::Scan(node_.directory(), node_.catalog(), node_.clock(), stop,
                              [](uint64_t, absl::string_view) { FAIL(); });
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->objects, 0u);
}

TEST_F(RecoveryTest, SettingAsideSaysWhatWhenAndWhy) {
  WriteFile(node_.path() + "/stray", "bytes");
  ASSERT_OK_AND_ASSIGN(std::string place, SetAside(node_.directory(), "stray", "it strayed",
                                                   absl::FromUnixSeconds(1'700'000'000)));
  EXPECT_EQ(place, "quarantine/stray");
  EXPECT_EQ(Quarantined().at("stray"), "bytes");
  EXPECT_EQ(Quarantined().at("stray.why"),
            "what: stray\nwhen: 2023-11-14T22:13:20+00:00\nwhy: it strayed\n");
  EXPECT_THAT(SetAside(node_.directory(), "stray", "again", absl::Now()),
              HasKind(ErrorKind::kNotFound));
}

}  // namespace
}  // namespace packice
