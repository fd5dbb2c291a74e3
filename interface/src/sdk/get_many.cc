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
    std::vector<size_t> asked;  // what each is for, of `readers`
    for (const std::string& id : chunk) {
      absl::StatusOr<AcquireRequest> request = sdk::ReadRequest(id, left);
      auto held = request.ok() ? sdk::FindHeld(*connection_, *request) : absl::nullopt;
      if (held.has_value()) {
        readers.push_back(Reader(std::make_unique<sdk::ReaderState>(*std::move(held))));
        continue;
      }
      asked.push_back(readers.size());
      requests.push_back(std::move(request));
      readers.emplace_back();
    }
    auto granted = sdk::AcquireMany(connection_, std::move(requests));
    for (size_t i = 0; i < granted.size(); ++i) {
      if (granted[i].ok()) {
        readers[asked[i]] =
            Reader(std::make_unique<sdk::ReaderState>(sdk::Hold(*std::move(granted[i]))));
      } else {
        readers[asked[i]] = granted[i].status();
      }
    }
  }
  return readers;
}

}  // namespace packice
