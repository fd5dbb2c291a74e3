#include <cstdint>
#include <memory>

#include "codec_scanner.h"
#include "codec_usual.h"

namespace packice::json {
namespace {

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
bool TakeMembers(Scanner& scan, Request& request) {
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

bool TakeRequest(Scanner& scan, Request& request) {
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
  return TakeMembers(scan, request);
}

bool ReadBatch(Scanner& scan, BatchRequest& batch) {
  uint64_t sum = 0;
  return TakeList(scan, [&] {
    if (batch.requests.size() == BatchRequest::kMaxRequests) return false;
    Request& request = *batch.requests.emplace_back(Request());
    if (!TakeRequest(scan, request)) return false;
    const auto* const put = absl::get_if<PutMessage>(&request.body);
    if (put != nullptr && put->payload > 0) {
      batch.payloads.resize(batch.requests.size());
      batch.payloads.back() = put->payload;
      sum += put->payload;
    } else if (!batch.payloads.empty()) {
      batch.payloads.push_back(0);
    }
    return sum <= BatchRequest::kMaxPayload;
  });
}

}  // namespace

bool ReadUsualRequest(absl::string_view line, Request& request) {
  Scanner scan(line);
  if (scan.Take("{\"op\":\"batch\",\"requests\":[")) {
    request.op = Op::kBatch;
    auto& batch =
        request.body.emplace<std::unique_ptr<BatchRequest>>(std::make_unique<BatchRequest>());
    return ReadBatch(scan, *batch) && scan.done();
  }
  return TakeRequest(scan, request) && scan.done();
}

bool ReadUsualBody(Op op, absl::string_view body, Request& request) {
  Scanner scan(body);
  request.op = op;
  return scan.Take("{\"") && TakeMembers(scan, request) && scan.done();
}

}  // namespace packice::json
