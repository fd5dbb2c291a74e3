// What a node tells of what happens on it, on the command line.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "process.h"

namespace packice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

class CliEvents : public ::testing::TestWithParam<std::string> {
 protected:
  CliEvents() : CliEvents(std::vector<std::string>()) {}
  explicit CliEvents(const std::vector<std::string>& more)
      : node_([&] {
          std::vector<std::string> flags = {"serve", "--transport", GetParam(), "--port",
                                            "0",     "--socket",    dir_ / "s"};
          flags.insert(flags.end(), more.begin(), more.end());
          return flags;
        }()) {}

  void Put(const std::string& id) {
    const Outcome put = node_.Run({"put", "-", "--id", id}, "bytes");
    EXPECT_EQ(put.exit_code, 0) << put.err;
  }
  std::vector<std::string> Target() const { return {"PACKICE_TARGET=" + node_.Address()}; }

  TempDir dir_;
  StartedNode node_;
};

INSTANTIATE_TEST_SUITE_P(Ways, CliEvents, ::testing::Values("uds", "http"),
                         [](const auto& test) { return test.param; });

TEST_P(CliEvents, ALineForEach) {
  Put("models/a");
  Put("other");
  const Outcome all = node_.Run({"events"});
  EXPECT_EQ(all.exit_code, 0) << all.err;
  EXPECT_THAT(
      Lines(all.out),
      ElementsAre(
          MatchesRegex("[0-9]{4}-[0-9T:.-]*Z  created            models/a  0 B  operation [0-9]*"),
          MatchesRegex(".*Z  sealed             models/a  5 B  operation [0-9]*"),
          HasSubstr("created            other"), HasSubstr("sealed             other")));
  EXPECT_THAT(Lines(node_.Run({"events", "--prefix", "models/", "--kind", "sealed"}).out),
              ElementsAre(HasSubstr("sealed             models/a")));
  EXPECT_THAT(Lines(node_.Run({"events", "--json", "--after", "3"}).out),
              ElementsAre(MatchesRegex("\\{\"seq\":4,\"time\":\".*Z\",\"kind\":\"sealed\","
                                       "\"object_id\":\"other\",\"size\":5,\"operation\":.*\\}")));
}

TEST_P(CliEvents, WhatMakesNoSenseIsRefused) {
  const Outcome kind = node_.Run({"events", "--kind", "bogus"});
  EXPECT_EQ(kind.exit_code, 2);
  EXPECT_THAT(kind.err, HasSubstr("no events are of the kind bogus"));
  const Outcome future = node_.Run({"events", "--after", "7"});
  EXPECT_EQ(future.exit_code, 2);
  EXPECT_THAT(future.err, HasSubstr("there is no event 7 yet"));
}

TEST_P(CliEvents, FollowsUntilItIsInterrupted) {
  Put("before");
  Process follower({"events", "--follow", "--json"}, Target());
  EXPECT_THAT(follower.FirstLine(), HasSubstr("\"before\""));
  Put("after");
  follower.Signal(SIGINT);
  const Outcome outcome = follower.Wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, HasSubstr("\"sealed\",\"object_id\":\"after\""));
}

TEST_P(CliEvents, EndsWhenNobodyReadsIt) {
  Put("before");
  // The shell waits for both.
  const std::string command = "PACKICE_TARGET='" + node_.Address() + "' '" +
                              getenv("PACKICE_BINARY") + "' events --follow | head -1";
  FILE* const pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  char line[1024] = "";
  EXPECT_NE(fgets(line, sizeof(line), pipe), nullptr);
  EXPECT_THAT(line, HasSubstr("created            before"));
  EXPECT_EQ(pclose(pipe), 0);
}

TEST_P(CliEvents, SaysThatTheNodeIsGone) {
  Put("before");
  Process follower({"events", "--follow"}, Target());
  EXPECT_THAT(follower.FirstLine(), HasSubstr("before"));
  EXPECT_EQ(node_.Stop().exit_code, 0);
  const Outcome outcome = follower.Wait();
  EXPECT_EQ(outcome.exit_code, 12) << outcome.err;
  EXPECT_THAT(outcome.err, StartsWith("packice: unavailable: "));
}

TEST_P(CliEvents, RecordsReadsAndSealedObjects) {
  Put("before");
  Process record({"record", "-o", "-"}, Target());
  EXPECT_EQ(record.FirstLine(), "time,obj_id,size");
  Put("a,b");
  EXPECT_EQ(node_.Run({"get", "a,b"}).out, "bytes");
  EXPECT_EQ(node_.Run({"get", "missing"}).exit_code, 3);
  EXPECT_EQ(node_.Run({"rm", "before"}).exit_code, 0);
  record.Signal(SIGTERM);
  const Outcome outcome = record.Wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "2 requests recorded\n");
  EXPECT_THAT(Lines(outcome.out), ElementsAre("time,obj_id,size", MatchesRegex("[0-9]{16},a%2Cb,5"),
                                              MatchesRegex("[0-9]{16},a%2Cb,5")))
      << "sealed, then read";
}

TEST_P(CliEvents, RecordsIntoAFileForAWhile) {
  const std::string file = dir_ / "trace.csv.gz";
  const Outcome outcome = node_.Run({"record", "-o", file, "--duration", "0.3"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "0 requests recorded\n");
  std::ifstream in(file, std::ios::binary);
  EXPECT_EQ(in.get(), 0x1f) << "compressed, as its name says";
}

// What tiers copy between them nobody has asked for.
class CliTieredEvents : public CliEvents {
 protected:
  CliTieredEvents()
      : CliEvents({"--impl", "tiered", "--capacity", "64MiB", "--flush-after", "0.05", "--data",
                   TieredData()}) {}

  static std::string TieredData() {
    static TempDir& dir = *new TempDir;
    return dir / ("data-" + GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(Ways, CliTieredEvents, ::testing::Values("uds", "http"),
                         [](const auto& test) { return test.param; });

TEST_P(CliTieredEvents, CopiesAreToldAndAreNoRequests) {
  Process record({"record", "-o", "-"}, Target());
  EXPECT_EQ(record.FirstLine(), "time,obj_id,size");
  Put("a");
  std::string demoted;
  for (int i = 0; i < 1000 && demoted.empty(); ++i) {
    demoted = node_.Run({"events", "--kind", "demoted"}).out;
  }
  EXPECT_THAT(demoted, HasSubstr("demoted            hot  a  5 B"));
  EXPECT_THAT(Lines(node_.Run({"events", "--kind", "sealed"}).out),
              ElementsAre(HasSubstr("hot  a  5 B"), MatchesRegex(".*  cold  a  5 B.*  copy")));
  record.Signal(SIGINT);
  EXPECT_EQ(record.Wait().err, "1 request recorded\n");
}

class CliFewEvents : public CliEvents {
 protected:
  CliFewEvents() : CliEvents({"--events", "2"}) {}
};
INSTANTIATE_TEST_SUITE_P(Ways, CliFewEvents, ::testing::Values("uds", "http"),
                         [](const auto& test) { return test.param; });

TEST_P(CliFewEvents, WhatIsGoneIsCounted) {
  for (const std::string id : {"a", "b", "c"}) Put(id);
  const Outcome outcome = node_.Run({"events", "--after", "1"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(Lines(outcome.out).size(), 2u);
  EXPECT_EQ(outcome.err, "packice: retention_gap: 3 events went before they were read\n");
}

class CliNoEvents : public CliEvents {
 protected:
  CliNoEvents() : CliEvents({"--events", "0"}) {}
};
INSTANTIATE_TEST_SUITE_P(Ways, CliNoEvents, ::testing::Values("uds", "http"),
                         [](const auto& test) { return test.param; });

TEST_P(CliNoEvents, AreUnsupported) {
  const Outcome outcome = node_.Run({"events"});
  EXPECT_EQ(outcome.exit_code, 13) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("start it with --events"));
}

}  // namespace
}  // namespace packice
