// TrackerDirectory: questions and reports.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "tracker_directory_impl.h"

namespace packice {
namespace {

using tracker::v1::LocateResponse;
using tracker::v1::ReportRequest;
using AsyncStub = tracker::v1::Tracker::StubInterface::async_interface;

tracker::v1::ReportRequest::Fault FaultOf(HolderFault fault) {
  switch (fault) {
    case HolderFault::kGone:
      return ReportRequest::GONE;
    case HolderFault::kCorrupt:
      return ReportRequest::CORRUPT;
    case HolderFault::kSlow:
      return ReportRequest::SLOW;
    case HolderFault::kBusy:
      return ReportRequest::BUSY;
    case HolderFault::kOrigin:
      return ReportRequest::ORIGIN;
  }
  return ReportRequest::FAULT_UNSPECIFIED;
}

absl::Duration Milliseconds(uint64_t ms) {
  return absl::Milliseconds(static_cast<int64_t>(std::min<uint64_t>(ms, 1ull << 50)));
}

absl::StatusOr<Location> Decode(const LocateResponse& response) {
  auto digest = ContentDigest::Decode(response.digest());
  if (!digest.ok()) return digest.status();
  Location location;
  location.digest = *digest;
  location.size = response.size();
  location.pieces = response.pieces();
  for (const tracker::v1::Holder& told : response.holders()) {
    location.holders.push_back({told.address(), told.zone(), told.load(),
                                Milliseconds(told.age_ms()), told.pieces_held(), told.complete()});
  }
  if (response.has_origin_grant_ms()) {
    location.origin_grant = Milliseconds(response.origin_grant_ms());
  }
  if (response.has_retry_after_ms()) {
    location.retry_after = Milliseconds(response.retry_after_ms());
  }
  return location;
}

}  // namespace

// Asks one tracker, then the other if the first does not answer or knows nobody. Only one of them
// is asked for the origin, because grants that both give would be twice as many.
struct TrackerDirectory::Impl::Question {
  tracker::v1::LocateRequest request;
  Rendezvous::Chosen trackers;  // in the order to ask them
  size_t asked = 0;
  Instant deadline;
  // What the first said, if it knows nobody.
  absl::optional<LocateResponse> empty;
  size_t empty_of = 0;
  Done<absl::StatusOr<Location>> done;
};

void TrackerDirectory::Impl::Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) {
  auto question = std::make_shared<Question>();
  tracker::v1::LocateRequest& told = question->request;
  told.set_object_id(std::string(request.object_id.bytes()));
  told.set_zone(options_.zone);
  told.set_max(
      static_cast<uint32_t>(std::min(std::max<size_t>(request.max, 1), LocateRequest::kLimit)));
  for (std::string& address : request.exclude) told.add_exclude(std::move(address));
  told.set_has_origin(request.has_origin);
  told.set_address(options_.address);
  question->deadline = Now() + options_.call_timeout;
  question->done = std::move(done);
  {
    MutexLock lock(mutex_);
    ++counters_.locates;
    question->trackers = announcer_.rendezvous().Of(request.object_id);
    // One that did not answer last is asked last.
    std::stable_sort(question->trackers.begin(), question->trackers.end(), [&](size_t a, size_t b) {
      return links_[a]->state().failure.empty() && !links_[b]->state().failure.empty();
    });
  }
  Ask(std::move(question));
}

void TrackerDirectory::Impl::Ask(std::shared_ptr<Question> question) {
  const size_t left = question->trackers.size() - question->asked;
  const size_t tracker = question->trackers[question->asked];
  // Whoever is asked first leaves time to ask the other.
  const absl::Duration timeout =
      std::max(question->deadline - Now(), absl::Milliseconds(1)) / static_cast<int64_t>(left);
  ++question->asked;
  links_[tracker]->Call<tracker::v1::LocateRequest, LocateResponse>(
      &AsyncStub::Locate, question->request, timeout,
      [this, question](absl::StatusOr<LocateResponse> response) {
        Answered(question, std::move(response));
      });
}

void TrackerDirectory::Impl::Answered(std::shared_ptr<Question> question,
                                      absl::StatusOr<LocateResponse> response) {
  const bool more = question->asked < question->trackers.size();
  if (response.ok() && !response->digest().empty()) {
    if (question->empty && question->empty->has_origin_grant_ms()) {
      ReportRequest report;  // the right is not needed
      report.set_object_id(question->request.object_id());
      report.set_fault(ReportRequest::ORIGIN);
      report.set_address(options_.address);
      SendReport(question->empty_of, report);
    }
    return std::move(question->done)(Decode(*response));
  }
  const bool worth_asking_on =
      response.ok() || KindOf(response.status()) != ErrorKind::kInvalidArgument;
  if (more && worth_asking_on) {
    if (response.ok()) {
      question->empty = *std::move(response);
      question->empty_of = question->trackers[question->asked - 1];
      question->request.set_has_origin(false);
    }
    return Ask(std::move(question));
  }
  if (question->empty) return std::move(question->done)(Decode(*question->empty));
  if (response.ok()) return std::move(question->done)(Decode(*response));
  {
    MutexLock lock(mutex_);
    ++counters_.failed_locates;
  }
  std::move(question->done)(response.status());
}

void TrackerDirectory::Impl::Report(const ObjectId& object_id, const std::string& holder,
                                    HolderFault fault) {
  ReportRequest request;
  request.set_object_id(std::string(object_id.bytes()));
  request.set_holder(holder);
  request.set_fault(FaultOf(fault));
  request.set_address(options_.address);
  Rendezvous::Chosen trackers;
  {
    MutexLock lock(mutex_);
    trackers = announcer_.rendezvous().Of(object_id);
  }
  for (size_t tracker : trackers) SendReport(tracker, request);
}

void TrackerDirectory::Impl::SendReport(size_t tracker, const ReportRequest& request) {
  // A hint: where it gets lost, the holder is reported again by who comes next.
  links_[tracker]->Call<ReportRequest, tracker::v1::ReportResponse>(
      &AsyncStub::Report, request, options_.call_timeout,
      [](const absl::StatusOr<tracker::v1::ReportResponse>&) {});
}

}  // namespace packice
