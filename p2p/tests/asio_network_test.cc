#include "asio_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <memory>
#include <string>

#include "frame_codec.h"
#include "packice/core/fd_blob.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/core/unique_fd.h"
#include "raw_link.h"
#include "scripted_node.h"

namespace packice {
namespace {

using ::testing::HasSubstr;
using PieceResult = TransferEvents::PieceResult;

constexpr uint64_t kPiece = Manifest::kMinPieceBytes;

std::string Content(size_t size) {
  std::string bytes(size, '\0');
  FakeRandom().Fill(absl::MakeSpan(reinterpret_cast<uint8_t*>(bytes.data()), size));
  return bytes;
}

std::string Encoded(const Frame& frame) {
  std::string bytes;
  EncodeFrame(frame, bytes);
  return bytes;
}

// An object and room for a copy of it.
struct Sample {
  explicit Sample(size_t size = 40 * kPiece + 17, HashKind hash = HashKind::kXxh3)
      : bytes(Content(size)), copy(size, '\0'), manifest(ManifestOf(bytes, kPiece, hash)) {}

  std::shared_ptr<WholeMemoryPieces> Source(int fd = -1) const {
    return std::make_shared<WholeMemoryPieces>(id, manifest, bytes, fd);
  }
  std::shared_ptr<PartialMemoryPieces> Target() {
    return std::make_shared<PartialMemoryPieces>(id, manifest,
                                                 absl::MakeSpan(&copy[0], copy.size()));
  }

  ObjectId id = *ObjectId::Parse("sample");
  std::string bytes;
  std::string copy;
  std::shared_ptr<const Manifest> manifest;
};

bool AwaitPieces(ScriptedNode& node, size_t count) {
  return node.Await([&](const auto& told) { return told.pieces.size() >= count; });
}

TEST(AsioNetwork, BytesArriveEqual) {
  for (HashKind hash : {HashKind::kXxh3, HashKind::kSha256}) {
    Sample sample(40 * kPiece + 17, hash);
    ScriptedNode holder;
    holder.Serve(sample.Source());
    ScriptedNode reader;
    const auto target = sample.Target();
    reader.Fetch(target);
    reader.Dial(holder.address());
    ASSERT_TRUE(AwaitPieces(reader, 41));
    for (const auto& piece : reader.told().pieces) {
      EXPECT_EQ(piece.channel, 1u);
      EXPECT_EQ(piece.result, PieceResult::kVerified) << piece.piece;
    }
    EXPECT_EQ(sample.copy == sample.bytes, true);
    EXPECT_TRUE(holder.Await([](const auto& told) { return told.sent.size() == 41; }));
    EXPECT_EQ(holder.told().accepted[0].second, reader.address()) << "the greeting tells";
  }
}

TEST(AsioNetwork, FilesAreSentAsTheyAre) {
  Sample sample;
  const UniqueFd file(memfd_create("sample", MFD_CLOEXEC));
  ASSERT_THAT(WriteAt(file.get(), 0, sample.bytes), IsOk());
  AsioNetworkOptions options;
  options.send_path = SendPath::kSendfile;
  ScriptedNode holder(options);
  // The bytes in memory are others: they must come from the file.
  const std::string zeros(sample.bytes.size(), '\0');
  holder.Serve(std::make_shared<WholeMemoryPieces>(sample.id, sample.manifest, zeros, file.get()));
  ScriptedNode reader;
  reader.Fetch(sample.Target());
  reader.Dial(holder.address());
  ASSERT_TRUE(AwaitPieces(reader, 41));
  EXPECT_EQ(sample.copy == sample.bytes, true);
}

TEST(AsioNetwork, WrongBytesAreToldAndNeverHeld) {
  Sample sample;
  std::string wrong = sample.bytes;
  wrong[5 * kPiece + 1] ^= 1;
  ScriptedNode holder;
  holder.Serve(std::make_shared<WholeMemoryPieces>(sample.id, sample.manifest, wrong));
  ScriptedNode reader;
  const auto target = sample.Target();
  reader.Fetch(target);
  reader.Dial(holder.address());
  ASSERT_TRUE(AwaitPieces(reader, 41));
  for (const auto& piece : reader.told().pieces) {
    EXPECT_EQ(piece.result, piece.piece == 5 ? PieceResult::kCorrupt : PieceResult::kVerified);
  }
  reader.Run([&] {
    EXPECT_FALSE(target->Held(5));
    EXPECT_EQ(target->pieces_held(), 40u);
  });
}

TEST(AsioNetwork, PiecesThatNobodyWantsAreThrownAway) {
  Sample sample;
  ScriptedNode holder;
  const auto source = sample.Source();
  holder.on_accepted = [&](LinkId link) {
    holder.network().SendPiece(link, 7, 0, source);
    holder.network().Send(link, CloseFrame{7});
  };
  ScriptedNode reader;
  reader.Dial(holder.address());
  ASSERT_TRUE(reader.Await([](const auto& told) { return !told.frames.empty(); }));
  const auto told = reader.told();
  ASSERT_EQ(told.pieces.size(), 1u) << "a channel ends after its pieces";
  EXPECT_EQ(told.pieces[0].channel, 7u);
  EXPECT_EQ(told.pieces[0].result, PieceResult::kUnwanted);
  EXPECT_TRUE(absl::holds_alternative<CloseFrame>(told.frames[0]));
}

TEST(AsioNetwork, NodesOfOtherClustersAndTokensAreRefused) {
  AsioNetworkOptions options;
  options.cluster = "a";
  options.token = "secret";
  ScriptedNode node(options);
  AsioNetworkOptions other = options;
  other.cluster = "b";
  ScriptedNode other_cluster(other);
  other_cluster.Dial(node.address());
  EXPECT_THAT(other_cluster.AwaitDown(), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(std::string(other_cluster.AwaitDown().message()), HasSubstr("cluster"));

  other = options;
  other.token = "guessed";
  ScriptedNode other_token(other);
  other_token.Dial(node.address());
  EXPECT_THAT(other_token.AwaitDown(), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(std::string(other_token.AwaitDown().message()), HasSubstr("token"));

  ScriptedNode friendly(options);
  friendly.Dial(node.address());
  EXPECT_TRUE(friendly.AwaitUp());
  EXPECT_TRUE(node.Await([](const auto& told) { return told.accepted.size() == 1; }));
  EXPECT_TRUE(node.told().down.empty()) << "who was refused was never known";
}

TEST(AsioNetwork, OtherVersionsAreToldSo) {
  ScriptedNode node;
  RawLink link(node.address());
  Hello hello = RawLink::DefaultHello();
  hello.min_version = hello.max_version = 7;
  Handshake handshake(LinkSide::kDialled, hello, "", RandomSource::System());
  link.Send(handshake.Begin());
  EXPECT_THAT(link.ReadToEnd(), HasSubstr("7 to 7"));
}

TEST(AsioNetwork, WhoDoesNotGreetIsCutOff) {
  FakeClock clock;
  AsioNetworkOptions options;
  options.clock = &clock;
  ScriptedNode node(options);
  RawLink link(node.address());
  while (node.network().links() == 0) node.Run([] {});
  node.Run([] {});  // until its time runs
  clock.Advance(absl::Seconds(6));
  node.Run([] {});
  EXPECT_EQ(link.ReadToEnd(), "");
  EXPECT_EQ(node.network().links(), 0u);
}

TEST(AsioNetwork, MoreLinksThanAllowedAreRefused) {
  AsioNetworkOptions options;
  options.max_links = 1;
  ScriptedNode node(options);
  ScriptedNode first;
  first.Dial(node.address());
  ASSERT_TRUE(first.AwaitUp());
  ScriptedNode second;
  second.Dial(node.address());
  EXPECT_THAT(second.AwaitDown(), HasKind(ErrorKind::kBusy));
}

TEST(AsioNetwork, ADialThatLeadsNowhereIsTold) {
  std::string nobody;
  {
    const RawListener listener;
    nobody = listener.address();
  }
  for (const std::string& address : {nobody, std::string("no address"), std::string(":1")}) {
    ScriptedNode node;
    node.Dial(address);
    EXPECT_FALSE(node.AwaitDown().ok()) << address;
    EXPECT_EQ(node.network().links(), 0u);
  }
}

TEST(AsioNetwork, NamesAreResolved) {
  ScriptedNode holder;
  ScriptedNode reader;
  const std::string port = holder.address().substr(holder.address().rfind(':'));
  reader.Dial("localhost" + port);
  EXPECT_TRUE(reader.AwaitUp());
}

TEST(AsioNetwork, FramesThatAreNoneEndTheLink) {
  const std::string open = Encoded(OpenFrame{1, *ObjectId::Parse("x"), {}, true, 0, ""});
  const struct {
    const char* what;
    std::string bytes;
  } kCases[] = {
      {"an unknown type", std::string("\x63\0\0\0\0\0\0\0\0", 9)},
      {"a frame beyond all bounds", std::string("\x04\xff\xff\xff\xff\0\0\0\0", 9)},
      {"a piece for who did not ask", Encoded(PieceFrame{1, 0, 100})},
      {"a cut-off body", std::string("\x01\x01\0\0\0\0\0\0\0\0", 10)},
      {"a body that is too long",
       std::string(1, '\x09') + std::string("\x02\0\0\0\0\0\0\0\0\0", 10)},
  };
  for (const auto& c : kCases) {
    ScriptedNode node;
    RawLink link(node.address());
    ASSERT_TRUE(link.Greet());
    link.Send(open + c.bytes);
    EXPECT_THAT(link.ReadToEnd(), "") << c.what;
    EXPECT_FALSE(node.AwaitDown().ok()) << c.what;
    EXPECT_EQ(node.told().frames.size(), 1u) << c.what << ": what came before counts";
  }
}

TEST(AsioNetwork, AReaderThatDoesNotReadIsCutOff) {
  FakeClock clock;
  AsioNetworkOptions options;
  options.clock = &clock;
  Sample sample(400 * kPiece);  // more than sockets hold
  ScriptedNode holder(options);
  holder.Serve(sample.Source());
  RawLink link(holder.address());
  ASSERT_TRUE(link.Greet());
  RequestFrame request{1, {}};
  for (uint32_t piece = 0; piece < 400; ++piece) request.pieces.push_back(piece);
  link.Send(Encoded(request));
  ASSERT_TRUE(holder.Await([](const auto& told) { return !told.sent.empty(); }));
  // Until the sockets are full, bytes go. After that none do, however often the clock is moved.
  while (holder.told().down.empty()) {
    holder.Run([] {});
    clock.Advance(absl::Seconds(31));
    holder.Run([] {});
  }
  EXPECT_THAT(std::string(holder.AwaitDown().message()), HasSubstr("takes no bytes"));
  EXPECT_LT(holder.told().sent.size(), 400u);
  EXPECT_EQ(holder.network().links(), 0u);
}

TEST(AsioNetwork, WhoStopsWithinAFrameIsCutOff) {
  FakeClock clock;
  AsioNetworkOptions options;
  options.clock = &clock;
  ScriptedNode node(options);
  RawLink idle(node.address());
  ASSERT_TRUE(idle.Greet());
  RawLink link(node.address());
  ASSERT_TRUE(link.Greet());
  const std::string frame = Encoded(RequestFrame{1, {1, 2, 3}});
  link.Send(frame + frame.substr(0, 10));
  ASSERT_TRUE(node.Await([](const auto& told) { return !told.frames.empty(); }));
  clock.Advance(absl::Seconds(31));
  node.Run([] {});
  EXPECT_THAT(std::string(node.AwaitDown().message()), HasSubstr("within a frame"));
  EXPECT_EQ(node.network().links(), 1u) << "who has nothing to say may stay";
}

TEST(AsioNetwork, ALinkThatIsLostInAPieceLeavesNoneOfIt) {
  Sample sample;
  RawListener listener;
  ScriptedNode reader;
  const auto target = sample.Target();
  reader.on_up = [&](LinkId link) { reader.network().ReceiveInto(link, 1, target); };
  reader.Dial(listener.address());
  RawLink link = listener.Accept();
  ASSERT_TRUE(link.Greet(LinkSide::kAccepted));
  const std::string head = Encoded(PieceFrame{1, 0, static_cast<uint32_t>(kPiece)});
  link.Send(head + sample.bytes.substr(0, kPiece) + head.substr(0, 9) +
            std::string("\x01\0\0\0", 4) + sample.bytes.substr(kPiece, kPiece / 2));
  ASSERT_TRUE(reader.Await([](const auto& told) { return told.begun.size() == 2; }));
  link.Close();
  EXPECT_THAT(reader.AwaitDown(), HasKind(ErrorKind::kUnavailable));
  EXPECT_EQ(reader.told().pieces.size(), 1u);
  reader.Run([&] {
    EXPECT_TRUE(target->Held(0));
    EXPECT_FALSE(target->Held(1));
    const auto again = target->Receive(1);
    EXPECT_EQ(again->Space(1).data(), &sample.copy[kPiece]) << "its place is free again";
  });
}

TEST(AsioNetwork, APieceOfAnotherLengthIsCorrupt) {
  Sample sample;
  RawListener listener;
  ScriptedNode reader;
  reader.on_up = [&](LinkId link) { reader.network().ReceiveInto(link, 1, sample.Target()); };
  reader.Dial(listener.address());
  RawLink link = listener.Accept();
  ASSERT_TRUE(link.Greet(LinkSide::kAccepted));
  link.Send(Encoded(PieceFrame{1, 0, 10}) + "0123456789");
  link.Send(Encoded(PieceFrame{1, 1000, 10}) + "0123456789");
  ASSERT_TRUE(AwaitPieces(reader, 2));
  for (const auto& piece : reader.told().pieces) EXPECT_EQ(piece.result, PieceResult::kCorrupt);
}

TEST(AsioNetwork, NothingIsHeardOfALinkAfterHangUp) {
  ScriptedNode holder;
  ScriptedNode reader;
  const LinkId link = reader.Dial(holder.address());
  ASSERT_TRUE(reader.AwaitUp());
  ASSERT_TRUE(holder.Await([](const auto& told) { return !told.accepted.empty(); }));
  reader.Run([&] {
    reader.network().Send(link, DiscardFrame{1, *ObjectId::Parse("x")});
    reader.network().HangUp(link);
  });
  EXPECT_THAT(holder.AwaitDown(), HasKind(ErrorKind::kUnavailable));
  EXPECT_EQ(holder.told().frames.size(), 1u) << "what was said before arrives";
  EXPECT_EQ(reader.network().links(), 0u);
  EXPECT_TRUE(reader.told().down.empty());
}

TEST(AsioNetwork, TheEngineIsWokenWhenItIsDue) {
  ScriptedNode node;
  node.Run([&] { node.next_tick_ = Clock::System().Now() + absl::Milliseconds(5); });
  EXPECT_TRUE(node.Await([](const auto& told) { return told.ticks == 1; }));
}

TEST(AsioNetwork, WhatCannotBeListenedAtIsTold) {
  ScriptedNode node;
  AsioNetwork second((AsioNetworkOptions()));
  EXPECT_THAT(second.Start(node.address()), HasKind(ErrorKind::kBusy));
  EXPECT_THAT(AsioNetwork(AsioNetworkOptions()).Start("nowhere"),
              HasKind(ErrorKind::kInvalidArgument));
  AsioNetworkOptions options;
  options.tls.certificate = "/no/such/file";
  EXPECT_THAT(AsioNetwork(options).Start("127.0.0.1:0"), HasKind(ErrorKind::kInvalidArgument));
  options.tls.key = options.tls.authority = options.tls.certificate;
  EXPECT_THAT(AsioNetwork(options).Start("127.0.0.1:0"), HasKind(ErrorKind::kNotFound));
}

TEST(AsioNetwork, NothingRunsAfterStop) {
  ScriptedNode node;
  node.network().Stop();
  node.network().Post([] { FAIL() << "it ran"; });
  node.network().Stop();
}

}  // namespace
}  // namespace packice
