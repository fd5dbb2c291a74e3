// The short cut for usual messages never differs from the general reader.
#include "codec_usual.h"

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

using json::ReadUsualReply;
using json::ReadUsualRequest;

const char* const kRequests[] = {
    R"({"op":"acquire","intent":"read","object_id":"models/a/1"})",
    R"({"op":"acquire","intent":"write","object_id":"x y~"})",
    R"({"op":"acquire","intent":"create","object_id":"a","size":0})",
    R"({"op":"acquire","intent":"create","object_id":"a","size":123456789012345678})",
    R"({"op":"acquire","intent":"create","object_id":"a"})",
    R"({"op":"seal","lease_id":"ffeeddccbbaa99887766554433221100"})",
    R"({"op":"release","lease_id":"00112233445566778899aabbccddeeff"})",
    R"({"op":"put","object_id":"models/a/1","payload":0})",
    R"({"op":"put","object_id":"a","payload":262144})",
    R"({"op":"put","object_id":"a","size":7,"payload":7})",
    R"({"op":"put","object_id":"a","staged":{"offset":65536,"size":1048576}})",
    R"({"op":"acquire","intent":"create","object_id":"a","size":9223372036854775807})",
    R"({"op":"batch","requests":[{"op":"release","lease_id":"00112233445566778899aabbccddeeff"},)"
    R"({"op":"acquire","intent":"read","object_id":"models/a/1"}]})",
    R"({"op":"batch","requests":[{"op":"put","object_id":"a","payload":0},)"
    R"({"op":"put","object_id":"b","payload":7},{"op":"put","object_id":"c","payload":0}]})",
};

constexpr char kGrant[] =
    R"({"lease_id":"00112233445566778899aabbccddeeff","object_id":"a/b","intent":"read",)"
    R"("state":"SEALED","ttl_seconds":null,"meta":{},"size":4096,)"
    R"("handles":[{"kind":"fd","index":0,"offset":64,"size":4096}]})";

constexpr char kSegmentGrant[] =
    R"({"lease_id":"00112233445566778899aabbccddeeff","object_id":"a/b","intent":"read",)"
    R"("state":"SEALED","ttl_seconds":null,"meta":{},"size":4096,)"
    R"("handles":[{"kind":"segment","segment":4611688217450643457,"offset":64,"size":4096}]})";

constexpr char kSealed[] = R"({"status":"sealed","object_id":"a/b","size":4096})";

constexpr char kReleased[] = R"({"status":"released"})";

// A space where JSON allows one: the short cut does not know it, the general reader does.
std::string Spaced(std::string line) { return line.empty() ? line : line.insert(1, " "); }

std::string Encoded(const Request& request) {
  std::string line;
  EncodeRequest(request, line);
  return line;
}

Request AskedFor(Op op) {
  Request asked;
  asked.op = op;
  return asked;
}

// What a usual answer answers.
struct Usual {
  std::string answer;
  Request asked;
};

std::vector<Usual> UsualAnswers() {
  std::vector<Usual> answers;
  Request batch = AskedFor(Op::kBatch);
  auto& all = batch.body.emplace<std::unique_ptr<BatchRequest>>(std::make_unique<BatchRequest>());
  std::string together;
  const auto add = [&](Op op, const char* answer) {
    answers.push_back({answer, AskedFor(op)});
    all->requests.emplace_back(AskedFor(op));
    absl::StrAppend(&together, together.empty() ? "" : ",", answer);
  };
  add(Op::kRelease, kReleased);
  add(Op::kAcquire, kGrant);
  add(Op::kAcquire, kSegmentGrant);
  add(Op::kSeal, kSealed);
  add(Op::kPut, kSealed);
  answers.push_back({absl::StrCat("{\"responses\":[", together, "]}"), std::move(batch)});
  return answers;
}

void DropOlderNames(Reply& reply) {
  if (auto* grant = absl::get_if<GrantReply>(&reply)) grant->older_names = false;
  if (auto* batch = absl::get_if<std::unique_ptr<BatchReply>>(&reply)) {
    for (Reply& one : (*batch)->responses) DropOlderNames(one);
  }
}

TEST(CodecUsualTest, KnowsWhatTheEncodersWrite) {
  for (const char* line : kRequests) {
    Request request;
    ASSERT_TRUE(ReadUsualRequest(line, request)) << line;
    EXPECT_EQ(Encoded(request), std::string(line) + "\n");
  }
  for (const Usual& usual : UsualAnswers()) {
    Reply reply;
    ASSERT_TRUE(ReadUsualReply(usual.answer, usual.asked, reply)) << usual.answer;
    DropOlderNames(reply);
    EXPECT_EQ(FormatReply(reply), usual.answer);
  }
}

TEST(CodecUsualTest, CountsTheBytesThatFollowABatch) {
  const DecodedRequest decoded = DecodeRequest(
      R"({"op":"batch","requests":[{"op":"release","lease_id":"00112233445566778899aabbccddeeff"},)"
      R"({"op":"put","object_id":"a","payload":3},{"op":"put","object_id":"b","payload":4}]})");
  EXPECT_EQ(decoded.payload, 7u);
  const auto& batch = absl::get<std::unique_ptr<BatchRequest>>(decoded.request->body);
  EXPECT_THAT(batch->payloads, testing::ElementsAre(0, 3, 4));
}

TEST(CodecUsualTest, AnswersOtherThanThoseThatWereAskedForAreNotUsual) {
  const std::vector<Usual> answers = UsualAnswers();
  Request fewer = AskedFor(Op::kBatch);
  auto& one = fewer.body.emplace<std::unique_ptr<BatchRequest>>(std::make_unique<BatchRequest>());
  one->requests.emplace_back(AskedFor(Op::kRelease));
  Reply reply;
  EXPECT_FALSE(ReadUsualReply(answers.back().answer, fewer, reply));
  EXPECT_FALSE(ReadUsualReply(kReleased, answers.back().asked, reply));
  EXPECT_FALSE(ReadUsualReply(kSealed, AskedFor(Op::kDiscard), reply));
}

TEST(CodecUsualTest, LeavesTheUnusualToTheGeneralReader) {
  const char* const unusual[] = {
      "",
      "{}",
      R"({"op":"acquire","intent":"read","object_id":""})",
      R"({"op":"acquire","intent":"read","object_id":"a\u0041"})",
      R"({"op":"acquire","intent":"read","object_id":"é"})",
      R"({"op":"acquire","intent":"create","object_id":"a","size":01})",
      R"({"op":"acquire","intent":"create","object_id":"a","size":9223372036854775808})",
      R"({"op":"acquire","intent":"create","object_id":"a","size":12345678901234567890})",
      R"({"op":"acquire","intent":"create","object_id":"a","size":1.5})",
      R"({"op":"acquire","intent":"read","object_id":"a"} )",
      R"({"op":"acquire","intent":"read","object_id":"a","objid":"b"})",
      R"({"op":"release","lease_id":"00112233445566778899aabbccddeefg"})",
      R"({"op":"release","lease_id":"0011"})",
      R"({"op":"put","object_id":"a","payload":262145})",
      R"({"op":"put","object_id":"a","payload":-1})",
      R"({"op":"put","payload":1})",
      R"({"op":"batch","requests":[]})",
      R"({"op":"batch","requests":[{"op":"put","object_id":"a","payload":1},]})",
      R"({"op":"batch","requests":[{"op":"batch","requests":[]}]})",
      R"({"op":"batch","requests":[{"op":"put","object_id":"a","payload":1}]} )",
  };
  for (const char* line : unusual) {
    Request request;
    EXPECT_FALSE(ReadUsualRequest(line, request)) << line;
  }
  Request request;
  const std::string long_id(256, 'a');
  EXPECT_FALSE(ReadUsualRequest(
      R"({"op":"acquire","intent":"read","object_id":")" + long_id + "\"}", request));
}

// Lines with a byte or two changed, dropped or doubled: whatever the short cut takes, the general
// reader takes too, and reads the same.
TEST(CodecUsualTest, AgreesWithTheGeneralReaderOnMutatedLines) {
  std::mt19937 random(7);
  const auto mutate = [&random](std::string line) {
    static constexpr char kBytes[] = "\"\\{}[]:, 0123456789abcdefxyz\n\x01\x7f\xc3";
    for (unsigned changes = random() % 3; changes > 0 && !line.empty(); --changes) {
      const size_t at = random() % line.size();
      const char byte = kBytes[random() % (sizeof(kBytes) - 1)];
      switch (random() % 3) {
        case 0:
          line[at] = byte;
          break;
        case 1:
          line.erase(at, 1);
          break;
        default:
          line.insert(at, 1, byte);
      }
    }
    return line;
  };
  const std::vector<Usual> answers = UsualAnswers();
  int taken = 0;
  for (int i = 0; i < 200000; ++i) {
    const std::string line = mutate(kRequests[random() % std::size(kRequests)]);
    Request usual;
    if (ReadUsualRequest(line, usual)) {
      ++taken;
      const DecodedRequest general = DecodeRequest(Spaced(line));
      ASSERT_TRUE(general.request.ok()) << line << ": " << general.request.status();
      ASSERT_EQ(Encoded(usual), Encoded(*general.request)) << line;
    }
    const Usual& usual_answer = answers[random() % answers.size()];
    const std::string answer = mutate(usual_answer.answer);
    Reply reply;
    if (ReadUsualReply(answer, usual_answer.asked, reply)) {
      ++taken;
      const DecodedReply general = DecodeReply(Spaced(answer), usual_answer.asked);
      ASSERT_TRUE(general.reply.ok()) << answer << ": " << general.reply.status();
      ASSERT_EQ(FormatReply(reply), FormatReply(*general.reply)) << answer;
    }
  }
  EXPECT_GT(taken, 10000);
}

}  // namespace
}  // namespace packice
