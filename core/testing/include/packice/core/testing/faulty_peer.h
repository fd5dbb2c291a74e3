// A peer with switches for what can go wrong between it and whoever calls it: calls fail, answers
// are late or lost, it is down for a while. What it is told while all is well it passes on.
//
// Thread-safe, and without a thread, a clock or randomness of its own: every answer is given on the
// thread that makes the call, that lets the answer go, or on which the peer behind it answers.
// Switches hold for calls that begin later; GoDown also ends those that are under way.
//
//   auto cold = std::make_unique<FaultyPeer>(peer);
//   FaultyPeer& faults = *cold;      // lives as long as whoever owns it
//   faults.Fail(FaultyPeer::Call::kSeal, ErrorKind::kCapacity, 1);
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "packice/core/error.h"
#include "packice/core/peer.h"

namespace packice {

class FaultyPeer final : public Peer {
 public:
  enum class Call {
    kCreate,  // Acquire, by what it asks for
    kRead,
    kWrite,
    kLookup,
    kSeal,
    kDiscard,
    kRelease,
    kRelocate,
    kRenew,
    kStat,
    kList,
    kStats,
    // Of the blobs that it grants, where they are remote:
    kBlobRead,
    kBlobWrite,
    kAny,  // all of them
  };
  static constexpr int kUntilMended = -1;

  // What is granted: the peer's own objects, whose bytes are reached without it, as those of a node
  // on this host are; or objects whose bytes only it has, as those of a node behind HTTP.
  enum class Blobs { kLocal, kRemote };

  explicit FaultyPeer(std::unique_ptr<Peer> peer, Blobs blobs = Blobs::kRemote);
  // `peer` outlives this one, and what this one granted.
  explicit FaultyPeer(Peer& peer, Blobs blobs = Blobs::kRemote);
  // Answers that are held are lost.
  ~FaultyPeer() override;

  // The next `times` calls of this kind fail without having happened. One rule for each kind of
  // call; a rule for the very call comes before one for kAny.
  void Fail(Call call, ErrorKind kind, int times = kUntilMended);
  // The next `times` calls of this kind happen, but are answered `unavailable`.
  void Lose(Call call, int times = kUntilMended);
  // No Fail and no Lose holds any more.
  void Mend();

  // From now on nothing happens: all calls, those under way among them, are answered `unavailable`.
  // What those under way have done stays done. Leases stay, as for a node that is cut off.
  void GoDown();
  void ComeBack();
  bool down() const;
  // Ends all sessions that have called, as a node does when their connections break.
  void EndSessions();

  // From now on calls of this kind happen but their answers are kept, until LetGo gives them, in
  // the order in which they came, on its caller's thread. Those of blobs are not held.
  void Hold(Call call = Call::kAny);
  void LetGo();
  // How many answers are kept at present.
  size_t held() const;
  // Blocks until as many are.
  void AwaitHeld(size_t count) const;

  // `watcher` is called before each call, also of blobs, before it is decided what becomes of it,
  // on the thread that calls; it may use the switches. Null: nobody is.
  void Watch(std::function<void(Call)> watcher);

  // How often this was called since the beginning; kAny: all of them.
  uint64_t calls(Call call = Call::kAny) const;
  // The latest calls, at most 1000, oldest first: "create a", "seal a", "blob_read a".
  std::vector<std::string> log() const;

  void Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) override;
  void Cancel(OperationId operation) override;
  void Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done) override;
  void Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) override;
  void Discard(LeaseRequest request, Done<absl::Status> done) override;
  void Release(LeaseRequest request, Done<absl::Status> done) override;
  void Relocate(RelocateRequest request, Done<absl::Status> done) override;
  void Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) override;
  void Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) override;
  void List(ListRequest request, Done<absl::StatusOr<ListPage>> done) override;
  void Stats(Done<absl::StatusOr<PeerStats>> done) override;
  void EndSession(SessionId session) override;

 private:
  class Faults;
  class RemoteBlob;

  template <typename Answer>
  Done<Answer> Pass(Call call, absl::string_view what, Done<Answer> done);
  Done<absl::StatusOr<Grant>> Granting(Done<absl::StatusOr<Grant>> done);

  const std::unique_ptr<Peer> owned_;
  Peer& peer_;
  const Blobs blobs_;
  const std::shared_ptr<Faults> faults_;
};

}  // namespace packice
