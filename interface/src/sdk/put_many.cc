#include <atomic>
#include <utility>

#include "packice/client.h"
#include "packice/core/latch.h"
#include "sdk/connection.h"
#include "sdk/requests.h"

namespace packice {
namespace {

// What is gathered for one message, so that neither side holds much for it.
constexpr size_t kMaxItems = 128;
constexpr size_t kMaxBytes = 1 << 20;

// How many of the first items go together: one at least.
size_t ChunkOf(absl::Span<const PutItem> items) {
  size_t bytes = 0;
  size_t count = 0;
  while (count < items.size() && count < kMaxItems) {
    bytes += items[count].bytes.size();
    if (count > 0 && bytes > kMaxBytes) break;
    ++count;
  }
  return count;
}

void PutChunk(Peer& peer, absl::Span<const PutItem> items,
              absl::Span<absl::StatusOr<ObjectId>> ids) {
  Latch all;
  std::atomic<size_t> missing{1};  // one for this function, until every call is made
  const auto count_down = [&] {
    if (missing.fetch_sub(1) == 1) all.Set();
  };
  const auto ask = [&] {
    for (size_t i = 0; i < items.size(); ++i) {
      absl::StatusOr<ObjectId>& id = ids[i];
      absl::StatusOr<PutRequest> request =
          sdk::PutRequestOf(items[i].id, items[i].bytes, items[i].options);
      if (!request.ok()) {
        id = request.status();
        continue;
      }
      missing.fetch_add(1);
      peer.Put(*std::move(request), [&id, &count_down](absl::StatusOr<Sealed> sealed) {
        if (sealed.ok()) {
          id = std::move(sealed->object_id);
        } else {
          id = std::move(sealed).status();
        }
        count_down();
      });
    }
    count_down();
  };
  peer.Await([&] { peer.Gather(ask); }, all);
}

}  // namespace

std::vector<absl::StatusOr<ObjectId>> Client::PutMany(absl::Span<const PutItem> items) {
  const absl::Status usable = connection_->Check();
  std::vector<absl::StatusOr<ObjectId>> ids(items.size(),
                                            usable.ok() ? absl::UnknownError("") : usable);
  if (!usable.ok()) return ids;
  for (size_t done = 0; done < items.size();) {
    const size_t count = ChunkOf(items.subspan(done));
    PutChunk(connection_->peer(), items.subspan(done, count),
             absl::MakeSpan(ids).subspan(done, count));
    done += count;
  }
  return ids;
}

}  // namespace packice
