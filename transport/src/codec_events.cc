#include "codec_events.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "codec_write.h"
#include "packice/transport/codec.h"

namespace packice {
namespace json {
namespace {

void Append(absl::string_view text, std::string& out) { out.append(text.data(), text.size()); }

std::string AllKindNames() {
  std::string names;
  for (int i = 0; i <= static_cast<int>(kLastEventKind); ++i) {
    absl::StrAppend(&names, i == 0 ? "" : ", ", EventKindName(static_cast<EventKind>(i)));
  }
  return names;
}

EventKinds ReadKinds(Fields& fields) {
  const Node* list = fields.List(Field::kKinds);
  if (list == nullptr || list->begin() == list->end()) return EventKinds::AllButReads();
  EventKinds kinds = EventKinds::None();
  for (const Node* entry = list->begin(); entry != list->end(); entry = entry->next()) {
    const absl::optional<EventKind> kind =
        entry->type == Type::kString ? EventKindFromName(entry->text()) : absl::nullopt;
    if (!kind) {
      fields.Wrong(Field::kKinds, absl::StrCat("a list of kinds of events: ", AllKindNames()));
      break;
    }
    kinds = kinds.With(*kind);
  }
  return kinds;
}

// False for a kind that is not known here.
bool ReadEvent(Fields& fields, EventRecord& event) {
  fields.Need({Field::kSeq, Field::kTime, Field::kKind});
  const absl::optional<EventKind> kind =
      EventKindFromName(fields.String(Field::kKind).value_or(""));
  event.kind = kind.value_or(EventKind::kCreated);
  event.sequence = fields.Integer(Field::kSeq, 0, UINT64_MAX).value_or(0);
  event.time = fields.Time(Field::kTime).value_or(absl::Time());
  event.tier = std::string(fields.String(Field::kTier).value_or(""));
  if (fields.Has(Field::kObjectId)) event.object_id = fields.Id(Field::kObjectId);
  event.size = fields.Integer(Field::kSize, 0, UINT64_MAX).value_or(0);
  event.operation = OperationId{fields.Integer(Field::kOperation, 0, UINT64_MAX).value_or(0)};
  event.detail = std::string(fields.String(Field::kDetail).value_or(""));
  return kind.has_value();
}

}  // namespace

void AppendEvent(const EventRecord& event, std::string& out) {
  Append("{\"seq\":", out);
  AppendUnsigned(event.sequence, out);
  Append(",\"time\":", out);
  AppendTime(event.time, out);
  Append(",\"kind\":\"", out);
  Append(EventKindName(event.kind), out);
  out.push_back('"');
  if (!event.tier.empty()) {
    Append(",\"tier\":", out);
    AppendString(event.tier, out);
  }
  if (!event.object_id.empty()) {
    Append(",\"object_id\":", out);
    AppendString(event.object_id.bytes(), out);
  }
  if (!event.object_id.empty() || event.size != 0) {
    Append(",\"size\":", out);
    AppendUnsigned(event.size, out);
  }
  if (event.operation != OperationId::kNone) {
    Append(",\"operation\":", out);
    AppendUnsigned(static_cast<uint64_t>(event.operation), out);
  }
  if (!event.detail.empty()) {
    Append(",\"detail\":", out);
    AppendString(event.detail, out);
  }
  out.push_back('}');
}

void AppendKinds(EventKinds kinds, std::string& out) {
  if (kinds == EventKinds::AllButReads()) return;
  Append(",\"kinds\":", out);
  char before = '[';
  for (int i = 0; i <= static_cast<int>(kLastEventKind); ++i) {
    const auto kind = static_cast<EventKind>(i);
    if (!kinds.Has(kind)) continue;
    out.push_back(before);
    before = ',';
    AppendString(EventKindName(kind), out);
  }
  Append(before == '[' ? "[]" : "]", out);
}

EventsRequest ReadEventsRequest(Fields& fields) {
  EventsRequest events;
  events.after = fields.Integer(Field::kAfter, 0, UINT64_MAX);
  events.limit = fields.Integer(Field::kLimit, 0, EventsRequest::kMaxLimit)
                     .value_or(EventsRequest::kDefaultLimit);
  events.kinds = ReadKinds(fields);
  events.wait =
      fields.Seconds(Field::kWaitSeconds, /*zero_allowed=*/true).value_or(absl::ZeroDuration());
  return events;
}

EventPage ReadEventPage(Fields& fields) {
  EventPage page;
  fields.Need({Field::kEvents, Field::kNext});
  page.next = fields.Integer(Field::kNext, 0, UINT64_MAX).value_or(0);
  const Node* list = fields.List(Field::kEvents);
  if (list == nullptr) return page;
  size_t index = 0;
  for (const Node* entry = list->begin(); entry != list->end() && fields.ok();
       entry = entry->next()) {
    Fields event(*entry, ErrorKind::kCorrupt, "events", index++);
    EventRecord record;
    if (ReadEvent(event, record)) page.events.push_back(std::move(record));
    if (!event.ok()) fields.Fail(event.status());
  }
  return page;
}

}  // namespace json

void AppendEventLine(const EventRecord& event, std::string& out) {
  json::AppendEvent(event, out);
  out.push_back('\n');
}

}  // namespace packice
