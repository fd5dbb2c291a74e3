// One direction of a connection through a FaultProxy: what has come in and has not gone out, and
// what is done to it on the way. Owned by the proxy's connection, used on its thread.
//
// Where faults strike is a matter of byte positions and of the seed alone, not of time or of how
// the bytes were cut into pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <string>

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/clock.h"

namespace packice {

// What a bad network does. All sizes in bytes; each direction counts for itself.
struct Faults {
  absl::Duration delay = absl::ZeroDuration();
  absl::optional<uint64_t> bytes_per_second = {};
  // About every so many bytes, at random; 0: never. One bit of what the target sends is flipped.
  uint64_t flip_every = 0;
  // A packet is lost: all behind it wait until it is sent again.
  uint64_t stall_every = 0;
  absl::Duration stall = absl::Milliseconds(200);
  uint64_t reset_every = 0;
  absl::optional<uint64_t> cut_after = {};  // exactly so many bytes of a connection
  // Nothing goes on, and nobody is told: as when a machine is gone without a word.
  bool silent = false;
};

struct FaultCounts {
  uint64_t connections = 0;
  uint64_t bytes = 0;  // that were passed on
  uint64_t flips = 0;
  uint64_t stalls = 0;
  uint64_t cuts = 0;
};

class FaultFlow {
 public:
  // What to do with the connection.
  enum class Outcome { kGoesOn, kCut };

  // `flips`: this is the direction in which bits are flipped.
  FaultFlow(int from, int to, bool flips, uint64_t seed);

  bool WantsBytes() const { return !ended_ && queued_ < kMaxQueued; }
  // True while there are bytes to send whose time has come.
  bool WantsToSend(Instant now) const;
  // When there will be; infinite: not unless more comes in.
  Instant DueNext() const;
  // Both ends are told that it is over, and nothing is left to send.
  bool finished() const { return end_told_; }

  Outcome Receive(const Faults& faults, Instant now, FaultCounts& counts);
  Outcome Send(const Faults& faults, Instant now, FaultCounts& counts);

 private:
  static constexpr size_t kMaxQueued = 4 << 20;

  struct Piece {
    Instant due;
    std::string bytes;
    size_t sent = 0;
  };
  // A place in the stream about every so many bytes.
  struct Strike {
    uint64_t every = 0;
    uint64_t at = UINT64_MAX;
  };

  void Plan(Strike& strike, uint64_t every);
  void Next(Strike& strike);
  void Flip(std::string& bytes, FaultCounts& counts);
  // How many of `size` new bytes come before the connection is cut.
  size_t BeforeCut(const Faults& faults, size_t size);

  const int from_;
  const int to_;
  const bool flips_;
  std::mt19937_64 random_;
  std::deque<Piece> pieces_;
  size_t queued_ = 0;
  uint64_t received_ = 0;  // position in the stream
  Strike flip_;
  Strike stall_;
  Strike reset_;
  Instant behind_ = -absl::InfiniteDuration();  // no byte goes out before those that went in before
  Instant free_at_ = -absl::InfiniteDuration();  // when the rate allows the next byte
  bool cut_ = false;                             // once all is sent
  bool ended_ = false;
  bool end_told_ = false;
};

}  // namespace packice
