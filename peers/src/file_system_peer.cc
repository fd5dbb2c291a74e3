#include "packice/peers/file_system_peer.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "file_archive.h"
#include "medium_threads.h"
#include "packice/backends/file_blob_store.h"
#include "packice/backends/memory_lease_table.h"
#include "packice/backends/recovery.h"

namespace packice {

absl::StatusOr<std::unique_ptr<FileSystemPeer>> FileSystemPeer::Open(
    FileSystemPeerOptions options) {
  absl::StatusOr<std::shared_ptr<const DataDirectory>> directory =
      DataDirectory::Open(options.directory);
  if (!directory.ok()) return directory.status();
  absl::StatusOr<std::shared_ptr<Catalog>> catalog = Catalog::Open(**directory, *options.clock);
  if (!catalog.ok()) return catalog.status();
  std::unique_ptr<FileSystemPeer> peer(
      new FileSystemPeer(*std::move(directory), *std::move(catalog), options));
  if (absl::Status status = peer->Start(); !status.ok()) return status;
  return peer;
}

FileSystemPeer::FileSystemPeer(std::shared_ptr<const DataDirectory> directory,
                               std::shared_ptr<Catalog> catalog,
                               const FileSystemPeerOptions& options)
    : directory_(std::move(directory)),
      catalog_(std::move(catalog)),
      clock_(*options.clock),
      log_(options.log) {
  FileBlobHooks hooks;
  hooks.sums = [catalog = catalog_](const BlobName& name) { return catalog->Sums(name); };
  hooks.unlinked = [catalog = catalog_](const BlobName& name) { catalog->Forget(name); };
  auto store =
      std::make_unique<FileBlobStore>(directory_, std::move(hooks), catalog_->FirstSerial());
  auto archive = std::make_unique<FileArchive>(directory_, catalog_, *store, clock_, log_);
  auto threads = std::make_unique<MediumThreads>("packice-disk", options.threads);
  threads_ = threads.get();
  LocalPeerOptions local;
  local.capacity = options.capacity;
  local.eviction = options.eviction;
  local.background_reaper = options.background_reaper;
  local.verify_reads = options.verify_reads;
  local.clock = options.clock;
  local.random = options.random;
  local.events = options.events;
  local.log = options.log;
  local.describe_session = options.describe_session;
  peer_ = std::make_unique<LocalPeer>(std::move(store), std::make_unique<MemoryLeaseTable>(clock_),
                                      /*policy=*/nullptr, std::move(local), std::move(archive),
                                      std::move(threads));
}

absl::Status FileSystemPeer::Start() {
  absl::StatusOr<RecoveryReport> report = Recover(*directory_, *catalog_, clock_);
  if (!report.ok()) return report.status();
  if (absl::Status status = peer_->Recover(); !status.ok()) return status;
  if (report->set_aside > 0) {
    log_(absl::StrCat(report->set_aside, " unknown files were set aside in quarantine/"));
  }
  if (report->last_shutdown_was_clean) {
    compared_.store(true);
    return absl::OkStatus();
  }
  log_(absl::StrCat("the last run ended without notice: ", report->unfinished_creates,
                    " unfinished files and ", report->finished_removals,
                    " of removed objects were deleted; comparing the others with the catalog"));
  threads_->Run([this] { Scan(); });
  return absl::OkStatus();
}

void FileSystemPeer::Scan() {
  absl::flat_hash_set<uint64_t> damaged;
  const absl::StatusOr<ScanReport> report =
      packice::Scan(*directory_, *catalog_, clock_, stopping_,
                    [&](uint64_t serial, absl::string_view) { damaged.insert(serial); });
  if (stopping_.load()) return;
  if (!damaged.empty()) peer_->CheckObjects(damaged);
  if (!report.ok()) {
    log_(absl::StrCat("the files could not be compared with the catalog: ",
                      report.status().message()));
    return;
  }
  compared_.store(true);
  log_(absl::StrCat("compared ", report->objects,
                    " objects with their files: ", report->damaged_objects, " damaged, ",
                    report->orphans, " files without an object set aside in quarantine/"));
}

FileSystemPeer::~FileSystemPeer() {
  stopping_.store(true);
  peer_.reset();
  // Otherwise the next run would leave out what this one has not got round to.
  if (!compared_.load()) return;
  if (absl::Status status = catalog_->CloseCleanly(); !status.ok()) {
    log_(absl::StrCat("the data directory was not closed in good order: ", status.message()));
  }
}

void FileSystemPeer::Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  peer_->Acquire(std::move(request), std::move(done));
}

void FileSystemPeer::Cancel(OperationId operation) { peer_->Cancel(operation); }

void FileSystemPeer::Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done) {
  peer_->Lookup(std::move(request), std::move(done));
}

void FileSystemPeer::Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) {
  peer_->Seal(std::move(request), std::move(done));
}

void FileSystemPeer::Discard(LeaseRequest request, Done<absl::Status> done) {
  peer_->Discard(std::move(request), std::move(done));
}

void FileSystemPeer::Release(LeaseRequest request, Done<absl::Status> done) {
  peer_->Release(std::move(request), std::move(done));
}

void FileSystemPeer::Relocate(RelocateRequest request, Done<absl::Status> done) {
  peer_->Relocate(std::move(request), std::move(done));
}

void FileSystemPeer::Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) {
  peer_->Renew(std::move(request), std::move(done));
}

void FileSystemPeer::Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) {
  peer_->Stat(object_id, std::move(done));
}

void FileSystemPeer::List(ListRequest request, Done<absl::StatusOr<ListPage>> done) {
  peer_->List(std::move(request), std::move(done));
}

void FileSystemPeer::Stats(Done<absl::StatusOr<PeerStats>> done) { peer_->Stats(std::move(done)); }

void FileSystemPeer::EndSession(SessionId session) { peer_->EndSession(session); }

}  // namespace packice
