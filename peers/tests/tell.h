// Everything that can be seen of a peer, as text: what a model and a real peer are compared by.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "packice/core/error.h"
#include "packice/core/peer.h"

namespace packice {

inline std::string Tell(const absl::Status& status) {
  return status.ok() ? "ok" : std::string(InfoOf(KindOf(status)).name);
}
template <typename T>
std::string Tell(const absl::StatusOr<T>& answer) {
  return Tell(answer.status());
}

inline std::string Tell(const PeerStats& stats) {
  return absl::StrCat("objects ", stats.objects, " creating ", stats.creating, " bytes ",
                      stats.bytes, " of ", stats.capacity.value_or(0), " hits ", stats.hits, "/",
                      stats.hit_bytes, " misses ", stats.misses, " evictions ", stats.evictions,
                      " expired ", stats.expired_objects, "+", stats.expired_leases, " waiting ",
                      stats.waiting, " leases ", stats.read_leases, "+", stats.create_leases, "+",
                      stats.write_leases);
}

inline std::string Tell(const absl::optional<absl::Time>& time) {
  return time ? absl::StrCat(absl::ToUnixNanos(*time)) : "-";
}

inline std::string Tell(const ObjectInfo& info) {
  return absl::StrCat(info.object_id.bytes(),
                      info.state == ObjectState::kSealed ? " sealed" : " creating", " {",
                      absl::StrJoin(info.metadata.values(), ",", absl::PairFormatter("=")), "} ",
                      absl::StrJoin(info.blob_sizes, "+"), " leases ", info.leases, " created ",
                      Tell(absl::make_optional(info.created_at)), " sealed ", Tell(info.sealed_at),
                      " expires ", Tell(info.expires_at));
}

inline std::string Tell(const ListPage& page) {
  std::string told = absl::StrCat("next ", page.next ? page.next->bytes() : "-");
  for (const ObjectInfo& info : page.objects) absl::StrAppend(&told, "\n    ", Tell(info));
  return told;
}

}  // namespace packice
