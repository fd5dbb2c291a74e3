// What a tracker answers over gRPC: TrackerTable behind a lock, with who watches it.
//
// One lock is enough: a call keeps it for microseconds, a full message of an announce for a few
// milliseconds, while gRPC itself takes tens of microseconds for each call.
//
// Thread-safe. Outlives the server that it is registered with.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"
#include "packice/p2p/tracker_server.h"
#include "packice/proto/tracker.grpc.pb.h"
#include "tracker_table.h"

namespace packice {

class TrackerWatch;

class TrackerService final : public tracker::v1::Tracker::CallbackService {
 public:
  static constexpr size_t kMaxWatches = 1000;

  explicit TrackerService(const TrackerOptions& options);
  ~TrackerService() override;

  grpc::ServerUnaryReactor* Announce(grpc::CallbackServerContext* context,
                                     const tracker::v1::AnnounceRequest* request,
                                     tracker::v1::AnnounceResponse* response) override;
  grpc::ServerUnaryReactor* Withdraw(grpc::CallbackServerContext* context,
                                     const tracker::v1::WithdrawRequest* request,
                                     tracker::v1::WithdrawResponse* response) override;
  grpc::ServerUnaryReactor* Locate(grpc::CallbackServerContext* context,
                                   const tracker::v1::LocateRequest* request,
                                   tracker::v1::LocateResponse* response) override;
  grpc::ServerUnaryReactor* Report(grpc::CallbackServerContext* context,
                                   const tracker::v1::ReportRequest* request,
                                   tracker::v1::ReportResponse* response) override;
  grpc::ServerWriteReactor<tracker::v1::WatchResponse>* Watch(
      grpc::CallbackServerContext* context, const tracker::v1::WatchRequest* request) override;
  grpc::ServerUnaryReactor* Stats(grpc::CallbackServerContext* context,
                                  const tracker::v1::StatsRequest* request,
                                  tracker::v1::StatsResponse* response) override;

  TrackerStats Count() const;

  // Does what is due. Called again and again by the server's thread.
  void Sweep();

  // Watches end with `unavailable`, and further ones are refused.
  void EndWatches();

 private:
  friend class TrackerWatch;
  using Watches = std::vector<std::shared_ptr<TrackerWatch>>;

  // Whether the caller may ask at all.
  absl::Status Admit(const grpc::CallbackServerContext& context) const;
  // Runs `call`, which returns a status and may change the table, and tells watches of changes.
  template <typename Call>
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, Call call);
  // Those that have something new to write.
  Watches HandOutChanges() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(TrackerWatch* watch);

  const std::string token_;
  Clock& clock_;
  const Instant started_;

  mutable Mutex mutex_;
  TrackerTable table_ ABSL_GUARDED_BY(mutex_);
  TrackerStats stats_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  // In the order in which they came.
  absl::btree_map<uint64_t, std::shared_ptr<TrackerWatch>> watches_ ABSL_GUARDED_BY(mutex_);
  size_t admitted_watches_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t next_watch_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace packice
