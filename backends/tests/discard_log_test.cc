// What was discarded while a tier could not be told stays so, through ends of the process, torn
// writes and a failing disk.
#include "packice/backends/discard_log.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "data_directory_fixture.h"
#include "packice/backends/fsck.h"
#include "packice/core/error.h"
#include "packice/core/testing/fake_clock.h"

namespace packice {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

MATCHER_P(Says, what, "has a message that " + testing::DescribeMatcher<std::string>(what)) {
  return testing::ExplainMatchResult(
      what, std::string(status_matchers_internal::StatusOf(arg).message()), result_listener);
}

ObjectId Id(absl::string_view bytes) { return *ObjectId::Parse(bytes); }

// Whose line is about 800 bytes long.
ObjectId LongId(char which) { return Id(std::string(ObjectId::kMaxBytes - 1, ' ') + which); }

class DiscardLogTest : public testing::Test {
 protected:
  std::unique_ptr<DiscardLog> Open() {
    absl::StatusOr<std::unique_ptr<DiscardLog>> log = DiscardLog::Open(path());
    EXPECT_THAT(log, IsOk());
    return log.ok() ? *std::move(log) : nullptr;
  }
  std::vector<std::string> IdsAfterReopening() {
    std::vector<std::string> ids;
    for (const ObjectId& id : Open()->All()) ids.emplace_back(id.bytes());
    return ids;
  }
  std::string path() const { return directory_ / "discards"; }

  TemporaryDirectory directory_;
};

TEST_F(DiscardLogTest, RemembersWhatWasAddedAndNotRemoved) {
  {
    const auto log = Open();
    EXPECT_EQ(log->size(), 0u);
    EXPECT_FALSE(log->Contains(Id("a")));
    ASSERT_THAT(log->Add(Id("a")), IsOk());
    ASSERT_THAT(log->Add(Id("b")), IsOk());
    ASSERT_THAT(log->Add(Id("c")), IsOk());
    ASSERT_THAT(log->Remove(Id("b")), IsOk());
    EXPECT_TRUE(log->Contains(Id("a")));
    EXPECT_FALSE(log->Contains(Id("b")));
    EXPECT_EQ(log->size(), 2u);
  }
  EXPECT_THAT(IdsAfterReopening(), ElementsAre("a", "c"));
}

TEST_F(DiscardLogTest, IsInMemoryOnlyWithoutAPath) {
  const auto log = *DiscardLog::Open("");
  ASSERT_THAT(log->Add(Id("a")), IsOk());
  EXPECT_TRUE(log->Contains(Id("a")));
  ASSERT_THAT(log->Remove(Id("a")), IsOk());
  EXPECT_THAT(log->All(), IsEmpty());
}

TEST_F(DiscardLogTest, TakesAnyIdThatThereCanBe) {
  std::string all;
  for (int byte = 0; byte < 255; ++byte) all.push_back(static_cast<char>(byte + 1));
  const std::set<std::string> ids = {all,  std::string(1, '\0'), " ", "%", "+a", "-a", "a b\n",
                                     "%41"};
  {
    const auto log = Open();
    for (const std::string& id : ids) ASSERT_THAT(log->Add(Id(id)), IsOk());
  }
  EXPECT_THAT(IdsAfterReopening(), testing::ElementsAreArray(ids));
}

TEST_F(DiscardLogTest, SaysTheSameTwiceWithoutWritingTwice) {
  const auto log = Open();
  ASSERT_THAT(log->Add(Id("a")), IsOk());
  const std::string before = ReadFile(path());
  ASSERT_THAT(log->Add(Id("a")), IsOk());
  ASSERT_THAT(log->Remove(Id("b")), IsOk());
  EXPECT_EQ(ReadFile(path()), before);
}

// As documented in docs/formats.md.
TEST_F(DiscardLogTest, IsTextWithAVersionAndAChecksumForEachLine) {
  const auto log = Open();
  ASSERT_THAT(log->Add(Id("weights/llama 2")), IsOk());
  ASSERT_THAT(log->Remove(Id("weights/llama 2")), IsOk());
  EXPECT_EQ(ReadFile(path()),
            "packice discards 1\n"
            "+weights/llama%202 f49ae61913a01cc4cfc3de64d1f40b21\n"
            "-weights/llama%202 9b88fd712648db58a1a05f9a5f01b875\n");
}

// A crash cut the last write off, at any byte; or its sectors never came, or others did.
TEST_F(DiscardLogTest, DropsATornEnd) {
  std::string before;
  std::string whole;
  {
    const auto log = Open();
    ASSERT_THAT(log->Add(Id("kept")), IsOk());
    before = ReadFile(path());
    ASSERT_THAT(log->Add(Id("torn")), IsOk());
    whole = ReadFile(path());
  }
  for (size_t length = before.size(); length < whole.size(); ++length) {
    for (const char filler : {'\0', '\n', 'x'}) {
      std::string torn = whole.substr(0, length);
      if (filler != 'x') torn += std::string(whole.size() - length, filler);
      if (torn == whole) continue;
      WriteFile(path(), torn);
      ASSERT_THAT(IdsAfterReopening(), ElementsAre("kept")) << length << " " << int{filler};
      ASSERT_EQ(ReadFile(path()), before) << length;
    }
  }
}

TEST_F(DiscardLogTest, DoesNotGuessWhenItIsDamagedBeforeItsEnd) {
  {
    const auto log = Open();
    ASSERT_THAT(log->Add(Id("first")), IsOk());
    ASSERT_THAT(log->Add(Id("second")), IsOk());
  }
  std::string bytes = ReadFile(path());
  bytes[bytes.find("first")] ^= 1;
  WriteFile(path(), bytes);
  EXPECT_THAT(
      DiscardLog::Open(path()),
      AllOf(HasKind(ErrorKind::kCorrupt), Says(AllOf(HasSubstr(path()), HasSubstr("byte 19")))));
  EXPECT_EQ(ReadFile(path()), bytes) << "what is left of it was changed";
}

TEST_F(DiscardLogTest, DoesNotTakeAnotherFileForALog) {
  WriteFile(path(), "something else\n");
  EXPECT_THAT(DiscardLog::Open(path()), HasKind(ErrorKind::kCorrupt));
  EXPECT_EQ(ReadFile(path()), "something else\n");
}

TEST_F(DiscardLogTest, LeavesAnUnknownVersionToTheProgramThatKnowsIt) {
  WriteFile(path(), "packice discards 2\n");
  EXPECT_THAT(DiscardLog::Open(path()), AllOf(HasKind(ErrorKind::kUnsupported),
                                              Says(HasSubstr("use the program that wrote it"))));
  EXPECT_EQ(ReadFile(path()), "packice discards 2\n");
}

TEST_F(DiscardLogTest, BelongsToOneAtATime) {
  auto log = Open();
  EXPECT_THAT(DiscardLog::Open(path()), HasKind(ErrorKind::kBusy));
  // Also once it has been written anew, under the same name.
  for (int i = 0; i < 50; ++i) {
    ASSERT_THAT(log->Add(LongId(0)), IsOk());
    ASSERT_THAT(log->Remove(LongId(0)), IsOk());
  }
  EXPECT_THAT(DiscardLog::Open(path()), HasKind(ErrorKind::kBusy));
  log.reset();
  EXPECT_THAT(DiscardLog::Open(path()), IsOk());
}

TEST_F(DiscardLogTest, DoesNotGrowWithoutEnd) {
  const auto log = Open();
  ASSERT_THAT(log->Add(Id("stays")), IsOk());
  size_t largest = 0;
  for (char i = 0; i < 100; ++i) {
    ASSERT_THAT(log->Add(LongId(i)), IsOk());
    ASSERT_THAT(log->Remove(LongId(i)), IsOk());
    largest = std::max<size_t>(largest, std::filesystem::file_size(path()));
  }
  EXPECT_GT(largest, 50u << 10) << "it is written anew too often";
  EXPECT_LT(largest, 100u << 10);
  EXPECT_TRUE(log->Contains(Id("stays")));
}

TEST_F(DiscardLogTest, RefusesWhatIsNoFileOfItsOwn) {
  EXPECT_THAT(DiscardLog::Open(directory_.path()), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(DiscardLog::Open(directory_ / "missing/discards"), HasKind(ErrorKind::kNotFound));
  std::filesystem::create_symlink(directory_ / "elsewhere", path());
  EXPECT_THAT(DiscardLog::Open(path()), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "elsewhere"));
}

// The kernel refuses to let any file of this process grow beyond a few bytes.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_;
};

TEST_F(DiscardLogTest, AChangeThatFailedHasNotHappened) {
  {
    const auto log = Open();
    ASSERT_THAT(log->Add(Id("a")), IsOk());
    {
      FileSizeLimit limit(std::filesystem::file_size(path()) + 10);
      EXPECT_FALSE(log->Add(Id("b")).ok());
      EXPECT_FALSE(log->Contains(Id("b")));
      EXPECT_FALSE(log->Remove(Id("a")).ok());
      EXPECT_TRUE(log->Contains(Id("a")));
    }
    ASSERT_THAT(log->Add(Id("c")), IsOk()) << "the disk works again";
    EXPECT_FALSE(log->Contains(Id("b")));
  }
  EXPECT_THAT(IdsAfterReopening(), ElementsAre("a", "c"));
}

TEST_F(DiscardLogTest, SaysWhenAFailureMayStillComeAbout) {
  const auto log = Open();
  ASSERT_THAT(log->Add(Id("a")), IsOk());
  FileSizeLimit limit(10);  // it cannot be written anew either
  EXPECT_THAT(log->Add(Id("b")), AllOf(HasKind(ErrorKind::kIo), Says(HasSubstr("a crash may"))));
}

TEST_F(DiscardLogTest, ManyThreadsFindTheirOwnChangesDone) {
  constexpr int kThreads = 8;
  constexpr int kEach = 50;
  {
    const auto log = Open();
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&log, t] {
        for (int i = 0; i < kEach; ++i) {
          const ObjectId id = Id(absl::StrCat(t, "/", i));
          EXPECT_THAT(log->Add(id), IsOk());
          EXPECT_TRUE(log->Contains(id));
          if (i % 2 == 0) {
            EXPECT_THAT(log->Remove(id), IsOk());
            EXPECT_FALSE(log->Contains(id));
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(log->size(), size_t{kThreads * kEach / 2});
  }
  EXPECT_EQ(IdsAfterReopening().size(), size_t{kThreads * kEach / 2});
}

TEST_F(DiscardLogTest, HasItsPlaceInADataDirectory) {
  const std::string data = directory_ / "data";
  { ASSERT_THAT(DataDirectory::Open(data), IsOk()); }
  { ASSERT_THAT(DiscardLog::Open(absl::StrCat(data, "/", DiscardLog::kName)), IsOk()); }
  WriteFile(absl::StrCat(data, "/discards.new"), "cut off");
  FakeClock clock;
  absl::StatusOr<FsckReport> report = Fsck(data, FsckOptions(), clock);
  ASSERT_THAT(report, IsOk());
  for (const Finding& finding : report->findings) {
    EXPECT_NE(finding.kind, FindingKind::kUnknownFile) << finding.path;
  }
}

}  // namespace
}  // namespace packice
