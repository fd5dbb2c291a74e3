#include <cstdint>
#include <memory>
#include <vector>

#include "codec_scanner.h"
#include "codec_usual.h"

namespace packice::json {
namespace {

bool TakeGrant(Scanner& scan, GrantReply& grant) {
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

bool TakeSealed(Scanner& scan, Sealed& sealed) {
  return scan.Take("{\"status\":\"sealed\",\"object_id\":\"") &&
         scan.TakeObjectId(sealed.object_id) && scan.Take(",\"size\":") &&
         scan.TakeUnsigned(sealed.size) && scan.Take("}");
}

bool TakeReply(Scanner& scan, Op asked, Reply& reply) {
  switch (asked) {
    case Op::kAcquire:
      return TakeGrant(scan, reply.emplace<GrantReply>());
    case Op::kPut:
    case Op::kSeal:
      return TakeSealed(scan, reply.emplace<Sealed>());
    case Op::kRelease:
      reply.emplace<ReleaseReply>();
      return scan.Take("{\"status\":\"released\"}");
    default:
      return false;
  }
}

bool ReadBatchReply(Scanner& scan, const Request& asked, BatchReply& batch) {
  const auto* const question = absl::get_if<std::unique_ptr<BatchRequest>>(&asked.body);
  if (question == nullptr || *question == nullptr) return false;
  const std::vector<absl::StatusOr<Request>>& requests = (*question)->requests;
  batch.responses.reserve(requests.size());
  const bool usual = TakeList(scan, [&] {
    const size_t at = batch.responses.size();
    if (at == requests.size() || !requests[at].ok()) return false;
    return TakeReply(scan, requests[at]->op, batch.responses.emplace_back());
  });
  return usual && batch.responses.size() == requests.size();
}

}  // namespace

bool ReadUsualReply(absl::string_view line, const Request& asked, Reply& reply) {
  Scanner scan(line);
  if (asked.op == Op::kBatch) {
    auto& batch = reply.emplace<std::unique_ptr<BatchReply>>(std::make_unique<BatchReply>());
    return scan.Take("{\"responses\":[") && ReadBatchReply(scan, asked, *batch) && scan.done();
  }
  return TakeReply(scan, asked.op, reply) && scan.done();
}

}  // namespace packice::json
