// Who is in the fleet, as one member believes it: SWIM with Lifeguard's additions (local health,
// dynamic suspicion timeouts, the suspect is told first), digest push-pull, and attempts to find
// the lost again.
//
// Pure: no threads, clocks, sockets; the same calls with the same seed do the same. Time is what
// calls say it is. Thread-compatible. The network and the observer are called from within calls,
// and do not call back before they return.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "member_table.h"
#include "membership_message.h"
#include "packice/core/clock.h"
#include "prober.h"
#include "split_mix.h"
#include "state_digest.h"
#include "suspicions.h"
#include "update_queue.h"

namespace packice {

class MembershipNetwork {
 public:
  virtual ~MembershipNetwork() = default;
  // May be lost.
  virtual void Send(const std::string& address, MembershipMessage message) = 0;
};

enum class MemberChange : uint8_t { kJoined, kSuspected, kDied, kLeft, kUpdated };

class MembershipObserver {
 public:
  virtual ~MembershipObserver() = default;
  // kUpdated: it says something else of itself, or that it lives although it was suspected.
  virtual void OnMember(MemberChange change, const StatementRef& member) = 0;
  // Once for each payload that another member has spread.
  virtual void OnBroadcast(absl::string_view payload) = 0;
};

struct MembershipOptions {
  std::string address;  // of this member
  MemberMetadata metadata;
  // Above those of earlier lives at this address, as wall time in milliseconds is.
  uint64_t incarnation = 1;
  uint64_t seed = 1;

  ProberOptions probe;
  SuspicionOptions suspicion;
  absl::Duration gossip_interval = absl::Milliseconds(200);
  size_t gossip_fanout = 3;
  uint32_t retransmit_factor = 4;  // times ceil(log10(members + 1))
  // Push-pull with a present member, and with somebody lost.
  absl::Duration exchange_interval = absl::Seconds(30);
  absl::Duration join_backoff = absl::Seconds(1);  // doubles up to exchange_interval
  // What members say of themselves may change so often, and in a large fleet less often: each
  // change is told to everybody.
  absl::Duration metadata_interval = absl::Seconds(2);
  absl::Duration metadata_interval_per_member = absl::Milliseconds(200);
  absl::Duration forget_dead = absl::Hours(24);
  size_t max_members = 65536;  // and as many dead ones; further ones are not taken up
  size_t max_message_bytes = 1400;
  size_t max_state_bytes = 64 << 10;  // of an answer to a digest
};

class Membership final : private ProbeHost {
 public:
  static constexpr size_t kMaxBroadcastBytes = 512;

  // Network and observer outlive it.
  Membership(MembershipOptions options, MembershipNetwork& network, MembershipObserver& observer,
             Instant now);

  // Members to begin with, and to try again when they are lost. It asks until one answers.
  void Join(Instant now, const std::vector<std::string>& seeds);
  // Takes it for granted that these are there.
  void Assume(const std::vector<StatementRef>& members);
  void OnMessage(Instant now, const std::string& from, const MembershipMessage& message);
  void Tick(Instant now);
  Instant NextTick() const;

  // Tells the others that this member goes, at the next ticks.
  void Leave(Instant now);
  bool LeaveTold() const;  // often enough

  // Told at the next tick that is allowed to.
  void SetMetadata(Instant now, MemberMetadata metadata);
  // Requires: at most kMaxBroadcastBytes.
  void Broadcast(Instant now, std::string payload);

  const StatementRef& self() const { return self_; }
  const MemberTable& members() const { return members_; }
  size_t fleet_size() const { return members_.present() + 1; }
  absl::Duration Age(Instant now, const MemberRecord& record) const;  // of its state
  absl::Duration OwnAge(Instant now) const { return now - start_; }

  uint32_t health() const { return prober_.health().value(); }
  uint64_t probes() const { return prober_.probes(); }
  uint64_t failed_probes() const { return prober_.failed(); }
  uint64_t suspicions() const { return suspicion_count_; }
  uint64_t refutations() const { return refutations_; }

 private:
  // ProbeHost:
  void Ping(const std::string& address, PingMessage ping) override;
  void AskToPing(const std::string& helper, PingRequestMessage request) override;
  void Acknowledge(const std::string& address, AckMessage ack) override;
  void Refuse(const std::string& address, NackMessage nack) override;
  StatementRef NextTarget() override;
  std::vector<std::string> Helpers(const MemberStatement& target, size_t count) override;
  void OnProbeFailed(const StatementRef& target) override;

  // What arrives.
  struct Dispatch;
  // Tells who accuses somebody that has refuted it.
  void Correct(const std::string& from, const std::vector<MemberUpdate>& updates);
  void OnDigest(const std::string& from, const DigestMessage& digest);
  void OnState(const std::string& from, const StateMessage& state);
  void OnBroadcasts(const std::vector<std::string>& broadcasts);

  // What is believed.
  void Apply(const MemberUpdate& update);
  void ApplyToSelf(const MemberUpdate& update);
  void AddMember(const MemberUpdate& update);
  void Change(MemberTable::Index index, const MemberUpdate& update);
  void Suspect(const MemberUpdate& update);
  void JudgeSuspects();
  void Restate(uint64_t incarnation, MemberMetadata metadata, UpdateQueue::Lane lane);
  void ForgetDead();

  // What is told.
  void Send(const std::string& address, MembershipMessage message);
  void AddSelf(MembershipMessage& message) const;
  void SendDigest(const std::string& address);
  void AskLater(const std::string& address);
  void Tell(const MemberUpdate& update, UpdateQueue::Lane lane);
  void Gossip();
  void AskSeeds();
  void Exchange();
  void SeekLost();
  void PublishMetadata();
  uint32_t RetransmitLimit() const;
  absl::Duration MetadataInterval() const;
  uint32_t Tenths() const;  // the present, for MemberRecord::since
  bool alone() const { return members_.present() == 0; }

  const MembershipOptions options_;
  MembershipNetwork& network_;
  MembershipObserver& observer_;
  const Instant start_;
  Instant now_;  // as the present call says
  SplitMix random_;
  const uint64_t self_hash_;

  StatementRef self_;
  bool leaving_ = false;
  MemberMetadata metadata_;  // to be told
  MemberTable members_;
  Suspicions suspicions_;
  UpdateQueue queue_;
  Prober prober_;
  std::vector<std::string> seeds_;

  absl::flat_hash_set<uint64_t> seen_broadcasts_;  // by hash
  std::deque<uint64_t> seen_order_;                // of these, the oldest first

  Instant next_gossip_;
  Instant next_exchange_;
  Instant next_seek_;
  Instant next_join_ = absl::InfiniteDuration();
  absl::Duration join_backoff_;
  Instant metadata_allowed_;
  // Whose state is of interest: the last one was too large for one answer, or it is not known.
  std::string ask_next_;

  uint64_t belief_changes_ = 0;
  uint32_t fruitless_states_ = 0;  // in a row, without any such change
  uint64_t suspicion_count_ = 0;
  uint64_t refutations_ = 0;
};

}  // namespace packice
