// Asks one member after another whether it is there, itself and with the help of others, and asks
// for others that cannot reach somebody. Thread-compatible.
//
// A probe is a ping; where no ack comes in time, `helpers` others are asked to ping, too. Those who
// get no ack either say so (a nack), which tells this member that the fault is not its own.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "local_health.h"
#include "membership_message.h"
#include "packice/core/clock.h"

namespace packice {

struct ProberOptions {
  absl::Duration interval = absl::Seconds(1);
  absl::Duration timeout = absl::Milliseconds(500);  // of an ack
  size_t helpers = 3;
};

// What a prober needs of its member.
class ProbeHost {
 public:
  virtual ~ProbeHost() = default;

  virtual void Ping(const std::string& address, PingMessage ping) = 0;
  virtual void AskToPing(const std::string& helper, PingRequestMessage request) = 0;
  virtual void Acknowledge(const std::string& address, AckMessage ack) = 0;
  virtual void Refuse(const std::string& address, NackMessage nack) = 0;

  // Whose turn it is; nothing when this member is alone.
  virtual StatementRef NextTarget() = 0;
  virtual std::vector<std::string> Helpers(const MemberStatement& target, size_t count) = 0;
  virtual void OnProbeFailed(const StatementRef& target) = 0;
};

class Prober {
 public:
  static constexpr size_t kMaxRelays = 256;

  // The first probe is due after a random part of an interval: `phase`, 0 to 1.
  Prober(ProberOptions options, ProbeHost& host, Instant now, double phase, uint64_t sequence);

  void Tick(Instant now);
  Instant NextTick() const;

  void OnAck(const AckMessage& ack);
  void OnNack(const NackMessage& nack);
  void OnPingRequest(Instant now, const std::string& from, const PingRequestMessage& request);

  // This process was stopped for a while: what it has not heard says nothing of others.
  void OnStall(Instant now);

  LocalHealth& health() { return health_; }
  const LocalHealth& health() const { return health_; }
  uint64_t probes() const { return probes_; }
  uint64_t failed() const { return failed_; }

 private:
  struct Probe {
    uint64_t sequence = 0;
    StatementRef target;
    Instant ask_helpers_at;
    size_t helpers = 0;
    size_t nacks = 0;
  };
  struct Relay {
    std::string origin;
    uint64_t sequence = 0;  // the origin's
    Instant nack_at;
    Instant forget_at;
  };

  void Begin(Instant now);
  void AskHelpers();
  void Fail();

  const ProberOptions options_;
  ProbeHost& host_;
  LocalHealth health_;
  Instant next_probe_;
  uint64_t sequence_;
  absl::optional<Probe> probe_;       // under way; it ends when the next one begins
  std::map<uint64_t, Relay> relays_;  // by own sequence, and so by age
  uint64_t probes_ = 0;
  uint64_t failed_ = 0;
};

}  // namespace packice
