#include "frame_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "frame_codec.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/p2p/content_hasher.h"

namespace packice {
namespace {

ObjectId Id(absl::string_view text) { return *ObjectId::Parse(text); }

std::string Encoded(const Frame& frame) {
  std::string bytes;
  EncodeFrame(frame, bytes);
  return bytes;
}

// The side that reads frames of this kind.
LinkSide SideFor(const Frame& frame) {
  const bool from_reader =
      absl::holds_alternative<OpenFrame>(frame) || absl::holds_alternative<RequestFrame>(frame) ||
      absl::holds_alternative<CancelFrame>(frame) || absl::holds_alternative<DiscardFrame>(frame);
  return from_reader ? LinkSide::kAccepted : LinkSide::kDialled;
}

// Of every kind, with every field set and with none.
std::vector<Frame> Samples() {
  const ContentDigest digest = HashOf(HashKind::kSha256, "abc");
  return {
      OpenFrame{1, Id("a"), {}, false, 0, ""},
      OpenFrame{0xffffffff, Id(std::string(255, '\0')), digest, true, 65536, "[::1]:7701"},
      OpenedFrame{2, "", {}, {}},
      OpenedFrame{2, std::string(5000, 'm'), std::vector<bool>(13, true), {"a:1", "b:2"}},
      RefusedFrame{3, RefusalReason::kNotHeld, absl::ZeroDuration(), {}},
      RefusedFrame{3, RefusalReason::kFailing, absl::Seconds(2), {"a:1"}},
      RequestFrame{4, {}},
      RequestFrame{4, {0, 7, Manifest::kMaxPieces - 1}},
      HaveFrame{6, {1, 2, 3}},
      CancelFrame{7, {9}},
      CloseFrame{8},
      DiscardFrame{9, Id("a\nb")},
      DiscardedFrame{10, true, ErrorKind::kInternal},
      DiscardedFrame{10, false, ErrorKind::kNotFound},
      PieceFrame{5, 12, 4 << 20},
  };
}

TEST(FrameParser, EveryFrameComesBackHoweverItIsCut) {
  for (const Frame& frame : Samples()) {
    const std::string bytes = Encoded(frame);
    for (size_t step : {size_t{1}, size_t{7}, bytes.size()}) {
      FrameParser parser(SideFor(frame));
      absl::optional<Frame> parsed;
      for (size_t at = 0; at < bytes.size(); at += step) {
        EXPECT_FALSE(parsed.has_value()) << "it is whole with its last byte";
        absl::string_view part = absl::string_view(bytes).substr(at, step);
        ASSERT_OK_AND_ASSIGN(parsed, parser.Next(part));
        EXPECT_TRUE(part.empty());
      }
      ASSERT_TRUE(parsed.has_value());
      EXPECT_EQ(parsed->index(), frame.index());
      EXPECT_EQ(Encoded(*parsed), bytes) << "nothing is lost";
    }
  }
}

TEST(FrameParser, FieldsComeBack) {
  FrameParser parser(LinkSide::kAccepted);
  const ContentDigest digest = HashOf(HashKind::kXxh3, "abc");
  const std::string bytes = Encoded(OpenFrame{77, Id("id"), digest, true, 4096, "h:1"});
  absl::string_view left = bytes;
  ASSERT_OK_AND_ASSIGN(const auto frame, parser.Next(left));
  const auto& open = absl::get<OpenFrame>(*frame);
  EXPECT_EQ(open.channel, 77u);
  EXPECT_EQ(open.object_id, Id("id"));
  EXPECT_EQ(open.digest, digest);
  EXPECT_TRUE(open.want_manifest);
  EXPECT_EQ(open.eager_bytes, 4096u);
  EXPECT_EQ(open.reader_address, "h:1");
}

// A promise to nodes of other versions: this changes only with the version.
TEST(FrameParser, FramesHaveTheseBytes) {
  EXPECT_EQ(Encoded(RequestFrame{0x01020304, {5}}),
            std::string("\x04\x04\0\0\0\x04\x03\x02\x01\x05\0\0\0", 13));
  EXPECT_EQ(Encoded(PieceFrame{1, 2, 3}), std::string("\x05\x07\0\0\0\x01\0\0\0\x02\0\0\0", 13));
  EXPECT_EQ(Encoded(DiscardedFrame{1, false, ErrorKind::kBusy}),
            std::string("\x0a\x05\0\0\0\x01\0\0\0\x04", 10) + "busy");
}

TEST(FrameParser, APayloadIsLeftToTheCaller) {
  FrameParser parser(LinkSide::kDialled);
  const std::string bytes = Encoded(PieceFrame{1, 2, 3}) + "abc" + Encoded(CloseFrame{1});
  absl::string_view left = bytes;
  ASSERT_OK_AND_ASSIGN(auto frame, parser.Next(left));
  EXPECT_EQ(absl::get<PieceFrame>(*frame).bytes, 3u);
  EXPECT_EQ(left.substr(0, 3), "abc");
  left.remove_prefix(3);
  ASSERT_OK_AND_ASSIGN(frame, parser.Next(left));
  EXPECT_TRUE(absl::holds_alternative<CloseFrame>(*frame));
}

TEST(FrameParser, OnlyAManifestThatWasAskedForMayBeLong) {
  const std::string bytes = Encoded(OpenedFrame{1, std::string(2 << 20, 'm'), {}, {}});
  FrameParser unasked(LinkSide::kDialled);
  absl::string_view left = bytes;
  EXPECT_THAT(unasked.Next(left), HasKind(ErrorKind::kInvalidArgument));

  FrameParser asked(LinkSide::kDialled);
  asked.AwaitManifest(1);
  left = bytes;
  EXPECT_THAT(asked.Next(left), IsOk());
  left = bytes;
  EXPECT_THAT(asked.Next(left), HasKind(ErrorKind::kInvalidArgument)) << "once";
}

TEST(FrameParser, OnlyWhoDialledAsks) {
  for (const Frame& frame : Samples()) {
    if (absl::holds_alternative<CloseFrame>(frame)) continue;
    const LinkSide wrong =
        SideFor(frame) == LinkSide::kDialled ? LinkSide::kAccepted : LinkSide::kDialled;
    FrameParser parser(wrong);
    const std::string bytes = Encoded(frame);
    absl::string_view left = bytes;
    EXPECT_THAT(parser.Next(left), HasKind(ErrorKind::kInvalidArgument)) << frame.index();
  }
}

// The head of a frame on channel 1.
std::string Head(FrameType type, uint32_t length) {
  std::string head(1, static_cast<char>(type));
  for (int i = 0; i < 4; ++i) head.push_back(static_cast<char>(length >> (8 * i)));
  return head + std::string("\x01\0\0\0", 4);
}

std::string Framed(FrameType type, absl::string_view body) {
  return Head(type, static_cast<uint32_t>(body.size())) + std::string(body);
}

std::string Bytes(const char* bytes, size_t size) { return std::string(bytes, size); }

TEST(FrameParser, LengthsAreRefusedBeforeAnythingIsKept) {
  const struct {
    const char* what;
    std::string head;
  } kCases[] = {
      {"no type", Head(FrameType(0), 0)},
      {"an unknown type", Head(FrameType(11), 0)},
      {"a request beyond all bounds", Head(FrameType::kRequest, 0xffffffff)},
      {"a request that is too long", Head(FrameType::kRequest, kMaxBodyBytes + 1)},
      {"an OPENED beyond any manifest", Head(FrameType::kOpened, kMaxOpenedBytes + 1)},
      {"a CLOSE that says more", Head(FrameType::kClose, 1)},
      {"a DISCARD longer than any id", Head(FrameType::kDiscard, 257)},
      {"an OPEN longer than any", Head(FrameType::kOpen, 1024)},
      {"a piece that is too long",
       Head(FrameType::kPiece, static_cast<uint32_t>(4 + Manifest::kMaxPieceBytes + 1))},
      {"a piece without bytes", Head(FrameType::kPiece, 4)},
      {"a piece without a number", Head(FrameType::kPiece, 0)},
  };
  for (const auto& c : kCases) {
    for (LinkSide side : {LinkSide::kDialled, LinkSide::kAccepted}) {
      FrameParser parser(side);
      parser.AwaitManifest(1);
      absl::string_view left = c.head;
      EXPECT_FALSE(parser.Next(left).ok()) << c.what;
    }
  }
}

TEST(FrameParser, BodiesThatEncodeDoesNotMakeAreRefused) {
  const std::string open = Encoded(OpenFrame{1, Id("a"), {}, true, 0, ""}).substr(9);
  const auto opened = [](std::string body) { return Framed(FrameType::kOpened, body); };
  const struct {
    const char* what;
    LinkSide side;
    std::string bytes;
  } kCases[] = {
      {"an OPEN without anything", LinkSide::kAccepted, Framed(FrameType::kOpen, "")},
      {"unknown flags", LinkSide::kAccepted, Framed(FrameType::kOpen, "\x03" + open.substr(1))},
      {"an OPEN of no object", LinkSide::kAccepted,
       Framed(FrameType::kOpen, Bytes("\x01\0\0\0\0\0\0\0", 8))},
      {"an OPEN cut off", LinkSide::kAccepted,
       Framed(FrameType::kOpen, open.substr(0, open.size() - 1))},
      {"an OPEN with more behind it", LinkSide::kAccepted, Framed(FrameType::kOpen, open + "x")},
      {"a digest of no kind", LinkSide::kAccepted,
       Framed(FrameType::kOpen, Bytes("\x01\0\0\0\0\x01"
                                      "a\x02\x09\x09\0",
                                      11))},
      {"an address with a line break", LinkSide::kAccepted,
       Framed(FrameType::kOpen, Bytes("\x01\0\0\0\0\x01"
                                      "a\0\x03"
                                      "a\n1",
                                      12))},
      {"absurdly many held pieces", LinkSide::kDialled, opened(Bytes("\0\xff\xff\xff\xff", 5))},
      {"held pieces that are not there", LinkSide::kDialled, opened(Bytes("\0\0\x01\0\0", 5))},
      {"held pieces beyond the last", LinkSide::kDialled, opened(Bytes("\0\x01\0\0\0\x03", 6))},
      {"addresses that are not there", LinkSide::kDialled,
       opened("\xff\x01"
              "a")},
      {"an empty address", LinkSide::kDialled, opened(Bytes("\x01\0\0\0\0\0", 6))},
      {"no reason", LinkSide::kDialled, Framed(FrameType::kRefused, Bytes("\0\0\0\0\0\0", 6))},
      {"an unknown reason", LinkSide::kDialled,
       Framed(FrameType::kRefused, Bytes("\x06\0\0\0\0\0", 6))},
      {"half a number", LinkSide::kAccepted, Framed(FrameType::kRequest, "abcde")},
      {"a piece that cannot be", LinkSide::kAccepted,
       Framed(FrameType::kRequest, Bytes("\0\0\x04\0", 4))},
      {"a piece that cannot be held", LinkSide::kDialled,
       Framed(FrameType::kHave, "\xff\xff\xff\xff")},
      {"a piece that cannot be cancelled", LinkSide::kAccepted,
       Framed(FrameType::kCancel, "\xff\xff\xff\xff")},
      {"a piece that cannot come", LinkSide::kDialled,
       Framed(FrameType::kPiece, "\xff\xff\xff\xffpayload")},
      {"a CLOSE that says more", LinkSide::kDialled, Framed(FrameType::kClose, "x")},
      {"a DISCARD of nothing", LinkSide::kAccepted, Framed(FrameType::kDiscard, Bytes("\0", 1))},
      {"an unknown kind of error", LinkSide::kDialled,
       Framed(FrameType::kDiscarded,
              "\x03"
              "abc")},
  };
  for (const auto& c : kCases) {
    FrameParser parser(c.side);
    absl::string_view left = c.bytes;
    EXPECT_THAT(parser.Next(left), HasKind(ErrorKind::kInvalidArgument)) << c.what;
  }
}

TEST(FrameCodec, ListsOfAddressesAreCutToWhatAFrameHolds) {
  const std::vector<std::string> many(300, "a:1");
  const std::string bytes = Encoded(RefusedFrame{1, RefusalReason::kBusy, absl::Seconds(1), many});
  FrameParser parser(LinkSide::kDialled);
  absl::string_view left = bytes;
  ASSERT_OK_AND_ASSIGN(const auto frame, parser.Next(left));
  EXPECT_EQ(absl::get<RefusedFrame>(*frame).alternatives.size(), kMaxAlternatives);
}

}  // namespace
}  // namespace packice
