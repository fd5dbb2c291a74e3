// Makes protocol messages of what is likely to break them, for tests of the codec.
#pragma once

#include <cstdint>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "packice/transport/codec.h"

namespace packice {

// Messages made of what is likely to break them; the same ones for the same seed.
class MessageMaker {
 public:
  explicit MessageMaker(uint32_t seed) : random_(seed) {}

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Coin() { return Below(2) == 0; }

  std::string Text(size_t least, size_t most) {
    static constexpr absl::string_view kPieces[] = {
        "/",
        "..",
        "\"",
        "\\",
        "\n",
        "\r\n",
        "\t",
        absl::string_view("\0", 1),
        "\x01",
        "\x7f",
        "\xc3\xa9",
        "\xe2\x80\xa8",
        "\xf0\x9f\x98\x80",
        " ",
        "a",
        "models/",
        "{}",
        "[",
        ",",
        ":",
        "%2f",
        "\\u0041",
        "\xef\xbf\xbd",
        "<",
        "seq",
    };
    std::string text;
    const size_t pieces = Below(12);
    for (size_t i = 0; i < pieces || text.size() < least; ++i) {
      const absl::string_view piece = kPieces[Below(std::size(kPieces))];
      text.append(piece.data(), piece.size());
    }
    return text.size() <= most ? text : "x";
  }
  ObjectId Id() { return *ObjectId::Parse(Text(1, ObjectId::kMaxBytes)); }
  LeaseId Lease() {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (int i = 0; i < 32; ++i) text.push_back(kDigits[Below(16)]);
    return *LeaseId::Parse(text);
  }
  uint64_t Size() {
    const uint64_t edges[] = {0, 1, 4096, INT64_MAX};
    return Coin() ? edges[Below(4)] : Below(uint64_t{1} << (1 + Below(62)));
  }
  absl::Duration Span() {
    const absl::Duration edges[] = {absl::Nanoseconds(1), absl::Milliseconds(1), absl::Seconds(1),
                                    absl::Hours(24 * 3650), absl::Nanoseconds(1234567891)};
    return Coin() ? edges[Below(5)] : absl::Nanoseconds(1 + Below(uint64_t{1} << (1 + Below(50))));
  }
  absl::Time When() { return absl::FromUnixNanos(static_cast<int64_t>(Below(int64_t{4} << 60))); }
  Metadata Meta() {
    static constexpr absl::string_view kValues[] = {
        "null",
        "true",
        "-0.50",
        "1e400",
        "12345678901234567890123",
        "\"\\u0000\\n\"",
        "[]",
        "{\"a\":[{}]}",
        "\"\xf0\x9f\x98\x80\"",
        "{\"a\":1,\"a\":2}",
    };
    Metadata metadata;
    for (uint64_t i = Below(4); i > 0; --i) {
      metadata.Set(Text(0, 100), kValues[Below(std::size(kValues))]);
    }
    return metadata;
  }
  ObjectInfo Info() {
    ObjectInfo info;
    info.object_id = Id();
    info.state = Coin() ? ObjectState::kSealed : ObjectState::kCreating;
    info.metadata = Meta();
    for (uint64_t i = Below(4); i > 0; --i) info.blob_sizes.push_back(Below(1 << 20));
    info.leases = Below(9);
    info.created_at = When();
    if (Coin()) info.sealed_at = When();
    if (Coin()) info.expires_at = When();
    for (uint64_t i = Below(3); i > 0; --i) info.tiers.push_back(Text(0, 20));
    return info;
  }
  std::string Seq() {
    static constexpr absl::string_view kSeqs[] = {"", "1", "-2.5e3", "\"x\"", "\"\\\"\\n\""};
    return std::string(kSeqs[Below(std::size(kSeqs))]);
  }

  Request MakeRequest(Op op);
  Reply MakeReply(const Request& asked);
  EventPage MakeEventPage();

 private:
  AcquireRequest MakeAcquire();
  PutMessage MakePut();
  SealRequest MakeSeal();
  EventsRequest MakeEvents();
  EventKind Kind() {
    return static_cast<EventKind>(Below(static_cast<uint64_t>(kLastEventKind) + 1));
  }
  GrantReply MakeGrant();
  StatsReply MakeStats();
  TierStats MakeTier();

  std::mt19937 random_;
};

}  // namespace packice
