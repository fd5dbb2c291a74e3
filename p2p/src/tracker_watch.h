// One watch of a tracker: tells what is held, if asked, then what changes, as fast as its client
// reads. One that reads too slowly is told that it missed some; what waits for it is bounded.
//
// Owned by TrackerService until gRPC has done with it; its state is guarded by the service's lock,
// so that what is told of the table and of its changes comes in the order of time.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <deque>
#include <string>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "packice/proto/tracker.pb.h"
#include "tracker_service.h"

namespace packice {

class TrackerWatch final : public grpc::ServerWriteReactor<tracker::v1::WatchResponse> {
 public:
  // Changes that wait for the client. One more, and all of them are dropped.
  static constexpr size_t kMaxWaiting = 1024;

  TrackerWatch(TrackerService& service, grpc::CallbackServerContext& context,
               const tracker::v1::WatchRequest& request, uint64_t number,
               const absl::Status& admitted);

  uint64_t number() const { return number_; }
  const std::string& prefix() const { return prefix_; }
  bool admitted() const { return admitted_; }

  // Refuses the watch, or lets it begin. Once.
  void Start();
  // Under the service's lock, which the analysis cannot see to be this watch's as well.
  void Push(const TrackerTable::Change& change) ABSL_NO_THREAD_SAFETY_ANALYSIS;
  // Writes what there is, unless a write is under way. Without the lock.
  void Write();
  void End(absl::Status status);

  // gRPC's calls.
  void OnSendInitialMetadataDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // Puts the next message together. False: there is none now.
  bool Compose() ABSL_EXCLUSIVE_LOCKS_REQUIRED(service_.mutex_);
  void ComposeExisting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(service_.mutex_);

  TrackerService& service_;
  grpc::CallbackServerContext& context_;
  const uint64_t number_;
  const bool admitted_;
  const std::string prefix_;
  const bool existing_only_;

  tracker::v1::WatchResponse message_;                    // belongs to the write under way
  bool writing_ ABSL_GUARDED_BY(service_.mutex_) = true;  // until it has begun, too
  bool finished_ ABSL_GUARDED_BY(service_.mutex_) = false;
  // How it ends once the write under way is over.
  absl::optional<absl::Status> end_ ABSL_GUARDED_BY(service_.mutex_);

  bool existing_ ABSL_GUARDED_BY(service_.mutex_);  // is still to be told
  std::string after_ ABSL_GUARDED_BY(service_.mutex_);
  uint64_t limit_ ABSL_GUARDED_BY(service_.mutex_);
  std::deque<TrackerTable::Change> waiting_ ABSL_GUARDED_BY(service_.mutex_);
  bool missed_ ABSL_GUARDED_BY(service_.mutex_) = false;
};

}  // namespace packice
