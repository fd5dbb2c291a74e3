// The file of a DiscardLog: changes in lines of text, appended and synced, or written anew.
//
// Owned by its log; used by one thread at a time. Calls block for the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "packice/core/object_id.h"
#include "packice/core/unique_fd.h"

namespace packice {

struct DiscardChange {
  bool add = true;
  ObjectId id;
};

class DiscardFile {
 public:
  using Ids = absl::btree_set<ObjectId>;

  // Opens or makes it, and locks it; adds what it remembers to `ids`. Errors of DiscardLog::Open.
  static absl::StatusOr<std::unique_ptr<DiscardFile>> Open(const std::string& path, Ids& ids);

  // All of `changes` or, after a crash before it returns, possibly none. After a failure nothing is
  // known of them, and Append must not be called before a Rewrite has succeeded.
  absl::Status Append(absl::Span<const DiscardChange> changes);

  // Puts a file with nothing but `ids` in its place. On failure either file may be there after a
  // crash.
  absl::Status Rewrite(const Ids& ids);

  // Much of it says what other parts of it take back.
  bool overgrown() const { return end_ > limit_; }

 private:
  DiscardFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  // Adds what the file says to `ids`; whether it says that as briefly as it can, without a torn
  // end.
  absl::StatusOr<bool> Read(Ids& ids);
  absl::Status SyncDirectory() const;

  const std::string path_;
  UniqueFd fd_;  // locked
  uint64_t end_ = 0;
  uint64_t limit_ = 0;
};

}  // namespace packice
