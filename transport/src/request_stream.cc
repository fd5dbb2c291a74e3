#include "request_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

constexpr size_t kReadBytes = 16 * 1024;
// From clients that put. Others would only have larger buffers.
constexpr size_t kReadPayload = 64 * 1024;
// In a line that is too long to be read it says that bytes may follow.
constexpr absl::string_view kPayloadKey = "\"payload\"";

// Hands the bytes behind a line to the puts that they are for.
void Attach(Request& request, absl::string_view bytes) {
  if (auto* put = absl::get_if<PutMessage>(&request.body)) {
    put->put.bytes = bytes;
    return;
  }
  auto* batch = absl::get_if<std::unique_ptr<BatchRequest>>(&request.body);
  if (batch == nullptr) return;
  BatchRequest& all = **batch;
  for (size_t i = 0; i < all.payloads.size(); ++i) {
    if (all.requests[i].ok()) Attach(*all.requests[i], bytes.substr(0, all.payloads[i]));
    bytes.remove_prefix(all.payloads[i]);
  }
}

}  // namespace

absl::Span<char> RequestStream::Room() {
  // All that is missing at once, so that what is here of a payload is moved but once.
  const size_t missing =
      waiting_ ? static_cast<size_t>(*waiting_->payload) - lines_.unfinished() : 0;
  return lines_.Room(std::max(missing, had_payload_ ? kReadPayload : kReadBytes));
}

absl::optional<DecodedRequest> RequestStream::Next(absl::Span<const std::string> more_ops) {
  while (!lost_) {
    if (dropping_ > 0) {
      dropping_ -= lines_.Drop(dropping_);
      if (dropping_ > 0) return absl::nullopt;
    }
    if (!waiting_) {
      const absl::optional<absl::string_view> line = lines_.NextLine();
      if (!line) return Unfinished();
      if (std::exchange(skipping_, false)) {  // the end of one that was too long
        lost_ |= absl::StrContains(*line, kPayloadKey);
        continue;
      }
      if (line->size() > kMaxRequestBytes) return TooLong(*line);
      if (line->empty()) continue;
      DecodedRequest decoded = DecodeRequest(*line, more_ops);
      lost_ = !decoded.payload.has_value();
      if (!decoded.request.ok()) {
        dropping_ = decoded.payload.value_or(0);
        return decoded;
      }
      if (decoded.payload == uint64_t{0}) return decoded;
      had_payload_ = true;
      waiting_ = std::move(decoded);
    }
    const absl::optional<absl::string_view> bytes =
        lines_.NextBytes(static_cast<size_t>(*waiting_->payload));
    if (!bytes) return absl::nullopt;
    Attach(*waiting_->request, *bytes);
    return std::exchange(waiting_, absl::nullopt);
  }
  return absl::nullopt;
}

absl::optional<DecodedRequest> RequestStream::Unfinished() {
  absl::optional<DecodedRequest> refused;
  if (lines_.unfinished() > kMaxRequestBytes && !std::exchange(skipping_, true)) {
    refused = TooLong(lines_.unfinished_text());
  }
  if (skipping_) {
    lost_ |= absl::StrContains(lines_.unfinished_text(), kPayloadKey);
    // But for what may be the beginning of the key.
    const size_t kept = std::min(lines_.unfinished(), kPayloadKey.size() - 1);
    lines_.Drop(lines_.unfinished() - kept);
  }
  return refused;
}

DecodedRequest RequestStream::TooLong(absl::string_view line) {
  // A put, perhaps, or a batch with puts, whose bytes follow.
  lost_ = absl::StrContains(line, kPayloadKey);
  return DecodedRequest{
      "",
      MakeError(ErrorKind::kInvalidArgument,
                absl::StrCat("a request line has at most ", kMaxRequestBytes, " bytes")),
      lost_ ? absl::optional<uint64_t>() : 0};
}

}  // namespace packice
