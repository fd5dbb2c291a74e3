#include "packice/backends/fsck.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "data_directory_fixture.h"
#include "durable_node.h"

namespace packice {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class FsckTest : public testing::Test {
 protected:
  // Looks without repair, sees that nothing changed, and returns the findings as "kind path".
  std::vector<std::string> Look(bool bytes = true) {
    const std::map<std::string, std::string> before = Files();
    report_ = Run({/*repair=*/false, bytes});
    EXPECT_TRUE(Files() == before) << "a look changed something";
    return Names();
  }
  std::vector<std::string> Repair() {
    report_ = Run({/*repair=*/true});
    for (const Finding& finding : report_.findings) {
      EXPECT_TRUE(finding.repaired) << NameOf(finding.kind) << " " << finding.path;
    }
    return Names();
  }
  // Looks, repairs, and sees that the repair has found the same and left nothing to be found.
  std::vector<std::string> LookAndRepair() {
    const std::vector<std::string> found = Look();
    EXPECT_EQ(Repair(), found);
    const FsckReport repaired = report_;
    EXPECT_THAT(Look(), IsEmpty()) << "a repair left something";
    report_ = repaired;
    return found;
  }

  // All files but the log's index, which is shared memory of those who have the catalog open.
  std::map<std::string, std::string> Files() {
    std::map<std::string, std::string> files = FilesBelow(node_.path());
    files.erase("catalog.sqlite-shm");
    return files;
  }
  std::string Quarantined(const std::string& name) {
    return ReadFile(node_.path() + "/quarantine/" + name);
  }
  std::string RelativePathOf(const std::string& id) {
    return fs::relative(node_.PathOf(id), node_.path());
  }
  static std::string Flat(std::string path) {
    std::replace(path.begin(), path.end(), '/', '_');
    return path;
  }

  DurableNode node_;
  FsckReport report_;

 private:
  FsckReport Run(const FsckOptions& options) {
    auto report = Fsck(node_.path(), options, Clock::System());
    EXPECT_THAT(report, IsOk());
    return report.ok() ? *report : FsckReport();
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const Finding& finding : report_.findings) {
      names.push_back(absl::StrCat(NameOf(finding.kind), " ", finding.path));
    }
    return names;
  }
};

TEST_F(FsckTest, FindsNothingWhereAllIsWell) {
  node_.Put("a", "bytes");
  node_.Put("b", PatternOf(3 << 20));
  node_.Discard("a");
  for (bool cleanly : {true, false}) {
    node_.Stop(cleanly);
    EXPECT_THAT(LookAndRepair(), IsEmpty()) << "a log that was not copied yet is no damage";
    EXPECT_EQ(report_.objects, 1u);
    EXPECT_EQ(report_.bytes, 3u << 20);
    node_.Start();
    EXPECT_EQ(node_.Get("b"), PatternOf(3 << 20));
  }
}

TEST_F(FsckTest, FindsNothingInADirectoryWithoutObjectsOrWithoutCatalog) {
  node_.Stop(false);
  EXPECT_THAT(LookAndRepair(), IsEmpty());
  for (const char* suffix : {"", "-wal", "-shm"}) {
    fs::remove(absl::StrCat(node_.path(), "/catalog.sqlite", suffix));
  }
  EXPECT_THAT(LookAndRepair(), IsEmpty());
  WriteFile(node_.path() + "/catalog.sqlite", "");  // made, and not filled yet
  EXPECT_THAT(LookAndRepair(), IsEmpty());
  node_.Start();
  node_.Put("a", "bytes");
  EXPECT_EQ(node_.Get("a"), "bytes");
}

TEST_F(FsckTest, IsNotForADirectoryInUseNorForAnother) {
  EXPECT_THAT(Fsck(node_.path(), {}, Clock::System()), HasKind(ErrorKind::kBusy));
  EXPECT_THAT(Fsck(node_.path() + "/objects", {}, Clock::System()), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(Fsck("/nonexistent", {}, Clock::System()), HasKind(ErrorKind::kNotFound));
}

// --- Objects.

TEST_F(FsckTest, AMissingFile) {
  node_.Put("kept", "bytes");
  node_.Put("lost", "bytes");
  const std::string path = RelativePathOf("lost");
  fs::remove(node_.PathOf("lost"));
  node_.Stop(true);
  EXPECT_THAT(LookAndRepair(), ElementsAre("missing_file " + path));
  EXPECT_EQ(report_.findings[0].object_id.bytes(), "lost");
  node_.Start();
  EXPECT_FALSE(node_.Has("lost"));
  EXPECT_EQ(node_.Get("kept"), "bytes");
}

TEST_F(FsckTest, AFileOfTheWrongSize) {
  node_.Put("shorter", "bytes");
  node_.Put("longer", "bytes");
  const std::string shorter = RelativePathOf("shorter");
  const std::string longer = RelativePathOf("longer");
  WriteFile(node_.PathOf("shorter"), "byte");
  WriteFile(node_.PathOf("longer"), "bytes and more");
  node_.Stop(true);
  EXPECT_THAT(LookAndRepair(), ElementsAre("wrong_size " + shorter, "wrong_size " + longer));
  EXPECT_EQ(Quarantined(Flat(shorter)), "byte");
  EXPECT_EQ(Quarantined(Flat(longer)), "bytes and more");
  EXPECT_THAT(Quarantined(Flat(longer) + ".why"), HasSubstr("14 bytes, and was sealed with 5"));
}

TEST_F(FsckTest, FlippedBitsByPiece) {
  const std::string bytes = PatternOf((4 << 20) + 9);
  node_.Put("whole", bytes);
  node_.Put("flipped", bytes);
  const std::string path = RelativePathOf("flipped");
  std::string flipped = bytes;
  for (size_t at : {(1 << 20) + 7, (4 << 20) + 8}) {
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
  }
  WriteFile(node_.PathOf("flipped"), flipped);
  node_.Stop(true);
  EXPECT_THAT(Look(/*bytes=*/false), IsEmpty()) << "that takes reading";
  EXPECT_THAT(LookAndRepair(), ElementsAre("flipped_bits " + path));
  EXPECT_THAT(report_.findings[0].detail, HasSubstr("2 of its 5 pieces"));
  EXPECT_THAT(report_.findings[0].detail, HasSubstr(": 1, 4"));
  EXPECT_EQ(report_.findings[0].object_id.bytes(), "flipped");
  EXPECT_TRUE(Quarantined(Flat(path)) == flipped);
  node_.Start();
  EXPECT_FALSE(node_.Has("flipped"));
  EXPECT_TRUE(node_.Get("whole") == bytes);
}

// --- Files.

TEST_F(FsckTest, AnOrphanFile) {
  node_.Put("a", "bytes");
  auto blob = node_.SealBlob("b", "never committed");
  blob->Keep();
  const std::string path = blob->name().object();
  blob.reset();
  // The right number in the wrong place is nobody's, either.
  const std::string a = RelativePathOf("a");
  const std::string moved =
      absl::StrCat("objects/", absl::StartsWith(a, "objects/00") ? "01" : "00", "/",
                   fs::path(a).filename().string());
  WriteFile(node_.path() + "/" + moved, "a copy");
  node_.Stop(false);
  EXPECT_THAT(LookAndRepair(), UnorderedElementsAre("orphan_file " + path, "orphan_file " + moved));
  EXPECT_EQ(Quarantined(Flat(path)), "never committed");
}

TEST_F(FsckTest, LeftoversOfUnfinishedCreatesAndRemovals) {
  const uint64_t serial = node_.Put("removed", "bytes");
  const std::string path = RelativePathOf("removed");
  ASSERT_THAT(node_.catalog().Remove(serial), IsOk());
  WriteFile(node_.path() + "/attachments/0000010000000007", "half an ob");
  node_.Stop(false);
  EXPECT_THAT(LookAndRepair(), ElementsAre("unfinished_create attachments/0000010000000007",
                                           "unfinished_removal " + path));
  EXPECT_TRUE(fs::is_empty(node_.path() + "/attachments"));
  EXPECT_FALSE(fs::exists(node_.path() + "/" + path));
}

TEST_F(FsckTest, UnknownFilesAnywhere) {
  node_.Put("a", "bytes");
  node_.Stop(true);
  const std::vector<std::string> paths = {"README", "attachments/letter.txt", "objects/a7/notes",
                                          "objects/extra"};
  for (const std::string& path : paths) WriteFile(node_.path() + "/" + path, path);
  fs::create_directories(node_.path() + "/objects/0A");
  ASSERT_EQ(mkfifo((node_.path() + "/objects/a8/000000000000000f").c_str(), 0600), 0);
  fs::create_symlink("/etc/passwd", node_.path() + "/attachments/0000000000000003");
  EXPECT_THAT(
      LookAndRepair(),
      UnorderedElementsAre("unknown_file README", "unknown_file attachments/letter.txt",
                           "unknown_file objects/a7/notes", "unknown_file objects/extra",
                           "unknown_file objects/0A", "unknown_file objects/a8/000000000000000f",
                           "unknown_file attachments/0000000000000003"));
  for (const std::string& path : paths) EXPECT_EQ(Quarantined(Flat(path)), path);
}

// --- The catalog.

TEST_F(FsckTest, ATornTailInTheMiddleOfAPage) {
  node_.Put("a", "bytes");
  node_.Put("b", "bytes");
  const std::string b = RelativePathOf("b");
  node_.Stop(false);
  const std::string log = node_.path() + "/catalog.sqlite-wal";
  fs::resize_file(log, fs::file_size(log) - 100);
  const std::string torn = ReadFile(log);
  // The commit of b, which was never answered then, is gone.
  EXPECT_THAT(LookAndRepair(),
              ElementsAre("torn_catalog_tail catalog.sqlite-wal", "orphan_file " + b));
  EXPECT_TRUE(Quarantined("catalog.sqlite-wal.copy") == torn);
  node_.Start();
  EXPECT_EQ(node_.Get("a"), "bytes");
  EXPECT_FALSE(node_.Has("b"));
}

TEST_F(FsckTest, ATornTailWhosePageHasNotItsChecksumOrWhoseCommitIsNotWhole) {
  node_.Put("a", "bytes");
  node_.Stop(false);
  const std::string log = node_.path() + "/catalog.sqlite-wal";
  const std::string whole = ReadFile(log);
  constexpr size_t kFrame = 24 + 4096;
  std::string torn = whole;
  torn[torn.size() - 1000] = static_cast<char>(torn[torn.size() - 1000] ^ 1);
  WriteFile(log, torn);
  EXPECT_THAT(Look()[0], "torn_catalog_tail catalog.sqlite-wal");
  EXPECT_THAT(report_.findings[0].detail, HasSubstr("checksum"));
  WriteFile(log, whole.substr(0, whole.size() - kFrame));
  EXPECT_THAT(Look()[0], "torn_catalog_tail catalog.sqlite-wal");
  EXPECT_THAT(report_.findings[0].detail, HasSubstr("last page is missing"));
  WriteFile(log, whole);
  EXPECT_THAT(Look(), IsEmpty());
}

TEST_F(FsckTest, ALogWhoseHeaderIsTorn) {
  node_.Put("a", "bytes");
  node_.Stop(true);
  WriteFile(node_.path() + "/catalog.sqlite-wal", std::string(20, 'x'));
  EXPECT_THAT(LookAndRepair(), ElementsAre("torn_catalog_tail catalog.sqlite-wal"));
  node_.Start();
  EXPECT_EQ(node_.Get("a"), "bytes");
}

TEST_F(FsckTest, WhatAnEarlierRoundOfTheLogLeftIsNoDamage) {
  for (int i = 0; i < 20; ++i) node_.Put(absl::StrCat(i), "bytes");
  sqlite3* shell = nullptr;
  ASSERT_EQ(sqlite3_open((node_.path() + "/catalog.sqlite").c_str(), &shell), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(shell, "PRAGMA wal_checkpoint(RESTART)", nullptr, nullptr, nullptr),
            SQLITE_OK);
  const auto before = fs::file_size(node_.path() + "/catalog.sqlite-wal");
  node_.Put("the first of the next round", "bytes");
  sqlite3_close(shell);
  node_.Stop(false);
  EXPECT_EQ(fs::file_size(node_.path() + "/catalog.sqlite-wal"), before);
  EXPECT_THAT(LookAndRepair(), IsEmpty());
}

TEST_F(FsckTest, ADamagedCatalogIsSetAsideAndWhatCanBeReadIsKept) {
  constexpr int kObjects = 400;
  std::map<std::string, std::string> paths;
  for (int i = 0; i < kObjects; ++i) node_.Put(absl::StrCat("object ", i), absl::StrCat(i));
  const uint64_t first = node_.catalog().FirstSerial();
  node_.Stop(true);
  const std::string catalog = node_.path() + "/catalog.sqlite";
  std::string bytes = ReadFile(catalog);
  ASSERT_GT(bytes.size(), 20u * 4096);
  const std::string garbage = PatternOf(4096, 99);
  bytes.replace(bytes.size() / 2 / 4096 * 4096, 4096, garbage);  // one page in the middle
  WriteFile(catalog, bytes);

  std::vector<std::string> found = Look();
  ASSERT_THAT(found, ElementsAre("damaged_catalog catalog.sqlite"))
      << "nothing is said of files without a catalog to hold them against";
  found = Repair();
  ASSERT_EQ(found[0], "damaged_catalog catalog.sqlite");
  EXPECT_TRUE(Quarantined("catalog.sqlite") == bytes);
  EXPECT_THAT(Look(), IsEmpty());
  node_.Start();
  int kept = 0;
  for (int i = 0; i < kObjects; ++i) {
    const std::string id = absl::StrCat("object ", i);
    if (!node_.Has(id)) continue;
    ++kept;
    EXPECT_EQ(node_.Get(id), absl::StrCat(i));
  }
  EXPECT_GT(kept, kObjects * 3 / 4) << "one page holds but a few rows";
  size_t orphans = 0;
  for (const std::string& name : found) orphans += absl::StartsWith(name, "orphan_file") ? 1 : 0;
  EXPECT_EQ(orphans, static_cast<size_t>(kObjects - kept)) << "the others' bytes are kept, too";
  EXPECT_GT(node_.catalog().FirstSerial(), first) << "serials are never used twice";
}

TEST_F(FsckTest, ACatalogThatIsNoDatabaseAndOneThatIsMissing) {
  const std::function<void(const std::string&)> harms[] = {
      [](const std::string& path) { WriteFile(path, PatternOf(10'000)); },
      [](const std::string& path) { fs::remove(path); },
      [](const std::string& path) {
        fs::remove(path);
        fs::create_directory(path);
      }};
  int round = 0;
  for (const auto& harm : harms) {
    const std::string id = absl::StrCat("object ", ++round);
    const uint64_t serial = node_.Put(id, id);
    const std::string path = RelativePathOf(id);
    node_.Stop(true);
    harm(node_.path() + "/catalog.sqlite");
    EXPECT_THAT(Look(), ElementsAre("damaged_catalog catalog.sqlite"));
    EXPECT_THAT(Repair(), ElementsAre("damaged_catalog catalog.sqlite", "orphan_file " + path));
    EXPECT_EQ(Quarantined(Flat(path)), id);
    EXPECT_THAT(Look(), IsEmpty());
    node_.Start();
    EXPECT_GT(node_.catalog().FirstSerial(), serial);
  }
}

TEST_F(FsckTest, AnotherVersionIsLeftAlone) {
  node_.Stop(true);
  sqlite3* shell = nullptr;
  ASSERT_EQ(sqlite3_open((node_.path() + "/catalog.sqlite").c_str(), &shell), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(shell, "PRAGMA user_version = 7", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(shell);
  const auto before = Files();
  EXPECT_THAT(Fsck(node_.path(), {/*repair=*/true}, Clock::System()),
              HasKind(ErrorKind::kUnsupported));
  EXPECT_TRUE(Files() == before);
}

}  // namespace
}  // namespace packice
