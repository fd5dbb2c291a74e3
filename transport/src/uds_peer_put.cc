// Put over a Unix socket: as few messages as the size of the object allows.
#include <cstring>
#include <utility>
#include <vector>

#include "packice/core/put.h"
#include "uds_large_put.h"
#include "uds_peer_impl.h"

namespace packice {
namespace {

// What goes through the socket, in bytes, although there is a staging area: beyond it the two
// copies that the kernel makes cost more than the one that it saves (tests/speed/uds_speed.cc).
constexpr size_t kMaxSent = 32 * 1024;
// What is staged as a whole. To write a larger one where the node has it saves more than the
// messages cost.
constexpr size_t kMaxStaged = 1024 * 1024;

// What cannot be is for the node to refuse; but a line of more than kMaxRequestBytes would end the
// connection.
bool FitsALine(const PutRequest& request) {
  return request.blob_sizes.size() <= Object::kMaxBlobs && request.metadata.CheckSize().ok();
}

void PutInSteps(Peer& peer, PutRequest request, Done<absl::StatusOr<Sealed>> done) {
  PutGathered(
      peer, std::move(request), [](absl::AnyInvocable<void() &&> job) { std::move(job)(); },
      std::move(done));
}

UdsChannel::Call PutCall(PutRequest request) {
  UdsChannel::Call call;
  call.request.op = Op::kPut;
  call.request.body.emplace<PutMessage>().put = std::move(request);
  return call;
}

UdsChannel::Call SendingCall(PutRequest request) {
  const absl::string_view bytes = request.bytes;
  UdsChannel::Call call = PutCall(std::move(request));
  absl::get<PutMessage>(call.request.body).payload = bytes.size();
  call.payload = {bytes};
  return call;
}

// False when nothing of it was sent; request and `done` are then as before.
bool PutStaged(UdsChannel& channel, UdsStaging::Piece piece, PutRequest& request,
               Done<absl::StatusOr<Sealed>>& done) {
  std::memcpy(piece.bytes().data(), request.bytes.data(), request.bytes.size());
  const StagedRange range{piece.offset(), request.bytes.size()};
  struct Answer {
    UdsStaging::Piece piece;
    Done<absl::StatusOr<Sealed>> done;
  };
  auto answer = std::make_shared<absl::optional<Answer>>(Answer{std::move(piece), std::move(done)});
  UdsChannel::Call call = PutCall(std::move(request));
  absl::get<PutMessage>(call.request.body).staged = range;
  call.answered = AnswerTo<Sealed>([answer](absl::StatusOr<Sealed> sealed) {
    Done<absl::StatusOr<Sealed>> told = std::move((*answer)->done);
    answer->reset();  // whoever is answered may want the room
    std::move(told)(std::move(sealed));
  });
  if (channel.Send(absl::MakeSpan(&call, 1))) return true;
  request = std::move(absl::get<PutMessage>(call.request.body).put);
  done = std::move((*answer)->done);
  return false;
}

bool PutInPieces(UdsChannel& channel, UdsStaging& area, PutRequest& request,
                 Done<absl::StatusOr<Sealed>>& done) {
  std::vector<UdsStaging::Piece> pieces;
  for (int i = 0; i < 2; ++i) {
    absl::optional<UdsStaging::Piece> piece = area.Take(UdsLargePut::kPiece);
    if (!piece) return false;
    pieces.push_back(*std::move(piece));
  }
  auto put = std::make_shared<UdsLargePut>(channel, std::move(pieces), std::move(request),
                                           std::move(done));
  if (put->Start()) return true;
  request = std::move(put->request);
  done = std::move(put->done);
  return false;
}

}  // namespace

void UdsPeer::Put(PutRequest request, Done<absl::StatusOr<Sealed>> done) {
  const size_t size = request.bytes.size();
  absl::Status sizes = CheckBlobSizes(request.blob_sizes, size);
  if (!sizes.ok()) return std::move(done)(std::move(sizes));
  // A wait can be given up, and the bytes must not be needed any more then: so it is Acquire's.
  if (request.wait != absl::ZeroDuration() || !impl_->puts() || !FitsALine(request)) {
    return PutInSteps(*this, std::move(request), std::move(done));
  }
  const bool in_pieces = size >= impl_->options().pieces_from;
  if (size > kMaxSent && (size <= kMaxStaged || in_pieces)) {
    impl_->SendGathered();
    const Impl::Staged staging = impl_->Staging();
    if (staging.area != nullptr && in_pieces) {
      if (PutInPieces(*staging.channel, *staging.area, request, done)) return;
    } else if (staging.area != nullptr) {
      absl::optional<UdsStaging::Piece> piece = staging.area->Take(size);
      if (piece && PutStaged(*staging.channel, *std::move(piece), request, done)) return;
    }
  }
  if (size > PutMessage::kMaxPayload) {
    return PutInSteps(*this, std::move(request), std::move(done));
  }
  UdsChannel::Call call = SendingCall(std::move(request));
  call.answered = AnswerTo(std::move(done));
  impl_->Call(std::move(call));
}

}  // namespace packice
