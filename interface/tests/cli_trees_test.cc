// put and get of whole directories.
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "gmock/gmock.h"
#include "process.h"

namespace packice {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::map<std::string, std::string> FilesBelow(const std::filesystem::path& root) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.is_regular_file()) {
      files[entry.path().lexically_relative(root)] = ReadFile(entry.path());
    }
  }
  return files;
}

class CliTreesTest : public ::testing::Test {
 protected:
  ServedNode node_;
  TempDir dir_;
};

TEST_F(CliTreesTest, DirectoryComesBackAsItWas) {
  for (int i = 0; i < 70; ++i) {
    const std::string name = "in/d" + std::to_string(i % 7) + "/f" + std::to_string(i);
    dir_.Write(name, Pattern(static_cast<size_t>(i) * 997, static_cast<uint32_t>(i)));
  }
  dir_.Write("in/odd \"name\" é", "odd");
  const Outcome put = node_.Run({"put", dir_ / "in", "--prefix", "m/a/"});
  ASSERT_EQ(put.exit_code, 0) << put.err;
  EXPECT_EQ(std::count(put.out.begin(), put.out.end(), '\n'), 71);
  EXPECT_THAT(put.out, HasSubstr("m/a/d3/f10\n"));
  const Outcome get = node_.Run({"get", "--prefix", "m/a/", "-o", dir_ / "out"});
  ASSERT_EQ(get.exit_code, 0) << get.err;
  EXPECT_EQ(FilesBelow(dir_ / "out"), FilesBelow(dir_ / "in"));
}

TEST_F(CliTreesTest, LinksToFilesAreFilesAndOtherThingsAreLeftOut) {
  dir_.Write("in/file", "bytes");
  dir_.Write("elsewhere/file", "away");
  ASSERT_EQ(symlink("file", (dir_ / "in/link").c_str()), 0);
  ASSERT_EQ(symlink("nowhere", (dir_ / "in/dangling").c_str()), 0);
  ASSERT_EQ(symlink("..", (dir_ / "in/loop").c_str()), 0);
  ASSERT_EQ(symlink("../elsewhere", (dir_ / "in/directory").c_str()), 0);
  ASSERT_EQ(mkfifo((dir_ / "in/pipe").c_str(), 0600), 0);
  const Outcome put = node_.Run({"put", dir_ / "in"});
  EXPECT_EQ(put.exit_code, 0) << put.err;
  EXPECT_EQ(node_.Run({"ls", "--ids"}).out, "file\nlink\n");
  EXPECT_EQ(node_.Run({"get", "link"}).out, "bytes");
}

TEST_F(CliTreesTest, IdsThatLeadOutOfTheDirectoryAreRefused) {
  for (const std::string id : {"../x", "a/../../x", "/etc/x", "a//x", "a/", "./x"}) {
    ASSERT_EQ(node_.Run({"put", "-", "--id", "p/" + id}, "evil").exit_code, 0);
    const Outcome get = node_.Run({"get", "--prefix", "p/", "-o", dir_ / "out"});
    EXPECT_EQ(get.exit_code, 2) << id;
    EXPECT_THAT(get.err, HasSubstr("packice: invalid_argument: "));
    ASSERT_EQ(node_.Run({"rm", "p/" + id}).exit_code, 0);
  }
  EXPECT_FALSE(std::filesystem::exists(dir_ / "out"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "x"));
}

TEST_F(CliTreesTest, FailureEndsItAndNamesTheFile) {
  dir_.Write("in/a", "1");
  dir_.Write("in/b", "2");
  ASSERT_EQ(node_.Run({"put", "-", "--id", "x/b"}, "taken").exit_code, 0);
  const Outcome put = node_.Run({"put", dir_ / "in", "--prefix", "x/"});
  EXPECT_EQ(put.exit_code, 4);
  EXPECT_THAT(put.err, HasSubstr(dir_ / "in/b"));
  EXPECT_EQ(node_.Run({"get", "--prefix", "nothing/", "-o", dir_ / "out"}).exit_code, 3);
  EXPECT_EQ(node_.Run({"get", "--prefix", "x/"}).exit_code, 2) << "wants a directory";
}

TEST_F(CliTreesTest, OneObjectGoesIntoADirectoryByItsName) {
  ASSERT_EQ(node_.Run({"put", "-", "--id", "deep/in/name"}, "1").exit_code, 0);
  EXPECT_EQ(node_.Run({"get", "deep/in/name", "-o", dir_.path().string()}).exit_code, 0);
  EXPECT_EQ(ReadFile(dir_ / "name"), "1");
}

}  // namespace
}  // namespace packice
