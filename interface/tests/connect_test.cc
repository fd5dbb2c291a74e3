// Targets, the bounds of a client, restarts.
#include "node.h"

namespace packice {
namespace {

TEST(ConnectTest, EmptyTargetIsPrivate) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Client> one, Connect());
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Client> two, Connect(""));
  ASSERT_THAT(one->Put("a", "1"), IsOk());
  EXPECT_THAT(two->Get("a"), HasKind(ErrorKind::kNotFound));
}

TEST(ConnectTest, NamedNodesAreSharedWhileInUse) {
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Client> one, Connect("memory://shared"));
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Client> two, Connect("memory://shared"));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Client> other, Connect("memory://other"));
  ASSERT_THAT(one->Put("a", "1"), IsOk());
  one.reset();
  EXPECT_THAT(two->Get("a"), IsOk());
  EXPECT_THAT(other->Get("a"), HasKind(ErrorKind::kNotFound));
  two.reset();
  ASSERT_OK_AND_ASSIGN(two, Connect("memory://shared"));
  EXPECT_THAT(two->Get("a"), HasKind(ErrorKind::kNotFound));
}

TEST(ConnectTest, OtherTargetsAreToldApart) {
  EXPECT_THAT(Connect("ftp://127.0.0.1:8080"), HasKind(ErrorKind::kUnsupported));
  EXPECT_THAT(Connect("http://127.0.0.1:1"), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(Connect("http://"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Connect("memory://"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Connect("packice.sock"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(Connect("/nonexistent/packice.sock"), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(Connect("unix:/nonexistent/packice.sock"), HasKind(ErrorKind::kUnavailable));
}

// Nobody publishes there.
TEST(ConnectTest, ANodeInThisProcessKeepsNoEvents) {
  auto client = Connect();
  ASSERT_THAT(client, IsOk());
  EXPECT_THAT((*client)->Events(), HasKind(ErrorKind::kUnsupported));
}

TEST(ConnectTest, PlainPathIsASocket) {
  TestNode node(Way::kSocket);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Client> client, Connect(node.socket()));
  EXPECT_THAT(client->Put("a", "1"), IsOk());
}

TEST(BoundsTest, DescriptorsAreBoundedAndComeBack) {
  TestNode node(Way::kSocket);
  const std::unique_ptr<Client> client = node.Connect({.max_open_descriptors = 3});
  ASSERT_THAT(client->Put("a", "1"), IsOk());
  ASSERT_THAT(client->Create("four", {.sizes = {1, 1, 1, 1}}), HasKind(ErrorKind::kCapacity));
  std::vector<Reader> readers;
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(Reader reader, client->Get("a"));
    readers.push_back(std::move(reader));
  }
  EXPECT_THAT(client->Get("a"), HasKind(ErrorKind::kCapacity));
  EXPECT_THAT(client->GetMany({{"a"}})[0], HasKind(ErrorKind::kCapacity));
  // A mapping needs no descriptor.
  EXPECT_THAT(readers[0].View(), IsOkAndHolds("1"));
  EXPECT_THAT(client->Get("a"), IsOk());
  readers.pop_back();
  ASSERT_OK_AND_ASSIGN(Writer writer, client->Create("b"));
  EXPECT_THAT(client->Get("a"), IsOk());
  ASSERT_OK_AND_ASSIGN(const NodeStats stats, client->Stats());
  EXPECT_EQ(stats.peer.read_leases, 2u);
}

TEST(BoundsTest, MappingsAreBoundedAndComeBack) {
  for (const Way way : {Way::kDirect, Way::kSocket}) {
    TestNode node(way);
    const std::unique_ptr<Client> client = node.Connect({.max_mappings = 1});
    ASSERT_THAT(client->Put("a", "12"), IsOk());
    ASSERT_OK_AND_ASSIGN(const Reader waits, client->Get("a"));
    {
      ASSERT_OK_AND_ASSIGN(const Reader maps, client->Get("a"));
      ASSERT_THAT(maps.View(), IsOk());
      EXPECT_THAT(waits.View(), HasKind(ErrorKind::kCapacity));
      std::string byte(1, '\0');
      EXPECT_THAT(waits.Read(1, absl::MakeSpan(byte)), IsOkAndHolds(1u)) << "needs no mapping";
    }
    EXPECT_THAT(waits.View(), IsOkAndHolds("12"));
  }
}

TEST(RestartTest, ClientConnectsAnewAndOldLeasesAreGone) {
  TestNode node(Way::kSocket);
  const std::unique_ptr<Client> client = node.Connect();
  ASSERT_THAT(client->Put("a", "before"), IsOk());
  ASSERT_OK_AND_ASSIGN(const Reader reader, client->Get("a"));
  ASSERT_THAT(reader.View(), IsOk());
  ASSERT_OK_AND_ASSIGN(Writer writer, client->Create("w"));
  node.Restart();
  absl::Status status = client->Stat("a").status();
  if (KindOf(status) == ErrorKind::kUnavailable) status = client->Stat("a").status();
  EXPECT_THAT(status, HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(reader.View(), IsOkAndHolds("before"));
  EXPECT_THAT(writer.Seal(), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(client->Put("a", "after"), IsOk());
}

TEST(RestartTest, NodeThatIsGoneIsUnavailable) {
  TestNode node(Way::kSocket);
  const std::unique_ptr<Client> client = node.Connect();
  ASSERT_THAT(client->Put("a", "1"), IsOk());
  ASSERT_OK_AND_ASSIGN(const Reader reader, client->Get("a"));
  node.Stop();
  EXPECT_THAT(client->Get("a"), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(client->Put("b", "1"), HasKind(ErrorKind::kUnavailable));
  EXPECT_THAT(reader.View(), IsOkAndHolds("1")) << "mapped from the descriptor it holds";
}

}  // namespace
}  // namespace packice
