#include "frame_parser.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// A buffer that grew beyond this is given back after its frame.
constexpr size_t kKeep = 512;

bool ReaderSends(FrameType type) {
  switch (type) {
    case FrameType::kOpen:
    case FrameType::kRequest:
    case FrameType::kCancel:
    case FrameType::kDiscard:
      return true;
    default:
      return false;
  }
}

// Moves bytes from `from` until `to` has `size`; false: there are too few.
bool Fill(std::string& to, size_t size, absl::string_view& from) {
  const size_t n = std::min(size - to.size(), from.size());
  to.append(from.data(), n);
  from.remove_prefix(n);
  return to.size() == size;
}

}  // namespace

absl::Status FrameParser::ReadHeader(absl::string_view bytes) {
  absl::StatusOr<FrameHeader> header = DecodeFrameHeader(bytes);
  if (!header.ok()) return header.status();
  const FrameType type = header->type;
  if (type != FrameType::kClose && ReaderSends(type) != (side_ == LinkSide::kAccepted)) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("a frame of type ", static_cast<int>(type),
                                  " from the wrong end of the link"));
  }
  if (header->length > kMaxBodyBytes && type == FrameType::kOpened &&
      !awaited_.contains(header->channel)) {
    return MakeError(ErrorKind::kInvalidArgument, "a manifest that nobody asked for");
  }
  header_ = *header;
  body_bytes_ = type == FrameType::kPiece ? kPieceNumberBytes : header->length;
  return absl::OkStatus();
}

absl::StatusOr<absl::optional<Frame>> FrameParser::Next(absl::string_view& bytes) {
  if (!header_) {
    if (!Fill(partial_, FrameHeader::kBytes, bytes)) return absl::optional<Frame>();
    if (absl::Status status = ReadHeader(partial_); !status.ok()) return status;
    partial_.clear();
  }
  absl::string_view body;
  if (partial_.empty() && bytes.size() >= body_bytes_) {
    body = bytes.substr(0, body_bytes_);  // all there: no need to keep it
    bytes.remove_prefix(body_bytes_);
  } else {
    if (!Fill(partial_, body_bytes_, bytes)) return absl::optional<Frame>();
    body = partial_;
  }
  absl::StatusOr<Frame> frame = DecodeFrameBody(*header_, body);
  if (header_->type == FrameType::kOpened || header_->type == FrameType::kRefused) {
    awaited_.erase(header_->channel);
  }
  header_.reset();
  partial_.clear();
  if (partial_.capacity() > kKeep) partial_ = std::string();
  if (!frame.ok()) return frame.status();
  return absl::optional<Frame>(*std::move(frame));
}

}  // namespace packice
