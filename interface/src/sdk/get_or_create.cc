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

// The object was there, or being created, or gone again when its turn came: look again.
bool WasOvertaken(const absl::Status& create) {
  const ErrorKind kind = KindOf(create);
  return kind == ErrorKind::kAlreadyExists || kind == ErrorKind::kBusy;
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
    get.wait = std::max(absl::ZeroDuration(), deadline - clock.Now());
    absl::StatusOr<Reader> reader = Get(id, get);
    if (reader.ok() || KindOf(reader.status()) != ErrorKind::kNotFound) {
      // A node bounds a wait that has no end.
      const bool again =
          !reader.ok() && KindOf(reader.status()) == ErrorKind::kTimeout && clock.Now() < deadline;
      if (again) continue;
      return reader;
    }

    absl::StatusOr<Writer> writer = Create(id, create);
    if (!writer.ok()) {
      if (!WasOvertaken(writer.status())) return writer.status();
      continue;
    }
    sdk::WriterState& state = *writer->state_;
    if (absl::Status status = FillAndSeal(*writer, fill, state); !status.ok()) return status;
    // The sealed CREATE lease pins the object as a READ lease does, so it is read through that one.
    if (state.has_bytes()) return Reader(std::make_unique<sdk::ReaderState>(state.Take()));
    return Get(id, get);  // `fill` sealed it; the Writer pins it meanwhile
  }
}

}  // namespace packice
