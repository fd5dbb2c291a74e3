// The short cut for usual messages never differs from the general reader.
#include "codec_usual.h"

#include <memory>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

using json::ReadUsualGrant;
using json::ReadUsualRequest;
using json::ReadUsualSealed;

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
    R"({"op":"batch","requests":[{"op":"acquire","intent":"read","object_id":"a"}]})",
    R"({"op":"batch","requests":[{"op":"acquire","intent":"read","object_id":"a"},)"
    R"({"op":"release","lease_id":"00112233445566778899aabbccddeeff"},)"
    R"({"op":"put","object_id":"b","staged":{"offset":0,"size":5}}]})",
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

// A space where JSON allows one: the short cut does not know it, the general reader does.
std::string Spaced(std::string line) { return line.empty() ? line : line.insert(1, " "); }

std::string Encoded(const Request& request) {
  std::string line;
  EncodeRequest(request, line);
  return line;
}

Request Acquire() {
  Request asked;
  asked.op = Op::kAcquire;
  return asked;
}

TEST(CodecUsualTest, KnowsWhatTheEncodersWrite) {
  for (const char* line : kRequests) {
    Request request;
    ASSERT_TRUE(ReadUsualRequest(line, request)) << line;
    EXPECT_EQ(Encoded(request), std::string(line) + "\n");
  }
  GrantReply shared;
  ASSERT_TRUE(ReadUsualGrant(kSegmentGrant, shared));
  shared.older_names = false;
  EXPECT_EQ(FormatReply(Reply(std::move(shared))), kSegmentGrant);
  GrantReply grant;
  ASSERT_TRUE(ReadUsualGrant(kGrant, grant));
  grant.older_names = false;
  EXPECT_EQ(FormatReply(Reply(std::move(grant))), kGrant);
  BatchRequest asked;
  for (int i = 0; i < 2; ++i) asked.requests.emplace_back(Acquire());
  auto grants = std::make_unique<BatchReply>();
  const std::string both = absl::StrCat("{\"responses\":[", kSegmentGrant, ",", kGrant, "]}");
  ASSERT_TRUE(json::ReadUsualGrants(both, asked, *grants));
  for (Reply& part : grants->responses) absl::get<GrantReply>(part).older_names = false;
  EXPECT_EQ(FormatReply(Reply(std::move(grants))), both);
  Sealed sealed;
  ASSERT_TRUE(ReadUsualSealed(kSealed, sealed));
  EXPECT_EQ(FormatReply(Reply(std::move(sealed))), kSealed);
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
      R"({"op":"batch","requests":[]})",
      R"({"op":"batch","requests":[{"op":"put","object_id":"a","payload":0}]})",
      R"({"op":"batch","requests":[{"op":"release","lease_id":"00112233445566778899aabbccddeeff"},]})",
      R"({"op":"batch","requests":[{"op":"release","lease_id":"00112233445566778899aabbccddeeff"}]} )",
      R"({"op":"batch","requests":[{"op":"batch","requests":[]}]})",
      R"({"op":"acquire","intent":"create","object_id":"a","size":1.5})",
      R"({"op":"acquire","intent":"read","object_id":"a"} )",
      R"({"op":"acquire","intent":"read","object_id":"a","objid":"b"})",
      R"({"op":"release","lease_id":"00112233445566778899aabbccddeefg"})",
      R"({"op":"release","lease_id":"0011"})",
      R"({"op":"put","object_id":"a","payload":262145})",
      R"({"op":"put","object_id":"a","payload":-1})",
      R"({"op":"put","payload":1})",
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
    const std::string told = mutate(kSealed);
    Sealed sealed;
    if (ReadUsualSealed(told, sealed)) {
      Request seal;
      seal.op = Op::kSeal;
      DecodedReply general = DecodeReply(Spaced(told), seal);
      ASSERT_TRUE(general.reply.ok()) << told << ": " << general.reply.status();
      ASSERT_EQ(FormatReply(Reply(std::move(sealed))), FormatReply(*general.reply)) << told;
    }
    const std::string answer = mutate(i % 2 == 0 ? kGrant : kSegmentGrant);
    GrantReply grant;
    if (ReadUsualGrant(answer, grant)) {
      ++taken;
      DecodedReply general = DecodeReply(Spaced(answer), Acquire());
      ASSERT_TRUE(general.reply.ok()) << answer << ": " << general.reply.status();
      ASSERT_EQ(FormatReply(Reply(std::move(grant))), FormatReply(*general.reply)) << answer;
    }
  }
  EXPECT_GT(taken, 10000);
}

}  // namespace
}  // namespace packice
