// Nodes that gossip with each other over loopback.
#include "packice/p2p/gossip_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "packice/core/mutex.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

using testing::HasSubstr;

GossipOptions Quick(const std::string& address) {
  GossipOptions options;
  options.address = address;
  options.probe_interval = absl::Milliseconds(100);
  options.probe_timeout = absl::Milliseconds(50);
  options.gossip_interval = absl::Milliseconds(10);
  options.exchange_interval = absl::Milliseconds(500);
  return options;
}

std::unique_ptr<GossipNode> Start(GossipOptions options) {
  absl::StatusOr<std::unique_ptr<GossipNode>> node = GossipNode::Start(std::move(options));
  EXPECT_THAT(node, IsOk());
  return node.ok() ? *std::move(node) : nullptr;
}

template <typename Condition>
bool Eventually(Condition condition) {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// What `viewer` believes of `node`; empty: it does not know it.
std::string StateOf(const GossipNode& viewer, const std::string& gossip_address) {
  for (const Member& member : viewer.Members()) {
    if (member.gossip_address == gossip_address) return std::string(MemberStateName(member.state));
  }
  return "";
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = testing::TempDir() + "packice_gossip_XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  std::string File(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Remembers what was told of whom. Thread-safe.
class Told final : public EventSink {
 public:
  void Publish(const Event& event) override {
    MutexLock lock(mutex_);
    told_.insert({event.kind, std::string(event.detail)});
  }
  bool Has(EventKind kind, const std::string& address) const {
    MutexLock lock(mutex_);
    return told_.count({kind, address}) > 0;
  }

 private:
  mutable Mutex mutex_;
  std::set<std::pair<EventKind, std::string>> told_ ABSL_GUARDED_BY(mutex_);
};

class GossipNodeTest : public testing::Test {
 protected:
  // Three that know each other.
  void SetUp() override {
    a_ = Start(Quick("a:1"));
    GossipOptions options = Quick("b:1");
    options.join = {a_->gossip_address()};
    b_ = Start(options);
    options = Quick("c:1");
    options.join = {b_->gossip_address()};
    options.zone = "west";
    options.role = "tracker";
    options.load = [] { return 0.5; };
    c_ = Start(options);
    EXPECT_TRUE(Eventually([&] {
      return StateOf(*a_, c_->gossip_address()) == "alive" &&
             StateOf(*c_, a_->gossip_address()) == "alive" &&
             StateOf(*b_, a_->gossip_address()) == "alive";
    }));
  }

  std::unique_ptr<GossipNode> a_;
  std::unique_ptr<GossipNode> b_;
  std::unique_ptr<GossipNode> c_;
};

TEST_F(GossipNodeTest, WhoJoinsOneIsKnownToAllByWhatItSaysOfItself) {
  EXPECT_TRUE(Eventually([&] {
    for (const Member& member : a_->Members()) {
      if (member.address == "c:1") {
        return member.zone == "west" && member.role == "tracker" && member.load == 0.5;
      }
    }
    return false;
  }));
  EXPECT_EQ(a_->Members().size(), 3u) << "itself among them";
}

TEST_F(GossipNodeTest, WhoLeavesHasLeft) {
  b_->Leave(absl::Seconds(10));
  EXPECT_TRUE(Eventually([&] {
    return StateOf(*a_, b_->gossip_address()) == "left" &&
           StateOf(*c_, b_->gossip_address()) == "left";
  }));
}

TEST_F(GossipNodeTest, WhoStopsWithoutAWordIsSuspectedThenDead) {
  const std::string address = b_->gossip_address();
  b_.reset();
  EXPECT_TRUE(Eventually(
      [&] { return StateOf(*a_, address) == "dead" && StateOf(*c_, address) == "dead"; }));
  EXPECT_GT(a_->counters().suspicions + c_->counters().suspicions, 0u);
  EXPECT_EQ(StateOf(*a_, c_->gossip_address()), "alive");
}

TEST_F(GossipNodeTest, WhoComesBackAtItsAddressIsAliveAgain) {
  GossipOptions options = Quick("b:2");
  options.listen = b_->gossip_address();
  options.join = {a_->gossip_address()};
  b_.reset();
  EXPECT_TRUE(Eventually([&] { return StateOf(*a_, options.listen) == "dead"; }));
  b_ = Start(options);
  EXPECT_TRUE(Eventually([&] {
    return StateOf(*a_, options.listen) == "alive" && StateOf(*c_, options.listen) == "alive";
  }));
}

TEST_F(GossipNodeTest, MetricsNameMembersByState) {
  EXPECT_THAT(a_->MetricsText(), HasSubstr("packice_gossip_members{state=\"alive\"} 3"));
  EXPECT_GT(a_->counters().sent_bytes, 0u);
  EXPECT_GT(a_->counters().received_bytes, 0u);
}

TEST_F(GossipNodeTest, OtherClustersAreRefused) {
  GossipOptions options = Quick("d:1");
  options.cluster = "other";
  options.join = {a_->gossip_address()};
  const auto stranger = Start(options);
  options.join = {stranger->gossip_address()};
  const auto companion = Start(options);
  EXPECT_TRUE(
      Eventually([&] { return StateOf(*stranger, companion->gossip_address()) == "alive"; }));
  EXPECT_EQ(StateOf(*stranger, a_->gossip_address()), "");
  EXPECT_EQ(StateOf(*a_, stranger->gossip_address()), "");
}

TEST_F(GossipNodeTest, WhatHappensToMembersIsPublished) {
  Told events;
  GossipOptions options = Quick("d:1");
  options.join = {a_->gossip_address()};
  options.events = &events;
  const auto node = Start(options);
  const std::string address = b_->gossip_address();
  EXPECT_TRUE(Eventually([&] { return events.Has(EventKind::kPeerJoined, address); }));
  b_.reset();
  EXPECT_TRUE(Eventually([&] { return events.Has(EventKind::kPeerSuspected, address); }));
  EXPECT_TRUE(Eventually([&] { return events.Has(EventKind::kPeerLeft, address); }));
}

TEST(GossipNodeStartTest, WhoHasNotTheTokenIsRefused) {
  GossipOptions options = Quick("a:1");
  options.token = "secret";
  const auto member = Start(options);
  options.join = {member->gossip_address()};
  const auto friendly = Start(options);
  options.token = "guess";
  const auto stranger = Start(options);
  EXPECT_TRUE(Eventually([&] { return StateOf(*friendly, member->gossip_address()) == "alive"; }));
  // It has asked at least once by the time that it is answered, and refused, by a companion.
  options.join.push_back(stranger->gossip_address());
  const auto companion = Start(options);
  EXPECT_TRUE(
      Eventually([&] { return StateOf(*stranger, companion->gossip_address()) == "alive"; }));
  EXPECT_EQ(StateOf(*stranger, member->gossip_address()), "");
  EXPECT_EQ(StateOf(*member, stranger->gossip_address()), "");
}

TEST(GossipNodeStartTest, MembersWithTlsKnowEachOtherByTheirAuthority) {
  const TemporaryDirectory directory;
  // A certificate that has signed itself, so that it is its own authority.
  const auto tls = [&](const std::string& name) {
    const std::string certificate = directory.File(name + ".pem");
    const std::string key = directory.File(name + ".key");
    const std::string command = absl::StrCat(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=",
        name, " -addext subjectAltName=IP:127.0.0.1 -keyout ", key, " -out ", certificate,
        " 2>/dev/null");
    EXPECT_EQ(std::system(command.c_str()), 0);
    return GrpcTls{certificate, key, certificate};
  };
  GossipOptions options = Quick("a:1");
  options.tls = tls("fleet");
  const auto member = Start(options);
  options.join = {member->gossip_address()};
  const auto friendly = Start(options);
  EXPECT_TRUE(Eventually([&] { return StateOf(*friendly, member->gossip_address()) == "alive"; }));
  options.tls = tls("stranger");
  const auto stranger = Start(options);
  options.join.push_back(stranger->gossip_address());
  const auto companion = Start(options);
  EXPECT_TRUE(
      Eventually([&] { return StateOf(*stranger, companion->gossip_address()) == "alive"; }));
  EXPECT_EQ(StateOf(*stranger, member->gossip_address()), "");
  EXPECT_EQ(StateOf(*member, stranger->gossip_address()), "");
  options.tls.key = directory.File("none");
  EXPECT_THAT(GossipNode::Start(options), HasKind(ErrorKind::kIo));
}

TEST(GossipNodeStartTest, ATakenAddressIsBusy) {
  const auto node = Start(Quick("a:1"));
  GossipOptions options = Quick("b:1");
  options.listen = node->gossip_address();
  EXPECT_THAT(GossipNode::Start(options), HasKind(ErrorKind::kBusy));
}

TEST(GossipNodeStartTest, BeyondLoopbackSomebodyMustBeAskedWhoHeIs) {
  GossipOptions options = Quick("a:1");
  options.listen = "0.0.0.0:0";
  options.advertise = "127.0.0.1:1";
  EXPECT_THAT(GossipNode::Start(options), HasKind(ErrorKind::kInvalidArgument));
  options.token = "secret";
  EXPECT_THAT(GossipNode::Start(options), IsOk());
  options.advertise.clear();
  EXPECT_THAT(GossipNode::Start(options), HasKind(ErrorKind::kInvalidArgument))
      << "nobody can dial 0.0.0.0";
}

TEST(GossipNodeStartTest, OptionsThatDoNotGoTogetherAreRefused) {
  GossipOptions options = Quick("a:1");
  options.probe_timeout = options.probe_interval;
  EXPECT_THAT(GossipNode::Start(options), HasKind(ErrorKind::kInvalidArgument));
  options = Quick("a:1");
  options.zone = std::string(1000, 'z');
  EXPECT_THAT(GossipNode::Start(options), HasKind(ErrorKind::kInvalidArgument));
  options = Quick("a:1");
  options.listen = "nowhere";
  EXPECT_THAT(GossipNode::Start(options), HasKind(ErrorKind::kInvalidArgument));
}

TEST(GossipNodeStartTest, MembersThatAreRememberedAreFoundWithoutBeingNamed) {
  const TemporaryDirectory directory;
  const std::string file = directory.File("seeds");
  const auto stays = Start(Quick("a:1"));
  GossipOptions options = Quick("b:1");
  options.join = {stays->gossip_address()};
  options.seeds_file = file;
  auto node = Start(options);
  EXPECT_TRUE(Eventually([&] {
    std::ifstream in(file);
    std::string header;
    std::string seed;
    return std::getline(in, header) && std::getline(in, seed) && seed == stays->gossip_address();
  }));
  node.reset();
  options.join.clear();
  node = Start(options);
  EXPECT_TRUE(Eventually([&] { return StateOf(*node, stays->gossip_address()) == "alive"; }));
}

}  // namespace
}  // namespace packice
