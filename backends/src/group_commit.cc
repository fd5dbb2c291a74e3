#include "group_commit.h"

#include <bitset>

#include "absl/strings/str_cat.h"
#include "catalog_schema.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// Files that are forgotten together: each time their directories are synced before.
constexpr size_t kForgetAtOnce = 256;

// Pages in the log at which it is copied into the database: 16 MiB. The copy is done by the leader,
// after it has answered its batch; those who come meanwhile wait for it.
constexpr uint64_t kCheckpointFrames = 4096;

}  // namespace

GroupCommit::GroupCommit(const DataDirectory& directory, std::unique_ptr<CatalogWriter> writer)
    : directory_(directory),
      writer_(std::move(writer)),
      tail_(absl::StrCat(directory.PathOf(kCatalogFile), "-wal"), writer_->page_bytes()) {
  tail_.Committed(writer_->log_frames().value_or(0));
}

absl::Status GroupCommit::Do(absl::FunctionRef<absl::Status(CatalogWriter&)> change) {
  Waiter self(change);
  MutexLock lock(mutex_);
  if (closed_) {
    return MakeError(ErrorKind::kUnavailable, "the catalog is closed: the node is shutting down");
  }
  queue_.push_back(&self);
  while (leading_ && !self.done) self.wake.Wait(mutex_);
  if (self.done) return self.result;

  leading_ = true;
  Batch batch;
  batch.swap(queue_);
  std::vector<BlobName> forgotten;
  if (forgotten_.size() >= kForgetAtOnce || closing_) forgotten.swap(forgotten_);
  mutex_.Unlock();
  Commit(batch, std::move(forgotten));
  mutex_.Lock();
  for (Waiter* waiter : batch) {
    waiter->done = true;
    if (waiter != &self) waiter->wake.NotifyOne();
  }
  mutex_.Unlock();
  CheckpointWhenDue();
  mutex_.Lock();
  leading_ = false;
  if (queue_.empty()) {
    idle_.NotifyAll();
  } else {
    queue_.front()->wake.NotifyOne();  // leads the next
  }
  return self.result;
}

void GroupCommit::Forget(const BlobName& name) {
  MutexLock lock(mutex_);
  forgotten_.push_back(name);
}

absl::Status GroupCommit::Close(absl::FunctionRef<absl::Status(CatalogWriter&)> change) {
  {
    MutexLock lock(mutex_);
    closing_ = true;
  }
  absl::Status status = Do(change);
  MutexLock lock(mutex_);
  closed_ = true;
  while (leading_ || !queue_.empty()) idle_.Wait(mutex_);
  if (writer_ != nullptr) writer_->Checkpoint(/*truncate=*/true).IgnoreError();
  return status;
}

// All or nothing: after a failure of the medium every member of the batch has it.
void GroupCommit::Commit(const Batch& batch, std::vector<BlobName> forgotten) {
  absl::Status status = OpenWriter();
  if (status.ok() && !forgotten.empty() && !SyncShardsOf(forgotten).ok()) {
    forgotten.clear();  // they stay listed as removed, and go at the next start
  }
  if (status.ok()) status = TryCommit(batch, forgotten);
  if (status.ok()) {
    if (writer_->log_frames().has_value()) tail_.Committed(*writer_->log_frames());
    return;
  }
  for (Waiter* waiter : batch) waiter->result = status;
}

absl::Status GroupCommit::TryCommit(const Batch& batch, const std::vector<BlobName>& forgotten) {
  absl::Status status = writer_->Begin();
  if (!status.ok()) {  // nothing was written
    writer_.reset();
    return status;
  }
  for (Waiter* waiter : batch) {
    waiter->result = waiter->change(*writer_);
    if (writer_->Broken()) {
      status = waiter->result;
      break;
    }
  }
  for (size_t i = 0; status.ok() && i < forgotten.size(); ++i) {
    status = writer_->Forget(forgotten[i]);
  }
  if (status.ok()) status = writer_->Commit();
  if (status.ok()) return status;

  writer_->Rollback();
  writer_.reset();
  if (absl::Status cut = tail_.Cut(); !cut.ok()) {
    cut_is_due_ = true;
    return MakeError(KindOf(status), absl::StrCat(status.message(),
                                                  "; should the machine fail before the fault is "
                                                  "over, the change may be there afterwards (",
                                                  cut.message(), ")"));
  }
  return status;
}

absl::Status GroupCommit::OpenWriter() {
  if (cut_is_due_) {
    if (absl::Status status = tail_.Cut(); !status.ok()) return status;
    cut_is_due_ = false;
  }
  if (writer_ != nullptr) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<CatalogWriter>> writer = CatalogWriter::Open(directory_);
  if (!writer.ok()) return writer.status();
  writer_ = *std::move(writer);
  return absl::OkStatus();
}

absl::Status GroupCommit::SyncShardsOf(const std::vector<BlobName>& names) const {
  std::bitset<DataDirectory::kShards> shards;
  for (const BlobName& name : names) shards.set(name.shard);
  for (int shard = 0; shard < DataDirectory::kShards; ++shard) {
    if (!shards[static_cast<size_t>(shard)]) continue;
    absl::Status status = directory_.SyncShard(static_cast<uint8_t>(shard));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void GroupCommit::CheckpointWhenDue() {
  if (writer_ == nullptr || writer_->log_frames().value_or(0) < kCheckpointFrames) return;
  // A failure is not that of any change: they are in the log, and the next will try again.
  writer_->Checkpoint(/*truncate=*/false).IgnoreError();
}

}  // namespace packice
