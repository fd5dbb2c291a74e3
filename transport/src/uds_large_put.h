// A put of more than one staged message: a lease, its blobs written in pieces, seal and release.
// While the node copies one piece the client fills the next. Keeps itself until it has answered;
// thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "packice/core/mutex.h"
#include "packice/core/peer.h"
#include "uds_channel.h"
#include "uds_staging.h"

namespace packice {

class UdsLargePut : public std::enable_shared_from_this<UdsLargePut> {
 public:
  // Bytes of a piece: as much as the node copies without leaving its event loop.
  static constexpr size_t kPiece = 1 << 20;

  // The channel outlives what it answers, this among it. It is not shared: whoever drops it last
  // must not be in one of its callbacks.
  UdsLargePut(UdsChannel& channel, std::vector<UdsStaging::Piece> pieces, PutRequest request,
              Done<absl::StatusOr<Sealed>> done);

  // False when the channel turned out to be broken before anything was sent: `request` and `done`
  // are then for the caller to take back.
  bool Start();

  PutRequest request;
  Done<absl::StatusOr<Sealed>> done;

 private:
  // What is still to be written of the blobs; its front goes next.
  struct Rest {
    size_t blob = 0;
    uint64_t offset = 0;
    absl::string_view bytes;
  };

  void Granted(absl::StatusOr<Reply> reply);
  // Fills a piece and sends it, or ends when it was the last one.
  void Write(size_t piece);
  void Written(size_t piece, absl::Status status);
  void Finish();
  void Answered();
  void Send(std::vector<UdsChannel::Call> calls);

  UdsChannel& channel_;
  LeaseId lease_;
  absl::InlinedVector<uint64_t, 1> sizes_;
  absl::StatusOr<Sealed> outcome_;
  std::atomic<int> unanswered_{1};  // of the last message

  Mutex mutex_;
  std::vector<UdsStaging::Piece> pieces_;  // each used by one write at a time
  size_t writing_ ABSL_GUARDED_BY(mutex_) = 0;
  Rest rest_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
