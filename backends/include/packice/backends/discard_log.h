// Remembers which objects were discarded while the tier that has them could not be told, so that
// they stay discarded, also when the process ends before the tier is back.
//
// Owned by whoever discards. Thread-safe. Contains, All and size never wait for the disk; Add and
// Remove block for it, several at a time with one sync.
//
// Add, then tell the tier once it is back, then Remove. A discard that is told twice is harmless to
// a tier that no longer has the object; but it takes away an object of that id that was created
// since. So a Remove is as durable as an Add: once it has answered, and only then, an object of
// that id may go to the tier again.
//
// On disk (docs/formats.md): a line of text for each write, with a checksum. What a crash cut off
// at the end is dropped; it was never answered. A sync that failed is not tried again: the log is
// then written anew, without what failed, and until the disk takes that every change fails.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "packice/core/object_id.h"

namespace packice {

class DiscardLog {
 public:
  // In a data directory of a node, which expects it under this name.
  static constexpr char kName[] = "discards";

  // The log in the file `path`, which is made where there is none; its directory has to be there.
  // Empty: in memory only, where nothing below fails. Blocks for the disk. `busy` while another
  // process, or another log of this one, has it; `unsupported` for another version of its format;
  // `corrupt` when it is damaged before its end (the message has the way out); `invalid_argument`
  // when it is no regular file; `not_found` without its directory; `permission_denied`, `capacity`,
  // `io`.
  static absl::StatusOr<std::unique_ptr<DiscardLog>> Open(const std::string& path);
  // The file is free for another log then. No change may be under way.
  virtual ~DiscardLog() = default;

  // On disk once it has answered. What is there already is not written again. `capacity`, `io`: it
  // is not remembered then, unless the message says that a crash may bring it back.
  virtual absl::Status Add(const ObjectId& id) = 0;
  // What is not there is removed. `capacity`, `io`: it is still remembered then, unless the message
  // says that a crash may drop it.
  virtual absl::Status Remove(const ObjectId& id) = 0;

  // Whether it was added, on disk, and not removed since. Costs next to nothing while the log is
  // empty.
  virtual bool Contains(const ObjectId& id) const = 0;
  // In the byte order of the ids.
  virtual std::vector<ObjectId> All() const = 0;
  virtual size_t size() const = 0;
};

}  // namespace packice
