// A tracker, nodes of a swarm, and the commands that look at them, each a process of its own.
#include <signal.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "process.h"

namespace packice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::SizeIs;
using ::testing::StartsWith;

using Flags = std::vector<std::string>;

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

// What other processes have to do first is asked for again and again.
template <typename Condition>
bool Eventually(Condition condition) {
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

class SwarmNodeProcess : public StartedNode {
 public:
  explicit SwarmNodeProcess(const Flags& flags, const std::string& transport = "http")
      : StartedNode([&] {
          Flags all = {"serve", "--transport",  transport,    "--port",
                       "0",     "--p2p-listen", "127.0.0.1:0"};
          all.insert(all.end(), flags.begin(), flags.end());
          return all;
        }()) {}

  // The address that comes after a scheme in the ready line.
  std::string At(const std::string& scheme) const {
    for (const absl::string_view word : absl::StrSplit(ready_line(), ' ')) {
      absl::string_view address = word;
      if (absl::ConsumePrefix(&address, scheme + "://")) return std::string(address);
    }
    return "";
  }
};

class TrackedSwarm : public ::testing::Test {
 protected:
  TrackedSwarm() { EXPECT_NE(one_.At("p2p"), "") << one_.ready_line(); }

  // On the one node; the other one can find it when this returns.
  void Put(const std::string& id, const std::string& bytes) {
    const Outcome put = one_.Run({"put", "-", "--id", id}, bytes);
    ASSERT_EQ(put.exit_code, 0) << put.err;
    ASSERT_TRUE(Eventually([&] { return two_.Run({"locate", id}).exit_code == 0; }));
  }

  StartedNode tracker_{{"tracker", "--listen", "127.0.0.1:0", "--metrics-port", "0"}};
  SwarmNodeProcess one_{{"--tracker", tracker_.Address(), "--zone", "a"}};
  SwarmNodeProcess two_{{"--tracker", tracker_.Address(), "--zone", "b"}};
};

TEST_F(TrackedSwarm, ANodeReadsWhatAnotherHas) {
  const std::string bytes = Pattern(3 << 20);
  Put("models/a", bytes);
  const Outcome got = two_.Run({"get", "models/a"});
  EXPECT_EQ(got.exit_code, 0) << got.err;
  EXPECT_TRUE(got.out == bytes);
  EXPECT_THAT(two_.Run({"events", "--kind", "download_finished"}).out, HasSubstr("models/a"));
  EXPECT_EQ(two_.Run({"get", "models/nope"}).exit_code, 3);
}

TEST_F(TrackedSwarm, LocateNamesTheHolders) {
  Put("a", Pattern(200000));
  const Outcome table = two_.Run({"locate", "a"});
  EXPECT_THAT(table.out, AllOf(StartsWith("a  195.3 KiB  xxh3:"), HasSubstr(one_.At("p2p"))));
  const std::string holder =
      absl::StrCat("{\"address\":\"", one_.At("p2p"), "\",\"zone\":\"a\",\"complete\":true,");
  EXPECT_THAT(two_.Run({"locate", "a", "--json"}).out, HasSubstr(holder));
  EXPECT_THAT(one_.Run({"locate", "a", "--json"}).out, HasSubstr(holder)) << "it has it itself";
  const Outcome asked = RunPackice({"locate", "a", "--json", "--tracker", tracker_.Address()});
  EXPECT_THAT(asked.out, HasSubstr(holder)) << asked.err;
  EXPECT_EQ(two_.Run({"locate", "b"}).exit_code, 3);
  EXPECT_EQ(RunPackice({"locate", "b", "--tracker", tracker_.Address()}).exit_code, 3);
}

TEST_F(TrackedSwarm, MembersAreKnownByTheirTracker) {
  const Outcome node = one_.Run({"members", "--json"});
  ASSERT_THAT(Lines(node.out), SizeIs(2)) << node.err;
  EXPECT_THAT(Lines(node.out)[0],
              AllOf(HasSubstr(one_.At("p2p")), HasSubstr("\"state\":\"alive\"")));
  EXPECT_THAT(Lines(node.out)[1],
              AllOf(HasSubstr(tracker_.Address()), HasSubstr("\"role\":\"tracker\"")));
  const Flags ask = {"members", "--json", "--tracker", tracker_.Address()};
  EXPECT_TRUE(Eventually([&] {
    return RunPackice(ask).out.find("\"nodes\":2,") != std::string::npos;
  })) << RunPackice(ask).out;
  EXPECT_THAT(RunPackice({"members", "--tracker", tracker_.Address()}).out,
              HasSubstr(tracker_.Address()));
  EXPECT_EQ(RunPackice({"members", "--tracker", "127.0.0.1:1"}).exit_code, 12);
}

TEST_F(TrackedSwarm, PrefetchBringsObjectsHere) {
  for (const char* id : {"p/1", "p/2", "q"}) Put(id, id);
  EXPECT_EQ(two_.Run({"prefetch", "--prefix", "p/"}).out, "2 of 2 objects are here\n");
  EXPECT_EQ(two_.Run({"ls", "--ids"}).out, "p/1\np/2\n");
  const Outcome some = two_.Run({"prefetch", "q", "nope", "--json"});
  EXPECT_EQ(some.exit_code, 3);
  EXPECT_THAT(some.out,
              StartsWith("{\"objects\":2,\"fetched\":1,\"failed\":[{\"object_id\":\"nope\""));
  EXPECT_THAT(some.err, StartsWith("packice: not_found: nope: "));
  EXPECT_EQ(two_.Run({"prefetch"}).exit_code, 2);
}

TEST_F(TrackedSwarm, RemoveEverywhereLeavesNothing) {
  Put("a", "bytes");
  EXPECT_EQ(two_.Run({"get", "a"}).out, "bytes");
  EXPECT_EQ(two_.Run({"rm", "a"}).exit_code, 0);
  EXPECT_EQ(two_.Run({"get", "a"}).out, "bytes") << "the other one still has it";
  const Outcome removed = two_.Run({"rm", "--everywhere", "a", "--json"});
  EXPECT_EQ(removed.exit_code, 0) << removed.err;
  EXPECT_THAT(removed.out, AllOf(HasSubstr("\"removed\":2"), HasSubstr(one_.At("p2p"))));
  EXPECT_EQ(one_.Run({"stat", "a"}).exit_code, 3);
  EXPECT_EQ(two_.Run({"get", "a"}).exit_code, 3);
}

TEST_F(TrackedSwarm, WhatIsCountedIsShown) {
  Put("a", Pattern(200000));
  ASSERT_EQ(two_.Run({"prefetch", "a"}).exit_code, 0);
  EXPECT_THAT(two_.Run({"stats", "--json"}).out,
              AllOf(HasSubstr(absl::StrCat("\"swarm\":{\"address\":\"", two_.At("p2p"))),
                    HasSubstr("\"received_bytes\":200000")));
  EXPECT_THAT(two_.Run({"stats"}).out, HasSubstr("received bytes"));
  EXPECT_EQ(two_.Run({"peers"}).exit_code, 0);
  EXPECT_EQ(two_.Run({"peers", "a", "--json"}).out, "") << "nothing is under way";
}

TEST_F(TrackedSwarm, AllEndInGoodOrder) {
  Put("a", "bytes");
  for (StartedNode* each :
       {static_cast<StartedNode*>(&one_), static_cast<StartedNode*>(&two_), &tracker_}) {
    const Outcome outcome = each->Stop();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("stopped"));
  }
}

TEST(TrackerCommand, SaysWhereItListens) {
  StartedNode tracker({"tracker", "--listen", "127.0.0.1:0", "--metrics-port", "0"});
  EXPECT_THAT(tracker.ready_line(), MatchesRegex("packice tracker on 127\\.0\\.0\\.1:[1-9][0-9]* "
                                                 "http://127\\.0\\.0\\.1:[1-9][0-9]*"));
  StartedNode second({"tracker", "--listen", tracker.Address()});
  EXPECT_EQ(second.process().Wait().exit_code, 5) << "the address is taken";
}

TEST(TrackerCommand, BeyondLoopbackNotEverybodyIsServed) {
  const Outcome tracker = RunPackice({"tracker", "--listen", "0.0.0.0:0"});
  EXPECT_EQ(tracker.exit_code, 2) << tracker.err;
  const Outcome node =
      RunPackice({"serve", "--transport", "http", "--port", "0", "--p2p-listen", "0.0.0.0:0",
                  "--p2p-advertise", "127.0.0.1:7701", "--tracker", "127.0.0.1:7700"});
  EXPECT_EQ(node.exit_code, 2);
  EXPECT_THAT(node.err, HasSubstr("--p2p-token-file"));
}

TEST(FleetToken, WhoHasNoneIsRefused) {
  TempDir dir;
  std::ofstream(dir / "token") << "secret";
  StartedNode tracker({"tracker", "--listen", "127.0.0.1:0", "--token-file", dir / "token"});
  const Flags ask = {"members", "--tracker", tracker.Address()};
  EXPECT_EQ(RunPackice(ask).exit_code, 6) << RunPackice(ask).err;
  Flags with = ask;
  with.insert(with.end(), {"--token-file", dir / "token"});
  EXPECT_EQ(RunPackice(with).exit_code, 0) << RunPackice(with).err;
}

TEST(GossipSwarm, MembersFindEachOtherAndTheirObjects) {
  SwarmNodeProcess one({"--gossip-listen", "127.0.0.1:0"});
  SwarmNodeProcess two({"--join", one.At("gossip")});
  ASSERT_NE(two.At("gossip"), "");
  const auto sees = [](SwarmNodeProcess& node, const SwarmNodeProcess& other) {
    for (const std::string& line : Lines(node.Run({"members", "--json"}).out)) {
      if (line.find(other.At("gossip")) != std::string::npos &&
          line.find("\"state\":\"alive\"") != std::string::npos) {
        return true;
      }
    }
    return false;
  };
  EXPECT_TRUE(Eventually([&] { return sees(one, two) && sees(two, one); }));
  EXPECT_THAT(one.Run({"members"}).out, HasSubstr("alive"));
  const std::string bytes = Pattern(300000);
  ASSERT_EQ(one.Run({"put", "-", "--id", "a"}, bytes).exit_code, 0);
  EXPECT_TRUE(Eventually([&] { return two.Run({"get", "a"}).out == bytes; }));
  EXPECT_EQ(one.Stop().exit_code, 0);
  EXPECT_TRUE(Eventually([&] {
    return two.Run({"members", "--json"}).out.find("\"state\":\"left\"") != std::string::npos;
  })) << two.Run({"members"}).out;
}

TEST(SwarmFlags, AFileMayHoldThem) {
  TempDir dir;
  StartedNode tracker({"tracker", "--listen", "127.0.0.1:0"});
  std::ofstream(dir / "packice.toml") << "transport = [\"http\"]\nport = 0\n"
                                      << "p2p-listen = \"127.0.0.1:0\"\ntracker = [\""
                                      << tracker.Address() << "\"]\nup-limit = \"1GiB\"\n"
                                      << "zone = \"file\"\n";
  StartedNode node({"serve", "--config", dir / "packice.toml"});
  EXPECT_THAT(node.ready_line(), HasSubstr(" p2p://127.0.0.1:"));
  EXPECT_THAT(node.Run({"members", "--json"}).out, HasSubstr("\"zone\":\"file\""));
}

TEST(NoSwarm, ANodeAloneSaysSo) {
  ServedNode node;
  for (const Flags& ask : {Flags{"members"}, Flags{"locate", "a"}, Flags{"peers"},
                           Flags{"prefetch", "a"}, Flags{"rm", "--everywhere", "a"}}) {
    const Outcome outcome = node.Run(ask);
    EXPECT_EQ(outcome.exit_code, 13) << ask[0] << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("--p2p-listen"));
  }
  EXPECT_EQ(node.Run({"rm", "--everywhere", "--prefix", "a"}).exit_code, 2);
}

TEST(SimulateSwarmCommand, TheSameSeedGivesTheSameRun) {
  const Flags flags = {"simulate-swarm", "--nodes", "16", "--pieces", "32", "--seed", "7"};
  const Outcome once = RunPackice(flags);
  EXPECT_EQ(once.exit_code, 0) << once.err;
  EXPECT_THAT(once.out, HasSubstr("16 of 16 have it"));
  EXPECT_EQ(RunPackice(flags).out, once.out);
  Flags json = flags;
  json.insert(json.end(), {"--json", "--crashes", "2", "--liars", "2"});
  EXPECT_THAT(RunPackice(json).out, AllOf(HasSubstr("\"phi\":"), HasSubstr("\"violations\":[]")));
  EXPECT_EQ(RunPackice({"simulate-swarm", "--loss", "0.1"}).exit_code, 2);
}

TEST(SimulateSwarmCommand, Gossip) {
  const Flags flags = {"simulate-swarm", "--gossip", "--nodes", "32", "--crashes", "1",
                       "--duration",     "60",       "--json"};
  const Outcome once = RunPackice(flags);
  EXPECT_EQ(once.exit_code, 0) << once.err;
  EXPECT_THAT(once.out, AllOf(HasSubstr("\"crashes\":1,"), HasSubstr("\"agreed\":true")));
  EXPECT_EQ(RunPackice(flags).out, once.out);
}

}  // namespace
}  // namespace packice
