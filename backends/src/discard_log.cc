#include "packice/backends/discard_log.h"

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "discard_file.h"
#include "packice/core/error.h"
#include "packice/core/mutex.h"

namespace packice {
namespace {

class Log final : public DiscardLog {
 public:
  Log(std::unique_ptr<DiscardFile> file, DiscardFile::Ids ids)
      : file_(std::move(file)), ids_(std::move(ids)), size_(ids_.size()) {}

  absl::Status Add(const ObjectId& id) override { return Make({true, id}); }
  absl::Status Remove(const ObjectId& id) override { return Make({false, id}); }

  bool Contains(const ObjectId& id) const override {
    if (size() == 0) return false;
    MutexLock lock(mutex_);
    return ids_.contains(id);
  }
  std::vector<ObjectId> All() const override {
    MutexLock lock(mutex_);
    return {ids_.begin(), ids_.end()};
  }
  size_t size() const override { return size_.load(std::memory_order_acquire); }

 private:
  // Changes that are synced together: those that come while others are being synced. The one who
  // began it writes it.
  struct Batch {
    std::vector<DiscardChange> changes;
    bool done = false;
    absl::Status status;
  };

  absl::Status Make(DiscardChange change);
  // On disk, or as if it had not been asked for.
  absl::Status Write(absl::Span<const DiscardChange> changes);
  absl::Status WriteAnew() { return file_->Rewrite(Ids()); }
  void Apply(absl::Span<const DiscardChange> changes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  DiscardFile::Ids Ids() const {
    MutexLock lock(mutex_);
    return ids_;
  }

  // Both are used by whoever has set writing_.
  const std::unique_ptr<DiscardFile> file_;  // null: in memory only
  bool broken_ = false;                      // it has to be written anew before it is appended to

  mutable Mutex mutex_;
  CondVar written_;
  DiscardFile::Ids ids_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Batch> next_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<size_t> size_;  // of ids_
};

// A status of its own for each thread: absl's are shared by counting.
absl::Status CopyOf(const absl::Status& status) {
  return status.ok() ? absl::OkStatus() : MakeError(KindOf(status), status.message());
}

absl::Status Log::Make(DiscardChange change) {
  std::shared_ptr<Batch> batch;
  {
    MutexLock lock(mutex_);
    const bool settled = file_ == nullptr || (!writing_ && next_ == nullptr);
    if (settled && ids_.contains(change.id) == change.add) return absl::OkStatus();
    if (file_ == nullptr) {
      Apply({std::move(change)});
      return absl::OkStatus();
    }
    const bool begins = next_ == nullptr;
    if (begins) next_ = std::make_shared<Batch>();
    batch = next_;
    batch->changes.push_back(std::move(change));
    while (begins ? writing_ : !batch->done) written_.Wait(mutex_);
    if (!begins) return CopyOf(batch->status);
    writing_ = true;
    next_ = nullptr;
  }
  absl::Status status = Write(batch->changes);
  MutexLock lock(mutex_);
  if (status.ok()) Apply(batch->changes);
  batch->status = CopyOf(status);
  batch->done = true;
  writing_ = false;
  written_.NotifyAll();
  return status;
}

absl::Status Log::Write(absl::Span<const DiscardChange> changes) {
  if (broken_ || file_->overgrown()) {
    absl::Status status = WriteAnew();
    broken_ = !status.ok();
    if (broken_) return status;
  }
  absl::Status status = file_->Append(changes);
  if (status.ok()) return status;
  broken_ = !WriteAnew().ok();
  if (!broken_) return status;
  return MakeError(KindOf(status), absl::StrCat(status.message(),
                                                "; until the disk works again, a crash may bring "
                                                "this change about after all"));
}

void Log::Apply(absl::Span<const DiscardChange> changes) {
  for (const DiscardChange& change : changes) {
    if (change.add) {
      ids_.insert(change.id);
    } else {
      ids_.erase(change.id);
    }
  }
  size_.store(ids_.size(), std::memory_order_release);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DiscardLog>> DiscardLog::Open(const std::string& path) {
  DiscardFile::Ids ids;
  std::unique_ptr<DiscardFile> file;
  if (!path.empty()) {
    absl::StatusOr<std::unique_ptr<DiscardFile>> opened = DiscardFile::Open(path, ids);
    if (!opened.ok()) return opened.status();
    file = *std::move(opened);
  }
  return std::unique_ptr<DiscardLog>(std::make_unique<Log>(std::move(file), std::move(ids)));
}

}  // namespace packice
