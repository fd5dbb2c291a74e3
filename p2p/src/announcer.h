// What a node has to tell its trackers, and when: the decisions of TrackerDirectory, without
// sockets and threads. Every call takes the time.
//
// To each tracker goes one message at a time. A tracker that knows nothing is told all, in runs of
// messages in the order of ids; what changes behind the run's place is told beside it. Afterwards
// only changes are told, and every interval a sign of life.
//
// Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/clock.h"
#include "packice/core/object_id.h"
#include "packice/core/random.h"
#include "packice/p2p/directory.h"
#include "packice/proto/tracker.pb.h"
#include "rendezvous.h"

namespace packice {

class Announcer {
 public:
  struct Options {
    std::string address;
    std::string zone;
    uint64_t epoch = 0;
    absl::Duration batch_delay;
    std::vector<std::string> trackers;
    RandomSource* random = nullptr;
  };
  // Of one message, which stays well below 1 MiB.
  static constexpr size_t kMaxItems = 2000;
  static constexpr size_t kMaxBytes = 256 * 1024;

  Announcer(Options options, Instant now);

  void Hold(const Holding& holding, Instant now);
  void LetGo(const ObjectId& object_id, Instant now);
  bool Holds(const ObjectId& object_id) const {
    return holdings_.find(object_id) != holdings_.end();
  }

  // When the tracker is to be told something; infinite while a message is under way.
  Instant Due(size_t tracker) const;
  // The message that is due. Then comes Answered or Failed.
  tracker::v1::AnnounceRequest Begin(size_t tracker, double load, absl::Time wall_time);
  void Answered(size_t tracker, const tracker::v1::AnnounceResponse& response, Instant now);
  void Failed(size_t tracker, Instant now);

  // It knows all. False, too, while a message is under way.
  bool Settled(size_t tracker) const;
  // Messages to it that were answered or failed so far, and of these how many failed in a row.
  uint64_t attempts(size_t tracker) const { return outboxes_[tracker].attempts; }
  uint32_t failures(size_t tracker) const { return outboxes_[tracker].failures; }
  bool under_way(size_t tracker) const { return outboxes_[tracker].under_way; }
  // What waits need wait no longer, not even for a tracker that did not answer.
  void Hurry(Instant now);

  uint64_t epoch() const { return options_.epoch; }
  size_t holdings() const { return holdings_.size(); }
  const Rendezvous& rendezvous() const { return rendezvous_; }

 private:
  struct ById {
    using is_transparent = void;
    static const ObjectId& IdOf(const Holding& holding) { return holding.object_id; }
    static const ObjectId& IdOf(const ObjectId& id) { return id; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return IdOf(a) < IdOf(b);
    }
  };
  // How far a full announce has come.
  struct Run {
    bool begun = false;
    ObjectId told_to;  // up to here
  };
  struct Outbox {
    Instant due;
    bool under_way = false;
    uint64_t sequence = 0;  // of the last message that was answered
    absl::optional<Run> full = Run();
    absl::optional<Run> full_before;  // the message under way
    bool ends_full = false;           // it does
    absl::btree_set<ObjectId> changed;
    std::vector<ObjectId> changed_under_way;
    Instant full_again = absl::InfiniteDuration();
    absl::Duration interval = absl::Seconds(15);  // until the tracker says
    uint64_t attempts = 0;
    uint32_t failures = 0;
  };

  void Changed(const ObjectId& object_id, Instant now);
  void AddChanges(Outbox& outbox, tracker::v1::AnnounceRequest& request, size_t& bytes,
                  absl::Time wall_time);
  void AddRun(size_t tracker, tracker::v1::AnnounceRequest& request, size_t& bytes,
              absl::Time wall_time);
  double Chance();  // 0 to 1

  const Options options_;
  const Rendezvous rendezvous_;
  absl::btree_set<Holding, ById> holdings_;
  std::vector<Outbox> outboxes_;
};

}  // namespace packice
