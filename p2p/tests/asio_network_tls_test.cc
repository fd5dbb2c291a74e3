#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <fstream>
#include <string>

#include "asio_network.h"
#include "certificates.h"
#include "packice/core/fd_blob.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/core/unique_fd.h"
#include "scripted_node.h"

namespace packice {
namespace {

AsioNetworkOptions With(TlsFiles tls) {
  AsioNetworkOptions options;
  options.tls = std::move(tls);
  return options;
}

TEST(AsioNetworkTls, BytesArriveEqual) {
  Certificates fleet;
  std::string bytes(3'000'017, '\0');
  FakeRandom().Fill(absl::MakeSpan(reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()));
  std::string copy(bytes.size(), '\0');
  const auto manifest = ManifestOf(bytes, Manifest::kMinPieceBytes);
  const ObjectId id = *ObjectId::Parse("x");
  AsioNetworkOptions options = With(fleet.Issue());
  // The kernel cannot encrypt for us, so files are read all the same.
  options.send_path = SendPath::kSendfile;
  const UniqueFd file(memfd_create("bytes", MFD_CLOEXEC));
  ASSERT_THAT(WriteAt(file.get(), 0, bytes), IsOk());
  ScriptedNode holder(options);
  holder.Serve(std::make_shared<WholeMemoryPieces>(id, manifest, bytes, file.get()));
  ScriptedNode reader(With(fleet.Issue()));
  reader.Fetch(
      std::make_shared<PartialMemoryPieces>(id, manifest, absl::MakeSpan(&copy[0], copy.size())));
  reader.Dial(holder.address());
  ASSERT_TRUE(
      reader.Await([&](const auto& told) { return told.pieces.size() == manifest->pieces(); }));
  EXPECT_TRUE(copy == bytes);
}

// Frames that overtake pieces, while the socket is full: no byte may change its place.
TEST(AsioNetworkTls, FramesBetweenPiecesDisturbNone) {
  Certificates fleet;
  std::string bytes(8 << 20, 'b');
  std::string copy(bytes.size(), '\0');
  const auto manifest = ManifestOf(bytes, Manifest::kMinPieceBytes);
  const ObjectId id = *ObjectId::Parse("x");
  ScriptedNode holder(With(fleet.Issue()));
  const auto source = std::make_shared<WholeMemoryPieces>(id, manifest, bytes);
  holder.on_frame = [&](LinkId link, const Frame& frame) {
    if (absl::holds_alternative<OpenFrame>(frame)) {
      holder.network().Send(link, OpenedFrame{1, manifest->Encode(), {}, {}});
    }
    if (const auto* request = absl::get_if<RequestFrame>(&frame)) {
      for (uint32_t piece : request->pieces) {
        holder.network().SendPiece(link, 1, piece, source);
        holder.network().Post([&, link, piece] {
          holder.network().Send(link, HaveFrame{1, {piece}});
        });
      }
    }
  };
  ScriptedNode reader(With(fleet.Issue()));
  reader.Fetch(
      std::make_shared<PartialMemoryPieces>(id, manifest, absl::MakeSpan(&copy[0], copy.size())));
  reader.Dial(holder.address());
  ASSERT_TRUE(reader.Await([&](const auto& told) {
    return told.pieces.size() == manifest->pieces() && told.frames.size() == 129;
  }));
  EXPECT_TRUE(copy == bytes);
}

TEST(AsioNetworkTls, StrangersAreRefused) {
  Certificates fleet;
  Certificates others;
  ScriptedNode node(With(fleet.Issue()));

  ScriptedNode stranger(With(others.Issue()));
  stranger.Dial(node.address());
  EXPECT_FALSE(stranger.AwaitDown().ok());

  // Trusts the fleet, but the fleet does not trust it.
  TlsFiles half = others.Issue();
  half.authority = fleet.directory() + "/authority.pem";
  ScriptedNode intruder(With(half));
  intruder.Dial(node.address());
  EXPECT_FALSE(intruder.AwaitDown().ok());

  ScriptedNode plain;
  plain.Dial(node.address());
  EXPECT_FALSE(plain.AwaitDown().ok());

  ScriptedNode member(With(fleet.Issue()));
  member.Dial(node.address());
  EXPECT_TRUE(member.AwaitUp());
  EXPECT_TRUE(node.Await([](const auto& told) { return told.accepted.size() == 1; }));
  EXPECT_TRUE(stranger.told().up.empty());
  EXPECT_TRUE(intruder.told().up.empty());
  EXPECT_TRUE(plain.told().up.empty());
}

TEST(AsioNetworkTls, ATokenIsWantedAllTheSame) {
  Certificates fleet;
  AsioNetworkOptions options = With(fleet.Issue());
  options.token = "secret";
  ScriptedNode node(options);
  ScriptedNode forgetful(With(fleet.Issue()));
  forgetful.Dial(node.address());
  EXPECT_THAT(forgetful.AwaitDown(), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_THAT(std::string(forgetful.AwaitDown().message()), ::testing::HasSubstr("token"));
}

TEST(AsioNetworkTls, FilesThatDoNotFitAreToldByName) {
  Certificates fleet;
  TlsFiles mixed = fleet.Issue();
  mixed.key = fleet.Issue().key;
  EXPECT_THAT(AsioNetwork(With(mixed)).Start("127.0.0.1:0"), HasKind(ErrorKind::kInvalidArgument));
  const std::string empty = fleet.directory() + "/empty";
  std::ofstream(empty) << "nothing";
  for (std::string TlsFiles::*file :
       {&TlsFiles::certificate, &TlsFiles::key, &TlsFiles::authority}) {
    TlsFiles files = fleet.Issue();
    files.*file = empty;
    const auto started = AsioNetwork(With(files)).Start("127.0.0.1:0");
    EXPECT_THAT(started, HasKind(ErrorKind::kInvalidArgument));
    EXPECT_THAT(std::string(started.status().message()), ::testing::HasSubstr(empty));
  }
}

}  // namespace
}  // namespace packice
