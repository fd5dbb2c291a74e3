#include "swarm_object.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "packice/core/blocking.h"
#include "packice/core/peer.h"
#include "packice/transport/uds_peer.h"
#include "short_digest.h"

namespace packice {
namespace {

// A multiple of the digest's word.
constexpr size_t kStepBytes = 1 << 20;

// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): bytes that no two pieces have in common.
class Bytes {
 public:
  explicit Bytes(uint64_t seed) : state_(seed) {}

  void Fill(std::string& out) {
    for (size_t at = 0; at < out.size(); at += sizeof(uint64_t)) {
      const uint64_t word = Next();
      std::memcpy(&out[at], &word, std::min(sizeof(word), out.size() - at));
    }
  }

 private:
  uint64_t Next() {
    uint64_t word = state_ += 0x9e3779b97f4a7c15;
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
    word = (word ^ word >> 27) * 0x94d049bb133111eb;
    return word ^ word >> 31;
  }

  uint64_t state_;
};

// Calls `take(offset, bytes)` with piece after piece, until it fails.
template <typename Take>
absl::Status Generate(const SwarmObject& object, Take take) {
  Bytes bytes(object.seed);
  std::string piece;
  for (uint64_t offset = 0; offset < object.size; offset += piece.size()) {
    piece.resize(static_cast<size_t>(std::min<uint64_t>(kStepBytes, object.size - offset)));
    bytes.Fill(piece);
    if (absl::Status status = take(offset, piece); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<UdsPeer>> ConnectTo(const std::string& socket) {
  UdsPeerOptions options;
  options.path = socket;
  return UdsPeer::Connect(options);
}

}  // namespace

uint64_t DigestOf(const SwarmObject& object) {
  ShortDigest digest;
  static_cast<void>(Generate(object, [&](uint64_t, const std::string& piece) {
    digest.Add(piece);
    return absl::OkStatus();
  }));
  return digest.Value();
}

absl::Status PutObject(const std::string& socket, const SwarmObject& object) {
  absl::StatusOr<std::unique_ptr<UdsPeer>> peer = ConnectTo(socket);
  if (!peer.ok()) return peer.status();
  AcquireRequest request;
  request.access = Access::kCreate;
  request.object_id = *ObjectId::Parse(object.id);
  request.blob_sizes = {object.size};
  absl::StatusOr<Grant> grant = blocking::Acquire(**peer, request);
  if (!grant.ok()) return grant.status();
  Blob& blob = *grant->object->blobs()[0];
  absl::Status status = Generate(
      object, [&](uint64_t offset, const std::string& piece) { return blob.Write(offset, piece); });
  if (!status.ok()) return status;
  SealRequest seal;
  seal.lease_id = grant->lease.id;
  grant->object.reset();  // and with it every descriptor that can write
  return blocking::Seal(**peer, seal).status();
}

absl::StatusOr<ReadObject> GetObject(const std::string& socket, const std::string& id,
                                     absl::Duration wait) {
  absl::StatusOr<std::unique_ptr<UdsPeer>> peer = ConnectTo(socket);
  if (!peer.ok()) return peer.status();
  AcquireRequest request;
  request.object_id = *ObjectId::Parse(id);
  request.wait = wait;
  absl::StatusOr<Grant> grant = blocking::Acquire(**peer, request);
  if (!grant.ok()) return grant.status();
  ReadObject read;
  read.granted = absl::Now();
  absl::StatusOr<Mapping> mapping = grant->object->blobs()[0]->Map(MapAccess::kReadOnly);
  if (!mapping.ok()) return mapping.status();
  ShortDigest digest;
  const absl::string_view bytes = mapping->view();
  for (size_t at = 0; at < bytes.size(); at += kStepBytes) digest.Add(bytes.substr(at, kStepBytes));
  read.digest = digest.Value();
  return read;
}

}  // namespace packice
