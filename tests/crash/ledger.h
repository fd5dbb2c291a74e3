// What the writers of a crash test know: of each object, where it may be after the node has died.
//
// A change is noted before it is asked for (then it may or may not have happened) and when it was
// answered (then it has). Whatever a look at the node finds is checked against that, and is from
// then on how it has to stay.
//
// Thread-safe. A version is changed by one writer at a time.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/mutex.h"
#include "power_loss.h"
#include "test_object.h"

namespace packice {

// An object as a node shows it.
struct Sighting {
  std::string id;
  Version version = 0;
  absl::optional<absl::Time> expires_at;
  std::string complaint;  // what is wrong with it as such; mostly nothing
};

class Ledger {
 public:
  // A new object, of the writer `owner`, which nobody may see yet.
  TestObject Begin(int owner, const std::string& id, std::vector<uint64_t> sizes,
                   absl::optional<absl::Duration> ttl);
  void Sealing(Version version);
  void Sealed(Version version);
  void Discarding(Version version);
  void Discarded(Version version);
  void Moving(Version version, const std::string& to);
  void Moved(Version version);
  // What was asked for last was refused.
  void Refused(Version version);
  // It was not found, as is in order.
  void Expired(Version version);
  void Evicted(Version version);

  // One of the objects that `owner` has sealed, and that nothing is asked of; nothing if it has
  // none. `id` is where it is.
  struct Known {
    TestObject object;
    std::string id;
    bool may_expire = false;  // by the time it is asked for
  };
  absl::optional<Known> Pick(int owner, Random& random) const;
  size_t CountOf(int owner) const;
  // How many changes were answered.
  uint64_t answered() const;

  // What was begun, for reading its bytes; nothing for a number that no object has.
  absl::optional<TestObject> Find(Version version) const;

  // When nobody writes: holds what a node shows, a list of all of its objects, against what is
  // known. So many objects may be gone as were evicted since the last time. Answers what is wrong,
  // a line each.
  std::vector<std::string> Settle(const std::vector<Sighting>& sightings, int64_t evictions);

 private:
  struct Record {
    TestObject object;
    int owner = 0;
    std::string created_as;
    absl::optional<std::string> place;  // its id, as far as is known; nothing: it is not there
    bool in_flight = false;
    absl::optional<std::string> outcome;  // its id if what is in flight is done
    absl::optional<absl::Duration> ttl;
    absl::Time stays_until = absl::InfiniteFuture();
    absl::Time gone_by = absl::InfiniteFuture();
  };

  Record& RecordOf(Version version) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Ask(Record& record, absl::optional<std::string> outcome)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Answer(Record& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PutAt(Record& record, absl::optional<std::string> place)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What is wrong; empty: nothing.
  std::string Judge(Record& record, const Sighting* sighting, int64_t& evictions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  std::map<Version, Record> records_ ABSL_GUARDED_BY(mutex_);
  std::map<int, std::set<Version>> there_ ABSL_GUARDED_BY(mutex_);  // by owner
  Version last_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t answered_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t evicted_ ABSL_GUARDED_BY(mutex_) = 0;  // found out by writers
};

}  // namespace packice
