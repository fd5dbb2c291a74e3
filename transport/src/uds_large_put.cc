#include "uds_large_put.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "packice/core/put.h"
#include "uds_answers.h"

namespace packice {

UdsLargePut::UdsLargePut(UdsChannel& channel, std::vector<UdsStaging::Piece> pieces, PutRequest put,
                         Done<absl::StatusOr<Sealed>> answer)
    : request(std::move(put)),
      done(std::move(answer)),
      channel_(channel),
      pieces_(std::move(pieces)) {}

bool UdsLargePut::Start() {
  PutRequest copy = request;
  UdsChannel::Call call;
  call.request.op = Op::kAcquire;
  AcquireRequest acquire = AcquireFor(copy);
  sizes_ = acquire.blob_sizes;
  call.request.body = std::move(acquire);
  call.answered = [self = shared_from_this()](absl::StatusOr<Reply> reply, UdsChannel::Attached&) {
    self->Granted(std::move(reply));
  };
  return channel_.Send(absl::MakeSpan(&call, 1));
}

void UdsLargePut::Granted(absl::StatusOr<Reply> reply) {
  absl::StatusOr<GrantReply> grant = As<GrantReply>(std::move(reply));
  if (!grant.ok()) return std::move(done)(grant.status());
  lease_ = grant->lease_id;
  {
    MutexLock lock(mutex_);
    rest_.bytes = request.bytes;
    writing_ = pieces_.size();
  }
  for (size_t piece = 0; piece < pieces_.size(); ++piece) Write(piece);
}

void UdsLargePut::Write(size_t piece) {
  Rest next;
  bool last = false;
  {
    MutexLock lock(mutex_);
    while (rest_.blob < sizes_.size() && rest_.offset == sizes_[rest_.blob]) {
      ++rest_.blob;
      rest_.offset = 0;
    }
    if (failure_.ok() && rest_.blob < sizes_.size()) {
      next = rest_;
      const uint64_t left = sizes_[rest_.blob] - rest_.offset;
      next.bytes = rest_.bytes.substr(0, std::min<uint64_t>(left, kPiece));
      rest_.offset += next.bytes.size();
      rest_.bytes.remove_prefix(next.bytes.size());
    } else {
      last = --writing_ == 0;
    }
  }
  if (next.bytes.empty()) {
    if (last) Finish();
    return;
  }
  std::memcpy(pieces_[piece].bytes().data(), next.bytes.data(), next.bytes.size());
  UdsChannel::Call call;
  call.request.op = Op::kWrite;
  call.request.body = WriteRequest{lease_, next.blob, next.offset,
                                   StagedRange{pieces_[piece].offset(), next.bytes.size()}};
  call.answered = StatusTo<WriteReply>([self = shared_from_this(), piece](absl::Status status) {
    self->Written(piece, std::move(status));
  });
  std::vector<UdsChannel::Call> calls;
  calls.push_back(std::move(call));
  Send(std::move(calls));
}

void UdsLargePut::Written(size_t piece, absl::Status status) {
  if (!status.ok()) {
    MutexLock lock(mutex_);
    failure_.Update(status);
  }
  Write(piece);
}

void UdsLargePut::Finish() {
  std::vector<UdsChannel::Call> calls;
  absl::Status failure;
  {
    MutexLock lock(mutex_);
    failure = failure_;
  }
  const bool seals = failure.ok();
  outcome_ = seals ? MakeError(ErrorKind::kUnavailable, "the seal was not answered") : failure;
  if (seals) {
    unanswered_ = 2;
    UdsChannel::Call& seal = calls.emplace_back();
    seal.request.op = Op::kSeal;
    seal.request.body.emplace<SealRequest>().lease_id = lease_;
    seal.answered = AnswerTo<Sealed>([self = shared_from_this()](absl::StatusOr<Sealed> sealed) {
      self->outcome_ = std::move(sealed);
      self->Answered();
    });
  }
  UdsChannel::Call& release = calls.emplace_back();
  release.request.op = Op::kRelease;
  release.request.body = LeaseRequest{lease_, SessionId::kNone, OperationId::kNone};
  release.answered = StatusTo<ReleaseReply>(
      [self = shared_from_this()](const absl::Status&) { self->Answered(); });
  Send(std::move(calls));
}

// Where the connection breaks, two threads may bring the two answers.
void UdsLargePut::Answered() {
  if (unanswered_.fetch_sub(1) > 1) return;
  pieces_.clear();  // whoever is answered may want them
  std::move(done)(std::move(outcome_));
}

void UdsLargePut::Send(std::vector<UdsChannel::Call> calls) {
  if (channel_.Send(absl::MakeSpan(calls))) return;
  const absl::Status failure = channel_.why_broken();
  UdsChannel::Attached none;
  for (UdsChannel::Call& call : calls) std::move(call.answered)(failure, none);
}

}  // namespace packice
