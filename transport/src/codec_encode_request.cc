#include <algorithm>

#include "codec_events.h"
#include "codec_fields.h"
#include "codec_write.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

using json::AppendLeaseId;
using json::AppendMetadata;
using json::AppendSeconds;
using json::AppendString;
using json::AppendUnsigned;

// Appends the members behind "op", each with its comma in front.
struct BodyEncoder {
  std::string& out;

  void Seconds(absl::string_view key, absl::optional<absl::Duration> duration) {
    if (!duration || *duration == absl::InfiniteDuration()) return;
    out.append(key.data(), key.size());
    AppendSeconds(*duration, out);
  }
  void Meta(const Metadata& metadata) {
    if (metadata.empty()) return;
    out.append(",\"meta\":");
    AppendMetadata(metadata, out);
  }
  void Lease(const LeaseId& id) {
    out.append(",\"lease_id\":");
    AppendLeaseId(id, out);
  }
  void Text(absl::string_view key, absl::string_view value) {
    if (value.empty()) return;
    out.append(key.data(), key.size());
    AppendString(value, out);
  }

  void operator()(const StatsRequest&) {}
  void operator()(const IndexRequest&) {}

  void operator()(const HelloRequest& hello) {
    if (hello.features.empty()) return;
    char before = '[';
    out.append(",\"features\":");
    for (const std::string& feature : hello.features) {
      out.push_back(before);
      before = ',';
      AppendString(feature, out);
    }
    out.push_back(']');
  }

  void operator()(const AcquireRequest& acquire) {
    const absl::string_view intent = AccessName(acquire.access);
    out.append(",\"intent\":\"");
    out.append(intent.data(), intent.size());
    out.push_back('"');
    Text(",\"object_id\":", acquire.object_id.bytes());
    BlobSizes(acquire.blob_sizes);
    if (acquire.written_here) out.append(",\"written_here\":true");
    if (acquire.quiet) out.append(",\"quiet\":true");
    Seconds(",\"ttl_seconds\":", acquire.ttl);
    Seconds(",\"object_ttl_seconds\":", acquire.object_ttl);
    Meta(acquire.metadata);
    Wait(acquire.wait);
  }

  // One below 0 is for the node to refuse.
  void Wait(absl::Duration wait) {
    if (wait == absl::ZeroDuration()) return;
    // To wait for ever is a fair thing to ask for; the wire has a limit.
    Seconds(",\"wait_seconds\":", std::min(wait, absl::Seconds(json::kMaxSeconds)));
  }

  void BlobSizes(absl::Span<const uint64_t> sizes) {
    if (sizes.empty()) return;
    if (sizes.size() == 1) {
      out.append(",\"size\":");
      return AppendUnsigned(sizes.front(), out);
    }
    char before = '[';
    out.append(",\"blobs\":");
    for (const uint64_t size : sizes) {
      out.push_back(before);
      before = ',';
      out.append("{\"size\":");
      AppendUnsigned(size, out);
      out.push_back('}');
    }
    out.push_back(']');
  }

  void Staged(const StagedRange& staged) {
    out.append(",\"staged\":{\"offset\":");
    AppendUnsigned(staged.offset, out);
    out.append(",\"size\":");
    AppendUnsigned(staged.size, out);
    out.push_back('}');
  }

  void operator()(const PutMessage& message) {
    const PutRequest& put = message.put;
    Text(",\"object_id\":", put.object_id.bytes());
    BlobSizes(put.blob_sizes);
    Seconds(",\"object_ttl_seconds\":", put.object_ttl);
    Meta(put.metadata);
    Wait(put.wait);
    if (message.staged) return Staged(*message.staged);
    out.append(",\"payload\":");
    AppendUnsigned(message.payload, out);
  }

  void operator()(const StageRequest& stage) {
    out.append(",\"size\":");
    AppendUnsigned(stage.size, out);
  }

  void operator()(const WriteRequest& write) {
    Lease(write.lease_id);
    out.append(",\"blob\":");
    AppendUnsigned(write.blob, out);
    out.append(",\"offset\":");
    AppendUnsigned(write.offset, out);
    Staged(write.staged);
  }

  void operator()(const SealRequest& seal) {
    Lease(seal.lease_id);
    if (seal.size) {
      out.append(",\"size\":");
      AppendUnsigned(*seal.size, out);
    }
    Meta(seal.metadata);
    if (seal.expires_at && *seal.expires_at != absl::InfiniteFuture()) {
      out.append(",\"expires_at\":");
      json::AppendTime(*seal.expires_at, out);
    }
  }

  void operator()(const LeaseRequest& lease) { Lease(lease.lease_id); }

  void operator()(const RenewRequest& renew) {
    Lease(renew.lease_id);
    Seconds(",\"ttl_seconds\":", renew.ttl);
  }

  void operator()(const RelocateRequest& relocate) {
    Lease(relocate.lease_id);
    Text(",\"object_id\":", relocate.to.bytes());
  }

  void operator()(const StatRequest& stat) { Text(",\"object_id\":", stat.object_id.bytes()); }

  void operator()(const ListRequest& list) {
    Text(",\"prefix\":", list.prefix);
    Text(",\"after\":", list.after);
    if (list.limit == ListRequest::kDefaultLimit) return;
    out.append(",\"limit\":");
    AppendUnsigned(list.limit, out);
  }

  void operator()(const EventsRequest& events) {
    if (events.after) {
      out.append(",\"after\":");
      AppendUnsigned(*events.after, out);
    }
    if (events.limit != EventsRequest::kDefaultLimit) {
      out.append(",\"limit\":");
      AppendUnsigned(events.limit, out);
    }
    json::AppendKinds(events.kinds, out);
    if (events.wait != absl::ZeroDuration()) {
      Seconds(",\"wait_seconds\":", std::min(events.wait, absl::Seconds(json::kMaxSeconds)));
    }
  }

  void operator()(const ExtensionRequest& extension) {
    json::AppendMembers(extension.json, out);
    if (extension.wait != absl::ZeroDuration()) Seconds(",\"wait_seconds\":", extension.wait);
  }

  void operator()(const std::unique_ptr<BatchRequest>& batch);
};

void AppendRequest(const Request& request, std::string& out) {
  out.push_back('{');
  if (!request.seq.empty()) {
    out.append("\"seq\":");
    out.append(request.seq);
    out.push_back(',');
  }
  const auto* extension = absl::get_if<ExtensionRequest>(&request.body);
  const absl::string_view op = extension != nullptr ? extension->op : OpName(request.op);
  out.append("\"op\":\"");
  out.append(op.data(), op.size());
  out.push_back('"');
  absl::visit(BodyEncoder{out}, request.body);
  if (request.keep_bytes) out.append(",\"keep_bytes\":true");
  out.push_back('}');
}

void BodyEncoder::operator()(const std::unique_ptr<BatchRequest>& batch) {
  out.append(",\"requests\":[");
  for (size_t i = 0; batch != nullptr && i < batch->requests.size(); ++i) {
    if (i != 0) out.push_back(',');
    const absl::StatusOr<Request>& request = batch->requests[i];
    if (request.ok()) {
      AppendRequest(*request, out);
    } else {
      out.append("null");  // keeps the others' places; answered as a failure
    }
  }
  out.push_back(']');
}

}  // namespace

void EncodeRequest(const Request& request, std::string& out) {
  AppendRequest(request, out);
  out.push_back('\n');
}

size_t RequestSizeBound(const Request& request) {
  // Names, numbers and lease ids, a comma. A character may be escaped with six.
  constexpr size_t kFixed = 1024;
  constexpr size_t kEscaped = 6;
  const auto object = [](const auto& made) {
    size_t size = kEscaped * made.object_id.bytes().size();
    size += made.blob_sizes.size() * 32;
    for (const auto& [key, value] : made.metadata.values())
      size += kEscaped * key.size() + value.size() + 8;
    return kFixed + size;
  };
  if (const auto* acquire = absl::get_if<AcquireRequest>(&request.body)) return object(*acquire);
  if (const auto* put = absl::get_if<PutMessage>(&request.body)) return object(put->put);
  std::string line;
  EncodeRequest(request, line);
  return line.size() + 1;
}

}  // namespace packice
