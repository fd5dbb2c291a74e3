#include <string.h>  // memmem

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec_events.h"
#include "codec_fields.h"
#include "codec_json.h"
#include "codec_tiers.h"
#include "codec_usual.h"
#include "codec_write.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

using json::Field;
using json::Fields;

// Deeper than a request may be: metadata lies deeper in a page of a list in a batch than in an
// acquire.
constexpr size_t kMaxDepth = 64;

uint64_t NeedInteger(Fields& fields, Field field) {
  fields.Need({field});
  return fields.Integer(field, 0, UINT64_MAX).value_or(0);
}

absl::string_view NeedString(Fields& fields, Field field) {
  fields.Need({field});
  return fields.String(field).value_or("");
}

ObjectId NeedId(Fields& fields, Field field) {
  fields.Need({field});
  return fields.Id(field);
}

const json::Node* NeedList(Fields& fields, Field field) {
  fields.Need({field});
  return fields.List(field);
}

ObjectState NeedState(Fields& fields) {
  static constexpr absl::string_view kNames[] = {"CREATING", "SEALED"};
  fields.Need({Field::kState});
  return static_cast<ObjectState>(fields.Word(Field::kState, kNames).value_or(0));
}

Metadata ReadMeta(Fields& fields) {
  // The node has held it against the limit.
  const json::Node* meta = fields.Object(Field::kMeta);
  return meta == nullptr ? Metadata() : json::ReadMetadata(*meta);
}

// The status that only an answer to this op has.
void NeedStatus(Fields& fields, absl::string_view expected) {
  fields.Need({Field::kStatus});
  fields.Word(Field::kStatus, absl::MakeConstSpan(&expected, 1));
}

std::vector<std::string> ReadStrings(Fields& fields, Field field) {
  std::vector<std::string> strings;
  const json::Node* list = fields.List(field);
  if (list == nullptr) return strings;
  for (const json::Node* entry = list->begin(); entry != list->end(); entry = entry->next()) {
    if (entry->type != json::Type::kString) fields.Wrong(field, "a list of strings");
    if (!fields.ok()) break;
    strings.emplace_back(entry->text());
  }
  return strings;
}

HelloReply ReadHello(Fields& fields) {
  HelloReply hello;
  hello.version = std::string(NeedString(fields, Field::kPackice));
  fields.Need({Field::kProtocol});
  hello.protocol = static_cast<int>(fields.Integer(Field::kProtocol, 0, INT32_MAX).value_or(0));
  hello.features = ReadStrings(fields, Field::kFeatures);
  return hello;
}

Handle ReadHandle(Fields& fields) {
  static constexpr absl::string_view kKinds[] = {"fd", "path", "http", "segment"};
  fields.Need({Field::kKind});
  const size_t kind = fields.Word(Field::kKind, kKinds).value_or(0);
  const uint64_t size = NeedInteger(fields, Field::kSize);
  const uint64_t offset = fields.Integer(Field::kOffset, 0, UINT64_MAX).value_or(0);
  if (kind == 0) {
    return FdHandle{static_cast<size_t>(NeedInteger(fields, Field::kIndex)), offset, size};
  }
  if (kind == 1) {
    return PathHandle{std::string(NeedString(fields, Field::kPath)), offset, size,
                      fields.Integer(Field::kIndex, 0, SIZE_MAX),
                      std::string(fields.String(Field::kIdentity).value_or(""))};
  }
  if (kind == 2) return UrlDescriptor{std::string(NeedString(fields, Field::kUrl)), size};
  SegmentHandle segment;
  segment.segment = NeedInteger(fields, Field::kSegment);
  segment.offset = offset;
  segment.size = size;
  segment.index = fields.Integer(Field::kIndex, 0, SIZE_MAX);
  if (segment.index) segment.segment_size = NeedInteger(fields, Field::kSegmentSize);
  return segment;
}

void ReadGrant(Fields& fields, GrantReply& grant) {
  fields.Need({Field::kLeaseId, Field::kIntent});
  if (const auto text = fields.String(Field::kLeaseId)) {
    absl::StatusOr<LeaseId> id = LeaseId::Parse(*text);
    if (id.ok()) grant.lease_id = *id;
    if (!id.ok()) fields.Wrong(Field::kLeaseId, "32 hexadecimal digits");
  }
  grant.object_id = NeedId(fields, Field::kObjectId);
  grant.access = static_cast<Access>(fields.Word(Field::kIntent, json::AccessNames()).value_or(0));
  grant.state = NeedState(fields);
  grant.ttl = fields.Seconds(Field::kTtlSeconds, /*zero_allowed=*/true);
  grant.metadata = ReadMeta(fields);
  grant.size = NeedInteger(fields, Field::kSize);
  const json::Node* handles = NeedList(fields, Field::kHandles);
  if (handles == nullptr) return;
  for (const json::Node* entry = handles->begin(); entry != handles->end() && fields.ok();
       entry = entry->next()) {
    Fields handle(*entry, ErrorKind::kCorrupt, "handles", grant.handles.size());
    grant.handles.push_back(ReadHandle(handle));
    if (!handle.ok()) fields.Fail(handle.status());
  }
  grant.dropped_segments = fields.Integers(Field::kDropped);
}

Sealed ReadSealed(Fields& fields) {
  NeedStatus(fields, "sealed");
  Sealed sealed;
  sealed.object_id = NeedId(fields, Field::kObjectId);
  sealed.size = NeedInteger(fields, Field::kSize);
  return sealed;
}

IndexReply ReadIndex(Fields& fields) {
  IndexReply index;
  index.index = static_cast<size_t>(NeedInteger(fields, Field::kIndex));
  index.hints = static_cast<size_t>(NeedInteger(fields, Field::kHints));
  index.first_segment = NeedInteger(fields, Field::kFirstSegment);
  return index;
}

RenewReply ReadRenewed(Fields& fields) {
  NeedStatus(fields, "renewed");
  fields.Need({Field::kTtlSeconds});
  return RenewReply{
      fields.Seconds(Field::kTtlSeconds, /*zero_allowed=*/true).value_or(absl::ZeroDuration())};
}

RelocateReply ReadRelocated(Fields& fields) {
  NeedStatus(fields, "relocated");
  return RelocateReply{NeedId(fields, Field::kObjectId)};
}

StageReply ReadStaging(Fields& fields) {
  StageReply reply;
  fields.Need({Field::kStaging});
  const json::Node* node = fields.Object(Field::kStaging);
  if (node == nullptr) return reply;
  Fields staging(*node, ErrorKind::kCorrupt);
  reply.index = static_cast<size_t>(NeedInteger(staging, Field::kIndex));
  reply.size = NeedInteger(staging, Field::kSize);
  if (!staging.ok()) fields.Fail(staging.status());
  return reply;
}

void ReadInfo(Fields& fields, ObjectInfo& info) {
  info.object_id = NeedId(fields, Field::kObjectId);
  info.state = NeedState(fields);
  info.metadata = ReadMeta(fields);
  info.leases = NeedInteger(fields, Field::kLeases);
  fields.Need({Field::kCreatedAt});
  info.created_at = fields.Time(Field::kCreatedAt).value_or(absl::Time());
  info.sealed_at = fields.Time(Field::kSealedAt);
  info.expires_at = fields.Time(Field::kExpiresAt);
  info.tiers = ReadStrings(fields, Field::kTiers);
  const json::Node* blobs = NeedList(fields, Field::kBlobs);
  if (blobs == nullptr) return;
  for (const json::Node* entry = blobs->begin(); entry != blobs->end() && fields.ok();
       entry = entry->next()) {
    Fields blob(*entry, ErrorKind::kCorrupt, "blobs", info.blob_sizes.size());
    info.blob_sizes.push_back(NeedInteger(blob, Field::kSize));
    if (!blob.ok()) fields.Fail(blob.status());
  }
}

void ReadPage(Fields& fields, ListPage& page) {
  const json::Node* objects = NeedList(fields, Field::kObjects);
  if (fields.Has(Field::kNext)) page.next = fields.Id(Field::kNext);
  if (objects == nullptr) return;
  for (const json::Node* entry = objects->begin(); entry != objects->end() && fields.ok();
       entry = entry->next()) {
    Fields object(*entry, ErrorKind::kCorrupt, "objects", page.objects.size());
    ReadInfo(object, page.objects.emplace_back());
    if (!object.ok()) fields.Fail(object.status());
  }
}

// The members that only an extension can have added.
std::string ReadMore(const json::Node& stats) {
  std::string more;
  json::ForEachMember(stats, [&](absl::string_view name, const json::Node& value) {
    if (json::IsFieldName(name) || value.type != json::Type::kObject) return;
    more.push_back(more.empty() ? '{' : ',');
    json::AppendString(name, more);
    more.push_back(':');
    json::AppendNode(value, more);
  });
  if (!more.empty()) more.push_back('}');
  return more;
}

StatsReply ReadStats(Fields& fields, const json::Node& node) {
  StatsReply stats;
  PeerStats& peer = stats.peer;
  // An older or newer node may count less; the first is what makes it an answer to `stats`.
  fields.Need({Field::kObjects});
  const std::pair<Field, uint64_t*> counts[] = {
      {Field::kObjects, &peer.objects},
      {Field::kCreating, &peer.creating},
      {Field::kBytes, &peer.bytes},
      {Field::kHits, &peer.hits},
      {Field::kHitBytes, &peer.hit_bytes},
      {Field::kMisses, &peer.misses},
      {Field::kEvictions, &peer.evictions},
      {Field::kExpiredObjects, &peer.expired_objects},
      {Field::kQuarantined, &peer.quarantined},
      {Field::kExpiredLeases, &peer.expired_leases},
      {Field::kWaiting, &peer.waiting},
      {Field::kConnections, &stats.connections},
      {Field::kRefused, &stats.refused},
      {Field::kDescriptors, &stats.descriptors},
  };
  for (const auto& [field, count] : counts) {
    *count = fields.Integer(field, 0, UINT64_MAX).value_or(0);
  }
  peer.capacity = fields.Integer(Field::kCapacity, 0, UINT64_MAX);
  peer.coldest_age = fields.Seconds(Field::kColdestAgeSeconds, /*zero_allowed=*/true);
  stats.uptime =
      fields.Seconds(Field::kUptimeSeconds, /*zero_allowed=*/true).value_or(absl::ZeroDuration());
  stats.more = ReadMore(node);
  if (const json::Node* counts_of = fields.Object(Field::kLeases)) {
    Fields leases(*counts_of, ErrorKind::kCorrupt, "leases");
    peer.read_leases = leases.Integer(Field::kRead, 0, UINT64_MAX).value_or(0);
    peer.create_leases = leases.Integer(Field::kCreate, 0, UINT64_MAX).value_or(0);
    peer.write_leases = leases.Integer(Field::kWrite, 0, UINT64_MAX).value_or(0);
    if (!leases.ok()) fields.Fail(leases.status());
  }
  if (const json::Node* list = fields.List(Field::kTiers)) {
    absl::StatusOr<std::vector<TierStats>> tiers = json::ReadTiers(*list);
    if (!tiers.ok()) fields.Fail(tiers.status());
    if (tiers.ok()) peer.tiers = *std::move(tiers);
  }
  return stats;
}

// Nothing when the reply is no failure.
absl::optional<absl::Status> ReadError(Fields& fields) {
  const json::Node* node = fields.Object(Field::kError);
  if (node == nullptr) return absl::nullopt;
  Fields error(*node, ErrorKind::kCorrupt, "error");
  const absl::string_view kind = NeedString(error, Field::kKind);
  const absl::string_view message = error.String(Field::kMessage).value_or("");
  if (!error.ok()) {
    fields.Fail(error.status());
    return absl::nullopt;
  }
  // A kind this client does not know is from a newer node.
  if (const auto known = ErrorKindFromName(kind)) return MakeError(*known, message);
  return MakeError(ErrorKind::kInternal, absl::StrCat(kind, ": ", message));
}

void ReadReply(const json::Node& node, const Request* asked, DecodedReply& decoded);

void ReadBatch(Fields& fields, const Request& asked, BatchReply& batch) {
  const auto* question = absl::get_if<std::unique_ptr<BatchRequest>>(&asked.body);
  const json::Node* responses = NeedList(fields, Field::kResponses);
  if (question == nullptr || *question == nullptr || responses == nullptr) {
    return fields.Fail("the request was no batch");
  }
  const std::vector<absl::StatusOr<Request>>& requests = (*question)->requests;
  for (const json::Node* entry = responses->begin(); entry != responses->end();
       entry = entry->next()) {
    const size_t at = batch.responses.size();
    if (at == requests.size()) return fields.Fail("there are more responses than requests");
    DecodedReply decoded;
    ReadReply(*entry, requests[at].ok() ? &*requests[at] : nullptr, decoded);
    if (!decoded.reply.ok()) return fields.Fail(decoded.reply.status());
    if (!decoded.seq.empty()) {
      batch.seqs.resize(at);
      batch.seqs.push_back(std::move(decoded.seq));
    }
    batch.responses.push_back(*std::move(decoded.reply));
  }
  if (!batch.seqs.empty()) batch.seqs.resize(batch.responses.size());
  if (batch.responses.size() < requests.size())
    fields.Fail("there are fewer responses than requests");
}

// Whatever it says, but for the seq.
ExtensionReply ReadExtensionReply(const json::Node& node) {
  ExtensionReply reply;
  reply.json = "{";
  json::ForEachMember(node, [&](absl::string_view name, const json::Node& value) {
    if (name == "seq") return;
    if (reply.json.size() > 1) reply.json.push_back(',');
    json::AppendString(name, reply.json);
    reply.json.push_back(':');
    json::AppendNode(value, reply.json);
  });
  reply.json.push_back('}');
  return reply;
}

void ReadBody(Fields& fields, const json::Node& node, const Request& asked, Reply& reply) {
  switch (asked.op) {
    case Op::kIndex:
      reply = ReadIndex(fields);
      break;
    case Op::kHello:
      reply = ReadHello(fields);
      return;
    case Op::kAcquire:
      return ReadGrant(fields, reply.emplace<GrantReply>());
    case Op::kSeal:
      reply = ReadSealed(fields);
      return;
    case Op::kDiscard:
      NeedStatus(fields, "discarded");
      reply = DiscardReply();
      return;
    case Op::kRelease:
      NeedStatus(fields, "released");
      reply = ReleaseReply();
      return;
    case Op::kRenew:
      reply = ReadRenewed(fields);
      return;
    case Op::kRelocate:
      reply = ReadRelocated(fields);
      return;
    case Op::kStat:
      return ReadInfo(fields, reply.emplace<ObjectInfo>());
    case Op::kList:
      return ReadPage(fields, reply.emplace<ListPage>());
    case Op::kStats:
      reply = ReadStats(fields, node);
      return;
    case Op::kEvents:
      reply = json::ReadEventPage(fields);
      return;
    case Op::kPut:
      reply = ReadSealed(fields);
      return;
    case Op::kStage:
      reply = ReadStaging(fields);
      return;
    case Op::kWrite:
      NeedStatus(fields, "written");
      reply = WriteReply();
      return;
    case Op::kExtension:
      reply = ReadExtensionReply(node);
      return;
    case Op::kBatch:
      return ReadBatch(fields, asked,
                       *reply.emplace<std::unique_ptr<BatchReply>>(std::make_unique<BatchReply>()));
  }
}

// `asked` is null for a request that the node could not have understood: only a failure answers it.
void ReadReply(const json::Node& node, const Request* asked, DecodedReply& decoded) {
  Fields fields(node, ErrorKind::kCorrupt);
  decoded.seq = fields.Seq();
  Reply& reply = decoded.reply.emplace();
  if (fields.Has(Field::kError)) {
    if (absl::optional<absl::Status> error = ReadError(fields)) reply = *std::move(error);
  } else if (asked == nullptr) {
    fields.Need({Field::kError});
  } else {
    ReadBody(fields, node, *asked, reply);
  }
  if (!fields.ok()) decoded.reply = fields.status();
}

}  // namespace

DecodedReply DecodeReply(absl::string_view line, const Request& asked) {
  DecodedReply decoded;
  if (asked.op == Op::kAcquire &&
      json::ReadUsualGrant(line, decoded.reply.emplace().emplace<GrantReply>())) {
    return decoded;
  }
  const auto* batch = absl::get_if<std::unique_ptr<BatchRequest>>(&asked.body);
  if (batch != nullptr && *batch != nullptr) {
    auto grants = std::make_unique<BatchReply>();
    if (json::ReadUsualGrants(line, **batch, *grants)) {
      decoded.reply = std::move(grants);
      return decoded;
    }
  }
  if ((asked.op == Op::kPut || asked.op == Op::kSeal) &&
      json::ReadUsualSealed(line, decoded.reply.emplace().emplace<Sealed>())) {
    return decoded;
  }
  json::Document document;
  if (document.Parse(line, kMaxDepth)) {
    ReadReply(*document.root(), &asked, decoded);
  } else {
    decoded.reply = MakeError(ErrorKind::kCorrupt, document.error());
  }
  if (!decoded.reply.ok()) {
    decoded.reply = MakeError(
        ErrorKind::kCorrupt, absl::StrCat("the answer to ", OpName(asked.op),
                                          " is no such reply: ", decoded.reply.status().message()));
  }
  return decoded;
}

std::string PeekSeq(absl::string_view line) {
  // Nodes put it first, and most clients number their requests.
  constexpr absl::string_view kFront = "{\"seq\":";
  if (line.substr(0, kFront.size()) == kFront) {
    const absl::string_view rest = line.substr(kFront.size());
    const size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    if (digits > 0 && digits < rest.size() && (rest[digits] == ',' || rest[digits] == '}')) {
      return std::string(rest.substr(0, digits));
    }
  }
  constexpr absl::string_view kKey = "\"seq\"";
  if (memmem(line.data(), line.size(), kKey.data(), kKey.size()) == nullptr) return "";

  json::Document document;
  document.Parse(line, kMaxDepth);
  if (document.root() == nullptr) return "";
  return Fields(*document.root(), ErrorKind::kCorrupt).Seq();
}

}  // namespace packice
