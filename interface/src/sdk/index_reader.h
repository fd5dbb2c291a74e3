// Reads a node's small objects out of the memory that it shares: no message, no lock, no system
// call. What cannot be read so is for the caller to ask the node for.
//
// Owned by a Connection to a Unix socket, whose peer outlives this. Thread-safe. The first read
// asks the node for its index, which blocks, and so does a read that finds it replaced; a node that
// has none is not asked again for a minute. In a forked child all of it is opened anew.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"
#include "packice/core/object_place.h"
#include "packice/transport/uds_peer.h"
#include "sdk/per_process.h"
#include "sdk/snapshot_keeper.h"

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

  // `out` may hold anything unless the outcome is kRead.
  Answer Read(absl::string_view id, absl::Span<char> out);

  // Whether the node's object of this id lies there; counts as a read of so many bytes if it does.
  // False where that cannot be seen. Of an object that a lease keeps from going.
  bool IsAt(absl::string_view id, const ObjectPlace& place, uint64_t bytes);

  // To be called when a lease was granted: the node tells with some of them which segments it has
  // given up, whose memory goes when nobody has it mapped.
  void Granted();

 private:
  struct State {
    void Abandon() { keeper.Abandon(); }

    SnapshotKeeper keeper;
    std::atomic<uint32_t> grants{0};
    // One replaces at a time. Before the keeper's.
    Mutex mutex;
    bool opening ABSL_GUARDED_BY(mutex) = false;
    Instant not_before ABSL_GUARDED_BY(mutex) = -absl::InfiniteDuration();
  };

  // These answer whether another try may do better.
  bool OpenIndex(State& state);
  bool LearnSegments(State& state, uint32_t wanted);
  void DropSegments(State& state);

  UdsPeer& peer_;
  const Clock& clock_;
  PerProcess<State> state_;
};

}  // namespace packice::sdk
