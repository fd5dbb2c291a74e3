// Nodes with tiers: how they are given, what they tell, what outlives them.
#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "packice/client.h"
#include "packice/core/testing/status_matchers.h"
#include "process.h"

namespace packice {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using Arguments = std::vector<std::string>;

Arguments Joined(Arguments front, const Arguments& back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

class TieredTest : public ::testing::Test {
 protected:
  Arguments Serve(const Arguments& more) const {
    return Joined({"serve", "--socket", socket_}, more);
  }
  Arguments Tiered(const Arguments& more = {}) const {
    return Joined(Serve({"--impl", "tiered", "--capacity", "1MiB", "--data", data_}), more);
  }
  // What is wrong with it, if anything.
  Outcome Refused(const Arguments& flags) const {
    const Outcome outcome = RunPackice(Serve(flags));
    EXPECT_EQ(outcome.out, "");
    return outcome;
  }
  Outcome RefusedFile(const std::string& text) const {
    return Refused({"--config", dir_.Write("node.toml", text)});
  }

  TempDir dir_;
  const std::string socket_ = dir_ / "node.sock";
  const std::string data_ = dir_ / "data";
};

TEST_F(TieredTest, IsAsLargeAsItsFilesAndTellsWhereObjectsAre) {
  StartedNode node(Tiered({"--write-policy", "through"}));
  ASSERT_EQ(node.ready_line(), "packice serving tiered on unix:" + socket_);
  const std::string bytes = Pattern(300000);
  for (const char* id : {"a", "b", "c", "d", "e", "f"}) {
    EXPECT_EQ(node.Run({"put", "-", "--id", id}, bytes).exit_code, 0);
  }
  for (const char* id : {"a", "b", "c", "d", "e", "f"}) {
    EXPECT_TRUE(node.Run({"get", id}).out == bytes);
  }
  EXPECT_THAT(node.Run({"stat", "f"}).out, ContainsRegex("\ntiers +hot, cold\n"));
  EXPECT_THAT(node.Run({"stat", "a", "--json"}).out, HasSubstr(R"("tiers":[)"));
  const std::string stats = node.Run({"stats"}).out;
  EXPECT_THAT(stats, ContainsRegex("\ntier +hot +cold\n"));
  EXPECT_THAT(stats, ContainsRegex("\nstate +ok +ok\n"));
  EXPECT_THAT(stats, ContainsRegex("\ncapacity used +[0-9.]+ % of 1.0 MiB +[0-9.]+ % of "));
  EXPECT_THAT(stats, ContainsRegex("\ndemotions +6, 1.7 MiB +0\n"));
  EXPECT_THAT(node.Run({"stats", "--json"}).out,
              ContainsRegex("\"tiers\":.*\"name\":\"hot\".*\"demotions\":6,.*\"name\":\"cold\""));
  const Outcome stopped = node.Stop();
  EXPECT_EQ(stopped.exit_code, 0);
  EXPECT_THAT(stopped.err, HasSubstr("a tiered node: hot: mem of 1.0 MiB; cold: fs of "));
  EXPECT_THAT(stopped.err, HasSubstr("flushing, for at most 5m"));
}

TEST_F(TieredTest, WhatIsInMemoryAloneIsFlushedAtTheEnd) {
  const std::string bytes = Pattern(200000);
  {
    StartedNode node(Tiered({"--flush-after", "3600"}));
    EXPECT_EQ(node.Run({"put", "-", "--id", "a", "--meta", R"({"k":1})"}, bytes).exit_code, 0);
    EXPECT_THAT(node.Run({"stat", "a"}).out, ContainsRegex("\ntiers +hot\n"));
    EXPECT_EQ(node.Stop().exit_code, 0);
  }
  StartedNode node(Tiered());
  EXPECT_THAT(node.Run({"stat", "a"}).out, ContainsRegex("\ntiers +cold\n"));
  EXPECT_TRUE(node.Run({"get", "a"}).out == bytes);
  EXPECT_THAT(node.Run({"stat", "a", "--json"}).out, HasSubstr(R"("meta":{"k":1})"));
}

TEST_F(TieredTest, WithThroughAllThatWasAnsweredOutlivesAKill) {
  const std::string bytes = Pattern(100000);
  for (const char* id : {"a", "b", "c"}) {
    StartedNode node(Tiered({"--write-policy", "through", "--flush-after", "3600"}));
    ASSERT_THAT(node.ready_line(), StartsWith("packice serving tiered"));
    EXPECT_EQ(node.Run({"put", "-", "--id", id}, bytes).exit_code, 0);
    node.process().Signal(SIGKILL);
    EXPECT_EQ(node.process().Wait().exit_code, 128 + SIGKILL);
  }
  StartedNode node(Tiered());
  for (const char* id : {"a", "b", "c"}) EXPECT_TRUE(node.Run({"get", id}).out == bytes);
}

TEST_F(TieredTest, ANodeElsewhereIsAColdTier) {
  const std::string token = dir_.Write("token", "s3cret\n");
  StartedNode cold({"serve", "--transport", "http", "--port", "0", "--token-file", token});
  ASSERT_THAT(cold.ready_line(), StartsWith("packice serving mem on http://"));
  const Arguments flags = Serve({"--capacity", "1MiB", "--cold", cold.Address(),
                                 "--cold-token-file", token, "--write-policy", "through"});
  const std::string bytes = Pattern(300000);
  {
    StartedNode hot(Joined(flags, {"--data", data_}));
    ASSERT_EQ(hot.ready_line(), "packice serving tiered on unix:" + socket_);
    EXPECT_EQ(hot.Run({"put", "-", "--id", "a"}, bytes).exit_code, 0);
    EXPECT_TRUE(std::filesystem::exists(data_ + "/discards"));
    const Outcome stopped = hot.Stop();
    EXPECT_EQ(stopped.exit_code, 0);
    EXPECT_THAT(stopped.err, HasSubstr("cold: node " + cold.Address()));
    EXPECT_THAT(stopped.err, Not(HasSubstr("is forgotten when")));
  }
  EXPECT_TRUE(RunPackice({"get", "a", "--target", cold.Address(), "--token-file", token}).out ==
              bytes);
  // Without a directory it says what that means.
  StartedNode hot(flags);
  EXPECT_TRUE(hot.Run({"get", "a"}).out == bytes);
  EXPECT_THAT(hot.Stop().err, HasSubstr("--data DIR gives a place to remember it"));
}

TEST_F(TieredTest, WhatCannotBeFlushedIsToldByTheExitCode) {
  StartedNode cold({"serve", "--transport", "http", "--port", "0"});
  StartedNode hot(Serve({"--cold", cold.Address(), "--capacity", "1MiB", "--flush-after", "3600",
                         "--flush-grace", "0.5"}));
  EXPECT_EQ(hot.Run({"put", "-", "--id", "a"}, "bytes").exit_code, 0);
  cold.process().Signal(SIGKILL);
  cold.process().Wait();
  const Outcome stopped = hot.Stop();
  EXPECT_THAT(stopped.exit_code, ::testing::AnyOf(12, 124));  // unavailable, timeout
  EXPECT_THAT(stopped.err, HasSubstr("the hot tier was not flushed: "));
  EXPECT_THAT(stopped.err, HasSubstr("objects that only memory had are lost"));
}

TEST_F(TieredTest, ASecondSignalEndsTheFlush) {
  // Who ends at once joins no threads, which ThreadSanitizer would tell as a leak, by the exit
  // code.
  const char* const options = std::getenv("TSAN_OPTIONS");
  const std::string lenient = absl::StrCat(options ? options : "", ":report_thread_leaks=0");
  setenv("TSAN_OPTIONS", lenient.c_str(), 1);
  StartedNode cold({"serve", "--transport", "http", "--port", "0"});
  StartedNode hot(Serve({"--cold", cold.Address(), "--capacity", "1MiB", "--flush-after", "3600"}));
  EXPECT_EQ(hot.Run({"put", "-", "--id", "a"}, "bytes").exit_code, 0);
  cold.process().Signal(SIGKILL);
  cold.process().Wait();
  hot.process().Signal(SIGTERM);
  while (std::filesystem::exists(socket_)) std::this_thread::yield();
  hot.process().Signal(SIGTERM);
  EXPECT_EQ(hot.process().Wait().exit_code, 128 + SIGTERM);
}

TEST_F(TieredTest, AHotTierOfFilesKeepsWhatCannotBeFlushed) {
  const Arguments flags = {"--hot",         "fs",    "--hot-data",    dir_ / "hot",
                           "--capacity",    "64MiB", "--flush-after", "3600",
                           "--flush-grace", "0.5"};
  const std::string bytes = Pattern(100000);
  {
    StartedNode cold({"serve", "--transport", "http", "--port", "0"});
    StartedNode hot(Joined(Serve(flags), {"--cold", cold.Address()}));
    EXPECT_EQ(hot.Run({"put", "-", "--id", "a"}, bytes).exit_code, 0);
    cold.process().Signal(SIGKILL);
    cold.process().Wait();
    const Outcome stopped = hot.Stop();
    EXPECT_EQ(stopped.exit_code, 0);
    EXPECT_THAT(stopped.err, HasSubstr("its files keep what the colder one does not have"));
    EXPECT_TRUE(std::filesystem::exists(dir_ / "hot/discards"));
  }
  StartedNode cold({"serve", "--transport", "http", "--port", "0"});
  StartedNode hot(Joined(Serve(flags), {"--cold", cold.Address()}));
  EXPECT_TRUE(hot.Run({"get", "a"}).out == bytes);
  EXPECT_EQ(hot.Stop().exit_code, 0);
  EXPECT_TRUE(RunPackice({"get", "a", "--target", cold.Address()}).out == bytes);
}

TEST_F(TieredTest, AFileGivesTiersWithinTiers) {
  StartedNode cold({"serve", "--transport", "http", "--port", "0"});
  const std::string file = dir_.Write("node.toml",
                                      "transport = [\"uds\"]\nsocket = \"/nowhere/at/all\"\n"
                                      "[[tier]]\nkind = \"mem\"\ncapacity = \"1MiB\"\n"
                                      "write-policy = \"through\"\neviction = \"lru\"\n"
                                      "[[tier]]\nkind = \"fs\"\ncapacity = 4194304\n"
                                      "data = \"" +
                                          data_ +
                                          "\"\nflush-after = 0.5\n"
                                          "[[tier]]\ntarget = \"" +
                                          cold.Address() + "\"\n");
  StartedNode node(Serve({"--config", file}));  // whose --socket wins over the file's
  ASSERT_EQ(node.ready_line(), "packice serving tiered on unix:" + socket_);
  const std::string bytes = Pattern(300000);
  EXPECT_EQ(node.Run({"put", "-", "--id", "a"}, bytes).exit_code, 0);
  EXPECT_THAT(node.Run({"stat", "a"}).out, ContainsRegex("\ntiers +hot, cold/hot"));
  EXPECT_THAT(node.Run({"stats"}).out, ContainsRegex("\ntier +hot +cold +cold/hot +cold/cold\n"));
  EXPECT_EQ(node.Stop().exit_code, 0);
  EXPECT_TRUE(RunPackice({"get", "a", "--target", cold.Address()}).out == bytes);
}

TEST_F(TieredTest, TheExampleServes) {
  std::ifstream in(std::string(std::getenv("PACKICE_EXAMPLES")) + "/packice.toml");
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  ASSERT_THAT(text, HasSubstr("\"/var/lib/packice\""));
  const std::string file = dir_.Write(
      "node.toml", absl::StrReplaceAll(text, {{"\"/var/lib/packice\"", "\"" + data_ + "\""}}));
  StartedNode node(Serve({"--port", "0", "--config", file}));
  ASSERT_THAT(node.ready_line(), StartsWith("packice serving tiered on unix:" + socket_));
  EXPECT_EQ(node.Run({"put", "-", "--id", "a"}, "1").exit_code, 0);
  EXPECT_EQ(node.Stop().exit_code, 0);
}

TEST_F(TieredTest, FlagsThatDoNotGoTogetherSayWhatToDo) {
  const std::string file = dir_.Write("node.toml", "[[tier]]\nkind = \"mem\"\n");
  const struct {
    Arguments flags;
    const char* remedy;
  } kCases[] = {
      {{"--impl", "mem", "--cold", "fs"}, "leave out --impl"},
      {{"--write-policy", "through"}, "--write-policy: only for tiers; add --impl tiered"},
      {{"--hot", "fs"}, "--hot-data DIR"},
      {{"--cold", "fs", "--hot-data", "x"}, "add --hot fs"},
      {{"--hot", "fs", "--hot-data", data_, "--data", data_}, "give each one of its own"},
      {{"--cold", "tape"}, "neither fs nor a node"},
      {{"--cold", "fs", "--cold-token-file", "x"}, "--cold http://HOST:PORT"},
      {{"--cold", "http://127.0.0.1:1", "--cold-capacity", "1"}, "a --capacity of its own"},
      {{"--cold", "fs", "--capacity", "1M", "--hot-capacity", "1M"}, "leave one out"},
      {{"--impl", "tiered", "--high-water", "1.5"}, "--high-water"},
      {{"--impl", "tiered", "--write-policy", "later"}, "there is: back, through"},
      {{"--config", file, "--capacity", "1M", "--cold", "fs"}, "--capacity, --cold: the [[tier]]"},
      {{"--config", dir_ / "none.toml"}, "cannot read the configuration file"},
      {{"--config", dir_.path().string()}, "cannot read the configuration file"},
  };
  for (const auto& [flags, remedy] : kCases) {
    const Outcome outcome = Refused(flags);
    EXPECT_EQ(outcome.exit_code, 2) << remedy;
    EXPECT_THAT(outcome.err, HasSubstr("packice: invalid_argument: "));
    EXPECT_THAT(outcome.err, HasSubstr(remedy));
  }
  const Outcome gone = Refused({"--cold", dir_ / "none.sock", "--capacity", "1MiB"});
  EXPECT_EQ(gone.exit_code, 12);
  EXPECT_THAT(gone.err, HasSubstr("the cold tier: start the node at"));
}

TEST_F(TieredTest, WhatIsWrongInAFileIsToldWithItsLine) {
  const std::string name = dir_ / "node.toml";
  const std::string mem = "[[tier]]\nkind = \"mem\"\n";
  const std::pair<std::string, std::string> kCases[] = {
      {"port = 0\ncolour = 1\n", ":2: unknown key \"colour\"; there is: impl, transport"},
      {"\nconfig = \"x\"\n", ":2: unknown key \"config\""},
      {"port = \"x\"\n", ":1: \"port\" is an integer"},
      {"port = 70000\n", ":1: "},
      {"grace = true\n", ":1: \"grace\" is a number"},
      {"grace = -1\n", ":1: --grace: wants a number"},
      {"socket = 1\n", ":1: \"socket\" is a string"},
      {"transport = [1]\n", ":1: \"transport\" is a list of strings"},
      {"transport = [\"tcp\"]\n", ":1: --transport: \"tcp\" is unknown"},
      {"capacity = 1.5\n", ":1: \"capacity\" is a size"},
      {"insecure = 1\n", ":1: \"insecure\" is true or false"},
      {"[server]\nport = 1\n", ":1: there is no table \"server\""},
      {"port = 1\nport = 2\n", ":2: "},
      {"port =\n", ":1: "},
      {"tier = 1\n", ":1: a tier is a table of its own"},
      {"\n[[tier]]\ncapacity = 1\n", ":2: a tier has either a kind"},
      {mem + "target = \"/a\"\n", ":1: a tier has either a kind"},
      {mem + "data = \"x\"\n", ":3: \"data\": only for kind = \"fs\""},
      {mem + "flush-after = 1\n", ":3: \"flush-after\": it belongs to a tier that has a colder"},
      {mem + "[[tier]]\nkind = \"fs\"\n", ":3: a tier of kind \"fs\" wants a directory"},
      {"[[tier]]\ntarget = \"/a\"\n" + mem, ":2: \"target\": only the last tier"},
      {mem + "[[tier]]\ntarget = \"a\"\n", ":4: \"target\": a node is /path"},
      {mem + "[[tier]]\ntarget = \"/a\"\neviction = \"lru\"\n",
       ":5: \"eviction\": a node elsewhere"},
      {mem + "eviction = \"clock\"\n", ":3: --eviction: "},
  };
  for (const auto& [text, message] : kCases) {
    const Outcome outcome = RefusedFile(text);
    EXPECT_EQ(outcome.exit_code, 2) << text;
    EXPECT_THAT(outcome.err, StartsWith("packice: invalid_argument: " + name + message)) << text;
  }
}

}  // namespace
}  // namespace packice
