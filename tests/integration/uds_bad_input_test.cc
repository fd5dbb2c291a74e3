// Whatever a client sends, it gets an error of the table, the connection goes on, and nothing is
// left of it.
#include <sys/socket.h>

#include <cctype>
#include <cstring>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "node_test.h"

namespace packice {
namespace {

constexpr size_t kMaxLine = 1 << 20;

// ---- Single requests ----

struct BadRequest {
  const char* what;
  std::string line;
  const char* kind = "invalid_argument";

  friend void PrintTo(const BadRequest& bad, std::ostream* os) { *os << bad.what; }
};

std::string Acquire(absl::string_view fields) {
  return absl::StrCat(R"({"op":"acquire","intent":"create","object_id":"a",)", fields, "}");
}

std::string Nested(size_t depth, char open, char close) {
  return std::string(depth, open) + std::string(depth, close);
}

const char* const kNoLease = "0123456789abcdef0123456789abcdef";

std::vector<BadRequest> InvalidJson() {
  return {
      {"half a request", R"({"op":"stats")"},
      {"no JSON", "stats"},
      {"a list", R"([{"op":"stats"}])"},
      {"a string", R"("stats")"},
      {"a number", "1"},
      {"null", "null"},
      {"two requests on a line", R"({"op":"stats"}{"op":"stats"})"},
      {"a trailing comma", R"({"op":"stats",})"},
      {"single quotes", R"({'op':'stats'})"},
      {"a comment", R"({"op":"stats"} // please)"},
      {"blanks", "   \t"},
      {"a raw control character", "{\"op\":\"stat\",\"object_id\":\"a\x01\"}"},
      {"invalid UTF-8", "{\"op\":\"stat\",\"object_id\":\"\xff\xfe\"}"},
      {"half of a surrogate pair", R"({"op":"stat","object_id":"\ud800"})"},
      {"a NUL byte", std::string("{\"op\":\"stats\"\0}", 15)},
      {"deep lists", absl::StrCat(R"({"op":"stats","x":)", Nested(100000, '[', ']'), "}")},
      {"nothing but brackets", std::string(500000, '[')},
      {"deep objects",
       absl::StrReplaceAll(Nested(20000, '<', '>'), {{"<", R"({"a":)"}, {">", "}"}})},
  };
}

std::vector<BadRequest> WrongRequests() {
  return {
      {"no op", "{}"},
      {"an unknown op", R"({"op":"explode"})"},
      {"an empty op", R"({"op":""})"},
      {"an op in capitals", R"({"op":"STATS"})"},
      {"an op that is a number", R"({"op":1})"},
      {"an unknown intent", R"({"op":"acquire","intent":"steal","object_id":"a"})"},
      {"no intent", R"({"op":"acquire","object_id":"a"})"},
      {"a read of nothing", R"({"op":"acquire","intent":"read"})"},
      {"a stat of nothing", R"({"op":"stat"})"},
      {"an id that is a number", R"({"op":"stat","object_id":7})"},
      {"an id that is a list", R"({"op":"stat","object_id":["a"]})"},
      {"a seq that is an object", R"({"op":"stats","seq":{}})"},
      {"metadata that is a string", Acquire(R"("size":1,"meta":"x")")},
      {"metadata that is too large",
       Acquire(absl::StrCat(R"("size":1,"meta":{"k":")", std::string(70000, 'x'), R"("})"))},
      {"a TTL of zero", Acquire(R"("size":1,"ttl_seconds":0)")},
      {"a negative TTL", Acquire(R"("size":1,"ttl_seconds":-1)")},
      {"a TTL that is a string", Acquire(R"("size":1,"ttl_seconds":"60")")},
      {"a negative wait", Acquire(R"("size":1,"wait_seconds":-1)")},
      {"a negative object TTL", Acquire(R"("size":1,"object_ttl_seconds":-5)")},
      {"a list of no objects", R"({"op":"list","limit":0})"},
      {"a list of too many objects", R"({"op":"list","limit":1000000000})"},
      {"a seal of nothing", R"({"op":"seal"})"},
      {"a lease id that is a number", R"({"op":"release","lease_id":1})"},
      {"a renewal for no time", LeaseLine("renew", kNoLease)},
      {"a batch of nothing", R"({"op":"batch"})"},
      {"a batch of an object", R"({"op":"batch","requests":{}})"},
      {"features that are a string", R"({"op":"hello","features":"positioned"})"},
      {"no such object", ReadLine("missing"), "not_found"},
      {"no such lease to seal", LeaseLine("seal", kNoLease), "lease_expired"},
      {"no such lease to discard", LeaseLine("discard", kNoLease), "lease_expired"},
      {"no lease id at all", LeaseLine("seal", "my lease"), "lease_expired"},
      {"an empty lease id", LeaseLine("discard", ""), "lease_expired"},
      {"a lease id like a path", LeaseLine("seal", "../../etc/passwd"), "lease_expired"},
  };
}

std::vector<BadRequest> BadSizes() {
  const char* const kMost = "9223372036854775807";
  return {
      {"a negative size", Acquire(R"("size":-1)")},
      {"half a byte", Acquire(R"("size":0.5)")},
      {"2^63", Acquire(R"("size":9223372036854775808)")},
      {"2^64", Acquire(R"("size":18446744073709551616)")},
      {"1e30", Acquire(R"("size":1e30)")},
      {"1e400", Acquire(R"("size":1e400)")},
      {"a size that is a string", Acquire(R"("size":"1")")},
      {"a size that is true", Acquire(R"("size":true)")},
      {"no blobs", Acquire(R"("blobs":[])")},
      {"a blob without a size", Acquire(R"("blobs":[{}])")},
      {"a negative blob", Acquire(R"("blobs":[{"size":1},{"size":-1}])")},
      {"blobs that are numbers", Acquire(R"("blobs":[1])")},
      {"blobs that overflow together",
       Acquire(absl::StrCat(R"("blobs":[{"size":)", kMost, R"(},{"size":)", kMost, "}]"))},
      {"more than there is room for", Acquire(absl::StrCat("\"size\":", kMost)), "capacity"},
      {"a little more than there is room for", Acquire(R"("size":67108865)"), "capacity"},
  };
}

std::vector<BadRequest> BadIds() {
  return {
      {"an empty id", CreateLine("", 1)},
      {"an empty id to read", ReadLine("")},
      {"an id of 256 bytes", CreateLine(std::string(256, 'x'), 1)},
      {"an id of 256 bytes in UTF-8",
       CreateLine(absl::StrReplaceAll(std::string(64, 'x'), {{"x", "🧊"}}), 1)},
      {"an id of 500,000 bytes", ReadLine(std::string(500000, 'x'))},
  };
}

class UdsBadInput : public NodeTest {
 protected:
  void SetUp() override {
    NodeFlags flags;
    flags.capacity = 64 << 20;
    StartNode(flags);
  }
};

class UdsBadRequest : public UdsBadInput, public testing::WithParamInterface<BadRequest> {};

TEST_P(UdsBadRequest, GetsItsErrorAndTheConnectionGoesOn) {
  RawClient client = Connect();
  const Response response = client.Ask(GetParam().line);
  EXPECT_EQ(response.Kind(), GetParam().kind) << response.line.substr(0, 1000);
  EXPECT_NE(response.Text("message"), "");
  EXPECT_TRUE(response.descriptors.empty());
  EXPECT_LT(response.line.size(), 4096u) << "an error does not repeat what was sent";
  EXPECT_EQ(client.Ask(R"({"op":"stats"})").Kind(), "ok");
}

std::string NameOf(const testing::TestParamInfo<BadRequest>& info) {
  std::string name;
  for (const char* c = info.param.what; *c != '\0'; ++c) {
    if (std::isalnum(static_cast<unsigned char>(*c)) != 0) name.push_back(*c);
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Json, UdsBadRequest, testing::ValuesIn(InvalidJson()), NameOf);
INSTANTIATE_TEST_SUITE_P(Request, UdsBadRequest, testing::ValuesIn(WrongRequests()), NameOf);
INSTANTIATE_TEST_SUITE_P(Size, UdsBadRequest, testing::ValuesIn(BadSizes()), NameOf);
INSTANTIATE_TEST_SUITE_P(Id, UdsBadRequest, testing::ValuesIn(BadIds()), NameOf);

// ---- Lines ----

TEST_F(UdsBadInput, ALineThatIsTooLongIsAnsweredOnceAndSkipped) {
  for (const size_t size : {kMaxLine + 1, kMaxLine + 20000, 5 * kMaxLine}) {
    RawClient client = Connect();
    const Response response = client.Ask(std::string(size, ' '));
    EXPECT_EQ(response.Kind(), "invalid_argument") << response.line;
    EXPECT_EQ(client.Ask(R"({"op":"stats","seq":1})").Json("seq"), "1");
  }
}

TEST_F(UdsBadInput, ALineThatNeverEndsTakesNoMemory) {
  RawClient client = Connect();
  const int64_t memory = node().PrivateBytes();
  const std::string piece(kMaxLine, 'x');
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(client.Send(piece));
  EXPECT_EQ(client.Receive().Kind(), "invalid_argument");
  EXPECT_LT(node().PrivateBytes() - memory, (16 << 20) * kSlowdown);
  client.Send("\n");  // it ends after all
  EXPECT_EQ(client.Ask(R"({"op":"stats"})").Kind(), "ok");
}

TEST_F(UdsBadInput, BinaryGarbageIsAnsweredLineByLine) {
  uint32_t x = 12345;
  for (int round = 0; round < 20; ++round) {
    std::string garbage(100 * 1000, '\0');
    for (char& c : garbage) c = static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
    garbage.push_back('\n');
    const std::vector<absl::string_view> lines = absl::StrSplit(garbage, '\n', absl::SkipEmpty());
    RawClient client = Connect();
    client.Send(garbage);
    client.Send("{\"op\":\"stats\",\"seq\":\"last\"}\n");
    size_t answers = 0;
    Response response = client.Receive();
    for (; response.Kind() == "invalid_argument"; response = client.Receive()) ++answers;
    EXPECT_EQ(response.Text("seq"), "last");
    EXPECT_EQ(answers, lines.size());
  }
}

TEST_F(UdsBadInput, AnUnfinishedLineLeavesNothing) {
  RawClient client = Connect();
  client.Send(R"({"op":"acquire","intent":"create","object_id":"a","size":1)");
  client.Close();
  EXPECT_TRUE(IsAsBefore());
}

TEST_F(UdsBadInput, DescriptorsThatAClientSendsAreDropped) {
  RawClient client = Connect();
  const int fd = client.socket();
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  std::string line = "{\"op\":\"stats\"}\n";
  iovec part = {line.data(), line.size()};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  for (int i = 0; i < 100; ++i) {
    ASSERT_GT(sendmsg(client.socket(), &message, 0), 0);
    ASSERT_EQ(client.Receive().Kind(), "ok");
  }
  EXPECT_EQ(FiguresOf(client).descriptors, before().descriptors + (kCountsDescriptors ? 1 : 0));
}

// ---- Odd ids are ids like any other ----

class UdsOddId : public UdsBadInput, public testing::WithParamInterface<const char*> {};

TEST_P(UdsOddId, IsAnIdLikeAnyOther) {
  const std::string id = GetParam();
  RawClient client = Connect();
  Put(client, id, "bytes");
  EXPECT_EQ(client.Ask(absl::StrCat(R"({"op":"stat","object_id":")", id, "\"}")).Text("object_id"),
            id);
  const Response read = client.Ask(ReadLine(id));
  EXPECT_EQ(read.Text("object_id"), id);
  EXPECT_EQ(client.Ask(CreateLine(id, 1)).Kind(), "already_exists");
  EXPECT_EQ(client.Ask(R"({"op":"list"})").Texts("object_id"), std::vector<std::string>{id});
}

// As the node writes them in JSON.
INSTANTIATE_TEST_SUITE_P(All, UdsOddId,
                         testing::Values("a/b/c", "/etc/passwd", "..", "../../../etc/passwd", ".",
                                         "say \\\"hi\\\"", "back\\\\slash", "new\\nline", "tab\\t",
                                         "nul\\u0000byte", " ", "🧊❄️", "ключ", "%2e%2e%2f",
                                         "$(reboot)", "'; drop table objects; --",
                                         "{\\\"op\\\":\\\"stats\\\"}"));

TEST_F(UdsBadInput, AnIdOf255BytesIsTaken) {
  RawClient client = Connect();
  Put(client, std::string(255, 'x'), "bytes");
}

// ---- Rights ----

TEST_F(UdsBadInput, ASecondCreateIsRefused) {
  RawClient one = Connect();
  RawClient two = Connect();
  const std::string lease = one.Ask(CreateLine("a", 1)).Text("lease_id");
  EXPECT_EQ(two.Ask(CreateLine("a", 1)).Kind(), "busy");
  EXPECT_EQ(one.Ask(CreateLine("a", 1)).Kind(), "busy");
  EXPECT_EQ(two.Ask(ReadLine("a")).Kind(), "not_sealed");
  one.Ask(LeaseLine("seal", lease));
  EXPECT_EQ(two.Ask(CreateLine("a", 1)).Kind(), "already_exists");
  EXPECT_EQ(one.Ask(LeaseLine("seal", lease)).Kind(), "already_exists");
}

TEST_F(UdsBadInput, AReadLeaseNeitherSealsNorDiscards) {
  RawClient client = Connect();
  Put(client, "a", "bytes");
  const std::string lease = client.Ask(ReadLine("a")).Text("lease_id");
  EXPECT_EQ(client.Ask(LeaseLine("seal", lease)).Kind(), "permission_denied");
  EXPECT_EQ(client.Ask(LeaseLine("discard", lease)).Kind(), "permission_denied");
  EXPECT_EQ(client.Ask(LeaseLine("release", lease)).Kind(), "ok");
}

TEST_F(UdsBadInput, AnotherConnectionsLeaseIsNotOnesOwn) {
  RawClient owner = Connect();
  const std::string creating = owner.Ask(CreateLine("a", 1)).Text("lease_id");
  Put(owner, "b", "bytes");
  const std::string reading = owner.Ask(ReadLine("b")).Text("lease_id");
  RawClient thief = Connect();
  for (const std::string& lease : {creating, reading}) {
    for (const char* op : {"seal", "discard", "release"}) {
      EXPECT_EQ(thief.Ask(LeaseLine(op, lease)).Kind(), "permission_denied") << op;
    }
    EXPECT_EQ(
        thief.Ask(absl::StrCat(R"({"op":"renew","ttl_seconds":60,"lease_id":")", lease, "\"}"))
            .Kind(),
        "permission_denied");
  }
  EXPECT_EQ(owner.Ask(LeaseLine("seal", creating)).Kind(), "ok");
}

TEST_F(UdsBadInput, ASealWithTheWrongSizeChangesNothing) {
  RawClient client = Connect();
  const std::string lease = client.Ask(CreateLine("a", 10)).Text("lease_id");
  const auto seal = [&](absl::string_view size) {
    return client
        .Ask(absl::StrCat(R"({"op":"seal","size":)", size, R"(,"lease_id":")", lease, "\"}"))
        .Kind();
  };
  EXPECT_EQ(seal("11"), "invalid_argument");
  EXPECT_EQ(seal("-1"), "invalid_argument");
  EXPECT_EQ(seal("1e3"), "invalid_argument");
  EXPECT_EQ(seal("10"), "ok");
}

TEST_F(UdsBadInput, ASealOfAnAbsurdSizeIsRefusedWhereNoneWasDeclared) {
  RawClient client = Connect();
  const std::string lease =
      client.Ask(R"({"op":"acquire","intent":"create","object_id":"a"})").Text("lease_id");
  const Response sealed = client.Ask(
      absl::StrCat(R"({"op":"seal","size":9223372036854775807,"lease_id":")", lease, "\"}"));
  EXPECT_NE(sealed.Kind(), "ok") << sealed.line;
  EXPECT_NE(sealed.Kind(), "internal") << sealed.line;
}

// ---- Batches ----

TEST_F(UdsBadInput, ABatchInABatchIsRefusedAndTheRestIsDone) {
  RawClient client = Connect();
  const Response batch = client.Ask(BatchLine(
      {R"({"op":"stats"})", BatchLine({R"({"op":"stats"})"}), "7", "{}", CreateLine("a", 1)}));
  EXPECT_EQ(batch.Texts("kind"), (std::vector<std::string>{"invalid_argument", "invalid_argument",
                                                           "invalid_argument", "fd"}))
      << batch.line;
  EXPECT_EQ(batch.descriptors.size(), 1u);
}

TEST_F(UdsBadInput, ABatchOfTooManyRequestsIsRefusedAsAWhole) {
  RawClient client = Connect();
  EXPECT_EQ(client.Ask(BatchLine(std::vector<std::string>(10001, "{}"))).Kind(),
            "invalid_argument");
}

TEST_F(UdsBadInput, ABatchWithMoreDescriptorsThanAMessageCarriesGetsTheFirst253) {
  RawClient client = Connect();
  std::vector<std::string> reads;
  for (int i = 0; i < 260; ++i) {
    Put(client, absl::StrCat(i), "x");
    reads.push_back(ReadLine(absl::StrCat(i)));
  }
  {
    RawClient reader = Connect();
    const Response batch = reader.Ask(BatchLine(reads));
    EXPECT_EQ(batch.descriptors.size(), 253u);
    std::vector<std::string> kinds(253, "fd");
    kinds.resize(260, "capacity");
    EXPECT_EQ(batch.Texts("kind"), kinds);
    EXPECT_EQ(FiguresOf(reader).reads, 253);
  }
}

TEST_F(UdsBadInput, AnObjectOfMoreBlobsThanAMessageCarriesIsRefused) {
  RawClient client = Connect();
  const auto create = [&](size_t blobs) {
    std::string list;
    for (size_t i = 0; i < blobs; ++i) absl::StrAppend(&list, i == 0 ? "" : ",", R"({"size":1})");
    return client.Ask(Acquire(absl::StrCat(R"("blobs":[)", list, "]")));
  };
  EXPECT_EQ(create(254).Kind(), "invalid_argument");
  EXPECT_EQ(create(253).descriptors.size(), 253u);
}

}  // namespace
}  // namespace packice
