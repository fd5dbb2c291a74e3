// Many threads' changes to the catalog as few transactions: whoever finds nobody committing takes
// all that is queued, commits it at once, and answers everybody. Changes are made in the order of
// the calls.
//
// Owned by the catalog. Thread-safe; Do blocks until its change is on disk or has failed. No thread
// is started.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "catalog_tail.h"
#include "catalog_writer.h"
#include "packice/backends/blob_name.h"
#include "packice/backends/data_directory.h"
#include "packice/core/mutex.h"

namespace packice {

class GroupCommit {
 public:
  // `writer` is open, and has committed once (so that the log's end is known).
  GroupCommit(const DataDirectory& directory, std::unique_ptr<CatalogWriter> writer);

  absl::Status Do(absl::FunctionRef<absl::Status(CatalogWriter&)> change);

  // As Catalog::Forget.
  void Forget(const BlobName& name);

  // Does `change` with all that is to be forgotten, empties the log, and takes no change any more.
  absl::Status Close(absl::FunctionRef<absl::Status(CatalogWriter&)> change);

 private:
  struct Waiter {
    explicit Waiter(absl::FunctionRef<absl::Status(CatalogWriter&)> to_do) : change(to_do) {}

    absl::FunctionRef<absl::Status(CatalogWriter&)> change;
    absl::Status result;
    bool done = false;
    CondVar wake;
  };
  using Batch = std::deque<Waiter*>;

  // What follows is done by the leader, without the lock.
  void Commit(const Batch& batch, std::vector<BlobName> forgotten);
  absl::Status TryCommit(const Batch& batch, const std::vector<BlobName>& forgotten);
  absl::Status OpenWriter();
  absl::Status SyncShardsOf(const std::vector<BlobName>& names) const;
  void CheckpointWhenDue();

  const DataDirectory& directory_;

  Mutex mutex_;
  bool leading_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  CondVar idle_;  // nobody leads, and nothing is queued
  Batch queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<BlobName> forgotten_ ABSL_GUARDED_BY(mutex_);

  // The leader's.
  std::unique_ptr<CatalogWriter> writer_;  // null after a failure, until the next batch
  CatalogTail tail_;
  bool cut_is_due_ = false;  // a Cut has failed
};

}  // namespace packice
