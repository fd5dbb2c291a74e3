#include "uds_batches.h"

#include <memory>
#include <utility>

#include "packice/core/error.h"
#include "packice/transport/codec.h"
#include "uds_answers.h"

namespace packice {
namespace {

UdsChannel::Call Batch(std::vector<UdsChannel::Call> calls) {
  auto requests = std::make_unique<BatchRequest>();
  auto answered = std::make_shared<std::vector<UdsChannel::Answered>>();
  bool wanted = false;
  UdsChannel::Call batch;
  for (UdsChannel::Call& call : calls) {
    batch.payload.insert(batch.payload.end(), call.payload.begin(), call.payload.end());
    wanted = wanted || call.answered;
    requests->requests.emplace_back(std::move(call.request));
    answered->push_back(std::move(call.answered));
  }
  batch.request.op = Op::kBatch;
  batch.request.body = std::move(requests);
  if (!wanted) return batch;
  batch.answered = [answered](absl::StatusOr<Reply> reply, UdsChannel::Attached& attached) {
    auto replies = As<std::unique_ptr<BatchReply>>(std::move(reply));
    if (replies.ok() && (*replies)->responses.size() != answered->size()) {
      replies = MakeError(ErrorKind::kCorrupt, "the node answered part of a batch");
    }
    for (size_t i = 0; i < answered->size(); ++i) {
      UdsChannel::Answered& one = (*answered)[i];
      if (!one) continue;
      if (replies.ok()) {
        std::move(one)(std::move((*replies)->responses[i]), attached);
      } else {
        std::move(one)(replies.status(), attached);
      }
    }
  };
  return batch;
}

}  // namespace

std::vector<UdsChannel::Call> InBatches(std::vector<UdsChannel::Call> calls) {
  std::vector<UdsChannel::Call> batches;
  std::vector<UdsChannel::Call> next;
  size_t line = 0;
  uint64_t payload = 0;
  const auto send = [&] {
    if (next.size() > 1) {
      batches.push_back(Batch(std::move(next)));
    } else if (!next.empty()) {
      batches.push_back(std::move(next.front()));
    }
    next.clear();
    line = 0;
    payload = 0;
  };
  for (UdsChannel::Call& call : calls) {
    const size_t size = RequestSizeBound(call.request);
    uint64_t bytes = 0;
    for (const absl::string_view piece : call.payload) bytes += piece.size();
    if (line + size > kMaxRequestBytes || payload + bytes > BatchRequest::kMaxPayload ||
        next.size() == BatchRequest::kMaxRequests) {
      send();
    }
    line += size;
    payload += bytes;
    next.push_back(std::move(call));
  }
  send();
  return batches;
}

}  // namespace packice
