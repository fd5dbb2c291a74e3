#include <algorithm>
#include <utility>

#include "packice/client.h"
#include "packice/core/clock.h"
#include "sdk/acquire_many.h"
#include "sdk/reader_state.h"
#include "sdk/requests.h"

namespace packice {

std::vector<absl::StatusOr<Reader>> Client::GetMany(absl::Span<const std::string> ids,
                                                    const GetOptions& options) {
  std::vector<absl::StatusOr<Reader>> readers;
  readers.reserve(ids.size());
  const Clock& clock = Clock::System();
  const Instant deadline = clock.Now() + options.wait;
  GetOptions left = options;
  while (!ids.empty()) {
    const absl::Span<const std::string> chunk = ids.subspan(0, sdk::kMaxGathered);
    ids.remove_prefix(chunk.size());
    left.wait = std::max(absl::ZeroDuration(), deadline - clock.Now());
    std::vector<absl::StatusOr<AcquireRequest>> requests;
    requests.reserve(chunk.size());
    for (const std::string& id : chunk) requests.push_back(sdk::ReadRequest(id, left));
    for (auto& granted : sdk::AcquireMany(connection_, std::move(requests))) {
      if (granted.ok()) {
        readers.push_back(Reader(std::make_unique<sdk::ReaderState>(*std::move(granted))));
      } else {
        readers.push_back(granted.status());
      }
    }
  }
  return readers;
}

}  // namespace packice
