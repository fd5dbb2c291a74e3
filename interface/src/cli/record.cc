#include <algorithm>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/event_feed.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/trace.h"
#include "packice/core/clock.h"

namespace packice::cli {
namespace {

// How soon a signal ends it.
constexpr absl::Duration kTurn = absl::Milliseconds(250);

// A read that found its object, or an object that a client made; copies between tiers are no
// requests of anybody.
bool IsRequest(const EventRecord& event) {
  return event.kind == EventKind::kRead ||
         (event.kind == EventKind::kSealed && event.detail.empty());
}

absl::Status WritePage(const EventPage& page, bool live, TraceWriter& trace, uint64_t& requests) {
  for (const EventRecord& event : page.events) {
    if (!IsRequest(event)) continue;
    absl::Status status =
        trace.Write(absl::ToUnixMicros(event.time), event.object_id.bytes(), event.size);
    if (!status.ok()) return status;
    ++requests;
  }
  return live && !page.events.empty() ? trace.Flush() : absl::OkStatus();
}

}  // namespace

absl::Status Record(const RecordArgs& args) {
  absl::StatusOr<std::unique_ptr<Client>> client = Dial(args.target);
  if (!client.ok()) return client.status();
  EventsRequest request;
  request.kinds = EventKinds::None().With(EventKind::kRead).With(EventKind::kSealed);
  request.limit = EventsRequest::kMaxLimit;
  EventFeed feed(**client, request);
  const StopRequest stop;
  if (absl::Status status = feed.SkipToEnd(); !status.ok()) return status;
  absl::StatusOr<TraceWriter> trace = TraceWriter::Create(args.output);
  if (!trace.ok()) return trace.status();

  const bool live = args.output == "-";
  if (live) {
    if (absl::Status status = trace->Flush(); !status.ok()) return status;
  }

  const Instant end = Clock::System().Now() + args.duration;
  uint64_t requests = 0;
  absl::Status status;
  bool more = true;
  while (status.ok() && more) {
    // What happened before the end is recorded.
    const absl::Duration left = end - Clock::System().Now();
    more = left > absl::ZeroDuration() && !stop.made();
    const absl::StatusOr<EventPage> page =
        feed.Next(more ? std::min(left, kTurn) : absl::ZeroDuration());
    status = page.ok() ? WritePage(*page, live, *trace, requests) : page.status();
  }
  // What was recorded before the node went away is worth keeping.
  const absl::Status closed = trace->Close();
  if (!closed.ok()) return closed;
  const std::string summary =
      absl::StrCat(requests, requests == 1 ? " request" : " requests", " recorded\n");
  if (live) {
    std::fputs(summary.c_str(), stderr);
  } else if (absl::Status printed = Print(summary); !printed.ok()) {
    return printed;
  }
  if (!status.ok() || feed.lost() == 0) return status;
  const absl::Status gap =
      MakeError(ErrorKind::kRetentionGap,
                absl::StrCat(feed.lost(),
                             " events went before they were read, reads and seals among them; "
                             "let the node keep more of them (serve --events)"));
  if (!args.allow_gaps) return gap;
  Complain(gap);
  return absl::OkStatus();
}

}  // namespace packice::cli
