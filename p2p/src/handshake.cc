#include "handshake.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "wire_reader.h"
#include "wire_writer.h"

namespace packice {
namespace {

constexpr absl::string_view kMagic = "pkce";
constexpr size_t kHeadBytes = 7;  // magic, kind, length of the body
constexpr size_t kProofBytes = 32;
constexpr size_t kMaxReasonBytes = 400;

enum class Kind : uint8_t { kHello = 1, kProof = 2, kRefusal = 3 };

std::string Message(Kind kind, absl::string_view body) {
  std::string message;
  WireWriter out(message);
  out.Bytes(kMagic);
  out.U8(static_cast<uint8_t>(kind));
  out.Bytes16(body);
  return message;
}

std::string EncodeHello(const Hello& hello) {
  std::string body;
  WireWriter out(body);
  out.U16(hello.min_version);
  out.U16(hello.max_version);
  out.U64(hello.epoch);
  out.U64(hello.capabilities);
  out.Bytes(hello.nonce);
  out.Bytes8(hello.cluster);
  out.Bytes8(hello.address);
  return Message(Kind::kHello, body);
}

Hello WithNonce(Hello hello, RandomSource& random) {
  uint8_t nonce[Hello::kNonceBytes];
  random.Fill(absl::MakeSpan(nonce));
  hello.nonce.assign(reinterpret_cast<const char*>(nonce), sizeof(nonce));
  return hello;
}

absl::Status Stranger(absl::string_view why) {
  return MakeError(ErrorKind::kInvalidArgument,
                   absl::StrCat("the other end does not greet as a node of Packice does: ", why));
}

// For messages: what came from outside may hold anything.
std::string Quoted(absl::string_view text) { return absl::StrCat("\"", absl::CEscape(text), "\""); }

std::string Refusal(const absl::Status& why) {
  std::string body;
  WireWriter out(body);
  out.Bytes8(InfoOf(KindOf(why)).name);
  out.Bytes16(why.message().substr(0, kMaxReasonBytes));
  return Message(Kind::kRefusal, body);
}

absl::Status ReadRefusal(absl::string_view body) {
  WireReader in(body);
  const absl::optional<ErrorKind> kind = ErrorKindFromName(in.Bytes8());
  const absl::string_view reason = in.Bytes16();
  return MakeError(kind.value_or(ErrorKind::kUnavailable),
                   absl::StrCat("the other node refuses the link: ", absl::CEscape(reason)));
}

}  // namespace

Handshake::Handshake(LinkSide side, Hello self, std::string token, RandomSource& random)
    : side_(side), token_(std::move(token)), self_(WithNonce(std::move(self), random)) {}

std::string Handshake::Begin() const {
  return side_ == LinkSide::kDialled ? EncodeHello(self_) : std::string();
}

absl::StatusOr<bool> Handshake::Take(absl::string_view& bytes, std::string& answer) {
  while (true) {
    // Byte counts up to the end of the head, then of the message.
    size_t whole = kHeadBytes;
    if (partial_.size() >= kHeadBytes) {
      const absl::string_view head = partial_;
      if (head.substr(0, kMagic.size()) != kMagic) return Stranger("its first bytes are others'");
      const size_t body = WireReader(head.substr(kHeadBytes - 2)).U16();
      whole += body;
      if (whole > kMaxMessageBytes) return Stranger(absl::StrCat("with ", body, " bytes"));
      if (partial_.size() == whole) {
        const absl::StatusOr<bool> over = TakeMessage(answer);
        partial_.clear();
        if (!over.ok() || *over) return over;
        continue;
      }
    }
    if (bytes.empty()) return false;
    const size_t n = std::min(whole - partial_.size(), bytes.size());
    partial_.append(bytes.data(), n);
    bytes.remove_prefix(n);
  }
}

absl::StatusOr<bool> Handshake::TakeMessage(std::string& answer) {
  const absl::string_view body = absl::string_view(partial_).substr(kHeadBytes);
  const auto kind = static_cast<Kind>(partial_[kMagic.size()]);
  if (kind == Kind::kRefusal) return ReadRefusal(body);
  const bool first = peer_hello_.empty();
  if (kind != (first ? Kind::kHello : Kind::kProof)) return Stranger("out of turn");
  absl::Status status = !turn_away_.ok() ? turn_away_ : first ? TakeHello(body) : CheckProof(body);
  if (!status.ok()) {
    answer += Refusal(status);
    return status;
  }
  // Who was called shows that it knows the token with its greeting, the caller in return.
  if (first && side_ == LinkSide::kAccepted) answer += EncodeHello(self_);
  if (first == (side_ == LinkSide::kAccepted)) answer += Message(Kind::kProof, ProofOf(side_));
  return !first;
}

absl::Status Handshake::TakeHello(absl::string_view body) {
  WireReader in(body);
  peer_.min_version = in.U16();
  peer_.max_version = in.U16();
  // The rest may be another's in versions that this node does not know.
  if (in.ok() && (peer_.min_version > self_.max_version || peer_.max_version < self_.min_version)) {
    return MakeError(
        ErrorKind::kUnsupported,
        absl::StrCat("one node speaks versions ", self_.min_version, " to ", self_.max_version,
                     " of the protocol, the other ", peer_.min_version, " to ", peer_.max_version,
                     ": update the older one"));
  }
  peer_.epoch = in.U64();
  peer_.capabilities = in.U64();
  peer_.nonce = std::string(in.Bytes(Hello::kNonceBytes));
  peer_.cluster = std::string(in.Bytes8());
  peer_.address = std::string(in.Bytes8());
  if (!in.ok()) return Stranger("its greeting is cut off");
  if (!peer_.address.empty() && !IsPlainAddress(peer_.address)) return Stranger("with no address");
  if (peer_.cluster != self_.cluster) {
    return MakeError(ErrorKind::kPermissionDenied,
                     absl::StrCat("one node is of the cluster ", Quoted(self_.cluster),
                                  ", the other of ", Quoted(peer_.cluster)));
  }
  peer_hello_ = partial_;
  return absl::OkStatus();
}

absl::Status Handshake::CheckProof(absl::string_view body) const {
  const LinkSide other = side_ == LinkSide::kDialled ? LinkSide::kAccepted : LinkSide::kDialled;
  const std::string expected = ProofOf(other);
  if (body.size() == expected.size() &&
      CRYPTO_memcmp(body.data(), expected.data(), expected.size()) == 0) {
    return absl::OkStatus();
  }
  return MakeError(ErrorKind::kPermissionDenied,
                   "the two nodes have not the same token: give all nodes of a fleet the same");
}

// Over both greetings, so that nothing in them can be changed on the way, and with the side, so
// that nobody can be answered with his own proof.
std::string Handshake::ProofOf(LinkSide side) const {
  const bool dialled = side_ == LinkSide::kDialled;
  const std::string own = EncodeHello(self_);
  const std::string text =
      absl::StrCat(side == LinkSide::kDialled ? "packice p2p dialled" : "packice p2p accepted",
                   dialled ? own : peer_hello_, dialled ? peer_hello_ : own);
  unsigned char proof[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), token_.data(), static_cast<int>(token_.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), proof, &size);
  return std::string(reinterpret_cast<const char*>(proof), std::min<size_t>(size, kProofBytes));
}

}  // namespace packice
