#include "tracker_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "tracker_request.h"

namespace packice {
namespace {

// An announce sweeps more than it adds, so what has ended cannot pile up.
constexpr size_t kSweepOfAnnounce = 64;
constexpr size_t kSweepOfHolding = 2;

}  // namespace

using tracker::v1::AnnounceRequest;
using tracker::v1::AnnounceResponse;

TrackerTable::TrackerTable(TrackerTableOptions options)
    : options_(options),
      random_(options.seed),
      faults_(options.interval),
      grants_(options.origin_grants, options.origin_grant) {}

TrackerTable::~TrackerTable() {
  for (TrackerContent* content : contents_) TrackerContent::Delete()(content);
}

absl::StatusOr<AnnounceResponse> TrackerTable::Announce(const AnnounceRequest& request,
                                                        Instant now) {
  if (absl::Status status = Check(request); !status.ok()) return status;
  const size_t told = static_cast<size_t>(request.holdings_size() + request.withdrawn_size());
  Tidy(now, kSweepOfAnnounce + kSweepOfHolding * told);

  AnnounceResponse response;
  response.set_interval_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(options_.interval)));
  absl::StatusOr<Slot> slot = NodeOf(request.node(), now);
  if (!slot.ok()) return slot.status();
  TrackerNode& node = nodes_[*slot];
  if (request.node().epoch() < node.epoch) {
    response.set_superseded(true);
    return response;
  }
  Heard(*slot, now);
  if (request.sequence() < node.sequence) return response;  // late: what came after it counts

  const bool again = request.sequence() == node.sequence;
  if (request.full_begin()) {
    ++node.generation;
    node.in_full = true;
    node.want_full = false;
  } else if (request.sequence() > node.sequence + 1) {
    node.in_full = false;
    node.want_full = true;
  }
  node.sequence = request.sequence();

  for (const std::string& id : request.withdrawn()) LetGo(*slot, id);
  uint64_t refused = 0;
  for (const tracker::v1::Holding& holding : request.holdings()) {
    if (!Hold(*slot, holding, now)) ++refused;
  }

  if (request.full_end() && node.in_full) {
    node.in_full = false;
    DropOlder(*slot);
  } else if (request.full_end() && !again) {
    node.want_full = true;  // it began before this table knew the node
  }
  response.set_want_full(node.want_full);
  response.set_refused(refused);
  return response;
}

absl::Status TrackerTable::Withdraw(const tracker::v1::WithdrawRequest& request, Instant now) {
  if (absl::Status status = Check(request); !status.ok()) return status;
  Tidy(now, kSweepOfAnnounce);
  const Slot slot = Find(request.address());
  if (slot == FaultBook::kNobody || nodes_[slot].epoch != request.epoch()) return absl::OkStatus();
  if (request.node()) {
    Kill(slot);
    return absl::OkStatus();
  }
  for (const std::string& id : request.object_ids()) LetGo(slot, id);
  return absl::OkStatus();
}

absl::Status TrackerTable::Report(const tracker::v1::ReportRequest& request, Instant now) {
  using tracker::v1::ReportRequest;
  if (absl::Status status = Check(request); !status.ok()) return status;
  Tidy(now, kSweepOfLocate);
  if (request.fault() == ReportRequest::ORIGIN) {
    grants_.Free(request.object_id(), request.address());
    return absl::OkStatus();
  }
  const Slot holder = Find(request.holder());
  const Slot reporter = Find(request.address());
  if (holder == FaultBook::kNobody || reporter == FaultBook::kNobody || holder == reporter) {
    return absl::OkStatus();
  }
  // These say something of the node, and only move it among its equals.
  if (request.fault() == ReportRequest::BUSY) nodes_[holder].busy_until = now + absl::Seconds(1);
  if (request.fault() == ReportRequest::SLOW) nodes_[holder].slow_until = now + options_.interval;
  const bool corrupt = request.fault() == ReportRequest::CORRUPT;
  if (!corrupt && request.fault() != ReportRequest::GONE) return absl::OkStatus();
  const TrackerContent* const content = WhatCounts(request.object_id(), now);
  if (content != nullptr && content->Find(holder) != nullptr) {
    faults_.Report(content, holder, reporter, corrupt, now);
  }
  return absl::OkStatus();
}

TrackerTable::Page TrackerTable::List(absl::string_view prefix, absl::string_view after,
                                      size_t limit, size_t scan, Instant now) const {
  Page page;
  page.last = std::string(after);
  ContentKey start;
  start.object_id = std::max(prefix, after);
  for (auto at = contents_.lower_bound(start); at != contents_.end(); ++at) {
    const TrackerContent& content = **at;
    if (!absl::StartsWith(content.object_id(), prefix)) break;
    if (content.object_id() <= after) continue;
    if (content.object_id() != page.last) {
      if (page.object_ids.size() == limit || scan == 0) {
        page.more = true;
        break;
      }
      --scan;
      page.last = std::string(content.object_id());
    } else if (!page.object_ids.empty() && page.object_ids.back() == page.last) {
      continue;  // another content of an id that was told
    }
    for (const ContentHolder& holder : content.holders()) {
      if (holder.pieces_held != content.pieces() || !IsLive(holder, now)) continue;
      page.object_ids.emplace_back(content.object_id());
      break;
    }
  }
  return page;
}

bool TrackerTable::Sweep(Instant now, size_t steps) {
  KillSilent(now);
  grants_.DropLapsed(now);
  RemoveExpired(now, steps);
  SweepNodes(steps);
  return steps == 0;
}

void TrackerTable::Tidy(Instant now, size_t steps) { Sweep(now, steps); }

void TrackerTable::KeepChanges(bool keep) {
  keep_changes_ = keep;
  if (!keep) changes_.clear();
}

TrackerTable::Counts TrackerTable::counts() const {
  return {silence_.size(), contents_.size(), holdings_, grants_.live(), expired_nodes_};
}

}  // namespace packice
