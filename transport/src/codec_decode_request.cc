#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec_events.h"
#include "codec_fields.h"
#include "codec_json.h"
#include "codec_usual.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

using json::Field;
using json::Fields;

constexpr size_t kMaxDepth = 32;

// Which op a request is for: one of the protocol, or one that has a name of its own.
struct NamedOp {
  Op op = Op::kHello;
  absl::string_view extension;
};

// What is known before a request is read.
struct Known {
  absl::Span<const std::string> more_ops;
  absl::optional<NamedOp> op;
};

// The op, from whichever of its names the client uses. Nothing after a failure.
absl::optional<NamedOp> ReadOp(Fields& fields, absl::Span<const std::string> more_ops) {
  const Field name = fields.Has(Field::kOp) ? Field::kOp : Field::kCommand;
  if (fields.Has(name)) {
    const json::Node& node = *fields.Find(name);
    if (node.type == json::Type::kString &&
        std::find(more_ops.begin(), more_ops.end(), node.text()) != more_ops.end()) {
      return NamedOp{Op::kExtension, node.text()};
    }
    const absl::optional<size_t> at = fields.Word(name, json::OpNames());
    return at ? absl::optional<NamedOp>({static_cast<Op>(*at), ""}) : absl::nullopt;
  }
  if (fields.Has(Field::kIntent)) return NamedOp{Op::kAcquire, ""};
  fields.Wrong(Field::kOp, absl::StrCat("given: one of ", absl::StrJoin(json::OpNames(), ", ")));
  return absl::nullopt;
}

HelloRequest ReadHello(Fields& fields) {
  HelloRequest hello;
  const json::Node* features = fields.List(Field::kFeatures);
  if (features == nullptr) return hello;
  for (const json::Node* entry = features->begin(); entry != features->end();
       entry = entry->next()) {
    if (entry->type != json::Type::kString) {
      fields.Wrong(Field::kFeatures, "a list of strings");
      break;
    }
    hello.features.emplace_back(entry->text());
  }
  return hello;
}

using BlobSizes = absl::InlinedVector<uint64_t, 1>;

void ReadBlobSizes(Fields& fields, BlobSizes& sizes) {
  if (const auto size = fields.Integer(Field::kSize, 0, json::kMaxSize)) {
    sizes.push_back(*size);
  }
  const json::Node* blobs = fields.List(Field::kBlobs, Object::kMaxBlobs);
  if (blobs == nullptr) return;
  if (fields.Has(Field::kSize)) return fields.Fail("\"size\" and \"blobs\" exclude one another");
  uint64_t sum = 0;
  for (const json::Node* entry = blobs->begin(); entry != blobs->end(); entry = entry->next()) {
    Fields blob(*entry, ErrorKind::kInvalidArgument, "blobs", sizes.size());
    blob.Need({Field::kSize});
    const uint64_t size = blob.Integer(Field::kSize, 0, json::kMaxSize).value_or(0);
    if (!blob.ok()) return fields.Fail(blob.status());
    if (size > json::kMaxSize - sum) {
      return fields.Wrong(Field::kBlobs, absl::StrCat("at most ", json::kMaxSize, " bytes in all"));
    }
    sum += size;
    sizes.push_back(size);
  }
  if (sizes.empty()) {
    fields.Wrong(Field::kBlobs, "a list of at least one {\"size\": bytes}");
  }
}

void ReadAcquire(Fields& fields, AcquireRequest& acquire) {
  fields.Need({Field::kIntent});
  acquire.access =
      static_cast<Access>(fields.Word(Field::kIntent, json::AccessNames()).value_or(0));
  const bool older = !fields.Has(Field::kObjectId) && fields.Has(Field::kObjid);
  acquire.object_id = fields.Id(older ? Field::kObjid : Field::kObjectId);
  acquire.ttl = fields.Seconds(Field::kTtlSeconds, /*zero_allowed=*/false);
  acquire.wait =
      fields.Seconds(Field::kWaitSeconds, /*zero_allowed=*/true).value_or(absl::ZeroDuration());
  acquire.quiet = fields.Flag(Field::kQuiet);
  acquire.written_here = fields.Flag(Field::kWrittenHere);
  ReadBlobSizes(fields, acquire.blob_sizes);
  acquire.metadata = fields.Meta(Field::kMeta);
  acquire.object_ttl = fields.Seconds(Field::kObjectTtlSeconds, /*zero_allowed=*/false);
  if (acquire.access == Access::kCreate) return;

  if (!older) fields.Need({Field::kObjectId});
  // Checked like everywhere, but of no meaning here.
  acquire.written_here = false;
  acquire.blob_sizes.clear();
  acquire.metadata = Metadata();
  acquire.object_ttl.reset();
}

absl::optional<StagedRange> ReadStaged(Fields& fields) {
  const json::Node* node = fields.Object(Field::kStaged);
  if (node == nullptr) return absl::nullopt;
  Fields staged(*node, ErrorKind::kInvalidArgument);
  staged.Need({Field::kOffset, Field::kSize});
  StagedRange range;
  range.offset = staged.Integer(Field::kOffset, 0, json::kMaxSize).value_or(0);
  range.size = staged.Integer(Field::kSize, 0, json::kMaxSize).value_or(0);
  if (!staged.ok()) fields.Fail(staged.status());
  return range;
}

void ReadPut(Fields& fields, PutMessage& message) {
  PutRequest& put = message.put;
  put.object_id = fields.Id(Field::kObjectId);
  put.wait =
      fields.Seconds(Field::kWaitSeconds, /*zero_allowed=*/true).value_or(absl::ZeroDuration());
  ReadBlobSizes(fields, put.blob_sizes);
  put.metadata = fields.Meta(Field::kMeta);
  put.object_ttl = fields.Seconds(Field::kObjectTtlSeconds, /*zero_allowed=*/false);
  message.payload = fields.Integer(Field::kPayload, 0, PutMessage::kMaxPayload).value_or(0);
  message.staged = ReadStaged(fields);
  if (message.staged && fields.Has(Field::kPayload)) {
    fields.Fail("\"payload\" and \"staged\" exclude one another");
  }
}

StageRequest ReadStage(Fields& fields) {
  const auto size = fields.Integer(Field::kSize, 0, json::kMaxSize);
  return StageRequest{size.value_or(StageRequest::kDefaultSize)};
}

StatRequest ReadStat(Fields& fields) {
  const bool older = !fields.Has(Field::kObjectId) && fields.Has(Field::kObjid);
  if (!older) fields.Need({Field::kObjectId});
  return StatRequest{fields.Id(older ? Field::kObjid : Field::kObjectId)};
}

ListRequest ReadList(Fields& fields) {
  ListRequest list;
  list.prefix = std::string(fields.String(Field::kPrefix).value_or(""));
  list.after = std::string(fields.String(Field::kAfter).value_or(""));
  list.limit =
      fields.Integer(Field::kLimit, 1, ListRequest::kMaxLimit).value_or(ListRequest::kDefaultLimit);
  return list;
}

// A string that is no lease id names a lease that cannot exist, which is told as any unknown lease
// is. To be called last: what can never succeed is the more useful answer.
LeaseId ReadLeaseId(Fields& fields) {
  fields.Need({Field::kLeaseId});
  const absl::optional<absl::string_view> text = fields.String(Field::kLeaseId);
  if (!text || !fields.ok()) return LeaseId();
  absl::StatusOr<LeaseId> id = LeaseId::Parse(*text);
  if (id.ok()) return *id;
  fields.Fail(ErrorKind::kLeaseExpired,
              absl::StrCat("there is no such lease: ", id.status().message()));
  return LeaseId();
}

void ReadSeal(Fields& fields, SealRequest& seal) {
  seal.size = fields.Integer(Field::kSize, 0, json::kMaxSize);
  seal.metadata = fields.Meta(Field::kMeta);
  seal.expires_at = fields.Time(Field::kExpiresAt);
  seal.lease_id = ReadLeaseId(fields);
}

void ReadWrite(Fields& fields, WriteRequest& write) {
  fields.Need({Field::kStaged});
  write.blob = fields.Integer(Field::kBlob, 0, Object::kMaxBlobs - 1).value_or(0);
  write.offset = fields.Integer(Field::kOffset, 0, json::kMaxSize).value_or(0);
  write.staged = ReadStaged(fields).value_or(StagedRange());
  write.lease_id = ReadLeaseId(fields);
}

void ReadRenew(Fields& fields, RenewRequest& renew) {
  fields.Need({Field::kTtlSeconds});
  renew.ttl =
      fields.Seconds(Field::kTtlSeconds, /*zero_allowed=*/false).value_or(absl::ZeroDuration());
  renew.lease_id = ReadLeaseId(fields);
}

void ReadRelocate(Fields& fields, RelocateRequest& relocate) {
  fields.Need({Field::kObjectId});
  relocate.to = fields.Id(Field::kObjectId);
  relocate.lease_id = ReadLeaseId(fields);
}

ExtensionRequest ReadExtension(Fields& fields, absl::string_view op, const json::Node& object) {
  ExtensionRequest request;
  request.op = std::string(op);
  request.wait =
      fields.Seconds(Field::kWaitSeconds, /*zero_allowed=*/true).value_or(absl::ZeroDuration());
  request.json.clear();
  json::AppendNode(object, request.json);
  return request;
}

absl::optional<uint64_t> Sum(absl::optional<uint64_t> a, absl::optional<uint64_t> b) {
  if (!a || !b || *b > UINT64_MAX - *a) return absl::nullopt;
  return *a + *b;
}

// How many bytes follow a request that is wrong in some way, so that nobody takes them for
// requests: its own if it is a put, those of its requests if it is a batch.
absl::optional<uint64_t> PayloadOf(const json::Node& object) {
  if (object.type != json::Type::kObject) return 0;
  Fields fields(object, ErrorKind::kInvalidArgument);
  const json::Node* op = fields.Find(fields.Has(Field::kOp) ? Field::kOp : Field::kCommand);
  if (op == nullptr || op->type != json::Type::kString) return 0;
  if (op->text() == OpName(Op::kPut)) {
    const auto payload = fields.Integer(Field::kPayload, 0, json::kMaxSize);
    return fields.ok() ? payload.value_or(0) : absl::optional<uint64_t>();
  }
  absl::optional<uint64_t> sum = 0;
  const json::Node* requests = fields.Find(Field::kRequests);
  if (op->text() != OpName(Op::kBatch) || requests == nullptr) return sum;
  if (requests->type != json::Type::kList) return sum;
  for (const json::Node* entry = requests->begin(); entry != requests->end() && sum;
       entry = entry->next()) {
    sum = Sum(sum, PayloadOf(*entry));
  }
  return sum;
}

DecodedRequest DecodeObject(const json::Node& object, bool in_batch, const Known& known);

// Those of the next request of a batch. `sum` is nothing once it cannot be told.
void AddPayload(Fields& fields, absl::optional<uint64_t> more, BatchRequest& batch,
                absl::optional<uint64_t>& sum) {
  sum = Sum(sum, more);
  if (more == uint64_t{0}) return;
  if (!sum || *sum > BatchRequest::kMaxPayload) {
    return fields.Wrong(
        Field::kPayload,
        absl::StrCat("legible, and at most ", BatchRequest::kMaxPayload, " over a whole batch"));
  }
  batch.payloads.resize(batch.requests.size());
  batch.payloads.push_back(*more);
}

std::unique_ptr<BatchRequest> ReadBatch(Fields& fields, bool in_batch,
                                        absl::Span<const std::string> more_ops,
                                        absl::optional<uint64_t>& payload) {
  auto batch = std::make_unique<BatchRequest>();
  if (in_batch) {
    fields.Fail("a batch cannot hold a batch");
    return batch;
  }
  fields.Need({Field::kRequests});
  const json::Node* requests = fields.List(Field::kRequests, BatchRequest::kMaxRequests);
  if (requests == nullptr || !fields.ok()) return batch;
  for (const json::Node* entry = requests->begin(); entry != requests->end();
       entry = entry->next()) {
    DecodedRequest decoded = DecodeObject(*entry, /*in_batch=*/true, {more_ops, absl::nullopt});
    if (!decoded.seq.empty()) {
      batch->seqs.resize(batch->requests.size());
      batch->seqs.push_back(std::move(decoded.seq));
    }
    AddPayload(fields, decoded.payload, *batch, payload);
    batch->requests.push_back(std::move(decoded.request));
  }
  if (!batch->seqs.empty()) batch->seqs.resize(batch->requests.size());
  if (!batch->payloads.empty()) batch->payloads.resize(batch->requests.size());
  return batch;
}

// All but extensions, which go by names of their own.
void ReadBody(Fields& fields, bool in_batch, absl::Span<const std::string> more_ops,
              Request& request, absl::optional<uint64_t>& payload) {
  switch (request.op) {
    case Op::kHello:
      request.body = ReadHello(fields);
      return;
    case Op::kAcquire:
      return ReadAcquire(fields, request.body.emplace<AcquireRequest>());
    case Op::kSeal:
      return ReadSeal(fields, request.body.emplace<SealRequest>());
    case Op::kDiscard:
    case Op::kRelease:
      request.keep_bytes = fields.Flag(Field::kKeepBytes);
      request.body.emplace<LeaseRequest>().lease_id = ReadLeaseId(fields);
      return;
    case Op::kRenew:
      return ReadRenew(fields, request.body.emplace<RenewRequest>());
    case Op::kRelocate:
      request.keep_bytes = fields.Flag(Field::kKeepBytes);
      return ReadRelocate(fields, request.body.emplace<RelocateRequest>());
    case Op::kStat:
      request.body = ReadStat(fields);
      return;
    case Op::kList:
      request.body = ReadList(fields);
      return;
    case Op::kStats:
      return;
    case Op::kIndex:
      request.body.emplace<IndexRequest>();
      return;
    case Op::kEvents:
      request.body = json::ReadEventsRequest(fields);
      return;
    case Op::kBatch:
      request.body = ReadBatch(fields, in_batch, more_ops, payload);
      return;
    case Op::kPut: {
      auto& put = request.body.emplace<PutMessage>();
      ReadPut(fields, put);
      payload = put.payload;
      return;
    }
    case Op::kStage:
      request.body = ReadStage(fields);
      return;
    case Op::kWrite:
      return ReadWrite(fields, request.body.emplace<WriteRequest>());
    case Op::kExtension:
      return;
  }
}

DecodedRequest DecodeObject(const json::Node& object, bool in_batch, const Known& known) {
  Fields fields(object, ErrorKind::kInvalidArgument);
  DecodedRequest decoded;
  decoded.seq = fields.Seq();
  Request& request = decoded.request.emplace();
  if (fields.ok()) {
    if (const absl::optional<NamedOp> named =
            known.op ? known.op : ReadOp(fields, known.more_ops)) {
      request.op = named->op;
      request.seq = decoded.seq;
      if (named->op == Op::kExtension) {
        request.body = ReadExtension(fields, named->extension, object);
      } else {
        ReadBody(fields, in_batch, known.more_ops, request, decoded.payload);
      }
    }
  }
  if (!fields.ok()) {
    decoded.request = fields.status();
    decoded.payload = PayloadOf(object);
  }
  return decoded;
}

DecodedRequest DecodeText(absl::string_view text, const Known& known) {
  json::Document document;
  if (document.Parse(text, kMaxDepth)) {
    return DecodeObject(*document.root(), /*in_batch=*/false, known);
  }
  DecodedRequest decoded;
  if (document.root() != nullptr) {
    decoded.seq = Fields(*document.root(), ErrorKind::kInvalidArgument).Seq();
  }
  decoded.request = MakeError(ErrorKind::kInvalidArgument,
                              absl::StrCat("the request is not JSON: ", document.error()));
  // It may have been a put.
  if (absl::StrContains(text, "\"payload\"")) decoded.payload = absl::nullopt;
  return decoded;
}

uint64_t PayloadOf(const Request& request) {
  if (const auto* put = absl::get_if<PutMessage>(&request.body)) return put->payload;
  const auto* batch = absl::get_if<std::unique_ptr<BatchRequest>>(&request.body);
  if (batch == nullptr) return 0;
  return std::accumulate((*batch)->payloads.begin(), (*batch)->payloads.end(), uint64_t{0});
}

}  // namespace

DecodedRequest DecodeRequest(absl::string_view line, absl::Span<const std::string> more_ops) {
  DecodedRequest usual;
  if (json::ReadUsualRequest(line, usual.request.emplace())) {
    usual.payload = PayloadOf(*usual.request);
    return usual;
  }
  return DecodeText(line, {more_ops, absl::nullopt});
}

DecodedRequest DecodeRequestAs(Op op, absl::string_view body,
                               absl::Span<const std::string> more_ops) {
  DecodedRequest usual;
  if (json::ReadUsualBody(op, body, usual.request.emplace())) return usual;
  return DecodeText(body.empty() ? "{}" : body, {more_ops, NamedOp{op, ""}});
}

DecodedRequest DecodeExtensionRequest(absl::string_view op, absl::string_view body) {
  return DecodeText(body.empty() ? "{}" : body, {{}, NamedOp{Op::kExtension, op}});
}

}  // namespace packice
