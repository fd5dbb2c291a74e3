#include <algorithm>
#include <utility>

#include "packice/client.h"
#include "packice/core/clock.h"
#include "packice/core/error.h"
#include "sdk/lease_hold.h"
#include "sdk/reader_state.h"
#include "sdk/requests.h"
#include "sdk/writer_state.h"

namespace packice {
namespace {

absl::Status FillAndSeal(Writer& writer, const std::function<absl::Status(Writer&)>& fill,
                         sdk::WriterState& state) {
  if (absl::Status status = fill(writer); !status.ok()) return status;
  return state.sealed() ? absl::OkStatus() : state.Seal("");
}

// So long at a time is a filler waited for: one that gives up leaves nothing, and what nobody makes
// a node of a swarm would await for ever.
constexpr absl::Duration kAtATime = absl::Seconds(1);

// The object was there, or being created, or gone again when its turn came: look again.
bool WasOvertaken(const absl::Status& create) {
  const ErrorKind kind = KindOf(create);
  return kind == ErrorKind::kAlreadyExists || kind == ErrorKind::kBusy;
}

bool IsKind(const absl::StatusOr<Reader>& reader, ErrorKind kind) {
  return !reader.ok() && KindOf(reader.status()) == kind;
}

}  // namespace

absl::StatusOr<Reader> Client::GetOrCreate(absl::string_view id,
                                           const std::function<absl::Status(Writer&)>& fill,
                                           const CreateOptions& options) {
  const Clock& clock = Clock::System();
  const Instant deadline = clock.Now() + options.wait.value_or(absl::InfiniteDuration());
  CreateOptions create = options;
  create.wait = absl::ZeroDuration();
  GetOptions get{.lease_ttl = options.lease_ttl};
  while (true) {
    get.wait = absl::ZeroDuration();
    absl::StatusOr<Reader> reader = Get(id, get);
    const absl::Duration left = deadline - clock.Now();
    if (IsKind(reader, ErrorKind::kNotSealed) && left > absl::ZeroDuration()) {
      get.wait = std::min(left, kAtATime);
      reader = Get(id, get);
      if (IsKind(reader, ErrorKind::kTimeout) && clock.Now() < deadline) continue;
    }
    if (!IsKind(reader, ErrorKind::kNotFound)) return reader;

    absl::StatusOr<Writer> writer = Create(id, create);
    if (!writer.ok()) {
      if (!WasOvertaken(writer.status())) return writer.status();
      continue;
    }
    sdk::WriterState& state = *writer->state_;
    if (absl::Status status = FillAndSeal(*writer, fill, state); !status.ok()) return status;
    // The sealed CREATE lease pins the object as a READ lease does, so it is read through that one.
    if (state.has_bytes()) {
      return Reader(std::make_unique<sdk::ReaderState>(sdk::Hold(state.Take())));
    }
    return Get(id, get);  // `fill` sealed it; the Writer pins it meanwhile
  }
}

}  // namespace packice
