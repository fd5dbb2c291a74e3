// A member as it runs: its membership, its directory, the network between it and the others, and a
// thread that does what is due. Thread-safe.
//
// Order of locks: the member's own, then the directory's, then the waker's.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gossip_directory.h"
#include "gossip_transport.h"
#include "membership.h"
#include "packice/core/mutex.h"
#include "packice/p2p/gossip_node.h"
#include "seeds_file.h"

namespace packice {

class GossipMember final : private MembershipNetwork, private MembershipObserver {
 public:
  explicit GossipMember(GossipOptions options);
  ~GossipMember() override;

  // As GossipNode::Start.
  absl::Status Start();

  const std::string& gossip_address() const { return gossip_address_; }
  std::vector<Member> Members() const;
  GossipCounters counters() const;
  std::string MetricsText() const;
  GossipDirectory& directory() { return *directory_; }
  void Leave(absl::Duration patience);

 private:
  using Envelope = gossip::v1::Envelope;
  using Outbox = std::vector<std::pair<std::string, MembershipMessage>>;

  absl::Status Open();
  std::vector<std::string> FirstSeeds() const;

  // MembershipNetwork and MembershipObserver, called under the lock:
  void Send(const std::string& address, MembershipMessage message) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnMember(MemberChange change, const StatementRef& member) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnBroadcast(absl::string_view payload) override;

  absl::StatusOr<Envelope> OnEnvelope(const Envelope& envelope);
  absl::Status CheckSender(const Envelope& envelope) const;
  void Receive(const Envelope& envelope) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Dispatch(Outbox outbox);
  void Ask(const std::string& address, Envelope question, absl::Duration timeout,
           Done<absl::StatusOr<Envelope>> done);

  // The thread.
  void Run();
  void DoWhatIsDue();
  void TellOfItself() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PublishEvents();
  void RememberMembers();
  void Wake();
  Instant Now() const { return options_.clock->Now(); }

  const GossipOptions options_;
  std::string gossip_address_;
  std::unique_ptr<GossipTransport> transport_;
  std::unique_ptr<GossipDirectory> directory_;
  std::unique_ptr<SeedsFile> seeds_file_;  // null: nothing is remembered

  mutable Mutex mutex_;
  CondVar told_;  // of leaving
  std::unique_ptr<Membership> membership_ ABSL_GUARDED_BY(mutex_);
  Outbox outbox_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::pair<MemberChange, StatementRef>> changes_ ABSL_GUARDED_BY(mutex_);
  Instant next_look_ ABSL_GUARDED_BY(mutex_);  // at the load
  uint8_t load_percent_ ABSL_GUARDED_BY(mutex_) = 0;

  // Of the thread alone.
  bool remember_ = false;  // members have changed
  Instant next_remember_;

  Mutex wake_mutex_;
  CondVar awake_;
  bool woken_ ABSL_GUARDED_BY(wake_mutex_) = false;
  bool stop_ ABSL_GUARDED_BY(wake_mutex_) = false;
  std::thread thread_;
};

}  // namespace packice
