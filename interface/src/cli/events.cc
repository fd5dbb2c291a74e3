#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/commands.h"
#include "cli/event_feed.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/text.h"
#include "packice/transport/codec.h"

namespace packice::cli {
namespace {

// How soon a signal, or a stdout that nobody reads any more, ends it.
constexpr absl::Duration kTurn = absl::Milliseconds(250);

absl::StatusOr<EventKinds> KindsOf(const std::vector<std::string>& names) {
  if (names.empty()) return EventKinds::AllButReads();
  EventKinds kinds = EventKinds::None();
  for (const std::string& name : names) {
    const absl::optional<EventKind> kind = EventKindFromName(name);
    if (!kind) {
      return MakeError(ErrorKind::kInvalidArgument,
                       absl::StrCat("no events are of the kind ", name, "; see packice events -h"));
    }
    kinds = kinds.With(*kind);
  }
  return kinds;
}

std::string Line(const EventRecord& event) {
  std::string line = absl::StrFormat(
      "%s  %-17s", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", event.time, absl::UTCTimeZone()),
      std::string(EventKindName(event.kind)));
  if (!event.tier.empty()) absl::StrAppend(&line, "  ", Printable(event.tier));
  if (!event.object_id.empty()) {
    absl::StrAppend(&line, "  ", Printable(event.object_id.bytes()), "  ", SizeText(event.size));
  }
  if (event.operation != OperationId::kNone) {
    absl::StrAppend(&line, "  operation ", static_cast<uint64_t>(event.operation));
  }
  if (!event.detail.empty()) absl::StrAppend(&line, "  ", Printable(event.detail));
  return line + "\n";
}

// Whoever read stdout has gone: nobody will see another line.
bool NobodyReads() {
  pollfd out = {STDOUT_FILENO, 0, 0};
  return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLNVAL)) != 0;
}

absl::Status Show(const EventPage& page, const EventsArgs& args) {
  std::string text;
  for (const EventRecord& event : page.events) {
    if (!absl::StartsWith(event.object_id.bytes(), args.prefix)) continue;
    if (args.json) {
      AppendEventLine(event, text);
    } else {
      text += Line(event);
    }
  }
  if (absl::Status status = Print(text); !status.ok()) return status;
  return FlushOutput();
}

void TellOfLoss(uint64_t lost) {
  Complain(MakeError(ErrorKind::kRetentionGap,
                     absl::StrCat(lost, " events went before they were read")));
}

absl::Status Follow(EventFeed& feed, const EventsArgs& args) {
  const StopRequest stop;
  uint64_t lost = 0;
  bool more = true;
  while (more && !NobodyReads()) {
    // What happened before the signal is shown.
    more = !stop.made();
    const absl::StatusOr<EventPage> page = feed.Next(more ? kTurn : absl::ZeroDuration());
    if (!page.ok()) return page.status();
    if (feed.lost() > lost) TellOfLoss(feed.lost() - lost);
    lost = feed.lost();
    absl::Status shown = Show(*page, args);
    if (!shown.ok() && NobodyReads()) break;
    if (!shown.ok()) return shown;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Events(const EventsArgs& args) {
  const absl::StatusOr<EventKinds> kinds = KindsOf(args.kinds);
  if (!kinds.ok()) return kinds.status();
  absl::StatusOr<std::unique_ptr<Client>> client = Dial(args.target);
  if (!client.ok()) return client.status();
  EventsRequest request;
  request.after = args.after;
  request.kinds = *kinds;
  EventFeed feed(**client, request);
  if (args.follow) return Follow(feed, args);

  // What has happened by now; on a busy node there is always more.
  EventsRequest end = request;
  end.limit = 0;
  const absl::StatusOr<EventPage> newest = (*client)->Events(end);
  if (!newest.ok() && KindOf(newest.status()) != ErrorKind::kRetentionGap) return newest.status();
  bool more = true;
  while (more) {
    const absl::StatusOr<EventPage> page = feed.Next(absl::ZeroDuration());
    if (!page.ok()) return page.status();
    if (absl::Status status = Show(*page, args); !status.ok()) return status;
    more = !page->events.empty() && (!newest.ok() || page->next < newest->next);
  }
  if (feed.lost() > 0) TellOfLoss(feed.lost());
  return absl::OkStatus();
}

}  // namespace packice::cli
