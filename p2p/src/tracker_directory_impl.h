// What TrackerDirectory keeps: links to its trackers, what they are to be told, and a thread that
// tells it when it is due. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/btree_map.h"
#include "announcer.h"
#include "packice/core/mutex.h"
#include "packice/p2p/tracker_directory.h"
#include "tracker_link.h"
#include "tracker_watch_client.h"

namespace packice {

class TrackerDirectory::Impl {
 public:
  Impl(TrackerDirectoryOptions options, std::shared_ptr<grpc::ChannelCredentials> credentials);
  ~Impl();

  void Locate(LocateRequest request, Done<absl::StatusOr<Location>> done);
  void Announce(const Holding& holding);
  void Withdraw(const ObjectId& object_id);
  void Report(const ObjectId& object_id, const std::string& holder, HolderFault fault);
  std::unique_ptr<Watch> WatchPrefix(const std::string& prefix, OnChange on_change);
  void List(const std::string& prefix, const std::string& after, size_t limit,
            Done<absl::StatusOr<std::vector<ObjectId>>> done);
  absl::Status Flush(absl::Duration patience);
  absl::Status Leave(absl::Duration patience);
  std::vector<TrackerState> Trackers();
  std::string MetricsText() const;

 private:
  struct Question;
  struct Listing;
  struct Counters {
    uint64_t announces = 0;
    uint64_t announced_objects = 0;
    uint64_t refused_objects = 0;
    uint64_t failed_announces = 0;
    uint64_t locates = 0;
    uint64_t failed_locates = 0;
  };

  bool speaks() const { return !options_.address.empty(); }
  Instant Now() const { return options_.clock->Now(); }

  // --- The thread.
  void Run();
  void RunAfter(absl::Duration wait, std::function<void()> run);
  // Messages that are due, and when the next one is.
  void TellDue();
  Instant NextDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(size_t tracker, tracker::v1::AnnounceRequest request);
  void Told(size_t tracker, const absl::StatusOr<tracker::v1::AnnounceResponse>& response);

  // --- Locate (tracker_directory_locate.cc).
  void Ask(std::shared_ptr<Question> question);
  void Answered(std::shared_ptr<Question> question,
                absl::StatusOr<tracker::v1::LocateResponse> response);
  void SendReport(size_t tracker, const tracker::v1::ReportRequest& request);

  // How many trackers there may be that do not answer while what the others say is still all.
  size_t Spare() const { return links_.size() >= Rendezvous::kCopies ? 1 : 0; }

  const TrackerDirectoryOptions options_;
  std::vector<std::unique_ptr<TrackerLink>> links_;

  mutable Mutex mutex_;
  CondVar wake_;  // the thread
  CondVar told_;  // who waits in Flush or Leave
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool leaving_ ABSL_GUARDED_BY(mutex_) = false;
  Announcer announcer_ ABSL_GUARDED_BY(mutex_);
  // When the thread looks next; it is woken for what is due earlier.
  Instant looks_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  absl::btree_multimap<Instant, std::function<void()>> timers_ ABSL_GUARDED_BY(mutex_);
  Counters counters_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace packice
