#include <utility>

#include "packice/client.h"
#include "sdk/writer_state.h"

namespace packice {

Writer::Writer(std::unique_ptr<sdk::WriterState> state) : state_(std::move(state)) {}
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;
Writer::~Writer() = default;

const ObjectId& Writer::id() const { return state_->id(); }
size_t Writer::blob_count() const { return state_->blob_count(); }
bool Writer::sealed() const { return state_->sealed(); }

absl::Status Writer::Write(absl::string_view bytes) { return state_->Append(bytes); }

absl::Status Writer::WriteAt(uint64_t offset, absl::string_view bytes, size_t blob) {
  return state_->WriteAt(offset, bytes, blob);
}

absl::StatusOr<absl::Span<char>> Writer::Span(size_t blob) { return state_->Span(blob); }
std::ostream& Writer::stream() { return state_->stream(); }

absl::Status Writer::Seal(absl::string_view metadata_json) {
  if (absl::Status status = state_->Seal(metadata_json); !status.ok()) return status;
  state_->DropBytes();
  return absl::OkStatus();
}

absl::Status Writer::Discard() { return state_->Discard(); }
absl::Status Writer::Renew(absl::Duration ttl) { return state_->lease().Renew(ttl); }

}  // namespace packice
