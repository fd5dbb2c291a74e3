// Nodes that keep their objects in files: lives, directories, fsck.
#include <signal.h>
#include <sys/stat.h>

#include "gmock/gmock.h"
#include "process.h"

namespace packice {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

class DurableTest : public ::testing::Test {
 protected:
  std::vector<std::string> Flags(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> flags = {"serve",       "--impl", "fs",       "--data",          data_,
                                      "--transport", "uds",    "--socket", dir_ / "node.sock"};
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  }
  Outcome Fsck(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"fsck", "--data", data_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunPackice(arguments);
  }
  // The file of the only object there is.
  std::string OnlyFile() const {
    std::string found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data_ + "/objects")) {
      if (entry.is_regular_file()) found = entry.path().string();
    }
    EXPECT_NE(found, "");
    return found;
  }
  void Flip(const std::string& file) const {
    ASSERT_EQ(chmod(file.c_str(), 0600), 0);
    std::fstream(file, std::ios::in | std::ios::out) << '!';
  }

  TempDir dir_;
  const std::string data_ = dir_ / "data";
};

TEST_F(DurableTest, ObjectsOutliveTheirNode) {
  const std::string bytes = Pattern(700000);
  for (const int number : {SIGTERM, SIGKILL}) {
    StartedNode node(Flags());
    ASSERT_EQ(node.ready_line(), "packice serving fs on unix:" + (dir_ / "node.sock"));
    const std::string id = "before" + std::to_string(number);
    EXPECT_EQ(node.Run({"put", "-", "--id", id, "--meta", R"({"k":1})"}, bytes).exit_code, 0);
    EXPECT_EQ(node.Run({"get", id}).out, bytes);
    node.process().Signal(number);
    node.process().Wait();
  }
  StartedNode node(Flags());
  EXPECT_EQ(node.Run({"get", "before15"}).out, bytes);
  EXPECT_EQ(node.Run({"get", "before9"}).out, bytes);
  EXPECT_EQ(node.Run({"mv", "before15", "moved"}).exit_code, 0);
  EXPECT_EQ(node.Run({"rm", "before9"}).exit_code, 0);
  const Outcome stopped = node.Stop();
  EXPECT_EQ(stopped.exit_code, 0);
  EXPECT_THAT(stopped.err, HasSubstr("stopped"));

  StartedNode again(Flags());
  EXPECT_EQ(again.Run({"ls", "--ids"}).out, "moved\n");
  EXPECT_EQ(again.Run({"get", "moved"}).out, bytes);
  EXPECT_THAT(again.Run({"stat", "moved", "--json"}).out, HasSubstr(R"("meta":{"k":1})"));
}

TEST_F(DurableTest, DataMayComeFromTheEnvironment) {
  std::vector<std::string> flags = Flags();
  flags.erase(flags.begin() + 3, flags.begin() + 5);  // --data
  StartedNode node(flags, {"PACKICE_DATA=" + data_});
  EXPECT_EQ(node.Run({"put", "-", "--id", "a"}, "1").exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(data_ + "/objects"));
  EXPECT_THAT(node.Stop().err, HasSubstr("nine tenths of the file system's"));
}

TEST_F(DurableTest, DirectoriesThatCannotBeItsAreRefused) {
  const auto refused = [&](const std::string& data) {
    return RunPackice({"serve", "--impl", "fs", "--data", data, "--socket", dir_ / "other.sock"});
  };
  const Outcome file = refused(dir_.Write("file", "1"));
  EXPECT_EQ(file.exit_code, 2) << file.err;
  dir_.Write("foreign/letter.txt", "1");
  const Outcome foreign = refused(dir_ / "foreign");
  EXPECT_EQ(foreign.exit_code, 2) << foreign.err;
  EXPECT_THAT(foreign.err, ContainsRegex("packice: invalid_argument: .*foreign"));

  StartedNode node(Flags());
  ASSERT_NE(node.ready_line(), "");
  const Outcome second = refused(data_);
  EXPECT_EQ(second.exit_code, 5) << second.err;
  EXPECT_THAT(second.err, HasSubstr("packice: busy: "));
  EXPECT_EQ(second.out, "");
  EXPECT_EQ(Fsck().exit_code, 5);
  EXPECT_EQ(node.Stop().exit_code, 0);

  dir_.Write("data/packice.format", "packice 99\n");
  const Outcome version = refused(data_);
  EXPECT_EQ(version.exit_code, 13) << version.err;
}

TEST_F(DurableTest, CapacityEvicts) {
  StartedNode node(Flags({"--capacity", "1MiB"}));
  const std::string bytes = Pattern(400000);
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_EQ(node.Run({"put", "-", "--id", id}, bytes).exit_code, 0);
  }
  EXPECT_EQ(node.Run({"ls", "--ids"}).out, "b\nc\n");
}

TEST_F(DurableTest, ReadsAreVerifiedOnRequest) {
  {
    StartedNode node(Flags());
    ASSERT_EQ(node.Run({"put", "-", "--id", "a"}, "bytes").exit_code, 0);
    EXPECT_EQ(node.Stop().exit_code, 0);
  }
  Flip(OnlyFile());
  StartedNode node(Flags({"--verify-reads"}));
  const Outcome got = node.Run({"get", "a"});
  EXPECT_EQ(got.exit_code, 7) << got.err;
  EXPECT_THAT(got.err, StartsWith("packice: corrupt: "));
  EXPECT_THAT(node.Run({"stats"}).out, ContainsRegex("quarantined +1\n"));
}

TEST_F(DurableTest, FsckFindsNamesAndRepairs) {
  EXPECT_EQ(Fsck().exit_code, 3) << "there is nothing yet";
  {
    StartedNode node(Flags());
    ASSERT_EQ(node.Run({"put", "-", "--id", "a"}, "bytes").exit_code, 0);
    EXPECT_EQ(node.Stop().exit_code, 0);
  }
  const Outcome clean = Fsck();
  EXPECT_EQ(clean.exit_code, 0) << clean.err;
  EXPECT_EQ(clean.out, "1 objects, 5 B: clean\n");
  EXPECT_THAT(Fsck({"--json"}).out,
              StartsWith(R"({"objects":1,"bytes":5,"clean":true,"findings":[])"));

  Flip(OnlyFile());
  dir_.Write("data/stranger \"x\"", "1");
  const Outcome damaged = Fsck();
  EXPECT_EQ(damaged.exit_code, 7);
  EXPECT_THAT(damaged.out, ContainsRegex("flipped bits +no +a +objects/"));
  EXPECT_THAT(damaged.out, ContainsRegex("unknown file +no +- +stranger"));
  EXPECT_THAT(damaged.err, MatchesRegex("packice: corrupt: .*2 findings; --repair .*\n"));
  const Outcome json = Fsck({"--repair", "--json"});
  EXPECT_EQ(json.exit_code, 7) << "it was damaged";
  EXPECT_THAT(json.out, HasSubstr(R"("kind":"flipped_bits","path":"objects/)"));
  EXPECT_THAT(json.out, HasSubstr(R"("path":"stranger \"x\"","object_id":null)"));
  EXPECT_THAT(json.out, HasSubstr(R"("repaired":true)"));
  EXPECT_THAT(json.err, HasSubstr("all repaired; "));
  EXPECT_EQ(Fsck().exit_code, 0);
  EXPECT_FALSE(std::filesystem::is_empty(data_ + "/quarantine"));

  StartedNode node(Flags());
  EXPECT_EQ(node.Run({"get", "a"}).exit_code, 3);
}

}  // namespace
}  // namespace packice
