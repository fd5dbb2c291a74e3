#include "packice/backends/data_directory.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "data_directory_fixture.h"

namespace packice {
namespace {

namespace fs = std::filesystem;

class DataDirectoryTest : public testing::Test {
 protected:
  TemporaryDirectory temporary_;
  const std::string path_ = temporary_ / "a/b/data";
};

TEST_F(DataDirectoryTest, OpenMakesTheWholeLayout) {
  ASSERT_OK_AND_ASSIGN(auto directory, DataDirectory::Open(path_));
  EXPECT_EQ(directory->path(), path_);
  EXPECT_EQ(directory->PathOf("objects/00"), path_ + "/objects/00");
  EXPECT_EQ(ReadFile(path_ + "/packice.format").substr(0, 10), "packice 1\n");
  for (const char* part : {"attachments", "quarantine", "objects/00", "objects/a7", "objects/ff"}) {
    EXPECT_TRUE(fs::is_directory(path_ + "/" + part)) << part;
  }
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_all) << "nobody else's business";
}

TEST_F(DataDirectoryTest, AnEmptyDirectoryBecomesOneAndAnyOtherIsRefused) {
  fs::create_directories(path_);
  EXPECT_THAT(DataDirectory::Open(path_), IsOk());
  fs::create_directories(temporary_ / "home");
  WriteFile(temporary_ / "home/letter.txt", "dear");
  EXPECT_THAT(DataDirectory::Open(temporary_ / "home"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_EQ(FilesBelow(temporary_ / "home").size(), 1u) << "and nothing was made there";
  EXPECT_FALSE(fs::exists(temporary_ / "home/lock"));
}

TEST_F(DataDirectoryTest, OneThatIsThereOpensAgainAndMissingPartsComeBack) {
  ASSERT_THAT(DataDirectory::Open(path_), IsOk());
  fs::remove_all(path_ + "/quarantine");
  fs::remove_all(path_ + "/objects/3c");
  ASSERT_THAT(DataDirectory::Open(path_ + "///"), IsOk());
  EXPECT_TRUE(fs::is_directory(path_ + "/quarantine"));
  EXPECT_TRUE(fs::is_directory(path_ + "/objects/3c"));
}

// Whatever prefix of the making a crash left behind.
TEST_F(DataDirectoryTest, OneWhoseMakingWasCutOffIsMadeAnew) {
  fs::create_directories(path_);
  WriteFile(path_ + "/lock", "");
  WriteFile(path_ + "/packice.format.new", "pack");
  ASSERT_THAT(DataDirectory::Open(path_), IsOk());
  EXPECT_FALSE(fs::exists(path_ + "/packice.format.new"));
  EXPECT_THAT(DataDirectory::OpenExisting(path_), IsOk());
}

TEST_F(DataDirectoryTest, OpenExistingMakesNothing) {
  EXPECT_THAT(DataDirectory::OpenExisting(path_), HasKind(ErrorKind::kNotFound));
  EXPECT_FALSE(fs::exists(temporary_ / "a"));
  fs::create_directories(path_);
  EXPECT_THAT(DataDirectory::OpenExisting(path_), HasKind(ErrorKind::kNotFound));
  EXPECT_TRUE(fs::is_empty(path_));
  ASSERT_THAT(DataDirectory::Open(path_), IsOk());
  fs::remove_all(path_ + "/quarantine");
  ASSERT_THAT(DataDirectory::OpenExisting(path_), IsOk());
  EXPECT_FALSE(fs::exists(path_ + "/quarantine"));
}

TEST_F(DataDirectoryTest, AnotherVersionIsUnsupportedAndUntouched) {
  ASSERT_THAT(DataDirectory::Open(path_), IsOk());
  WriteFile(path_ + "/packice.format", "packice 2\nfrom the future\n");
  auto result = DataDirectory::Open(path_);
  ASSERT_THAT(result, HasKind(ErrorKind::kUnsupported));
  EXPECT_THAT(std::string(result.status().message()), testing::HasSubstr("version 2"));
  for (const char* text : {"", "packice", "packice one\n", "something else\n"}) {
    WriteFile(path_ + "/packice.format", text);
    EXPECT_THAT(DataDirectory::Open(path_), HasKind(ErrorKind::kCorrupt)) << text;
  }
}

TEST_F(DataDirectoryTest, OneNodeAtATime) {
  ASSERT_OK_AND_ASSIGN(auto first, DataDirectory::Open(path_));
  auto second = DataDirectory::Open(path_);
  ASSERT_THAT(second, HasKind(ErrorKind::kBusy));
  EXPECT_THAT(std::string(second.status().message()),
              testing::HasSubstr(absl::StrCat("process ", getpid())));
  EXPECT_THAT(DataDirectory::OpenExisting(path_), HasKind(ErrorKind::kBusy));
  first.reset();
  EXPECT_THAT(DataDirectory::Open(path_), IsOk());
}

TEST_F(DataDirectoryTest, TheLockGoesWithItsProcess) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto directory = DataDirectory::Open(path_);
    const char byte = directory.ok() ? 1 : 0;
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 1);
  auto result = DataDirectory::Open(path_);
  EXPECT_THAT(result, HasKind(ErrorKind::kBusy));
  EXPECT_THAT(std::string(result.status().message()),
              testing::HasSubstr(absl::StrCat("process ", child)));
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_THAT(DataDirectory::Open(path_), IsOk());
  close(ready[0]);
  close(ready[1]);
}

TEST_F(DataDirectoryTest, SomethingElseInTheWrongPlaceIsAnError) {
  WriteFile(temporary_ / "file", "bytes");
  EXPECT_THAT(DataDirectory::Open(temporary_ / "file"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_FALSE(DataDirectory::Open(temporary_ / "file/below").ok());
  EXPECT_THAT(DataDirectory::Open(""), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(DataDirectory::Open(absl::string_view("a\0b", 3)),
              HasKind(ErrorKind::kInvalidArgument));
  ASSERT_THAT(DataDirectory::Open(path_), IsOk());
  fs::create_directories(temporary_ / "elsewhere");
  for (const char* part : {"objects", "attachments", "quarantine", "objects/07"}) {
    SCOPED_TRACE(part);
    const std::string place = path_ + "/" + part;
    fs::rename(place, temporary_ / "moved");
    fs::create_directory_symlink(temporary_ / "elsewhere", place);
    EXPECT_THAT(DataDirectory::Open(path_), HasKind(ErrorKind::kInvalidArgument));
    fs::remove(place);
    WriteFile(place, "a file");
    EXPECT_THAT(DataDirectory::Open(path_), HasKind(ErrorKind::kInvalidArgument));
    fs::remove(place);
    fs::rename(temporary_ / "moved", place);
  }
  for (const char* file : {"lock", "packice.format"}) {
    SCOPED_TRACE(file);
    fs::rename(path_ + "/" + file, temporary_ / "moved");
    fs::create_symlink(temporary_ / "moved", path_ + "/" + file);
    EXPECT_THAT(DataDirectory::Open(path_), HasKind(ErrorKind::kInvalidArgument));
    fs::remove(path_ + "/" + file);
    fs::rename(temporary_ / "moved", path_ + "/" + file);
  }
}

TEST_F(DataDirectoryTest, TheDirectoryItselfMayBeNamedByALink) {
  fs::create_directories(path_);
  fs::create_directory_symlink(path_, temporary_ / "link");
  ASSERT_OK_AND_ASSIGN(auto directory, DataDirectory::Open(temporary_ / "link"));
  EXPECT_EQ(directory->path(), path_);
}

}  // namespace
}  // namespace packice
