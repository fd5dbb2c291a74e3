// Requests come out of a stream as they were put in, however the bytes arrive; and no byte behind a
// put is taken for a request.
#include "request_stream.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace packice {
namespace {

using testing::ElementsAre;

// What came out of a stream: an op and the bytes of its puts, or "invalid".
class Reader {
 public:
  void Feed(absl::string_view bytes) {
    while (!bytes.empty() && !stream_.lost()) {
      const absl::Span<char> room = stream_.Room();
      const size_t taken = std::min(room.size(), bytes.size());
      std::memcpy(room.data(), bytes.data(), taken);
      stream_.Filled(taken);
      bytes.remove_prefix(taken);
      while (auto decoded = stream_.Next({})) seen_.push_back(Told(decoded->request));
    }
  }
  const std::vector<std::string>& seen() const { return seen_; }
  bool lost() const { return stream_.lost(); }

 private:
  static std::string Told(const absl::StatusOr<Request>& request) {
    if (!request.ok()) return "invalid";
    std::string told(OpName(request->op));
    if (const auto* put = absl::get_if<PutMessage>(&request->body)) {
      absl::StrAppend(&told, " ", put->put.bytes);
    }
    if (request->op == Op::kBatch) {
      for (const auto& part : absl::get<std::unique_ptr<BatchRequest>>(request->body)->requests) {
        absl::StrAppend(&told, " [", Told(part), "]");
      }
    }
    return told;
  }

  RequestStream stream_;
  std::vector<std::string> seen_;
};

std::string Put(absl::string_view bytes, absl::string_view more = "") {
  return absl::StrCat(R"({"op":"put","object_id":"a","payload":)", bytes.size(), more, "}\n",
                      bytes);
}
const char* const kStats = "{\"op\":\"stats\"}\n";

std::vector<std::string> SeenIn(absl::string_view bytes) {
  Reader reader;
  reader.Feed(bytes);
  return reader.seen();
}

TEST(RequestStreamTest, ThePayloadFollowsTheLine) {
  EXPECT_THAT(SeenIn(absl::StrCat(kStats, Put("bytes"), Put(""), Put("more"), kStats)),
              ElementsAre("stats", "put bytes", "put ", "put more", "stats"));
}

TEST(RequestStreamTest, APayloadMayHoldAnything) {
  const std::string nasty("\n\n{\"op\":\"stats\"}\n\0\xff\r\n", 20);
  EXPECT_THAT(SeenIn(absl::StrCat(Put(nasty), kStats)), ElementsAre("put " + nasty, "stats"));
}

TEST(RequestStreamTest, ItMayArriveInPiecesOfAnySize) {
  const std::string bytes =
      absl::StrCat(Put("by\ntes"), kStats,
                   R"({"op":"batch","requests":[{"op":"put","payload":2},{"op":"stats"},)",
                   R"({"op":"put","payload":3}]})", "\nabxyz", Put("end"), kStats);
  const std::vector<std::string> whole = SeenIn(bytes);
  EXPECT_THAT(whole, ElementsAre("put by\ntes", "stats", "batch [put ab] [stats] [put xyz]",
                                 "put end", "stats"));
  for (size_t split = 0; split <= bytes.size(); ++split) {
    Reader reader;
    reader.Feed(absl::string_view(bytes).substr(0, split));
    reader.Feed(absl::string_view(bytes).substr(split));
    ASSERT_EQ(reader.seen(), whole) << "split at " << split;
  }
  Reader slowly;
  for (const char c : bytes) slowly.Feed(absl::string_view(&c, 1));
  EXPECT_EQ(slowly.seen(), whole);
}

TEST(RequestStreamTest, TheLargestPayloadComesThrough) {
  const std::string large(PutMessage::kMaxPayload, 'x');
  Reader reader;
  const std::string bytes = absl::StrCat(Put(large), Put(large), kStats);
  for (size_t at = 0; at < bytes.size(); at += 10'007) {
    reader.Feed(absl::string_view(bytes).substr(at, 10'007));
  }
  ASSERT_EQ(reader.seen().size(), 3u);
  EXPECT_TRUE(reader.seen()[1] == "put " + large);
}

TEST(RequestStreamTest, ThePayloadOfAPutThatIsWrongIsSkipped) {
  for (const char* more : {R"(,"size":"x")", R"(,"seq":{})", R"(,"object_ttl_seconds":0)",
                           R"(,"staged":{"offset":0,"size":1})", R"(,"object_id":7)"}) {
    EXPECT_THAT(SeenIn(absl::StrCat(Put(kStats, more), kStats)), ElementsAre("invalid", "stats"))
        << more;
  }
  const std::string large(PutMessage::kMaxPayload + 1, '\n');
  EXPECT_THAT(SeenIn(absl::StrCat(Put(large), kStats)), ElementsAre("invalid", "stats"));
}

TEST(RequestStreamTest, ThePayloadsOfABatchThatIsWrongAreSkipped) {
  const std::string put = absl::StrCat(R"({"op":"put","payload":)", strlen(kStats), "}");
  const std::string wrong =
      absl::StrCat(R"({"op":"put","size":"x","payload":)", strlen(kStats), "}");
  EXPECT_THAT(
      SeenIn(absl::StrCat(R"({"op":"batch","requests":[)", put, ",", wrong, ",", put, "]}\n",
                          kStats, kStats, kStats, kStats)),
      ElementsAre(absl::StrCat("batch [put ", kStats, "] [invalid] [put ", kStats, "]"), "stats"));
  // Batches that as a whole are none.
  for (const std::string& batch :
       {absl::StrCat(R"({"op":"batch","seq":[],"requests":[)", put, "]}\n", kStats),
        absl::StrCat(R"({"op":"batch","requests":[{"op":"batch","requests":[)", put, "]}]}\n",
                     kStats)}) {
    const std::vector<std::string> seen = SeenIn(absl::StrCat(batch, kStats));
    ASSERT_EQ(seen.size(), 2u) << batch;
    EXPECT_EQ(seen[1], "stats") << batch;
  }
}

TEST(RequestStreamTest, TooManyBytesInABatchAreRefusedAndSkipped) {
  const size_t count = BatchRequest::kMaxPayload / PutMessage::kMaxPayload + 1;
  std::string batch = R"({"op":"batch","requests":[)";
  for (size_t i = 0; i < count; ++i) {
    absl::StrAppend(&batch, i == 0 ? "" : ",", R"({"op":"put","payload":)", PutMessage::kMaxPayload,
                    "}");
  }
  absl::StrAppend(&batch, "]}\n", std::string(count * PutMessage::kMaxPayload, '\n'), kStats);
  EXPECT_THAT(SeenIn(batch), ElementsAre("invalid", "stats"));
}

TEST(RequestStreamTest, NothingIsReadBehindAPayloadOfUnknownLength) {
  for (const char* line :
       {R"({"op":"put","payload":-1})", R"({"op":"put","payload":"5"})",
        R"({"op":"put","payload":1.5})", R"({"op":"put","payload":1e3})",
        R"({"op":"put","payload":99999999999999999999})", R"({"op":"put","payload":5)",
        R"({"op":"put","payload":)", R"({"command":"put","payload":[]})",
        R"({"op":"batch","requests":[{"op":"put","payload":true}]})",
        R"({"op":"batch","requests":[{"op":"put","payload":9223372036854775807},)"
        R"({"op":"put","payload":9223372036854775807},{"op":"put","payload":9}]})"}) {
    Reader reader;
    reader.Feed(absl::StrCat(line, "\n", kStats));
    EXPECT_THAT(reader.seen(), ElementsAre("invalid")) << line;
    EXPECT_TRUE(reader.lost()) << line;
  }
  Reader reader;
  reader.Feed(absl::StrCat(R"({"op":"put","payload":14,"object_id":")",
                           std::string(kMaxRequestBytes, 'x'), "\"}\n", kStats));
  EXPECT_THAT(reader.seen(), ElementsAre("invalid"));
  EXPECT_TRUE(reader.lost());
}

TEST(RequestStreamTest, OtherRequestsHaveNoPayload) {
  EXPECT_THAT(SeenIn(absl::StrCat("{\"op\":\"stats\",\"payload\":14}\n", kStats)),
              ElementsAre("stats", "stats"));
  EXPECT_THAT(SeenIn(absl::StrCat("{\"op\":\"explode\",\"payload\":14}\n", kStats)),
              ElementsAre("invalid", "stats"));
}

TEST(RequestStreamTest, ALineThatIsTooLongIsSkippedToItsEnd) {
  const std::string line(kMaxRequestBytes + 70'000, 'x');
  EXPECT_THAT(SeenIn(absl::StrCat(line, "\n", kStats)), ElementsAre("invalid", "stats"));
}

}  // namespace
}  // namespace packice
