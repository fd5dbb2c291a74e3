#include <utility>

#include "absl/container/flat_hash_set.h"
#include "packice/client.h"
#include "packice/transport/codec.h"

namespace packice {

absl::StatusOr<ObjectHistory> Client::History(absl::string_view id, size_t limit) {
  using End = ObjectHistory::End;
  ObjectHistory history;
  absl::flat_hash_set<ObjectId> seen;
  absl::StatusOr<ObjectInfo> info = Stat(id);
  while (info.ok()) {
    seen.insert(info->object_id);
    history.objects.push_back(*std::move(info));
    const absl::optional<absl::string_view> json =
        history.objects.back().metadata.Find("prev_objid");
    if (!json.has_value() || *json == "null") return history;
    absl::StatusOr<ObjectId> next = ParseObjectId(*json);
    if (!next.ok()) {
      history.end = End::kUnreadable;
      return history;
    }
    history.next = *std::move(next);
    if (seen.contains(history.next) || history.objects.size() >= limit) {
      history.end = seen.contains(history.next) ? End::kCycle : End::kLimit;
      return history;
    }
    info = Stat(history.next.bytes());
    if (info.ok()) history.next = ObjectId();
  }
  if (history.objects.empty() || KindOf(info.status()) != ErrorKind::kNotFound)
    return info.status();
  history.end = End::kMissing;
  return history;
}

}  // namespace packice
