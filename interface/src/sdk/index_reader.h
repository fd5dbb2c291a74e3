// Reads a node's small objects out of the memory that it shares: no message, no lock, no system
// call. What cannot be read so is for the caller to ask the node for.
//
// Owned by a Connection to a Unix socket, whose peer outlives this. Thread-safe. The first read
// asks the node for its index, which blocks, and so does a read that finds it replaced; a node that
// has none is not asked again for a minute. In a forked child all of it is opened anew.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "packice/core/clock.h"
#include "packice/transport/uds_peer.h"

namespace packice::sdk {

class IndexReader {
 public:
  enum class Outcome {
    kRead,      // `size` bytes are in front of `out`
    kTooSmall,  // there is such an object, of `size` bytes
    kAsk,       // by a lease, which tells what there is
  };
  struct Answer {
    Outcome outcome = Outcome::kAsk;
    uint64_t size = 0;
  };

  explicit IndexReader(UdsPeer& peer, const Clock& clock = Clock::System());
  ~IndexReader();

  // `out` may hold anything unless the outcome is kRead.
  Answer Read(absl::string_view id, absl::Span<char> out);

  // To be called when a lease was granted: the node tells with some of them which segments it has
  // given up, whose memory goes when nobody has it mapped.
  void Granted();

 private:
  // All that belongs to one process.
  struct State;

  State& Mine();
  // These answer whether another try may do better.
  bool OpenIndex(State& state);
  bool LearnSegments(State& state, uint32_t wanted);
  void DropSegments(State& state);

  UdsPeer& peer_;
  const Clock& clock_;
  std::atomic<State*> state_;  // owned
};

}  // namespace packice::sdk
