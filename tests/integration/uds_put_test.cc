// put, stage and write over a Unix socket, spoken by hand: whatever becomes of the bytes, the next
// request is found, and nothing is left of what failed.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node_test.h"

namespace packice {
namespace {

using ::testing::HasSubstr;

class UdsPut : public NodeTest {
 protected:
  void SetUp() override { StartNode(); }

  static std::string PutLine(absl::string_view id, size_t payload, absl::string_view more = "") {
    return absl::StrCat(R"({"op":"put","object_id":")", id, R"(","payload":)", payload, more, "}");
  }
  static std::string PutBytes(absl::string_view id, absl::string_view bytes,
                              absl::string_view more = "") {
    return absl::StrCat(PutLine(id, bytes.size(), more), "\n", bytes);
  }
  static std::string StagedLine(absl::string_view id, uint64_t offset, uint64_t size) {
    return absl::StrCat(R"({"op":"put","object_id":")", id, R"(","staged":{"offset":)", offset,
                        R"(,"size":)", size, "}}");
  }
  static std::string WriteLine(absl::string_view lease, uint64_t at, uint64_t offset,
                               uint64_t size) {
    return absl::StrCat(R"({"op":"write","lease_id":")", lease, R"(","offset":)", at,
                        R"(,"staged":{"offset":)", offset, R"(,"size":)", size, "}}");
  }

  static std::string Get(RawClient& client, absl::string_view id) {
    client.Ask(R"({"op":"hello","features":["positioned"]})");
    Response read = client.Ask(ReadLine(id));
    if (read.Kind() != "ok" || read.descriptors.empty()) return read.Kind();
    const absl::string_view handle = read.line;
    std::string bytes(static_cast<size_t>(read.Number("size")), '\0');
    const std::string offset = read.Json("offset");
    EXPECT_EQ(pread(read.descriptors[0].get(), bytes.data(), bytes.size(), std::stoll(offset)),
              static_cast<ssize_t>(bytes.size()))
        << handle;
    client.Ask(LeaseLine("release", read.Text("lease_id")));
    return bytes;
  }

  // A client's view of its staging area.
  struct Area {
    UniqueFd fd;
    char* bytes = nullptr;
    size_t size = 0;

    Area(Area&& other) noexcept
        : fd(std::move(other.fd)), bytes(std::exchange(other.bytes, nullptr)), size(other.size) {}
    Area() = default;
    ~Area() {
      if (bytes != nullptr) munmap(bytes, size);
    }
  };
  static Area Stage(RawClient& client, absl::string_view request = R"({"op":"stage"})") {
    Response stage = client.Ask(request);
    Area area;
    EXPECT_EQ(stage.Kind(), "ok") << stage.line;
    EXPECT_EQ(stage.descriptors.size(), 1u);
    if (stage.descriptors.size() != 1) return area;
    area.size = static_cast<size_t>(stage.Number("size"));
    area.fd = std::move(stage.descriptors[0]);
    void* mapped = mmap(nullptr, area.size, PROT_READ | PROT_WRITE, MAP_SHARED, area.fd.get(), 0);
    EXPECT_NE(mapped, MAP_FAILED);
    area.bytes = static_cast<char*>(mapped);
    return area;
  }
};

// ---- put ----

TEST_F(UdsPut, ANodeThatKnowsPutSaysSo) {
  RawClient client = Connect();
  EXPECT_THAT(client.Ask(R"({"op":"hello"})").line, HasSubstr(R"("put")"));
}

TEST_F(UdsPut, APutIsAnsweredLikeASealAndLeavesNoLease) {
  RawClient client = Connect();
  ASSERT_TRUE(client.Send(PutBytes("a", "by\ntes")));
  EXPECT_EQ(client.Receive().line, R"({"status":"sealed","object_id":"a","size":6})");
  EXPECT_EQ(Get(client, "a"), "by\ntes");
  const Figures figures = FiguresOf(watcher());
  EXPECT_EQ(figures.objects, 1);
  EXPECT_EQ(figures.creates, 0);
}

TEST_F(UdsPut, AFailedPutTakesItsPayloadAlong) {
  RawClient client = Connect();
  const std::string nasty = "{\"op\":\"explode\"}\n{\"op\":\"stats\"}\n";
  ASSERT_TRUE(client.Send(absl::StrCat(PutBytes("a", "old"), PutBytes("a", nasty),
                                       PutBytes("b", nasty, R"(,"size":1)"), PutBytes("", nasty),
                                       PutBytes("c", "new"))));
  const std::vector<Response> responses = client.Receive(5);
  EXPECT_EQ(responses[0].Kind(), "ok");
  EXPECT_EQ(responses[1].Kind(), "already_exists");
  EXPECT_EQ(responses[2].Kind(), "invalid_argument");
  EXPECT_EQ(responses[3].Kind(), "invalid_argument");
  EXPECT_EQ(responses[4].Kind(), "ok");
  EXPECT_EQ(Get(client, "c"), "new");
}

TEST_F(UdsPut, PutsInABatchAreAnsweredInTheirPlaces) {
  RawClient client = Connect();
  const std::string batch = BatchLine(
      {PutLine("a", 3), R"({"op":"stat","object_id":"a"})", PutLine("a", 4), PutLine("b", 2)});
  ASSERT_TRUE(client.Send(absl::StrCat(batch, "\nonefourtw", PutBytes("c", "behind"))));
  const Response answers = client.Receive();
  EXPECT_THAT(answers.line, HasSubstr(R"({"status":"sealed","object_id":"a","size":3})"));
  EXPECT_THAT(answers.line, HasSubstr("already_exists"));
  EXPECT_THAT(answers.line, HasSubstr(R"({"status":"sealed","object_id":"b","size":2})"));
  EXPECT_EQ(client.Receive().Kind(), "ok");
  EXPECT_EQ(Get(client, "b"), "tw");
}

TEST_F(UdsPut, APutThatWaitsMayBeOvertakenAndKeepsItsBytes) {
  RawClient creator = Connect();
  const Response lease = creator.Ask(CreateLine("a", 1));
  RawClient client = Connect();
  ASSERT_TRUE(client.Send(PutBytes("a", "patience", R"(,"wait_seconds":60,"seq":1)")));
  ASSERT_TRUE(client.Send(PutBytes("b", std::string(200'000, 'b'))));
  EXPECT_EQ(client.Receive().Text("object_id"), "b");
  creator.Ask(LeaseLine("release", lease.Text("lease_id")));
  EXPECT_EQ(client.Receive().Text("object_id"), "a");
  EXPECT_EQ(Get(client, "a"), "patience");
}

TEST_F(UdsPut, WhoHasTooManyBytesWaitingIsNotReadFrom) {
  constexpr int kPuts = 100;
  const std::string bytes(256 << 10, 'x');
  RawClient creator = Connect();
  const std::string lease = creator.Ask(CreateLine("a", 1)).Text("lease_id");
  RawClient client = Connect();
  std::thread sender([&] {
    for (int i = 0; i < kPuts; ++i) {
      client.Send(PutBytes("a", bytes, absl::StrCat(R"(,"wait_seconds":600,"seq":)", i)));
    }
    client.Send("{\"op\":\"stats\"}\n");
  });
  EXPECT_TRUE(Eventually([&] { return FiguresOf(creator).waiting >= 60; }));
  EXPECT_FALSE(client.HasResponse());
  EXPECT_LT(FiguresOf(creator).waiting, kPuts);
  creator.Ask(LeaseLine("release", lease));
  int sealed = 0;
  for (const Response& response : client.Receive(kPuts + 1)) sealed += response.Has("sealed");
  EXPECT_GE(sealed, 1);
  sender.join();
}

TEST_F(UdsPut, AClientThatDiesInMidPayloadLeavesNothing) {
  for (const size_t sent : {size_t{0}, size_t{1}, size_t{20'000}, size_t{99'999}}) {
    RawClient client = Connect();
    ASSERT_TRUE(client.Send(absl::StrCat(PutLine("a", 100'000), "\n", std::string(sent, 'x'))));
    client.Close();
    EXPECT_TRUE(IsAsBefore());
  }
}

TEST_F(UdsPut, APayloadOfUnknownLengthEndsTheConnectionAfterTheAnswer) {
  RawClient client = Connect();
  ASSERT_TRUE(
      client.Send("{\"op\":\"put\",\"object_id\":\"a\",\"payload\":-1}\n{\"op\":\"stats\"}\n"));
  EXPECT_EQ(client.Receive().Kind(), "invalid_argument");
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(UdsPut, AStreamThatIsLostEndsItsWaits) {
  RawClient creator = Connect();
  const Response lease = creator.Ask(CreateLine("a", 1));
  RawClient client = Connect();
  ASSERT_TRUE(
      client.Send(R"({"op":"acquire","intent":"read","object_id":"a","wait_seconds":600,"seq":1})"
                  "\n{\"op\":\"put\",\"object_id\":\"b\",\"payload\":-1}\n"));
  EXPECT_EQ(client.Receive().Kind(), "invalid_argument");
  EXPECT_EQ(client.Receive().Kind(), "timeout");
  EXPECT_TRUE(client.AtEnd());
  creator.Ask(LeaseLine("release", lease.Text("lease_id")));
}

// ---- stage ----

TEST_F(UdsPut, AConnectionHasOneStagingArea) {
  RawClient client = Connect();
  const Response first = client.Ask(R"({"op":"stage","size":100000})");
  const Response second = client.Ask(R"({"op":"stage","size":1})");
  EXPECT_EQ(first.Number("size"), second.Number("size"));
  RawClient modest = Connect();
  EXPECT_EQ(modest.Ask(R"({"op":"stage","size":1})").Number("size"), 64 << 10);
  RawClient greedy = Connect();
  EXPECT_EQ(greedy.Ask(R"({"op":"stage","size":1000000000})").Number("size"), 16 << 20);
  RawClient usual = Connect();
  EXPECT_EQ(usual.Ask(R"({"op":"stage"})").Number("size"), 4 << 20);
}

TEST_F(UdsPut, WhatIsAConnectionsOwnIsNotAskedForInABatch) {
  RawClient client = Connect();
  client.Ask(R"({"op":"hello","features":["positioned","segments"]})");
  const Response answers =
      client.Ask(BatchLine({R"({"op":"stage"})", R"({"op":"index"})", R"({"op":"stats"})"}));
  EXPECT_EQ(answers.Texts("kind"),
            (std::vector<std::string>{"invalid_argument", "invalid_argument"}));
  EXPECT_TRUE(answers.Has(R"("objects":)"));
  EXPECT_EQ(client.Ask(R"({"op":"stage"})").Kind(), "ok");
}

TEST_F(UdsPut, WhatIsStagedCanBePut) {
  RawClient client = Connect();
  Area area = Stage(client);
  ASSERT_NE(area.bytes, nullptr);
  absl::string_view("some bytes").copy(area.bytes + 100, 10);
  EXPECT_EQ(client.Ask(StagedLine("a", 105, 5)).Kind(), "ok");
  EXPECT_EQ(Get(client, "a"), "bytes");
  std::fill(area.bytes, area.bytes + area.size, 'x');
  EXPECT_EQ(client.Ask(StagedLine("all", 0, area.size)).Kind(), "ok");
  EXPECT_TRUE(Get(client, "all") == std::string(area.size, 'x'));
  EXPECT_EQ(Get(client, "a"), "bytes") << "a copy";
}

TEST_F(UdsPut, ARangeBeyondTheStagingAreaIsInvalid) {
  RawClient client = Connect();
  EXPECT_EQ(client.Ask(StagedLine("a", 0, 0)).Kind(), "invalid_argument") << "there is none";
  const Area area = Stage(client);
  const uint64_t size = area.size;
  const uint64_t most = INT64_MAX;
  for (const auto& [offset, length] : std::vector<std::pair<uint64_t, uint64_t>>{{0, size + 1},
                                                                                 {size, 1},
                                                                                 {size + 1, 0},
                                                                                 {1, size},
                                                                                 {most, 1},
                                                                                 {1, most},
                                                                                 {most, most},
                                                                                 {UINT64_MAX, 1},
                                                                                 {1, UINT64_MAX},
                                                                                 {UINT64_MAX, 2}}) {
    EXPECT_EQ(client.Ask(StagedLine("a", offset, length)).Kind(), "invalid_argument")
        << offset << " " << length;
  }
  EXPECT_EQ(client.Ask(StagedLine("a", size, 0)).Kind(), "ok") << "no byte at all";
}

TEST_F(UdsPut, TheStagingAreaCannotBeCutShort) {
  RawClient client = Connect();
  Area area = Stage(client);
  EXPECT_NE(ftruncate(area.fd.get(), 0), 0);
  EXPECT_NE(ftruncate(area.fd.get(), static_cast<off_t>(area.size) * 2), 0);
  EXPECT_NE(fcntl(area.fd.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
  // Without its pages it is empty, and the node reads zeros.
  ASSERT_EQ(fallocate(area.fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                      static_cast<off_t>(area.size)),
            0);
  EXPECT_EQ(client.Ask(StagedLine("a", 0, area.size)).Kind(), "ok");
  EXPECT_TRUE(Get(client, "a") == std::string(area.size, '\0'));
}

TEST_F(UdsPut, WhoScribblesInTheStagingAreaHarmsItsOwnObjectOnly) {
  RawClient other = Connect();
  ASSERT_TRUE(other.Send(PutBytes("other", "bytes")));
  ASSERT_EQ(other.Receive().Kind(), "ok");
  RawClient client = Connect();
  Area area = Stage(client);
  std::atomic<bool> stop{false};
  std::thread scribbler([&] {
    for (char c = 0; !stop; ++c) std::fill(area.bytes, area.bytes + area.size, c);
  });
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client.Ask(StagedLine(absl::StrCat("object ", i), 0, area.size)).Kind(), "ok");
  }
  stop = true;
  scribbler.join();
  const std::string once = Get(client, "object 3");
  EXPECT_EQ(once.size(), area.size);
  EXPECT_TRUE(Get(client, "object 3") == once) << "sealed";
  EXPECT_EQ(Get(other, "other"), "bytes");
}

// ---- write ----

TEST_F(UdsPut, AnObjectIsWrittenInPiecesAndSealed) {
  RawClient client = Connect();
  Area area = Stage(client);
  const Response lease = client.Ask(
      R"({"op":"acquire","intent":"create","object_id":"a","size":10,"written_here":true})");
  ASSERT_EQ(lease.Kind(), "ok");
  EXPECT_THAT(lease.line, HasSubstr(R"("handles":[])"));
  EXPECT_TRUE(lease.descriptors.empty());
  const std::string id = lease.Text("lease_id");
  absl::string_view("0123456789").copy(area.bytes, 10);
  EXPECT_EQ(client.Ask(WriteLine(id, 5, 5, 5)).line, R"({"status":"written"})");
  EXPECT_EQ(client.Ask(WriteLine(id, 0, 0, 5)).Kind(), "ok");
  EXPECT_EQ(client.Ask(WriteLine(id, 6, 0, 5)).Kind(), "invalid_argument") << "beyond its size";
  EXPECT_EQ(client.Ask(WriteLine(id, 0, 0, area.size + 1)).Kind(), "invalid_argument");
  EXPECT_EQ(client.Ask(WriteLine(id, INT64_MAX, 0, 5)).Kind(), "invalid_argument");
  EXPECT_EQ(client.Ask(LeaseLine("seal", id)).Kind(), "ok");
  EXPECT_EQ(client.Ask(WriteLine(id, 0, 0, 5)).Kind(), "permission_denied") << "sealed";
  EXPECT_EQ(Get(client, "a"), "0123456789");
}

TEST_F(UdsPut, AWriteIsForItsOwnCreateLease) {
  RawClient client = Connect();
  Stage(client);
  const Response lease = client.Ask(
      R"({"op":"acquire","intent":"create","object_id":"a","size":10,"written_here":true})");
  const std::string id = lease.Text("lease_id");
  RawClient other = Connect();
  Stage(other);
  EXPECT_EQ(other.Ask(WriteLine(id, 0, 0, 5)).Kind(), "permission_denied");
  EXPECT_EQ(client.Ask(LeaseLine("release", id)).Kind(), "ok");
  EXPECT_EQ(client.Ask(WriteLine(id, 0, 0, 5)).Kind(), "lease_expired");
  ASSERT_TRUE(client.Send(PutBytes("b", "bytes")));
  ASSERT_EQ(client.Receive().Kind(), "ok");
  const Response read = client.Ask(ReadLine("b"));
  EXPECT_EQ(client.Ask(WriteLine(read.Text("lease_id"), 0, 0, 5)).Kind(), "permission_denied");
}

}  // namespace
}  // namespace packice
