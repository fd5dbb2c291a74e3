// put, get, stat, ls, rm and stats, by the real program.
#include <sys/stat.h>

#include "gmock/gmock.h"
#include "process.h"

namespace packice {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CliObjectsTest : public ::testing::Test {
 protected:
  // The output of a command that must succeed.
  std::string Ok(const std::vector<std::string>& arguments, const std::string& input = "") {
    const Outcome outcome = node_.Run(arguments, input);
    EXPECT_EQ(outcome.exit_code, 0) << arguments[0] << ": " << outcome.err;
    EXPECT_EQ(outcome.err, "") << arguments[0];
    return outcome.out;
  }

  ServedNode node_;
  TempDir dir_;
};

TEST_F(CliObjectsTest, FileComesBackAsItWas) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{300000}, size_t{9 << 20}}) {
    const std::string bytes = Pattern(size);
    const std::string file = dir_.Write("in", bytes);
    const std::string id = "f/" + std::to_string(size);
    EXPECT_EQ(Ok({"put", file, "--id", id}), id + "\n");
    EXPECT_EQ(Ok({"get", id}), bytes);
    Ok({"get", id, "-o", dir_ / "out"});
    EXPECT_EQ(ReadFile(dir_ / "out"), bytes);
  }
}

TEST_F(CliObjectsTest, StdinNeedsNoSize) {
  const std::string bytes = Pattern(700000);
  EXPECT_EQ(Ok({"put", "-", "--id", "in"}, bytes), "in\n");
  EXPECT_EQ(Ok({"get", "in"}), bytes);
  EXPECT_THAT(Ok({"put", "-", "--id", "in2", "--json"}, "12345"), HasSubstr("\"size\":5"));
}

TEST_F(CliObjectsTest, FilesThatHideTheirSizeAreRead) {
  Ok({"put", "/proc/self/status", "--id", "proc"});
  EXPECT_THAT(Ok({"get", "proc"}), HasSubstr("packice"));
}

TEST_F(CliObjectsTest, NodeNamesWhatHasNoId) {
  std::string id = Ok({"put", "-"}, "bytes");
  ASSERT_FALSE(id.empty());
  id.pop_back();
  EXPECT_EQ(Ok({"get", id}), "bytes");
}

TEST_F(CliObjectsTest, GetReplacesAFileWholeAndKeepsItsMode) {
  Ok({"put", "-", "--id", "a"}, "new");
  const std::string out = dir_.Write("out", "old and longer");
  ASSERT_EQ(chmod(out.c_str(), 0640), 0);
  Ok({"get", "a", "-o", out});
  EXPECT_EQ(ReadFile(out), "new");
  struct stat info;
  ASSERT_EQ(stat(out.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);

  EXPECT_EQ(node_.Run({"get", "missing", "-o", out}).exit_code, 3);
  EXPECT_EQ(ReadFile(out), "new");
  Ok({"get", "a", "-o", "/dev/null"});
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
    EXPECT_EQ(entry.path(), out) << "nothing else is left behind";
    ++files;
  }
  EXPECT_EQ(files, 1u);
}

TEST_F(CliObjectsTest, StatTellsForPeopleAndPrograms) {
  Ok({"put", "-", "--id", "a", "--meta", R"({"step":7})", "--ttl", "3600"}, Pattern(5000));
  const std::string text = Ok({"stat", "a"});
  EXPECT_THAT(text, ContainsRegex("size +4.9 KiB \\(5000 B\\)"));
  EXPECT_THAT(text, HasSubstr(R"({"step":7})"));
  EXPECT_THAT(text, ContainsRegex("expires +20[0-9-]+T"));
  const std::string json = Ok({"stat", "a", "--json"});
  EXPECT_THAT(json,
              StartsWith(R"({"object_id":"a","state":"SEALED","size":5000,"meta":{"step":7})"));
}

TEST_F(CliObjectsTest, LsListsInOrderAndEscapesWhatTerminalsObey) {
  Ok({"put", "-", "--id", "b"}, "1");
  Ok({"put", "-", "--id", "a\x1b[31m\n"}, "2");
  Ok({"put", "-", "--id", "ü/c"}, "3");
  const std::string table = Ok({"ls"});
  EXPECT_THAT(table, ContainsRegex("SIZE  STATE     LEASES  CREATED +ID\n"));
  EXPECT_THAT(table, HasSubstr("a\\x1b[31m\\n\n"));
  EXPECT_EQ(Ok({"ls", "--ids"}), "a\\x1b[31m\\n\nb\nü/c\n");
  EXPECT_EQ(Ok({"ls", "--ids", "--limit", "1", "b"}), "b\n");
  EXPECT_EQ(Ok({"ls", "nothing/", "--ids"}), "");
  const std::string json = Ok({"ls", "--json"});
  EXPECT_THAT(json, StartsWith("{\"objects\":[\n{\"object_id\":\"a\\u001b[31m\\n\","));
  EXPECT_THAT(json, ::testing::EndsWith("],\"next\":null}\n"));
}

TEST_F(CliObjectsTest, RmGoesOnAndTellsEachFailure) {
  Ok({"put", "-", "--id", "a"}, "1");
  Ok({"put", "-", "--id", "b"}, "1");
  const Outcome outcome = node_.Run({"rm", "x", "a", "y", "b"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, ContainsRegex("packice: not_found: .*\npackice: not_found: .*\n"));
  EXPECT_EQ(Ok({"ls", "--ids"}), "");
  for (const char* id : {"p/1", "p/2", "q"}) Ok({"put", "-", "--id", id}, "1");
  EXPECT_THAT(Ok({"rm", "--prefix", "p/", "--json"}), HasSubstr("discarded"));
  EXPECT_EQ(Ok({"ls", "--ids"}), "q\n");
}

TEST_F(CliObjectsTest, StatsCount) {
  Ok({"put", "-", "--id", "a"}, Pattern(2048));
  Ok({"get", "a"});
  EXPECT_EQ(node_.Run({"get", "b"}).exit_code, 3);
  const std::string text = Ok({"stats"});
  EXPECT_THAT(text, ContainsRegex("objects +1\n"));
  EXPECT_THAT(text, ContainsRegex("hits +1, 50.0 %\n"));
  EXPECT_THAT(text, ContainsRegex("connections +1, 0 refused\n"));
  EXPECT_THAT(Ok({"stats", "--json"}), HasSubstr("\"misses\":1"));
}

TEST_F(CliObjectsTest, ErrorsHaveTheirKindAndExitCode) {
  const auto fails = [&](const std::vector<std::string>& arguments, int exit_code,
                         const std::string& kind) {
    const Outcome outcome = node_.Run(arguments);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_THAT(outcome.err, StartsWith("packice: " + kind + ": "));
    EXPECT_EQ(outcome.out, "");
  };
  fails({"get", "nothing"}, 3, "not_found");
  fails({"stat", "nothing"}, 3, "not_found");
  Ok({"put", "-", "--id", "a"}, "1");
  fails({"put", "-", "--id", "a"}, 4, "already_exists");
  fails({"put", dir_ / "missing"}, 2, "invalid_argument");
  fails({"put", "-", "--meta", "{"}, 2, "invalid_argument");
  fails({"put", "-", "--id", std::string(256, 'x')}, 2, "invalid_argument");
  fails({"put", "-", "--ttl", "-1"}, 2, "invalid_argument");
  fails({"put", dir_.path().string(), "--id", "a"}, 2, "invalid_argument");
  fails({"get"}, 2, "invalid_argument");
  fails({"get", "a", "-o", (dir_ / "no/such/dir")}, 8, "io");
  fails({"get", "a", "-o", "/dev/full"}, 11, "capacity");
  fails({"stats", "--target", dir_ / "nobody.sock"}, 12, "unavailable");
  fails({"stats", "--target", "http://127.0.0.1:1"}, 12, "unavailable");
  fails({"stats", "--target", "ftp://127.0.0.1:1"}, 13, "unsupported");
}

TEST_F(CliObjectsTest, MvGivesAnotherId) {
  Ok({"put", "-", "--id", "a"}, "bytes");
  Ok({"put", "-", "--id", "taken"}, "1");
  EXPECT_EQ(Ok({"mv", "a", "b"}), "");
  EXPECT_EQ(Ok({"get", "b"}), "bytes");
  EXPECT_EQ(node_.Run({"mv", "a", "c"}).exit_code, 3);
  EXPECT_EQ(node_.Run({"mv", "b", "taken"}).exit_code, 4);
  EXPECT_EQ(Ok({"ls", "--ids"}), "b\ntaken\n");
}

TEST_F(CliObjectsTest, HistoryTellsVersionsAndHowTheyEnd) {
  const auto put = [&](const std::string& id, const std::string& previous) {
    Ok({"put", "-", "--id", id, "--meta", R"({"prev_objid":")" + previous + R"("})"}, "1");
  };
  Ok({"put", "-", "--id", "v1"}, "12345");
  put("v2", "v1");
  put("v3", "v2");
  const std::string table = Ok({"history", "v3"});
  EXPECT_THAT(table, ContainsRegex("SIZE +STATE +CREATED +ID\n.* v3\n.* v2\n.* v1\n$"));
  EXPECT_THAT(Ok({"history", "v2", "--json"}),
              ContainsRegex("^\\{\"end\":\"first\",\"objects\":\\[.*v2.*v1.*\"next\":null}\n$"));
  put("lost", "gone");
  EXPECT_THAT(Ok({"history", "lost"}), HasSubstr("before it: \"gone\", which this node does not"));
  EXPECT_THAT(Ok({"history", "lost", "--json"}), HasSubstr("\"next\":\"gone\"}"));
  put("x", "y");
  put("y", "x");
  EXPECT_THAT(Ok({"history", "x"}), HasSubstr("before it: \"x\" again"));
  EXPECT_THAT(Ok({"history", "v3", "--limit", "1"}), HasSubstr("before it: \"v2\"; --limit"));
  EXPECT_EQ(node_.Run({"history", "nothing"}).exit_code, 3);
}

TEST_F(CliObjectsTest, CpCopiesToAnotherNode) {
  ServedNode other;
  const std::string bytes = Pattern(3 << 20);
  Ok({"put", "-", "--id", "a", "--meta", R"({"k":1})"}, bytes);
  const std::vector<std::string> nodes = {"--from", node_.socket(), "--to", other.socket()};
  const auto copy = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "cp");
    arguments.insert(arguments.end(), nodes.begin(), nodes.end());
    return RunPackice(arguments);
  };
  EXPECT_EQ(copy({"a"}).out, "a\n");
  EXPECT_THAT(copy({"a", "--as", "b", "--json"}).out, HasSubstr("\"object_id\":\"b\""));
  EXPECT_EQ(other.Run({"get", "b"}).out, bytes);
  EXPECT_THAT(other.Run({"stat", "a", "--json"}).out, HasSubstr(R"("meta":{"k":1})"));
  EXPECT_EQ(copy({"a"}).exit_code, 4);
  EXPECT_EQ(copy({"missing"}).exit_code, 3);
  const Outcome nobody = RunPackice({"cp", "--from", dir_ / "nobody", "--to", node_.socket(), "a"});
  EXPECT_EQ(nobody.exit_code, 12);
  EXPECT_THAT(nobody.err, HasSubstr("--from: "));
  EXPECT_EQ(RunPackice({"cp", "a", "--to", node_.socket()}).exit_code, 2);
}

TEST_F(CliObjectsTest, TargetsComeFromFlagsAndEnvironment) {
  Ok({"put", "-", "--id", "a"}, "1");
  EXPECT_EQ(RunPackice({"ls", "--ids"}, {"PACKICE_SOCKET=" + node_.socket()}).out, "a\n");
  EXPECT_EQ(
      RunPackice({"ls", "--ids", "--target", node_.socket()}, {"PACKICE_TARGET=/nowhere"}).out,
      "a\n");
  const Outcome empty = RunPackice({"ls", "--ids", "--target", ""}, {"PACKICE_TARGET=/nowhere"});
  EXPECT_EQ(empty.exit_code, 0) << empty.err;
}

}  // namespace
}  // namespace packice
