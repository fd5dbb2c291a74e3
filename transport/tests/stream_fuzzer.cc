// Any bytes may come over a socket, in pieces of any size: a stream of requests reads the same in
// whatever pieces it comes, and never takes the bytes behind a put for requests.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "packice/transport/codec.h"
#include "request_stream.h"

namespace packice {
namespace {

void Check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// All that can be told of a request, the bytes of its puts among it.
void Tell(const absl::StatusOr<Request>& request, std::string& out) {
  if (!request.ok()) {
    out.append("invalid\n");
    return;
  }
  EncodeRequest(*request, out);
  if (const auto* put = absl::get_if<PutMessage>(&request->body)) {
    Check(put->staged.has_value() || put->put.bytes.size() == put->payload, "a put has its bytes");
    out.append(put->put.bytes.data(), put->put.bytes.size());
  }
  const auto* batch = absl::get_if<std::unique_ptr<BatchRequest>>(&request->body);
  if (batch == nullptr) return;
  for (const auto& part : (*batch)->requests) Tell(part, out);
}

// `pieces` says how long the pieces are, over and over; empty: one piece.
std::string Read(absl::string_view bytes, absl::string_view pieces) {
  RequestStream stream;
  std::string told;
  for (size_t i = 0; !bytes.empty(); ++i) {
    size_t piece = bytes.size();
    if (!pieces.empty()) {
      piece = std::min<size_t>(piece, 1 + static_cast<uint8_t>(pieces[i % pieces.size()]));
    }
    const absl::Span<char> room = stream.Room();
    piece = std::min(piece, room.size());
    std::memcpy(room.data(), bytes.data(), piece);
    stream.Filled(piece);
    bytes.remove_prefix(piece);
    while (auto decoded = stream.Next({})) Tell(decoded->request, told);
    if (stream.lost()) return told + "lost";
  }
  return told;
}

}  // namespace
}  // namespace packice

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  // The first line is how long the pieces are, the rest the stream.
  const size_t newline = std::min(input.find('\n'), input.size());
  const absl::string_view pieces = input.substr(0, newline);
  const absl::string_view bytes = input.substr(std::min(newline + 1, input.size()));
  const std::string whole = packice::Read(bytes, "");
  packice::Check(packice::Read(bytes, pieces) == whole, "pieces read as the whole");

  // Whatever the bytes of a put are, the request behind them is found.
  const std::string put =
      absl::StrCat("{\"op\":\"put\",\"object_id\":\"a\",\"payload\":", bytes.size(), "}\n", bytes,
                   "{\"op\":\"stats\"}\n");
  const std::string told = packice::Read(put, pieces);
  const absl::string_view stats = "{\"op\":\"stats\"}\n";
  packice::Check(bytes.size() > packice::PutMessage::kMaxPayload || told == put,
                 "a put is read as it was written");
  packice::Check(told.size() >= stats.size() &&
                     absl::string_view(told).substr(told.size() - stats.size()) == stats,
                 "the framing holds");
  return 0;
}
