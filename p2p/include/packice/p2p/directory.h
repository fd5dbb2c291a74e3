// Who holds which object: what a swarm asks before it copies, and tells of what it holds itself.
//
// Everything a directory says is a hint: holders may have gone, evicted or never had what it tells,
// and only a holder's own lease decides. Only one thing is taken from it on trust: which content an
// id stands for (Location::digest), because a sender must not be asked that about its own bytes.
//
// Implementations are thread-safe; they run the callbacks on any thread, possibly before the call
// returns. No call blocks. Each is one node's view: it knows which node it speaks for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/object_id.h"
#include "packice/core/peer.h"
#include "packice/p2p/content_digest.h"

namespace packice {

// What a node tells of an object that it holds, whole or in part.
struct Holding {
  ObjectId object_id;
  ContentDigest digest;
  uint64_t size = 0;         // bytes
  uint32_t pieces = 0;       // of the whole object
  uint32_t pieces_held = 0;  // verified; all of them: complete
  // When the object's own life ends.
  absl::optional<absl::Time> expires_at;
  // When it was sealed where it was made or copied. Where an id has stood for several contents, the
  // one that was sealed last counts.
  absl::Time sealed_at = absl::UnixEpoch();

  bool complete() const { return pieces_held == pieces; }
};

struct Holder {
  std::string address;  // where it transfers pieces: "10.0.0.1:7701"
  std::string zone;
  double load = 0;     // of its uplink, 0 to 1
  absl::Duration age;  // since the directory heard of it
  uint32_t pieces_held = 0;
  bool complete = false;
};

struct LocateRequest {
  static constexpr size_t kDefaultMax = 16;
  static constexpr size_t kLimit = 256;

  ObjectId object_id;
  size_t max = kDefaultMax;          // holders; 1 to kLimit
  std::vector<std::string> exclude;  // addresses of holders that are no use
  // The caller is about to fetch the object and has an origin to fetch it from: where nobody has
  // it, the directory may let it.
  bool has_origin = false;
};

struct Location {
  ContentDigest digest;  // empty: nobody holds it
  uint64_t size = 0;     // bytes
  uint32_t pieces = 0;
  // Of the same content, in the order to try them: same zone first, light load first, with random
  // choice among equals. Never the caller itself. With digest but without holders: all that there
  // are were excluded.
  std::vector<Holder> holders;
  // The caller may read from its origin until then; it gives the right back by announcing the
  // object or by a Report of kOrigin.
  absl::optional<absl::Duration> origin_grant;
  // Nobody holds it yet, but others read from the origin: ask again after this.
  absl::optional<absl::Duration> retry_after;
};

// What is told of a holder that was asked.
enum class HolderFault {
  kGone,     // not reachable, or it has not got the object
  kCorrupt,  // sent wrong bytes
  kSlow,
  kBusy,
  kOrigin,  // no holder: the caller's origin failed, and its grant is free
};

// A change in what is held.
struct DirectoryChange {
  ObjectId object_id;
  bool held = false;  // somebody holds all of it; false: nobody does any more
};

class Directory {
 public:
  // Ends the watch when it goes; no callback runs after that.
  class Watch {
   public:
    virtual ~Watch() = default;
  };
  using OnChange = absl::AnyInvocable<void(const DirectoryChange&)>;

  virtual ~Directory() = default;

  // Answers OK with an empty digest when nobody holds it. `unavailable` when nobody can tell.
  virtual void Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) = 0;

  // The node holds this from now on, or other pieces of it than it said before. Told in batches,
  // again and again as long as the node lives, until Withdraw.
  virtual void Announce(const Holding& holding) = 0;
  virtual void Withdraw(const ObjectId& object_id) = 0;

  virtual void Report(const ObjectId& object_id, const std::string& holder, HolderFault fault) = 0;

  // Tells of changes to ids that start with `prefix`, from now on; may tell too much, and after an
  // outage may have missed some.
  virtual std::unique_ptr<Watch> WatchPrefix(const std::string& prefix, OnChange on_change) = 0;

  // Ids that somebody holds whole, in byte order: those after `after`, at most `limit`.
  // `unavailable` when nobody can tell; `unsupported`.
  virtual void List(const std::string& prefix, const std::string& after, size_t limit,
                    Done<absl::StatusOr<std::vector<ObjectId>>> done) = 0;
};

}  // namespace packice
