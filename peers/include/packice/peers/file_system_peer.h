// A peer whose sealed objects outlive it, and any crash: files and a catalog in a data directory
// (packice/backends/data_directory.h), which it has for itself.
//
// Thread-safe. What it does and where it does it is LocalPeer's affair; this puts the parts
// together. What is answered is on disk: a Seal means that the object's bytes, and then its place
// in the catalog, were committed; a Discard or a Relocate that the catalog has it so. While the
// disk is full, fails or is away, such calls answer `capacity` or `io`, everything else goes on,
// and so do they when the fault is over.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "packice/backends/catalog.h"
#include "packice/backends/data_directory.h"
#include "packice/core/clock.h"
#include "packice/core/event_sink.h"
#include "packice/core/peer.h"
#include "packice/core/random.h"
#include "packice/peers/local_peer.h"

namespace packice {

struct FileSystemPeerOptions {
  std::string directory;
  // Bytes of disk that objects may take up, in blocks used. Nothing: as many as the disk has.
  absl::optional<uint64_t> capacity;
  EvictionSpec eviction;  // which objects go first
  // As LocalPeerOptions has them.
  bool verify_reads = false;
  bool background_reaper = true;
  // That block on the disk, started as they are needed. As many changes can be under way, and share
  // a commit.
  size_t threads = 32;

  Clock* clock = &Clock::System();
  RandomSource* random = &RandomSource::System();
  EventSink* events = &EventSink::Null();
  // What was found and done about it: leftovers, damage, faults. A line each, on any thread.
  std::function<void(absl::string_view)> log = [](absl::string_view) {};
  std::function<std::string(SessionId)> describe_session;  // as LocalPeerOptions has it
};

class FileSystemPeer final : public Peer {
 public:
  // Opens the data directory, or makes one, and takes over what is in it; then it serves. After an
  // unclean end of the last run the files are compared with the catalog while it serves already,
  // and what is damaged is set aside. Blocks for the disk: seconds for a million objects. `busy`
  // while another node has the directory; `unsupported` for another version of its format;
  // `corrupt` when the catalog is (the message has the way out); `invalid_argument` when it is no
  // data directory; `permission_denied`, `capacity`, `io`.
  static absl::StatusOr<std::unique_ptr<FileSystemPeer>> Open(FileSystemPeerOptions options);

  // Waits for what is under way, then marks the directory as closed in good order. It is free for
  // another node once nobody shares an object of this one any more.
  ~FileSystemPeer() override;

  void Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) override;
  void Cancel(OperationId operation) override;
  void Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done) override;
  void Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) override;
  void Discard(LeaseRequest request, Done<absl::Status> done) override;
  void Release(LeaseRequest request, Done<absl::Status> done) override;
  void Relocate(RelocateRequest request, Done<absl::Status> done) override;
  void Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) override;
  void Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) override;
  void List(ListRequest request, Done<absl::StatusOr<ListPage>> done) override;
  void Stats(Done<absl::StatusOr<PeerStats>> done) override;
  void EndSession(SessionId session) override;

  // As LocalPeer has them. The comparison of files is among what AwaitIdle waits for.
  Instant RunDue() { return peer_->RunDue(); }
  void AwaitIdle() { peer_->AwaitIdle(); }

 private:
  FileSystemPeer(std::shared_ptr<const DataDirectory> directory, std::shared_ptr<Catalog> catalog,
                 const FileSystemPeerOptions& options);

  absl::Status Start();
  void Scan();

  const std::shared_ptr<const DataDirectory> directory_;
  const std::shared_ptr<Catalog> catalog_;
  const Clock& clock_;
  const std::function<void(absl::string_view)> log_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> compared_{false};  // the files with the catalog, or there was no need
  Executor* threads_;                  // peer_'s
  std::unique_ptr<LocalPeer> peer_;
};

}  // namespace packice
