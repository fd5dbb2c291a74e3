// Help, usage errors, version, completion, bench.
#include <stdio.h>
#include <stdlib.h>

#include "gmock/gmock.h"
#include "process.h"

namespace packice {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(UsageTest, WrongCommandLinesAreInvalidArguments) {
  using Arguments = std::vector<std::string>;
  for (const Arguments& arguments :
       {Arguments{}, Arguments{"frobnicate"}, Arguments{"put"}, Arguments{"stat", "a", "--color"},
        Arguments{"ls", "--limit", "many"}, Arguments{"bench", "--sizes", "big"},
        Arguments{"completion", "tcsh"}}) {
    const Outcome outcome = RunPackice(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, StartsWith("packice: invalid_argument: "));
    EXPECT_EQ(outcome.out, "");
  }
}

TEST(UsageTest, HelpHasExamplesAndTheExitCodes) {
  const Outcome help = RunPackice({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("packice serve --impl mem"));
  EXPECT_THAT(help.out, ContainsRegex("124 +timeout"));
  for (const char* command :
       {"serve", "put", "get", "stat", "ls", "rm", "stats", "bench", "simulate", "tracker",
        "members", "locate", "peers", "prefetch", "simulate-swarm", "completion"}) {
    const Outcome one = RunPackice({command, "--help"});
    EXPECT_EQ(one.exit_code, 0);
    EXPECT_THAT(one.out, HasSubstr("Example"));
  }
}

TEST(UsageTest, VersionTells) {
  EXPECT_THAT(RunPackice({"version"}).out, ContainsRegex("^packice [0-9.]+ \\(protocol 2\\)\n$"));
  EXPECT_THAT(RunPackice({"version", "--json"}).out, ContainsRegex("\"packice\":\"[0-9.]+\""));
}

TEST(UsageTest, CompletionKnowsEveryCommand) {
  const Outcome script = RunPackice({"completion", "bash"});
  EXPECT_EQ(script.exit_code, 0);
  EXPECT_THAT(script.out, HasSubstr("complete -F _packice packice"));
  EXPECT_THAT(
      script.out,
      HasSubstr("serve put get stat ls stats history events record rm mv cp fsck bench simulate "
                "simulate-swarm tracker members locate peers prefetch version completion"));
  EXPECT_THAT(script.out, ContainsRegex("get\\) flags='[^']*--prefix[^']*' ids=1"));
}

// What bash offers for a command line that ends in `word`.
std::string Completions(ServedNode& node, const std::string& script, const std::string& line,
                        const std::string& word) {
  TempDir dir;
  const std::string binary = getenv("PACKICE_BINARY");
  const std::string file = dir.Write(
      "complete", script + "\npackice() { '" + binary + "' \"$@\"; }\nCOMP_WORDS=(" + line + " '" +
                      word + "')\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_packice\n" +
                      "printf '%s|' \"${COMPREPLY[@]}\"\n");
  const std::string command =
      "PACKICE_TARGET=unix:" + node.socket() + " bash --norc " + file + " 2>&1";
  std::string out;
  FILE* const pipe = popen(command.c_str(), "r");
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) out += static_cast<char>(c);
  pclose(pipe);
  return out;
}

TEST(UsageTest, CompletionCompletes) {
  const std::string script = RunPackice({"completion", "bash"}).out;
  ServedNode node;
  for (const char* id : {"models/a", "models/b c", "models/$(echo evil)", "other"}) {
    ASSERT_EQ(node.Run({"put", "-", "--id", id}, "1").exit_code, 0);
  }
  EXPECT_EQ(Completions(node, script, "packice", "st"), "stat|stats|");
  EXPECT_EQ(Completions(node, script, "packice get", "--pre"), "--prefix|");
  EXPECT_EQ(Completions(node, script, "packice get", "o"), "other|");
  EXPECT_EQ(Completions(node, script, "packice rm", "models/"),
            R"(models/\$\(echo\ evil\)|models/a|models/b\ c|)")
      << "names of objects are never run";
  EXPECT_EQ(Completions(node, script, "packice serve --impl", ""), "mem|fs|tiered|");
}

TEST(BenchTest, MeasuresAndCleansUp) {
  ServedNode node;
  const std::vector<std::string> quick = {"bench", "--sizes",  "1KiB,64KiB", "--duration",
                                          "0.05",  "--warmup", "0",          "--clients",
                                          "2",     "--batch",  "4"};
  const Outcome table = node.Run(quick);
  ASSERT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, ContainsRegex("WORK +SIZE +CLIENTS +BATCH +OPS/S +GB/S +P50 US"));
  EXPECT_THAT(table.out, ContainsRegex("get +1.0 KiB +2 +4 "));
  EXPECT_THAT(table.out, ContainsRegex("put +64.0 KiB +2 +1 "));

  std::vector<std::string> mixed = quick;
  mixed.insert(mixed.end(), {"--read-share", "0.5", "--copy", "--json"});
  const Outcome json = node.Run(mixed);
  ASSERT_EQ(json.exit_code, 0) << json.err;
  EXPECT_THAT(json.out,
              StartsWith("{\"results\":[\n{\"work\":\"get\",\"size\":1024,\"clients\":2"));
  EXPECT_EQ(node.Run({"ls", "--ids"}).out, "");
}

TEST(BenchTest, NeedsNoNode) {
  const Outcome outcome = RunPackice(
      {"bench", "--target", "", "--sizes", "4096", "--duration", "0.02", "--warmup", "0"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

}  // namespace
}  // namespace packice
