// What a node counts of its own work, for all of its transports together, in the form that
// Prometheus reads.
//
// Shared by the servers of a node; thread-safe. Counting is a relaxed atomic addition in a place
// that the thread rarely shares with another; nothing is looked up, nothing blocks. Only Text walks
// over all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "packice/core/clock.h"
#include "packice/core/error.h"
#include "packice/core/peer.h"
#include "packice/transport/protocol.h"

namespace packice {

enum class Transport { kUds, kHttp };

class NodeMetrics {
 public:
  // What is counted and timed: the ops of the protocol, at their own numbers (those of an extension
  // together), then what HTTP alone does.
  enum class Work : uint8_t {
    kGetObject = static_cast<uint8_t>(Op::kExtension) + 1,
    kPutObject,
    kDeleteObject,
    kReadBlob,
    kWriteBlob,
    kSums,
  };
  static constexpr Work Of(Op op) { return static_cast<Work>(op); }
  static constexpr size_t kWorks = static_cast<size_t>(Work::kSums) + 1;

  // The clock outlives the metrics.
  explicit NodeMetrics(const Clock& clock = Clock::System());
  ~NodeMetrics();

  // When a piece of work starts, to be given to Count.
  Instant Now() const { return clock_.Now(); }
  // One that started then has ended now, well or with this failure.
  void Count(Work work, Instant started, const absl::Status& result);

  void CountReceived(Transport transport, uint64_t bytes);
  void CountSent(Transport transport, uint64_t bytes);

  void Opened(Transport transport);
  void Closed(Transport transport);
  void Refused(Transport transport);

  // What the stats operation answers: the peer's figures and the node's, of all transports.
  StatsReply Stats(const PeerStats& peer) const;

  // Everything, as Prometheus' text format 0.0.4. Takes about a millisecond.
  std::string Text(const PeerStats& peer) const;

 private:
  struct State;
  const Clock& clock_;
  const std::unique_ptr<State> state_;
};

}  // namespace packice
