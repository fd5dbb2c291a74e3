#include "frame_codec.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "wire_reader.h"
#include "wire_writer.h"

namespace packice {
namespace {

constexpr uint8_t kWantManifest = 1;  // of an OPEN's flags

absl::Status Invalid(absl::string_view why) {
  return MakeError(ErrorKind::kInvalidArgument, absl::StrCat("not a frame: ", why));
}

// --- to bytes ---

void WriteAddresses(const std::vector<std::string>& addresses, WireWriter& out) {
  const size_t count = std::min(addresses.size(), kMaxAlternatives);
  out.U8(static_cast<uint8_t>(count));
  for (size_t i = 0; i < count; ++i) out.Bytes8(addresses[i]);
}

void WriteBits(const std::vector<bool>& bits, WireWriter& out) {
  out.U32(static_cast<uint32_t>(bits.size()));
  for (size_t at = 0; at < bits.size(); at += 8) {
    uint8_t byte = 0;
    for (size_t i = at; i < std::min(at + 8, bits.size()); ++i) {
      if (bits[i]) byte = static_cast<uint8_t>(byte | (1 << (i - at)));
    }
    out.U8(byte);
  }
}

void WritePieces(const std::vector<uint32_t>& pieces, WireWriter& out) {
  for (uint32_t piece : pieces) out.U32(piece);
}

void WriteBody(const OpenFrame& frame, WireWriter& out) {
  out.U8(frame.want_manifest ? kWantManifest : 0);
  out.U32(frame.eager_bytes);
  out.Bytes8(frame.object_id.bytes());
  out.Bytes8(frame.digest.Encode());
  out.Bytes8(frame.reader_address);
}
void WriteBody(const OpenedFrame& frame, WireWriter& out) {
  WriteAddresses(frame.alternatives, out);
  WriteBits(frame.held, out);
  out.Bytes(frame.manifest);
}
void WriteBody(const RefusedFrame& frame, WireWriter& out) {
  const int64_t wait = absl::ToInt64Milliseconds(frame.retry_after);
  out.U8(static_cast<uint8_t>(frame.reason));
  out.U32(
      static_cast<uint32_t>(std::clamp<int64_t>(wait, 0, std::numeric_limits<uint32_t>::max())));
  WriteAddresses(frame.alternatives, out);
}
void WriteBody(const RequestFrame& frame, WireWriter& out) { WritePieces(frame.pieces, out); }
void WriteBody(const PieceFrame& frame, WireWriter& out) { out.U32(frame.piece); }
void WriteBody(const HaveFrame& frame, WireWriter& out) { WritePieces(frame.pieces, out); }
void WriteBody(const CancelFrame& frame, WireWriter& out) { WritePieces(frame.pieces, out); }
void WriteBody(const CloseFrame&, WireWriter&) {}
void WriteBody(const DiscardFrame& frame, WireWriter& out) { out.Bytes8(frame.object_id.bytes()); }
void WriteBody(const DiscardedFrame& frame, WireWriter& out) {
  // By name: the numbers of the enum are nobody else's.
  out.Bytes8(frame.ok ? absl::string_view() : InfoOf(frame.kind).name);
}

uint32_t PayloadBytes(const Frame& frame) {
  const auto* piece = absl::get_if<PieceFrame>(&frame);
  return piece == nullptr ? 0 : piece->bytes;
}

// --- and back ---

bool ReadAddresses(WireReader& in, std::vector<std::string>& addresses) {
  const size_t count = in.U8();
  for (size_t i = 0; i < count && in.ok(); ++i) {
    const absl::string_view address = in.Bytes8();
    if (!IsPlainAddress(address)) return false;
    addresses.emplace_back(address);
  }
  return in.ok();
}

bool ReadBits(WireReader& in, std::vector<bool>& bits) {
  const uint32_t count = in.U32();
  if (count > Manifest::kMaxPieces) return false;
  const absl::string_view bytes = in.Bytes((count + 7) / 8);
  if (!in.ok()) return false;
  if (count % 8 != 0 && (static_cast<uint8_t>(bytes.back()) >> (count % 8)) != 0) return false;
  bits.resize(count);
  for (uint32_t i = 0; i < count; ++i) bits[i] = ((bytes[i / 8] >> (i % 8)) & 1) != 0;
  return true;
}

bool ReadPieces(WireReader& in, std::vector<uint32_t>& pieces) {
  if (in.left() % 4 != 0) return false;
  pieces.reserve(in.left() / 4);
  while (in.left() > 0) {
    pieces.push_back(in.U32());
    if (pieces.back() >= Manifest::kMaxPieces) return false;
  }
  return true;
}

bool ReadId(WireReader& in, ObjectId& id) {
  absl::StatusOr<ObjectId> parsed = ObjectId::Parse(in.Bytes8());
  if (!parsed.ok()) return false;
  id = *std::move(parsed);
  return true;
}

bool ReadBody(WireReader& in, OpenFrame& frame) {
  const uint8_t flags = in.U8();
  if ((flags & ~kWantManifest) != 0) return false;
  frame.want_manifest = (flags & kWantManifest) != 0;
  frame.eager_bytes = in.U32();
  if (!ReadId(in, frame.object_id)) return false;
  const auto digest = ContentDigest::Decode(in.Bytes8());
  if (!digest.ok()) return false;
  frame.digest = *digest;
  frame.reader_address = std::string(in.Bytes8());
  return frame.reader_address.empty() || IsPlainAddress(frame.reader_address);
}
bool ReadBody(WireReader& in, OpenedFrame& frame) {
  if (!ReadAddresses(in, frame.alternatives) || !ReadBits(in, frame.held)) return false;
  frame.manifest = std::string(in.Bytes(in.left()));
  return true;
}
bool ReadBody(WireReader& in, RefusedFrame& frame) {
  const uint8_t reason = in.U8();
  if (reason < static_cast<uint8_t>(RefusalReason::kNotHeld) ||
      reason > static_cast<uint8_t>(RefusalReason::kFailing)) {
    return false;
  }
  frame.reason = static_cast<RefusalReason>(reason);
  frame.retry_after = absl::Milliseconds(in.U32());
  return ReadAddresses(in, frame.alternatives);
}
bool ReadBody(WireReader& in, RequestFrame& frame) { return ReadPieces(in, frame.pieces); }
bool ReadBody(WireReader& in, PieceFrame& frame) {
  frame.piece = in.U32();
  return frame.piece < Manifest::kMaxPieces;
}
bool ReadBody(WireReader& in, HaveFrame& frame) { return ReadPieces(in, frame.pieces); }
bool ReadBody(WireReader& in, CancelFrame& frame) { return ReadPieces(in, frame.pieces); }
bool ReadBody(WireReader&, CloseFrame&) { return true; }
bool ReadBody(WireReader& in, DiscardFrame& frame) { return ReadId(in, frame.object_id); }
bool ReadBody(WireReader& in, DiscardedFrame& frame) {
  const absl::string_view name = in.Bytes8();
  frame.ok = name.empty();
  if (frame.ok) return in.ok();
  const absl::optional<ErrorKind> kind = ErrorKindFromName(name);
  if (kind.has_value()) frame.kind = *kind;
  return kind.has_value();
}

template <typename Kind>
absl::StatusOr<Frame> Read(const FrameHeader& header, absl::string_view body) {
  Kind frame;
  frame.channel = header.channel;
  WireReader in(body);
  if (ReadBody(in, frame) && in.done()) return Frame(std::move(frame));
  return Invalid(
      absl::StrCat("the body of one of type ", static_cast<int>(header.type), " is malformed"));
}

uint32_t MinLength(FrameType type) { return type == FrameType::kPiece ? kPieceNumberBytes + 1 : 0; }

uint32_t MaxLength(FrameType type) {
  constexpr uint32_t kTextBytes = 1 + kMaxAddressBytes;  // with its length
  static_assert(ObjectId::kMaxBytes <= kMaxAddressBytes);
  switch (type) {
    case FrameType::kOpen:
      return 5 + 2 * kTextBytes + 2 + ContentDigest::kMaxBytes;
    case FrameType::kOpened:
      return kMaxOpenedBytes;
    case FrameType::kRefused:
      return 6 + kMaxAlternatives * kTextBytes;
    case FrameType::kPiece:
      return kPieceNumberBytes + Manifest::kMaxPieceBytes;
    case FrameType::kRequest:
    case FrameType::kHave:
    case FrameType::kCancel:
      return kMaxBodyBytes;
    case FrameType::kClose:
      return 0;
    case FrameType::kDiscard:
    case FrameType::kDiscarded:
      return kTextBytes;
  }
  return 0;
}

}  // namespace

void EncodeFrame(const Frame& frame, std::string& out) {
  const size_t start = out.size();
  WireWriter writer(out);
  // The alternatives of the variant are in the order of the types.
  writer.U8(static_cast<uint8_t>(frame.index() + 1));
  writer.U32(0);  // known below
  absl::visit(
      [&](const auto& body) {
        writer.U32(body.channel);
        WriteBody(body, writer);
      },
      frame);
  const size_t length = out.size() - start - FrameHeader::kBytes + PayloadBytes(frame);
  for (size_t i = 0; i < 4; ++i) out[start + 1 + i] = static_cast<char>(length >> (8 * i));
}

absl::StatusOr<FrameHeader> DecodeFrameHeader(absl::string_view bytes) {
  WireReader in(bytes);
  FrameHeader header;
  header.type = static_cast<FrameType>(in.U8());
  header.length = in.U32();
  header.channel = in.U32();
  if (header.type < FrameType::kOpen || header.type > FrameType::kDiscarded) {
    return MakeError(ErrorKind::kUnsupported, absl::StrCat("this node knows no frames of type ",
                                                           static_cast<int>(header.type)));
  }
  if (header.length < MinLength(header.type) || header.length > MaxLength(header.type)) {
    return Invalid(absl::StrCat("one of type ", static_cast<int>(header.type), " has not ",
                                header.length, " bytes"));
  }
  return header;
}

absl::StatusOr<Frame> DecodeFrameBody(const FrameHeader& header, absl::string_view body) {
  switch (header.type) {
    case FrameType::kOpen:
      return Read<OpenFrame>(header, body);
    case FrameType::kOpened:
      return Read<OpenedFrame>(header, body);
    case FrameType::kRefused:
      return Read<RefusedFrame>(header, body);
    case FrameType::kRequest:
      return Read<RequestFrame>(header, body);
    case FrameType::kPiece: {
      absl::StatusOr<Frame> frame = Read<PieceFrame>(header, body);
      if (frame.ok()) {
        absl::get<PieceFrame>(*frame).bytes =
            header.length - static_cast<uint32_t>(kPieceNumberBytes);
      }
      return frame;
    }
    case FrameType::kHave:
      return Read<HaveFrame>(header, body);
    case FrameType::kCancel:
      return Read<CancelFrame>(header, body);
    case FrameType::kClose:
      return Read<CloseFrame>(header, body);
    case FrameType::kDiscard:
      return Read<DiscardFrame>(header, body);
    case FrameType::kDiscarded:
      return Read<DiscardedFrame>(header, body);
  }
  return Invalid("its type is unknown");
}

bool IsPlainAddress(absl::string_view address) {
  return !address.empty() && address.size() <= kMaxAddressBytes &&
         std::all_of(address.begin(), address.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace packice
