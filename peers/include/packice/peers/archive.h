// What makes a LocalPeer's sealed objects outlast it: a durable record of them, and the way back
// from that record to their bytes. A peer in memory has none.
//
// Owned by one LocalPeer. Thread-safe. Calls that change something or look at bytes
// block for as long as the medium takes: the engine makes them where blocking is allowed
// (Executor) and holds no lock meanwhile. Those that come at the same time may be committed
// together. The engine sees to it that changes to one object come one after another. NextSerial,
// Open and Info do not block.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/metadata.h"
#include "packice/core/object.h"
#include "packice/core/object_id.h"
#include "packice/core/peer.h"

namespace packice {

// A sealed object as it comes out of the archive.
struct ArchivedObject {
  ObjectId id;
  uint64_t serial = 0;
  uint64_t footprint = 0;  // bytes of the medium
  absl::Time sealed_at;
  absl::optional<absl::Time> expires_at;
  // What Open and Info need beyond the id, in the archive's own form and in as few bytes as it can:
  // this is what a peer keeps in memory of an object that nobody uses.
  std::string rest;
};

class Archive {
 public:
  virtual ~Archive() = default;

  // For a new object: never given twice, also not after a restart.
  virtual uint64_t NextSerial() = 0;

  // Every object there is, once, in no order. For the start. `io`, `corrupt`.
  virtual absl::Status ForEach(absl::FunctionRef<void(ArchivedObject)> visit) = 0;

  // Takes in an object whose blobs are frozen and answers its `rest`. An object that the archive
  // still has under the same id goes, in the same commit. On failure (`io`, `capacity`) the object
  // is not in the archive, and its bytes go with it.
  virtual absl::StatusOr<std::string> Add(const Object& object, uint64_t serial,
                                          const Metadata& metadata, absl::Time sealed_at,
                                          absl::optional<absl::Time> expires_at) = 0;

  // Takes an object out; one that is not there any more is no error. Its bytes then go with the
  // last who shares `object`. On failure (`io`, `capacity`) they stay.
  virtual absl::Status Remove(uint64_t serial, const Object& object) = 0;

  // Gives an object another id, which no object in the archive has; its `rest` stays as it is.
  // `io`, `capacity`.
  virtual absl::Status Rename(uint64_t serial, const ObjectId& to) = 0;

  // The object itself; its blobs open their files when they are read. Called again only when nobody
  // shares what an earlier call gave.
  virtual std::shared_ptr<Object> Open(const ObjectId& id, absl::string_view rest) = 0;
  // What Stat and List tell, but for leases and `expires_at`.
  virtual ObjectInfo Info(const ObjectId& id, absl::string_view rest) = 0;

  // Whether the bytes are there and as many as they should be; `thoroughly`: and whether every
  // piece has its checksum. `corrupt` (the message says what is wrong), `io`.
  virtual absl::Status Check(const Object& object, bool thoroughly) = 0;

  // Takes a damaged object out and sets what there is of its bytes aside, with the reason beside
  // them. `io`, `capacity`.
  virtual absl::Status Quarantine(uint64_t serial, const Object& object, absl::string_view why) = 0;
};

}  // namespace packice
