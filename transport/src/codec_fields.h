// Reads the members of one JSON object into values, by the names that the protocol knows.
//
// The first thing wrong with the object sticks; reading goes on with defaults, so that callers
// check once, at the end. Points into the Document it reads from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "codec_json.h"
#include "packice/core/error.h"
#include "packice/core/lease.h"
#include "packice/core/lease_id.h"
#include "packice/core/metadata.h"
#include "packice/core/object_id.h"

namespace packice::json {

// Every name in the protocol, ordered by length: the index depends on it.
// clang-format off
#define PACKICE_JSON_FIELDS(V)                                                        \
  V(kOp, "op")                                                                        \
  V(kSeq, "seq") V(kUrl, "url")                                                       \
  V(kHits, "hits") V(kKind, "kind") V(kMeta, "meta") V(kNext, "next")                 \
  V(kPath, "path") V(kRead, "read") V(kSize, "size") V(kName, "name")                 \
  V(kTime, "time") V(kTier, "tier") V(kBlob, "blob")                                                  \
  V(kAfter, "after") V(kBlobs, "blobs") V(kBytes, "bytes") V(kError, "error")         \
  V(kIndex, "index") V(kLimit, "limit") V(kObjid, "objid") V(kState, "state")         \
  V(kWrite, "write") V(kTiers, "tiers") V(kQuiet, "quiet")                             \
  V(kKinds, "kinds") V(kHints, "hints")                                               \
  V(kCreate, "create") V(kIntent, "intent") V(kLeases, "leases")                      \
  V(kMisses, "misses") V(kOffset, "offset") V(kPrefix, "prefix")                      \
  V(kStatus, "status") V(kReason, "reason") V(kQueued, "queued")                      \
  V(kMoving, "moving") V(kEvents, "events") V(kDetail, "detail")                      \
  V(kStaged, "staged")                                                                \
  V(kCommand, "command") V(kHandles, "handles") V(kMessage, "message")                \
  V(kObjects, "objects") V(kPackice, "packice") V(kRefused, "refused")                \
  V(kWaiting, "waiting") V(kSegment, "segment") V(kDropped, "dropped")                \
  V(kPayload, "payload") V(kStaging, "staging")                                       \
  V(kCapacity, "capacity") V(kCreating, "creating") V(kFeatures, "features")          \
  V(kIdentity, "identity") V(kLeaseId, "lease_id") V(kProtocol, "protocol")           \
  V(kRequests, "requests")                                                            \
  V(kEvictions, "evictions") V(kObjectId, "object_id") V(kResponses, "responses")     \
  V(kSealedAt, "sealed_at") V(kDemotions, "demotions") V(kHitBytes, "hit_bytes")      \
  V(kOperation, "operation")                                                          \
  V(kCreatedAt, "created_at") V(kExpiresAt, "expires_at") V(kKeepBytes, "keep_bytes") \
  V(kPromotions, "promotions")                                                        \
  V(kConnections, "connections") V(kDescriptors, "descriptors")                       \
  V(kQuarantined, "quarantined") V(kTtlSeconds, "ttl_seconds")                        \
  V(kWaitSeconds, "wait_seconds") V(kQueuedBytes, "queued_bytes")                     \
  V(kSegmentSize, "segment_size")                                                     \
  V(kMissedBytes, "missed_bytes") V(kDiscardsDue, "discards_due")                     \
  V(kWrittenHere, "written_here")                                                     \
  V(kDemotedBytes, "demoted_bytes") V(kFirstSegment, "first_segment")                 \
  V(kExpiredLeases, "expired_leases") V(kUptimeSeconds, "uptime_seconds")             \
  V(kPromotedBytes, "promoted_bytes")                                                 \
  V(kExpiredObjects, "expired_objects")                                               \
  V(kObjectTtlSeconds, "object_ttl_seconds")                                          \
  V(kColdestAgeSeconds, "coldest_age_seconds")
// clang-format on

enum class Field : uint8_t {
#define PACKICE_JSON_ENUMERATOR(name, text) name,
  PACKICE_JSON_FIELDS(PACKICE_JSON_ENUMERATOR)
#undef PACKICE_JSON_ENUMERATOR
      kCount,
};

absl::string_view FieldName(Field field);
// Whether the protocol has this name.
bool IsFieldName(absl::string_view name);

class Fields {
 public:
  static constexpr size_t kNoIndex = SIZE_MAX;
  static constexpr size_t kAny = SIZE_MAX;

  // `fault` is the kind of what goes wrong. A node that is not an object counts as an empty one,
  // and as a fault. Messages name the object as `list`[`index`] where these are given.
  Fields(const Node& object, ErrorKind fault, absl::string_view list = "", size_t index = kNoIndex);

  // Null for a member that is left out, or null. The last one of several of a name.
  const Node* Find(Field field) const { return members_[static_cast<size_t>(field)]; }
  bool Has(Field field) const { return Find(field) != nullptr; }
  // All of these must be there.
  void Need(std::initializer_list<Field> fields);

  // Each yields its default when the member is left out or faulty.
  absl::optional<absl::string_view> String(Field field);
  absl::optional<uint64_t> Integer(Field field, uint64_t min, uint64_t max);
  // Rounded to nanoseconds.
  absl::optional<absl::Duration> Seconds(Field field, bool zero_allowed);
  absl::optional<absl::Time> Time(Field field);
  std::vector<uint64_t> Integers(Field field);  // a list of them
  // False when it is left out.
  bool Flag(Field field);
  ObjectId Id(Field field);
  Metadata Meta(Field field);
  const Node* List(Field field, size_t max = kAny);
  const Node* Object(Field field);
  // The index of the string in `words`.
  absl::optional<size_t> Word(Field field, absl::Span<const absl::string_view> words);
  // The JSON text of a number or string; else empty.
  std::string Seq();

  bool ok() const { return status_.ok(); }
  void Fail(absl::string_view message) { Fail(fault_, message); }
  void Fail(ErrorKind kind, absl::string_view message);
  // `"size" must be <expected>`.
  void Wrong(Field field, absl::string_view expected);
  // Takes over the failure of an object in this one.
  void Fail(const absl::Status& status) { status_.Update(status); }
  const absl::Status& status() const { return status_; }

 private:
  std::string Quoted(Field field) const;

  static constexpr size_t kFields = static_cast<size_t>(Field::kCount);

  const ErrorKind fault_;
  const absl::string_view list_;
  const size_t index_;
  absl::Status status_;
  const Node* members_[kFields] = {};
};

// The members of a JSON object as metadata.
Metadata ReadMetadata(const Node& object);

inline constexpr uint64_t kMaxSize = INT64_MAX;
inline constexpr int64_t kMaxSeconds = int64_t{10} * 365 * 24 * 60 * 60;  // ten years

// A response must not grow past its limit for what it echoes.
inline constexpr size_t kMaxSeqBytes = 1024;

// The words of the protocol, in the order of Op and Access.
absl::Span<const absl::string_view> OpNames();
absl::Span<const absl::string_view> AccessNames();

}  // namespace packice::json
