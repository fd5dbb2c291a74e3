#include "codec_events.h"
#include "codec_fields.h"
#include "codec_tiers.h"
#include "codec_write.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

using json::AppendLeaseId;
using json::AppendMetadata;
using json::AppendSeconds;
using json::AppendString;
using json::AppendTime;
using json::AppendUnsigned;

void Append(absl::string_view text, std::string& out) { out.append(text.data(), text.size()); }

void AppendMember(absl::string_view key, uint64_t value, std::string& out) {
  Append(key, out);
  AppendUnsigned(value, out);
}

struct HandleEncoder {
  std::string& out;

  void operator()(const FdHandle& fd) {
    AppendMember("{\"kind\":\"fd\",\"index\":", fd.index, out);
    AppendMember(",\"offset\":", fd.offset, out);
    AppendMember(",\"size\":", fd.size, out);
    out.push_back('}');
  }
  void operator()(const PathHandle& path) {
    Append("{\"kind\":\"path\",\"path\":", out);
    AppendString(path.path, out);
    AppendMember(",\"offset\":", path.offset, out);
    AppendMember(",\"size\":", path.size, out);
    if (path.index) AppendMember(",\"index\":", *path.index, out);
    if (!path.identity.empty()) {
      Append(",\"identity\":", out);
      AppendString(path.identity, out);
    }
    out.push_back('}');
  }
  void operator()(const UrlDescriptor& url) {
    Append("{\"kind\":\"http\",\"url\":", out);
    AppendString(url.url, out);
    AppendMember(",\"size\":", url.size, out);
    out.push_back('}');
  }
  void operator()(const SegmentHandle& segment) {
    AppendMember("{\"kind\":\"segment\",\"segment\":", segment.segment, out);
    AppendMember(",\"offset\":", segment.offset, out);
    AppendMember(",\"size\":", segment.size, out);
    if (segment.index) {
      AppendMember(",\"index\":", *segment.index, out);
      AppendMember(",\"segment_size\":", segment.segment_size, out);
    }
    out.push_back('}');
  }
};

absl::string_view StateName(ObjectState state) {
  return state == ObjectState::kSealed ? "SEALED" : "CREATING";
}

void AppendTimeOrNull(const absl::optional<absl::Time>& time, std::string& out) {
  if (!time || *time == absl::InfiniteFuture() || *time == absl::InfinitePast()) {
    return Append("null", out);
  }
  AppendTime(*time, out);
}

void AppendInfo(const ObjectInfo& info, std::string& out) {
  Append("\"object_id\":", out);
  AppendString(info.object_id.bytes(), out);
  Append(",\"state\":\"", out);
  Append(StateName(info.state), out);
  AppendMember("\",\"size\":", info.size(), out);
  Append(",\"meta\":", out);
  AppendMetadata(info.metadata, out);
  Append(",\"blobs\":[", out);
  for (size_t i = 0; i < info.blob_sizes.size(); ++i) {
    AppendMember(i == 0 ? "{\"size\":" : ",{\"size\":", info.blob_sizes[i], out);
    out.push_back('}');
  }
  AppendMember("],\"leases\":", info.leases, out);
  Append(",\"created_at\":", out);
  AppendTime(info.created_at, out);
  Append(",\"sealed_at\":", out);
  AppendTimeOrNull(info.sealed_at, out);
  Append(",\"expires_at\":", out);
  AppendTimeOrNull(info.expires_at, out);
  if (info.tiers.empty()) return;
  for (size_t i = 0; i < info.tiers.size(); ++i) {
    Append(i == 0 ? ",\"tiers\":[" : ",", out);
    AppendString(info.tiers[i], out);
  }
  out.push_back(']');
}

// Appends the members of a reply, without braces, so that a seq can stand in front.
struct ReplyEncoder {
  std::string& out;

  void operator()(const absl::Status& status) {
    // An OK status is no answer to anything; say so rather than send what no client can read.
    const ErrorKind kind = status.ok() ? ErrorKind::kInternal : KindOf(status);
    Append("\"error\":{\"kind\":\"", out);
    Append(InfoOf(kind).name, out);
    Append("\",\"message\":", out);
    AppendString(status.ok() ? "the node has no answer" : status.message(), out);
    out.push_back('}');
  }

  void operator()(const HelloReply& hello) {
    Append("\"packice\":", out);
    AppendString(hello.version, out);
    AppendMember(",\"protocol\":", static_cast<uint64_t>(hello.protocol), out);
    Append(",\"features\":[", out);
    for (size_t i = 0; i < hello.features.size(); ++i) {
      if (i != 0) out.push_back(',');
      AppendString(hello.features[i], out);
    }
    out.push_back(']');
  }

  void operator()(const GrantReply& grant) {
    Append("\"lease_id\":", out);
    AppendLeaseId(grant.lease_id, out);
    Append(",\"object_id\":", out);
    const size_t id = out.size();
    AppendString(grant.object_id.bytes(), out);
    const size_t id_size = out.size() - id;
    if (grant.older_names) {
      Append(",\"objid\":", out);
      out.append(out, id, id_size);
    }
    Append(",\"intent\":\"", out);
    Append(AccessName(grant.access), out);
    Append("\",\"state\":\"", out);
    Append(StateName(grant.state), out);
    Append("\",\"ttl_seconds\":", out);
    AppendSeconds(grant.ttl.value_or(absl::InfiniteDuration()), out);
    Append(",\"meta\":", out);
    AppendMetadata(grant.metadata, out);
    AppendMember(",\"size\":", grant.size, out);
    Append(",\"handles\":[", out);
    for (size_t i = 0; i < grant.handles.size(); ++i) {
      if (i != 0) out.push_back(',');
      absl::visit(HandleEncoder{out}, grant.handles[i]);
    }
    out.push_back(']');
    if (!grant.dropped_segments.empty()) {
      Append(",\"dropped\":[", out);
      for (size_t i = 0; i < grant.dropped_segments.size(); ++i) {
        AppendMember(i == 0 ? "" : ",", grant.dropped_segments[i], out);
      }
      out.push_back(']');
    }
    if (grant.older_names) Attachment(grant);
  }

  // Older clients look here for blob 0.
  void Attachment(const GrantReply& grant) {
    if (grant.handles.empty()) return;
    if (const auto* fd = absl::get_if<FdHandle>(&grant.handles.front())) {
      AppendMember(",\"attachment_fd\":", fd->index, out);
    } else if (const auto* path = absl::get_if<PathHandle>(&grant.handles.front())) {
      Append(",\"attachment_path\":", out);
      AppendString(path->path, out);
      if (path->index) AppendMember(",\"attachment_fd\":", *path->index, out);
    }
  }

  void operator()(const IndexReply& index) {
    AppendMember("\"index\":", index.index, out);
    AppendMember(",\"hints\":", index.hints, out);
    AppendMember(",\"first_segment\":", index.first_segment, out);
  }
  void operator()(const Sealed& sealed) {
    Append("\"status\":\"sealed\",\"object_id\":", out);
    AppendString(sealed.object_id.bytes(), out);
    AppendMember(",\"size\":", sealed.size, out);
  }
  void operator()(const StageReply& stage) {
    AppendMember("\"staging\":{\"index\":", stage.index, out);
    AppendMember(",\"size\":", stage.size, out);
    out.push_back('}');
  }
  void operator()(const WriteReply&) { Append("\"status\":\"written\"", out); }
  void operator()(const DiscardReply&) { Append("\"status\":\"discarded\"", out); }
  void operator()(const ReleaseReply&) { Append("\"status\":\"released\"", out); }
  void operator()(const RenewReply& renew) {
    Append("\"status\":\"renewed\",\"ttl_seconds\":", out);
    AppendSeconds(renew.ttl, out);
  }
  void operator()(const RelocateReply& relocate) {
    Append("\"status\":\"relocated\",\"object_id\":", out);
    AppendString(relocate.object_id.bytes(), out);
  }
  void operator()(const ObjectInfo& info) { AppendInfo(info, out); }

  void operator()(const ListPage& page) {
    Append("\"objects\":[", out);
    for (size_t i = 0; i < page.objects.size(); ++i) {
      Append(i == 0 ? "{" : ",{", out);
      AppendInfo(page.objects[i], out);
      out.push_back('}');
    }
    Append("],\"next\":", out);
    if (page.next) {
      AppendString(page.next->bytes(), out);
    } else {
      Append("null", out);
    }
  }

  void operator()(const StatsReply& stats) {
    const PeerStats& peer = stats.peer;
    AppendMember("\"objects\":", peer.objects, out);
    AppendMember(",\"creating\":", peer.creating, out);
    AppendMember(",\"bytes\":", peer.bytes, out);
    Append(",\"capacity\":", out);
    if (peer.capacity) {
      AppendUnsigned(*peer.capacity, out);
    } else {
      Append("null", out);
    }
    AppendMember(",\"hits\":", peer.hits, out);
    AppendMember(",\"hit_bytes\":", peer.hit_bytes, out);
    AppendMember(",\"misses\":", peer.misses, out);
    AppendMember(",\"evictions\":", peer.evictions, out);
    AppendMember(",\"expired_objects\":", peer.expired_objects, out);
    AppendMember(",\"quarantined\":", peer.quarantined, out);
    AppendMember(",\"expired_leases\":", peer.expired_leases, out);
    AppendMember(",\"waiting\":", peer.waiting, out);
    AppendMember(",\"leases\":{\"read\":", peer.read_leases, out);
    AppendMember(",\"create\":", peer.create_leases, out);
    AppendMember(",\"write\":", peer.write_leases, out);
    Append("},\"coldest_age_seconds\":", out);
    AppendSeconds(peer.coldest_age.value_or(absl::InfiniteDuration()), out);
    if (!peer.tiers.empty()) {
      Append(",\"tiers\":", out);
      json::AppendTiers(peer.tiers, out);
    }
    AppendMember(",\"connections\":", stats.connections, out);
    AppendMember(",\"refused\":", stats.refused, out);
    AppendMember(",\"descriptors\":", stats.descriptors, out);
    Append(",\"uptime_seconds\":", out);
    AppendSeconds(stats.uptime, out);
    json::AppendMembers(stats.more, out);
  }

  void operator()(const ExtensionReply& reply) {
    const size_t begin = out.size();
    json::AppendMembers(reply.json, out);
    if (out.size() > begin) out.erase(begin, 1);
  }

  void operator()(const EventPage& page) {
    Append("\"events\":[", out);
    for (size_t i = 0; i < page.events.size(); ++i) {
      if (i != 0) out.push_back(',');
      json::AppendEvent(page.events[i], out);
    }
    AppendMember("],\"next\":", page.next, out);
  }

  void operator()(const std::unique_ptr<BatchReply>& batch);
};

void AppendReply(const Reply& reply, absl::string_view seq, std::string& out) {
  out.push_back('{');
  if (!seq.empty()) {
    // In front, where PeekSeq looks first.
    Append("\"seq\":", out);
    Append(seq, out);
    out.push_back(',');
  }
  absl::visit(ReplyEncoder{out}, reply);
  if (out.back() == ',') out.pop_back();  // an extension answered with an empty object
  out.push_back('}');
}

void ReplyEncoder::operator()(const std::unique_ptr<BatchReply>& batch) {
  Append("\"responses\":[", out);
  for (size_t i = 0; batch != nullptr && i < batch->responses.size(); ++i) {
    if (i != 0) out.push_back(',');
    AppendReply(batch->responses[i], i < batch->seqs.size() ? batch->seqs[i] : "", out);
  }
  out.push_back(']');
}

}  // namespace

void EncodeReply(const Reply& reply, absl::string_view seq, std::string& out) {
  AppendReply(reply, seq, out);
  out.push_back('\n');
}

std::string FormatReply(const Reply& reply) {
  std::string text;
  AppendReply(reply, "", text);
  return text;
}

}  // namespace packice
