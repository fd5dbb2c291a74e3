// The tools of the crash tests themselves: that the disk forgets what it should, keeps what it
// must, fails and kills where it is told to.
#include "faulty_disk.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace packice {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::SizeIs;

// ---- A program that does to files what it is told, a call each ----

using Words = std::vector<std::string>;

int WithFile(const std::string& path, int flags, int (*use)(int fd, const Words&),
             const Words& words) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  const int result = use(fd, words);
  const int error = errno;
  close(fd);
  errno = error;
  return result;
}

int WriteAt(int fd, const Words& words) {
  const std::string& text = words[2];
  return static_cast<int>(pwrite(fd, text.data(), text.size(), std::stoll(words[3])));
}

int WriteInParts(int fd, const Words& words) {
  std::string text = words[2];
  const iovec parts[] = {{text.data(), 1}, {text.data() + 1, text.size() - 1}};
  return static_cast<int>(writev(fd, parts, 2));
}

int SyncIt(int fd, const Words& words) {
  return words[0] == "datasync" ? fdatasync(fd) : fsync(fd);
}

int Cut(int fd, const Words& words) { return ftruncate(fd, std::stoll(words[2])); }

int Mode(int fd, const Words& words) {
  return fchmod(fd, static_cast<mode_t>(std::stoi(words[2], nullptr, 8)));
}

int Do(const Words& words) {
  const std::string& what = words[0];
  const std::string& path = words[1];
  if (what == "write") return WithFile(path, O_WRONLY | O_CREAT, WriteAt, words);
  if (what == "writev") return WithFile(path, O_WRONLY | O_CREAT, WriteInParts, words);
  if (what == "renew") return WithFile(path, O_WRONLY | O_CREAT | O_TRUNC, WriteAt, words);
  if (what == "sync" || what == "datasync") return WithFile(path, O_RDONLY, SyncIt, words);
  if (what == "cut") return WithFile(path, O_WRONLY, Cut, words);
  if (what == "chmod") return WithFile(path, O_RDONLY, Mode, words);
  if (what == "rename") return rename(path.c_str(), words[2].c_str());
  if (what == "link") return link(path.c_str(), words[2].c_str());
  if (what == "unlink") return unlink(path.c_str());
  if (what == "remove") return fs::remove(path) ? 0 : -1;
  if (what == "mkdir") return mkdir(path.c_str(), 0700);
  if (what == "rmdir") return rmdir(path.c_str());
  std::abort();
}

// Says what came of each call: "0", how many bytes, or the error.
int Run(const std::vector<std::string>& arguments) {
  if (chdir(arguments[0].c_str()) != 0) return 1;
  for (size_t i = 1; i < arguments.size(); ++i) {
    std::istringstream stream(arguments[i]);
    const Words words{std::istream_iterator<std::string>(stream), {}};
    const int result = Do(words);
    std::printf("%s\n", result < 0 ? strerrorname_np(errno) : std::to_string(result).c_str());
    std::fflush(stdout);
  }
  return 0;
}

const Role kFiles("files", Run);

// ---- What the tests share ----

class ADisk : public testing::Test {
 protected:
  explicit ADisk(FaultyDisk::Memory memory) : disk_(memory) {}

  // What each call came to; fewer answers than calls: it was killed.
  std::vector<std::string> Do(const std::vector<std::string>& calls) const {
    std::vector<std::string> arguments = {disk_.root()};
    arguments.insert(arguments.end(), calls.begin(), calls.end());
    ChildProcess child = disk_.StartRole("files", arguments);
    std::vector<std::string> results;
    for (std::string line; !(line = child.ReadLine()).empty();) results.push_back(line);
    exit_code_ = child.Wait();
    return results;
  }

  std::string ContentOf(const std::string& name) const {
    std::ifstream file(disk_ / name, std::ios::binary);
    return file ? std::string(std::istreambuf_iterator<char>(file), {}) : "(none)";
  }

  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(disk_.root())) {
      names.push_back(fs::relative(entry.path(), disk_.root()));
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  FaultyDisk disk_;
  mutable int exit_code_ = 0;
};

class AForgetfulDisk : public ADisk {
 protected:
  AForgetfulDisk() : ADisk(FaultyDisk::Memory::kForgetful) {}
};

class AFailingDisk : public ADisk {
 protected:
  AFailingDisk() : ADisk(FaultyDisk::Memory::kPlain) {}
};

// ---- Files ----

TEST_F(AForgetfulDisk, KeepsAFileThatWasSyncedWithItsName) {
  EXPECT_THAT(Do({"write a hello 0", "sync a", "sync ."}), ElementsAre("5", "0", "0"));
  disk_.LosePower();
  EXPECT_THAT(Files(), ElementsAre("a"));
  EXPECT_EQ(ContentOf("a"), "hello");
}

TEST_F(AForgetfulDisk, LosesTheBytesOfAFileThatWasNotSynced) {
  Do({"write a hello 0", "sync ."});
  disk_.LosePower();
  EXPECT_EQ(ContentOf("a"), "");
}

TEST_F(AForgetfulDisk, LosesTheNameOfAFileWhoseDirectoryWasNotSynced) {
  Do({"write a hello 0", "sync a"});
  disk_.LosePower();
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(AForgetfulDisk, LosesWhatCameAfterTheSync) {
  Do({"write a hello 0", "sync a", "sync .", "write a J 0", "write a ! 5"});
  disk_.LosePower();
  EXPECT_EQ(ContentOf("a"), "hello");
}

TEST_F(AForgetfulDisk, TakesWhatChangedSinceTheLastSync) {
  Do({"write a hello 0", "sync a", "sync .", "write a J 0", "write a ! 5", "datasync a"});
  disk_.LosePower();
  EXPECT_EQ(ContentOf("a"), "Jello!");
}

TEST_F(AForgetfulDisk, RemembersWhatIsDurableOfAnOldFileThatIsChanged) {
  for (const char* const change : {"write a J 0", "renew a new 0", "cut a 2", "unlink a"}) {
    std::ofstream(disk_ / "a") << "hello";
    disk_.MakeAllDurable();
    Do({change});
    EXPECT_NE(ContentOf("a"), "hello");
    disk_.LosePower();
    EXPECT_EQ(ContentOf("a"), "hello") << change;
  }
}

TEST_F(AForgetfulDisk, CutsAFileOnlyOnceThatIsSynced) {
  Do({"write a hello 0", "sync a", "sync .", "cut a 2"});
  disk_.LosePower();
  EXPECT_EQ(ContentOf("a"), "hello");
  Do({"cut a 2", "sync a", "write a p 2"});
  disk_.LosePower();
  EXPECT_EQ(ContentOf("a"), "he");
}

TEST_F(AForgetfulDisk, SavesWhatAnotherProcessWrote) {
  Do({"write a x 0", "sync ."});
  std::ofstream(disk_ / "a") << "by another one";
  Do({"datasync a"});
  disk_.LosePower();
  EXPECT_EQ(ContentOf("a"), "by another one");
}

TEST_F(AForgetfulDisk, SavesTheModeWithFsyncOnly) {
  for (const auto& [sync, mode] : {std::pair("datasync a", 0600u), std::pair("sync a", 0400u)}) {
    Do({"write a hello 0", "sync .", "chmod a 400", sync});
    disk_.LosePower();
    struct stat stat;
    ASSERT_EQ(::stat((disk_ / "a").c_str(), &stat), 0);
    EXPECT_EQ(stat.st_mode & 0777, mode) << sync;
    fs::remove(disk_ / "a");
    disk_.MakeAllDurable();
  }
}

// ---- Names ----

TEST_F(AForgetfulDisk, KeepsARenameInEachDirectoryThatWasSynced) {
  const std::vector<std::string> before = {"mkdir d", "mkdir e", "write d/a hello 0", "sync d/a",
                                           "sync d",  "sync .",  "rename d/a e/b"};
  const auto files_after = [&](const std::vector<std::string>& syncs) {
    std::vector<std::string> calls = before;
    calls.insert(calls.end(), syncs.begin(), syncs.end());
    Do(calls);
    disk_.LosePower();
    std::vector<std::string> files = Files();
    for (const std::string name : {"d/a", "e/b"}) {
      EXPECT_TRUE(!fs::exists(disk_ / name) || ContentOf(name) == "hello");
    }
    fs::remove_all(disk_ / "d");
    fs::remove_all(disk_ / "e");
    disk_.MakeAllDurable();
    return files;
  };
  EXPECT_THAT(files_after({}), ElementsAre("d", "d/a", "e"));
  EXPECT_THAT(files_after({"sync d", "sync e"}), ElementsAre("d", "e", "e/b"));
  EXPECT_THAT(files_after({"sync e"}), ElementsAre("d", "d/a", "e", "e/b"));
  EXPECT_THAT(files_after({"sync d"}), ElementsAre("d", "e"));
}

TEST_F(AForgetfulDisk, BringsBackWhatARenameReplaced) {
  Do({"write a old 0", "sync a", "sync .", "write b new 0", "sync b", "rename b a"});
  disk_.LosePower();
  EXPECT_THAT(Files(), ElementsAre("a"));
  EXPECT_EQ(ContentOf("a"), "old");
}

TEST_F(AForgetfulDisk, BringsBackANameWhoseEndWasNotSynced) {
  Do({"write a hello 0", "sync a", "sync .", "unlink a"});
  disk_.LosePower();
  EXPECT_EQ(ContentOf("a"), "hello");
  Do({"remove a", "sync ."});
  disk_.LosePower();
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(AForgetfulDisk, TellsAFileFromALaterOneOfItsName) {
  Do({"write a first 0", "sync a", "sync .", "unlink a", "write a second 0", "sync a"});
  disk_.LosePower();
  EXPECT_EQ(ContentOf("a"), "first");
}

TEST_F(AForgetfulDisk, LosesADirectoryWithAllThatIsInIt) {
  Do({"mkdir d", "write d/a hello 0", "sync d/a", "sync d"});
  disk_.LosePower();
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(AForgetfulDisk, BringsBackADirectoryWhoseEndWasNotSynced) {
  Do({"mkdir d", "sync ."});
  EXPECT_THAT(Do({"rmdir d"}), ElementsAre("0"));
  EXPECT_THAT(Files(), IsEmpty());
  disk_.LosePower();
  EXPECT_THAT(Files(), ElementsAre("d"));
  EXPECT_THAT(Do({"write d/a hello 0", "rmdir d"}), ElementsAre("5", "ENOTEMPTY"));
}

TEST_F(AForgetfulDisk, GoesOnWithTheNextProcess) {
  Do({"write a hello 0", "write b hello 0", "sync b", "sync ."});
  Do({"write b J 0", "sync a"});
  disk_.LosePower();
  EXPECT_EQ(ContentOf("a"), "hello");
  EXPECT_EQ(ContentOf("b"), "hello");
}

// ---- Survivors ----

TEST_F(AForgetfulDisk, MayKeepAnyPartOfWhatWasNotSynced) {
  const std::string old_bytes(4096, 'o'), new_bytes(6144, 'n');
  std::map<std::string, int> kinds;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::ofstream(disk_ / "a") << old_bytes;
    std::ofstream(disk_ / "synced") << "";
    fs::remove(disk_ / "new");
    disk_.MakeAllDurable();
    Do({absl::StrCat("write a ", new_bytes, " 0"), "write new x 0",
        absl::StrCat("write synced ", new_bytes, " 0"), "sync synced"});
    Random random(seed);
    disk_.LosePower(&random);

    EXPECT_EQ(ContentOf("synced"), new_bytes);
    const std::string content = ContentOf("a");
    ASSERT_THAT(content, SizeIs(AllOf(Ge(4096u), Le(6144u))));
    for (size_t i = 0; i < content.size(); ++i) {
      ASSERT_EQ(content[i], content[i / 512 * 512]) << "a sector is whole";
      ASSERT_TRUE(content[i] == 'n' || content[i] == (i < 4096 ? 'o' : '\0')) << i;
    }
    ++kinds[content == old_bytes ? "none" : content == new_bytes ? "all" : "some"];
    ++kinds[fs::exists(disk_ / "new") ? "name" : "no name"];
  }
  EXPECT_THAT(kinds, SizeIs(5)) << "each of these comes about";
}

TEST_F(AForgetfulDisk, LosesTheSameForTheSameSeed) {
  const auto lose = [&] {
    fs::remove(disk_ / "a");
    std::ofstream(disk_ / "a") << std::string(100000, 'o');
    disk_.MakeAllDurable();
    Do({absl::StrCat("write a ", std::string(50000, 'n'), " 0")});
    Random random(2);
    disk_.LosePower(&random);
    return ContentOf("a");
  };
  EXPECT_EQ(lose(), lose());
}

// ---- Faults ----

TEST_F(AFailingDisk, FailsTheCallsThatARuleNames) {
  disk_.SetRules({"ENOSPC write,allocate b*", "EROFS create,rename,mkdir,unlink,link ro|*/ro",
                  "EIO syncdir .", "EACCES open secret", "EDQUOT truncate full"});
  EXPECT_THAT(
      Do({"write a hello 0", "write b hello 0", "rename a ro", "mkdir ro", "sync a", "sync .",
          "write secret x 0", "sync secret", "write full x 0", "cut full 0"}),
      ElementsAre("5", "ENOSPC", "EROFS", "EROFS", "0", "EIO", "1", "EACCES", "1", "EDQUOT"));
  EXPECT_EQ(ContentOf("b"), "");
  EXPECT_THAT(disk_.Fired(), Contains("EIO syncdir ."));
}

TEST_F(AFailingDisk, FailsTheOnesThatAreCounted) {
  disk_.SetRules({"EIO write a 2", "EINTR write b 2-3", "EIO write c 3-"});
  const auto four = [&](const std::string& name) {
    return Do(std::vector<std::string>(4, absl::StrCat("write ", name, " x 0")));
  };
  EXPECT_THAT(four("a"), ElementsAre("1", "EIO", "1", "1"));
  EXPECT_THAT(four("b"), ElementsAre("1", "EINTR", "EINTR", "1"));
  EXPECT_THAT(four("c"), ElementsAre("1", "1", "EIO", "EIO"));
}

TEST_F(AFailingDisk, WritesHalf) {
  disk_.SetRules({"short write *"});
  EXPECT_THAT(Do({"write a 1234567 0", "write a 1 9", "writev b hello"}),
              ElementsAre("3", "1", "1"));
  EXPECT_EQ(ContentOf("a"), absl::StrCat("123", std::string(6, '\0'), "1"));
}

TEST_F(AFailingDisk, TakesNewRulesWhileAProgramRuns) {
  const std::string flag = disk_.root() + ".flag";
  // The program waits for the flag between its two writes.
  ChildProcess child =
      disk_.StartProgram({"/usr/bin/python3", "-c",
                          "import os,sys,time\n"
                          "fd=os.open(sys.argv[1]+'/a',os.O_WRONLY|os.O_CREAT)\n"
                          "print(os.write(fd,b'x'),flush=True)\n"
                          "while not os.path.exists(sys.argv[2]): time.sleep(.001)\n"
                          "try: os.write(fd,b'x')\n"
                          "except OSError as e: print(e.errno,flush=True)",
                          disk_.root(), flag});
  EXPECT_EQ(child.ReadLine(), "1");
  disk_.SetRules({"ENOSPC write a"});
  std::ofstream(flag) << "";
  EXPECT_EQ(child.ReadLine(), std::to_string(ENOSPC));
  EXPECT_EQ(child.Wait(), 0);
}

TEST_F(AFailingDisk, KillsBeforeAndAfterACall) {
  disk_.SetRules({"kill-before rename b"});
  EXPECT_THAT(Do({"write a x 0", "rename a b"}), ElementsAre("1"));
  EXPECT_EQ(exit_code_, 128 + SIGKILL);
  EXPECT_THAT(Files(), ElementsAre("a"));
  disk_.SetRules({"kill-after rename b"});
  EXPECT_THAT(Do({"rename a b", "unlink b"}), IsEmpty());
  EXPECT_EQ(exit_code_, 128 + SIGKILL);
  EXPECT_THAT(Files(), ElementsAre("b"));
}

TEST_F(AFailingDisk, TakesNoRuleThatItDoesNotUnderstand) {
  for (const char* const rule :
       {"EWHATEVER write a", "EIO scribble a", "EIO write", "EIO write a 0"}) {
    disk_.SetRules({rule});
    Do({"write a x 0"});
    EXPECT_EQ(exit_code_, 128 + SIGABRT) << rule;
  }
}

// ---- Faults and forgetting ----

TEST_F(AForgetfulDisk, LeavesOutTheSyncsThatARuleNames) {
  disk_.SetRules({"skip sync a"});
  EXPECT_THAT(Do({"write a hello 0", "write b hello 0", "sync a", "sync b", "sync ."}),
              ElementsAre("5", "5", "0", "0", "0"));
  disk_.LosePower();
  EXPECT_EQ(ContentOf("a"), "");
  EXPECT_EQ(ContentOf("b"), "hello");
  disk_.SetRules({"skip syncdir *"});
  Do({"write c hello 0", "sync c", "sync ."});
  disk_.LosePower();
  EXPECT_THAT(Files(), ElementsAre("a", "b"));
}

TEST_F(AForgetfulDisk, DoesNotMakeUpForAFailedSyncByALaterOne) {
  disk_.SetRules({"EIO sync * 1", "EIO syncdir * 2"});
  EXPECT_THAT(Do({"write a hello 0", "sync .", "sync a", "sync a", "write a ! 5", "sync a",
                  "write b x 0", "sync .", "sync ."}),
              ElementsAre("5", "0", "EIO", "0", "1", "0", "1", "EIO", "0"));
  disk_.LosePower();
  EXPECT_THAT(Files(), ElementsAre("a"));
  EXPECT_EQ(ContentOf("a"), absl::StrCat(std::string(5, '\0'), "!"));
}

TEST_F(AForgetfulDisk, SyncsWhatASyncThatWasInterruptedLeft) {
  disk_.SetRules({"EINTR sync * 1"});
  Do({"write a hello 0", "sync .", "sync a", "sync a"});
  disk_.LosePower();
  EXPECT_EQ(ContentOf("a"), "hello");
}

}  // namespace
}  // namespace packice
