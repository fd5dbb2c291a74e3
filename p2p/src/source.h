// One holder that a download reads from, or is about to. Plain state, kept by SourceSet and
// Download; what comes on its channel goes to the set.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "link_pool.h"
#include "packice/core/clock.h"
#include "piece_set.h"
#include "rate_meter.h"

namespace packice {

class SourceSet;

struct Source final : LinkPool::User {
  struct Request {
    uint32_t piece;
    Instant asked_at;
    bool arriving = false;  // its first bytes are here
  };

  Source(SourceSet& a_set, std::string an_address) : set(a_set), address(std::move(an_address)) {}

  bool OnFrame(const Frame& frame) override;
  void OnPieceBegins(uint32_t piece) override;
  void OnPiece(uint32_t piece, TransferEngine::PieceResult result) override;
  void OnLost(const absl::Status& why) override;

  // Null: it has all.
  const PieceSet* pieces() const { return complete ? nullptr : &has; }
  bool Has(uint32_t piece) const { return complete || has.Has(piece); }

  SourceSet& set;
  const std::string address;
  LinkPool::Channel channel{};
  bool asked_manifest = false;
  bool asked_eager = false;
  bool open = false;                     // OPENED has come
  bool gone = false;                     // no longer in the set
  bool in_download = false;              // added to it
  Instant since = absl::ZeroDuration();  // of the last that was heard of it, or hoped for

  bool complete = false;
  PieceSet has;                   // where it is not complete
  std::vector<Request> requests;  // oldest first

  // How many pieces to ask for at a time, and what that is learned from.
  double window = 2;
  absl::Duration best_latency = absl::InfiniteDuration();
  uint64_t bytes = 0;
  RateMeter rate;
};

}  // namespace packice
