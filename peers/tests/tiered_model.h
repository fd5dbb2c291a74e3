// A tiered peer among clients, faults and crashes that a seed decides on, beside a plain account of
// what it has promised: what is acknowledged, what is durable, what is gone for good.
//
// Of one thread: the peer's executor runs a task when the walk says so, and the clock stands still
// between steps. What happens in the middle of a move comes about by a watcher on both tiers, which
// makes clients' calls, faults and crashes before any call of the peer to its tiers.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "fake_disk.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/faulty_peer.h"
#include "packice/core/testing/pending.h"
#include "packice/peers/local_peer.h"
#include "packice/peers/tiered_peer.h"
#include "step_executor.h"
#include "temp_dir.h"

namespace packice {

class TieredModel {
 public:
  struct Kind {
    WritePolicy policy = WritePolicy::kBack;
    bool durable_hot = false;  // it keeps what it has through a crash
    FaultyPeer::Blobs cold = FaultyPeer::Blobs::kRemote;
    bool faults = true;
    bool crashes = true;
  };

  TieredModel(uint64_t seed, Kind kind);
  ~TieredModel();

  // Some random steps, then everything is mended and has to come to rest. Empty, or what was wrong.
  std::string Run(int steps);

  // A line for each step.
  std::string log() const;
  // How often what happened.
  const std::map<std::string, int>& counts() const { return counts_; }

  // One object that was once asked for, by its stamp.
  struct Made {
    enum class State { kCreating, kPossible, kCertain, kGone };

    uint64_t stamp = 0;
    ObjectId id;
    ObjectId moving_to;  // a Relocate is asked for, and not answered
    State state = State::kCreating;
    bool asked = false;  // a Seal was
    int seals = 0;
    bool durable = false;  // once sealed
    int doubts = 0;        // discards and relocates that may have happened
    uint64_t certain_since = 0;
    uint64_t gone_since = 0;
    absl::optional<absl::Duration> ttl;
    absl::Time ends_earliest = absl::InfiniteFuture();
    absl::Time ends_latest = absl::InfiniteFuture();

    ObjectId left;  // the id it had before
    uint64_t left_since = 0;

    bool IsOf(const ObjectId& wanted) const { return id == wanted || moving_to == wanted; }
    // Or was, at some time since.
    bool WasOf(const ObjectId& wanted, uint64_t since) const {
      return IsOf(wanted) || (left == wanted && left_since >= since);
    }
  };

 private:
  static constexpr uint64_t kHotCapacity = 2000;  // bytes
  // Beyond those that peers choose for themselves.
  static constexpr uint64_t kFirstSession = 1'000'000;

  struct Held {
    Grant grant;
    Made* made;
    SessionId session;
    bool written = false;  // by its creator, whole
  };
  struct Asked {
    enum class What { kAcquire, kSeal, kDiscard, kRelocate, kRelease };

    What what;
    AcquireRequest request;
    Pending<absl::StatusOr<Grant>> granted;
    Pending<absl::StatusOr<Sealed>> sealed;
    Pending<absl::Status> done;
    Made* made = nullptr;
    std::vector<Made*> doubted;  // whom it takes away when it succeeds
    bool lease_has_ttl = false;
    ObjectId id;          // of the lease
    uint64_t at = 0;      // when, in steps
    bool calm = false;    // nothing was wrong then
    uint64_t faults = 0;  // so far
    std::string name;
  };

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(uint64_t percent) { return Below(100) < percent; }
  ObjectId AnyId();
  SessionId AnySession() { return SessionId{kFirstSession + Below(3)}; }
  static std::string BytesOf(uint64_t stamp, uint64_t size);

  // --- The peers.
  void Start();
  void Crash();
  void Restart();
  void OnCall();

  // --- Steps.
  void Step();
  void ClientStep();
  void Acquire(Access access);
  void Seal(Held& held);
  void Discard(Held& held);
  void Relocate(Held& held);
  void Release(size_t index);
  void EndSession();
  void Look();
  void Advance(absl::Duration by);
  void MakeFault();
  void Mend();

  // --- The account.
  Asked& Ask(Asked::What what, std::string name);
  void Collect();
  bool CollectOne(Asked& asked);
  void Refused(Asked& asked, const absl::Status& status);
  void Granted(Asked& asked, const Grant& grant);
  void Created(Asked& asked, const Grant& grant);
  void SealAnswered(Asked& asked, const absl::StatusOr<Sealed>& sealed);
  void Answered(Asked& asked, const absl::Status& status);
  void Demoted(const ObjectId& id);
  void Settle();
  bool Undisturbed(const Asked& asked) const { return asked.calm && asked.faults == faults_; }
  Made* CertainSince(const ObjectId& id, uint64_t at);
  void SetGone(Made& made);
  bool HasEnded(const Made& made) const;
  void CheckHeld(const Held& held);
  void CheckTiers();
  void CheckTier(Peer& tier, const Made& made, bool& found);
  void ComeToRest();

  void Log(std::string line);
  void Count(absl::string_view what) { ++counts_[std::string(what)]; }
  void Wrong(std::string what);

  class Events;

  std::mt19937_64 random_;
  const Kind kind_;
  FakeClock clock_;
  FakeRandom peer_random_{7};
  TempDir directory_;
  std::unique_ptr<Events> events_;
  FakeDisk cold_disk_;
  FakeDisk hot_disk_;
  std::unique_ptr<LocalPeer> cold_;
  std::unique_ptr<LocalPeer> hot_;
  FaultyPeer* cold_faults_ = nullptr;
  FaultyPeer* hot_faults_ = nullptr;
  StepExecutor* executor_ = nullptr;
  std::unique_ptr<TieredPeer> tiered_;

  uint64_t now_ = 0;  // in steps, of clients too
  uint64_t stamps_ = 0;
  uint64_t faults_ = 0;
  bool wrong_things_ = false;  // faults that hold
  bool calm_ = true;
  bool watching_ = false;
  bool crashed_ = false;
  bool ending_sessions_ = false;
  std::list<Made> made_;
  std::vector<Held> held_;
  std::list<Asked> asked_;
  std::vector<std::string> log_;
  std::map<std::string, int> counts_;
  std::string wrong_;
};

}  // namespace packice
