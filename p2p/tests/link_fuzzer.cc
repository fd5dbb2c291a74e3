// Any bytes may come over a link: as a greeting, and as frames behind one.
//
// Checks besides the sanitizers': the parser gives the same frames however the bytes are cut, and
// what it took apart is put together to the same bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "frame_codec.h"
#include "frame_parser.h"
#include "handshake.h"
#include "packice/core/random.h"
#include "packice/p2p/manifest.h"

namespace packice {
namespace {

void Check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// The same in every run, so that a finding can be found again.
class ZeroRandom final : public RandomSource {
 public:
  void Fill(absl::Span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = 0;
  }
};

// The frames of a stream as bytes again, one after another; payloads are left out.
std::string Parse(absl::string_view bytes, LinkSide side, size_t step, bool& ok) {
  FrameParser parser(side);
  parser.AwaitManifest(1);
  std::string all;
  uint64_t payload = 0;
  while (!bytes.empty()) {
    absl::string_view part = bytes.substr(0, step);
    bytes.remove_prefix(part.size());
    while (!part.empty()) {
      if (payload > 0) {
        const size_t n = std::min<uint64_t>(payload, part.size());
        part.remove_prefix(n);
        payload -= n;
        continue;
      }
      const absl::StatusOr<absl::optional<Frame>> frame = parser.Next(part);
      ok = frame.ok();
      if (!ok) return all;
      if (!frame->has_value()) {
        Check(part.empty(), "all bytes are taken where there is no frame");
        break;
      }
      if (const auto* piece = absl::get_if<PieceFrame>(&**frame)) payload = piece->bytes;
      EncodeFrame(**frame, all);
    }
  }
  return all;
}

void FuzzFrames(absl::string_view bytes) {
  for (LinkSide side : {LinkSide::kDialled, LinkSide::kAccepted}) {
    bool whole_ok = true;
    bool cut_ok = true;
    const std::string whole = Parse(bytes, side, bytes.size() + 1, whole_ok);
    Check(whole == Parse(bytes, side, 1, cut_ok) && whole_ok == cut_ok,
          "it does not matter how bytes are cut");
    FrameParser parser(side);
    parser.AwaitManifest(1);
    absl::string_view left = bytes;
    const auto first = parser.Next(left);
    if (!first.ok() || !first->has_value()) continue;
    std::string again;
    EncodeFrame(**first, again);
    Check(again == bytes.substr(0, again.size()), "a frame has one form");
  }
}

void FuzzGreeting(absl::string_view bytes) {
  ZeroRandom random;
  for (LinkSide side : {LinkSide::kDialled, LinkSide::kAccepted}) {
    Hello hello;
    hello.cluster = "packice";
    Handshake whole(side, hello, "", random);
    std::string answer;
    absl::string_view left = bytes;
    const absl::StatusOr<bool> done = whole.Take(left, answer);
    Check(answer.size() <= 3 * Handshake::kMaxMessageBytes, "an answer is short");
    Handshake cut(side, hello, "", random);
    std::string cut_answer;
    absl::StatusOr<bool> cut_done = false;
    for (size_t at = 0; at < bytes.size() && cut_done.ok() && !*cut_done; ++at) {
      absl::string_view byte = bytes.substr(at, 1);
      cut_done = cut.Take(byte, cut_answer);
    }
    Check(done.ok() == cut_done.ok() && answer == cut_answer,
          "it does not matter how a greeting is cut");
  }
}

void FuzzManifest(absl::string_view bytes) {
  const absl::StatusOr<Manifest> manifest = Manifest::Decode(bytes);
  if (manifest.ok()) Check(manifest->Encode() == bytes, "a manifest has one form");
}

}  // namespace
}  // namespace packice

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  packice::FuzzFrames(bytes);
  packice::FuzzGreeting(bytes);
  packice::FuzzManifest(bytes);
  return 0;
}
