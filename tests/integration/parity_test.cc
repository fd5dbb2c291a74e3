// The same conversation with the same node, over every transport and in this process: the same
// answers and the same kinds of errors.
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "conversation.h"
#include "failing_peer.h"
#include "gmock/gmock.h"
#include "packice/core/blocking.h"
#include "parity_node.h"

namespace packice {
namespace {

struct Said {
  const char* line;
  const char* answer;
};

struct Story {
  const char* name;
  std::vector<Said> said;
  // Tells of leases that belong to a connection, which HTTP does not have.
  bool connected = false;
};

const Story kStories[] = {
    {"OneCreatorThenReaders",
     {{R"(A: w = create o 5 meta={"k":1})", R"(CREATING 5 {"k":1})"},
      {"B: create o 5", "busy"},
      {"B: create o 5 wait=0.01", "timeout"},
      {"B: read o", "not_sealed"},
      {"B: write o", "busy"},
      {"B: stat o", R"(CREATING 5 {"k":1} leases=1)"},
      {"A: put w hello", "ok"},
      {R"(A: seal w meta={"l":[2]})", "o 5"},
      {"A: seal w", "already_exists"},
      {"B: create o 5", "already_exists"},
      {"B: r = read o", R"(SEALED 5 {"k":1,"l":[2]})"},
      {"B: get r", "hello"},
      {"B: stat o", R"(SEALED 5 {"k":1,"l":[2]} leases=2)"},
      {"A: release w", "ok"},
      {"B: release r", "ok"},
      {"B: release r", "ok"},
      {"A: stats", "objects=1 creating=0 hits=1 misses=0 evictions=0 waiting=0 leases=0/0/0"}}},

    {"SizesAreDeclaredOrGrow",
     {{"A: w = create two 3 0", "CREATING 3+0"},
      {"A: put w abcd", "invalid_argument"},
      {"A: put w abc", "ok"},
      {"A: seal w size=2", "invalid_argument"},
      {"A: seal w", "two 3"},
      {"A: g = create grows", "CREATING 0"},
      {"A: put g abcdef", "ok"},
      {"A: seal g size=4", "grows 4"},
      {"B: r = read grows", "SEALED 4"},
      {"B: get r", "abcd"},
      {"A: e = create empty 0", "CREATING 0"},
      {"A: seal e", "empty 0"},
      {"B: r = read empty", "SEALED 0"},
      {"B: get r", ""}}},

    {"WhatIsNotThere",
     {{"A: read o", "not_found"},
      {"A: read o wait=60", "not_found"},
      {"A: write o", "not_found"},
      {"A: stat o", "not_found"},
      {"A: stats", "objects=0 creating=0 hits=0 misses=2 evictions=0 waiting=0 leases=0/0/0"}}},

    {"WhatCanNeverBe",
     {{"A: create o 9223372036854775807 1", "invalid_argument"},
      {"A: create o ttl=0", "invalid_argument"},
      {"A: create o life=0", "invalid_argument"},
      {"A: create o wait=-1", "invalid_argument"},
      {"A: read", "invalid_argument"},
      {"A: list limit=0", "invalid_argument"},
      {"A: list limit=10001", "invalid_argument"},
      {"A: w = create o", "CREATING 0"},
      {"A: renew w 0", "invalid_argument"},
      {"A: seal w size=9223372036854775808", "invalid_argument"},
      {"A: seal w", "o 0"}}},

    {"NoRoom",
     {{"A: create huge 2097152", "capacity"},
      {"A: a = create a 500000", "CREATING 500000"},
      {"A: b = create b 500000", "CREATING 500000"},
      {"A: create c 500000", "capacity"},
      {"A: seal a", "a 500000"},
      {"A: create c 500000", "capacity"},
      {"A: release a", "ok"},
      {"A: c = create c 500000", "CREATING 500000"},
      {"A: stat a", "not_found"},
      {"A: stats", "objects=2 creating=2 hits=0 misses=0 evictions=1 waiting=0 leases=0/2/0"}}},

    {"LeasesBelongToWhoAskedUnlessTheyHaveATtl",
     {{"A: w = create o 1", "CREATING 1"},
      {"B: seal w", "permission_denied"},
      {"B: renew w 60", "permission_denied"},
      {"B: discard w", "permission_denied"},
      {"B: release w", "permission_denied"},
      {"B: relocate w p", "permission_denied"},
      {"A: renew w 60", "ttl=60"},
      {"B: seal w", "o 1"},
      {"B: r = read o ttl=60", "SEALED 1 ttl=60"},
      {"A: renew r 30", "ttl=30"},
      {"A: release r", "ok"},
      {"B: renew r 30", "lease_expired"}},
     /*connected=*/true},

    {"WrongAccess",
     {{"A: w = create o 1", "CREATING 1"},
      {"A: seal w", "o 1"},
      {"A: r = read o", "SEALED 1"},
      {"A: seal r", "permission_denied"},
      {"A: discard r", "permission_denied"},
      {"A: relocate r p", "permission_denied"},
      {"A: relocate w p", "permission_denied"}}},

    {"WhatIsOver",
     {{"A: w = create o 1", "CREATING 1"},
      {"A: release w", "ok"},
      {"A: stat o", "not_found"},
      {"A: seal w", "lease_expired"},
      {"A: discard w", "lease_expired"},
      {"A: renew w 1", "lease_expired"},
      {"A: relocate w p", "lease_expired"},
      {"A: release w", "ok"},
      {"A: seal unknown", "lease_expired"},
      {"A: release unknown", "ok"}}},

    {"TakenAwayWhileRead",
     {{"A: w = create o 5", "CREATING 5"},
      {"A: put w bytes", "ok"},
      {"A: seal w", "o 5"},
      {"B: r = read o", "SEALED 5"},
      {"B: get r", "bytes"},
      {"A: x = write o", "SEALED 5"},
      {"C: write o", "busy"},
      {"A: discard x", "ok"},
      {"A: stat o", "not_found"},
      {"B: get r", "bytes"},
      {"C: again = create o 1", "CREATING 1"},
      {"C: discard again", "ok"},
      {"C: stat o", "not_found"}}},

    {"Relocation",
     {{"A: w = create o 5", "CREATING 5"},
      {"A: put w bytes", "ok"},
      {"A: seal w", "o 5"},
      {"A: t = create taken 1", "CREATING 1"},
      {"A: x = write o", "SEALED 5"},
      {"A: relocate x new", "busy"},
      {"A: release w", "ok"},
      {"A: relocate x taken", "busy"},
      {"A: seal t", "taken 1"},
      {"A: relocate x taken", "already_exists"},
      {"A: relocate x new", "ok"},
      {"A: relocate x new", "lease_expired"},
      {"B: stat o", "not_found"},
      {"B: r = read new", "SEALED 5"},
      {"B: get r", "bytes"}}},

    {"Waits",
     {{"A: w = create o 1", "CREATING 1"},
      {"B: r = read o wait=60 later", "ok"},
      {"B: s = read o wait=60 later", "ok"},
      {"B: t = create o 1 wait=60 later", "ok"},
      {"B: cancel s", "ok"},
      {"B: await s", "timeout"},
      {"A: put w x", "ok"},
      {"A: seal w", "o 1"},
      {"B: await r", "SEALED 1"},
      {"B: await t", "already_exists"},
      {"B: get r", "x"},
      {"A: w = create p 1", "CREATING 1"},
      {"B: n = create p 1 wait=60 later", "ok"},
      {"A: release w", "ok"},
      {"B: await n", "CREATING 1"},
      {"C: u = read p wait=60 later", "ok"},
      {"C: leave", "ok"},
      {"C: await u", "unavailable"},
      {"B: leave", "ok"}}},

    {"ListsInTheOrderOfIds",
     {{"A: a = create b 0", "CREATING 0"},
      {"A: seal a", "b 0"},
      {"A: a = create a/1 0", "CREATING 0"},
      {"A: a2 = create a/2 0", "CREATING 0"},
      {"A: seal a2", "a/2 0"},
      {"A: list", "a/1 a/2 b >"},
      {"A: list prefix=a/", "a/1 a/2 >"},
      {"A: list limit=2", "a/1 a/2 > a/2"},
      {"A: list after=a/2", "b >"},
      {"A: list prefix=none", ">"}}},

    {"LivesOfObjects",
     {{"A: w = create o 1 life=60", "CREATING 1"},
      {"A: stat o", "CREATING 1 leases=1"},
      {"A: seal w", "o 1"},
      {"A: stat o", "SEALED 1 leases=1 expires"}}},
};

class ParityTest : public testing::TestWithParam<std::tuple<Medium, Way>> {
 protected:
  Medium medium() const { return std::get<0>(GetParam()); }
  Way way() const { return std::get<1>(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(Nodes, ParityTest,
                         testing::Combine(testing::Values(Medium::kMemory, Medium::kFiles),
                                          testing::ValuesIn(kWays)),
                         [](const auto& parameters) {
                           return NameOf(std::get<0>(parameters.param)) +
                                  NameOf(std::get<1>(parameters.param));
                         });

TEST_P(ParityTest, EveryStoryGoesTheSameWay) {
  for (const Story& story : kStories) {
    SCOPED_TRACE(story.name);
    if (story.connected && way() == Way::kHttp) continue;
    ParityNode node(medium());
    Conversation conversation([&] { return node.front().Connect(way()); });
    for (const Said& said : story.said) {
      EXPECT_EQ(conversation.Say(said.line), said.answer) << said.line;
    }
  }
}

class ParityOfFaultsTest : public testing::TestWithParam<Way> {};

INSTANTIATE_TEST_SUITE_P(Ways, ParityOfFaultsTest, testing::ValuesIn(kWays),
                         [](const auto& parameters) { return NameOf(parameters.param); });

TEST_P(ParityOfFaultsTest, DamageAndAFailingDisk) {
  ParityNode node(Medium::kFiles);
  Conversation conversation([&] { return node.front().Connect(GetParam()); });
  EXPECT_EQ(conversation.Say("A: w = create o 5"), "CREATING 5");
  EXPECT_EQ(conversation.Say("A: put w bytes"), "ok");
  EXPECT_EQ(conversation.Say("A: seal w"), "o 5");
  EXPECT_EQ(conversation.Say("A: release w"), "ok");
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(node.data() + "/objects")) {
    if (!entry.is_regular_file()) continue;
    ASSERT_EQ(chmod(entry.path().c_str(), 0600), 0);
    std::ofstream(entry.path(), std::ios::in | std::ios::out) << "B";
  }
  EXPECT_EQ(conversation.Say("A: read o"), "corrupt");
  EXPECT_EQ(conversation.Say("A: read o"), "not_found") << "it was set aside";

  const std::string attachments = node.data() + "/attachments";
  std::filesystem::rename(attachments, attachments + ".gone");
  EXPECT_EQ(conversation.Say("A: create p 5"), "io");
  std::filesystem::rename(attachments + ".gone", attachments);
  EXPECT_EQ(conversation.Say("A: create p 5"), "CREATING 5");
}

// Every kind of failure, of every call: as the peer told it.
TEST(ParityOfFailuresTest, EveryKindArrivesFromEveryCall) {
  TemporaryDirectory directory;
  for (const ErrorInfo& info : ErrorTable()) {
    SCOPED_TRACE(std::string(info.name));
    const std::string message = absl::StrCat("a \"", info.name, "\" that was made up");
    const Front front(std::make_shared<FailingPeer>(MakeError(info.kind, message)),
                      directory / std::string(info.name));
    const ObjectId id = ObjectId::Parse("o").value();
    const auto fails = [&](const absl::Status& status) {
      ASSERT_THAT(status, HasKind(info.kind));
      EXPECT_EQ(status.message(), message);
    };
    for (const Way way : kWays) {
      SCOPED_TRACE(NameOf(way));
      const std::unique_ptr<Peer> peer = front.Connect(way);
      for (const Access access : {Access::kRead, Access::kCreate, Access::kWrite}) {
        AcquireRequest request;
        request.access = access;
        request.object_id = id;
        request.ttl = absl::Seconds(60);
        fails(blocking::Acquire(*peer, std::move(request)).status());
      }
      const LeaseId lease = LeaseId::Parse(std::string(32, 'a')).value();
      SealRequest seal;
      seal.lease_id = lease;
      fails(blocking::Seal(*peer, std::move(seal)).status());
      fails(blocking::Discard(*peer, {.lease_id = lease}));
      fails(blocking::Release(*peer, {.lease_id = lease}));
      fails(blocking::Relocate(*peer, {lease, id}));
      fails(blocking::Renew(*peer, {.lease_id = lease, .ttl = absl::Seconds(1)}).status());
      fails(blocking::Stat(*peer, id).status());
      fails(blocking::List(*peer, {}).status());
      fails(blocking::Stats(*peer).status());
    }
  }
}

}  // namespace
}  // namespace packice
