#include "http_batches.h"

#include <memory>
#include <string>
#include <utility>

#include "packice/core/error.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

using Call = HttpChannel::Call;
using Answered = HttpChannel::Answered;

// What the batch itself takes, generously.
constexpr size_t kMaxParts = kMaxRequestBytes - 1024;

Call Together(std::vector<Call> calls) {
  auto requests = std::make_unique<BatchRequest>();
  std::vector<Answered> answered;
  bool wanted = false;
  for (Call& call : calls) {
    wanted = wanted || call.answered;
    requests->requests.emplace_back(std::move(call.request));
    answered.push_back(std::move(call.answered));
  }
  Call batch;
  batch.request.op = Op::kBatch;
  batch.request.body = std::move(requests);
  // Who waits for one of its answers waits for all of it.
  batch.barrier = !wanted;
  if (!wanted) return batch;
  batch.answered = [answered = std::move(answered)](absl::StatusOr<Reply> reply) mutable {
    absl::Status failure = reply.status();
    std::unique_ptr<BatchReply>* replies = nullptr;
    if (reply.ok()) {
      if (auto* status = absl::get_if<absl::Status>(&*reply)) failure = *status;
      replies = absl::get_if<std::unique_ptr<BatchReply>>(&*reply);
      if (failure.ok() && (replies == nullptr || (*replies)->responses.size() != answered.size())) {
        failure = MakeError(ErrorKind::kCorrupt, "the node answered part of a batch");
      }
    }
    for (size_t i = 0; i < answered.size(); ++i) {
      if (!answered[i]) continue;
      if (failure.ok()) {
        std::move(answered[i])(std::move((*replies)->responses[i]));
      } else {
        std::move(answered[i])(failure);
      }
    }
  };
  return batch;
}

}  // namespace

std::vector<Call> InBatches(std::vector<Call> calls) {
  std::vector<Call> batches;
  std::vector<Call> parts;
  size_t bytes = 0;
  const auto flush = [&] {
    if (parts.size() == 1) {
      batches.push_back(std::move(parts.front()));
    } else if (!parts.empty()) {
      batches.push_back(Together(std::move(parts)));
    }
    parts.clear();
    bytes = 0;
  };
  std::string encoded;
  for (Call& call : calls) {
    encoded.clear();
    EncodeRequest(call.request, encoded);
    if (bytes + encoded.size() > kMaxParts || parts.size() == BatchRequest::kMaxRequests) flush();
    bytes += encoded.size();
    parts.push_back(std::move(call));
  }
  flush();
  return batches;
}

}  // namespace packice
