#include "codec_usual.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "codec_fields.h"

namespace packice::json {
namespace {

// Bytes that stand for themselves in a JSON string and are a character each.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (int c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

// Each function takes what it names off the front of the text, or says no.
class Scanner {
 public:
  explicit Scanner(absl::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  template <size_t N>
  bool Take(const char (&literal)[N]) {
    constexpr size_t kSize = N - 1;
    if (static_cast<size_t>(end_ - at_) < kSize || std::memcmp(at_, literal, kSize) != 0)
      return false;
    at_ += kSize;
    return true;
  }

  // Up to the quote that ends it, and that quote.
  bool TakeString(absl::string_view& text) {
    const char* start = at_;
    while (at_ != end_ && kPlain[static_cast<unsigned char>(*at_)]) ++at_;
    if (at_ == end_ || *at_ != '"') return false;
    text = absl::string_view(start, static_cast<size_t>(at_++ - start));
    return true;
  }

  bool TakeObjectId(ObjectId& id) {
    absl::string_view text;
    if (!TakeString(text) || text.empty() || text.size() > ObjectId::kMaxBytes) return false;
    id = *ObjectId::Parse(text);
    return true;
  }

  bool TakeLeaseId(LeaseId& id) {
    constexpr size_t kDigits = 32;
    if (end_ - at_ <= static_cast<ptrdiff_t>(kDigits) || at_[kDigits] != '"') return false;
    absl::StatusOr<LeaseId> parsed = LeaseId::Parse(absl::string_view(at_, kDigits));
    if (!parsed.ok()) return false;
    id = *parsed;
    at_ += kDigits + 1;
    return true;
  }

  // Nineteen digits, which the number of a segment has, are no more than 64 bits hold.
  bool TakeUnsigned(uint64_t& value) {
    const char* start = at_;
    value = 0;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9' && at_ - start < 20) {
      value = value * 10 + static_cast<uint64_t>(*at_++ - '0');
    }
    const ptrdiff_t digits = at_ - start;
    return digits > 0 && digits < 20 && value <= kMaxSize && (digits == 1 || *start != '0');
  }

  bool TakeAccess(Access& access) {
    if (Take("read\"")) {
      access = Access::kRead;
    } else if (Take("create\"")) {
      access = Access::kCreate;
    } else if (Take("write\"")) {
      access = Access::kWrite;
    } else {
      return false;
    }
    return true;
  }

  bool done() const { return at_ == end_; }

 private:
  const char* at_;
  const char* const end_;
};

bool ReadAcquire(Scanner& scan, AcquireRequest& acquire) {
  if (!scan.TakeAccess(acquire.access)) return false;
  if (!scan.Take(",\"object_id\":\"") || !scan.TakeObjectId(acquire.object_id)) return false;
  uint64_t size;
  if (acquire.access == Access::kCreate && scan.Take(",\"size\":")) {
    if (!scan.TakeUnsigned(size)) return false;
    acquire.blob_sizes.push_back(size);
  }
  return true;
}

bool ReadPut(Scanner& scan, PutMessage& message) {
  if (!scan.TakeObjectId(message.put.object_id)) return false;
  uint64_t size;
  if (scan.Take(",\"size\":")) {
    if (!scan.TakeUnsigned(size)) return false;
    message.put.blob_sizes.push_back(size);
  }
  if (scan.Take(",\"staged\":{\"offset\":")) {
    StagedRange& staged = message.staged.emplace();
    return scan.TakeUnsigned(staged.offset) && scan.Take(",\"size\":") &&
           scan.TakeUnsigned(staged.size) && scan.Take("}");
  }
  return scan.Take(",\"payload\":") && scan.TakeUnsigned(message.payload) &&
         message.payload <= PutMessage::kMaxPayload;
}

// What stands behind the op, from the first member's name on.
bool ReadMembers(Scanner& scan, Request& request) {
  switch (request.op) {
    case Op::kAcquire:
      if (!scan.Take("intent\":\"")) return false;
      if (!ReadAcquire(scan, request.body.emplace<AcquireRequest>())) return false;
      break;
    case Op::kRelease:
      if (!scan.Take("lease_id\":\"")) return false;
      if (!scan.TakeLeaseId(request.body.emplace<LeaseRequest>().lease_id)) return false;
      break;
    case Op::kSeal:
      if (!scan.Take("lease_id\":\"")) return false;
      if (!scan.TakeLeaseId(request.body.emplace<SealRequest>().lease_id)) return false;
      break;
    case Op::kPut:
      if (!scan.Take("object_id\":\"")) return false;
      if (!ReadPut(scan, request.body.emplace<PutMessage>())) return false;
      break;
    default:
      return false;
  }
  return scan.Take("}");
}

bool ReadRequest(Scanner& scan, Request& request) {
  if (!scan.Take("{\"op\":\"")) return false;
  if (scan.Take("acquire\",\"")) {
    request.op = Op::kAcquire;
  } else if (scan.Take("release\",\"")) {
    request.op = Op::kRelease;
  } else if (scan.Take("put\",\"")) {
    request.op = Op::kPut;
  } else if (scan.Take("seal\",\"")) {
    request.op = Op::kSeal;
  } else {
    return false;
  }
  return ReadMembers(scan, request);
}

// But for puts with a payload, which the general reader counts.
bool ReadBatch(Scanner& scan, BatchRequest& batch) {
  do {
    Request request;
    if (batch.requests.size() == BatchRequest::kMaxRequests || !ReadRequest(scan, request)) {
      return false;
    }
    const auto* put = absl::get_if<PutMessage>(&request.body);
    if (put != nullptr && !put->staged) return false;
    batch.requests.emplace_back(std::move(request));
  } while (scan.Take(","));
  return scan.Take("]}");
}

bool ReadGrant(Scanner& scan, GrantReply& grant);

}  // namespace

bool ReadUsualRequest(absl::string_view line, Request& request) {
  Scanner scan(line);
  if (!scan.Take("{\"op\":\"batch\",\"requests\":[")) {
    return ReadRequest(scan, request) && scan.done();
  }
  request.op = Op::kBatch;
  auto batch = std::make_unique<BatchRequest>();
  if (!ReadBatch(scan, *batch) || !scan.done()) return false;
  request.body = std::move(batch);
  return true;
}

bool ReadUsualBody(Op op, absl::string_view body, Request& request) {
  Scanner scan(body);
  request.op = op;
  return scan.Take("{\"") && ReadMembers(scan, request) && scan.done();
}

namespace {

bool ReadGrant(Scanner& scan, GrantReply& grant) {
  FdHandle fd;
  const bool usual = scan.Take("{\"lease_id\":\"") && scan.TakeLeaseId(grant.lease_id) &&
                     scan.Take(",\"object_id\":\"") && scan.TakeObjectId(grant.object_id) &&
                     scan.Take(",\"intent\":\"") && scan.TakeAccess(grant.access) &&
                     scan.Take(",\"state\":\"");
  if (!usual) return false;
  if (scan.Take("SEALED\"")) {
    grant.state = ObjectState::kSealed;
  } else if (scan.Take("CREATING\"")) {
    grant.state = ObjectState::kCreating;
  } else {
    return false;
  }
  uint64_t index;
  if (!(scan.Take(",\"ttl_seconds\":null,\"meta\":{},\"size\":") && scan.TakeUnsigned(grant.size) &&
        scan.Take(",\"handles\":[{\"kind\":\""))) {
    return false;
  }
  if (scan.Take("segment\",\"segment\":")) {
    SegmentHandle segment;
    const bool known = scan.TakeUnsigned(segment.segment) && scan.Take(",\"offset\":") &&
                       scan.TakeUnsigned(segment.offset) && scan.Take(",\"size\":") &&
                       scan.TakeUnsigned(segment.size) && scan.Take("}]}");
    if (known) grant.handles.emplace_back(segment);
    return known;
  }
  if (!(scan.Take("fd\",\"index\":") && scan.TakeUnsigned(index) && scan.Take(",\"offset\":") &&
        scan.TakeUnsigned(fd.offset) && scan.Take(",\"size\":") && scan.TakeUnsigned(fd.size) &&
        scan.Take("}]}"))) {
    return false;
  }
  fd.index = index;
  grant.handles.emplace_back(fd);
  return true;
}

}  // namespace

bool ReadUsualGrant(absl::string_view line, GrantReply& grant) {
  Scanner scan(line);
  return ReadGrant(scan, grant) && scan.done();
}

bool ReadUsualGrants(absl::string_view line, const BatchRequest& asked, BatchReply& grants) {
  Scanner scan(line);
  if (!scan.Take("{\"responses\":[")) return false;
  for (const absl::StatusOr<Request>& request : asked.requests) {
    if (!request.ok() || request->op != Op::kAcquire) return false;
    if (!grants.responses.empty() && !scan.Take(",")) return false;
    if (!ReadGrant(scan, grants.responses.emplace_back().emplace<GrantReply>())) return false;
  }
  return scan.Take("]}") && scan.done();
}

bool ReadUsualSealed(absl::string_view line, Sealed& sealed) {
  Scanner scan(line);
  return scan.Take("{\"status\":\"sealed\",\"object_id\":\"") &&
         scan.TakeObjectId(sealed.object_id) && scan.Take(",\"size\":") &&
         scan.TakeUnsigned(sealed.size) && scan.Take("}") && scan.done();
}

}  // namespace packice::json
