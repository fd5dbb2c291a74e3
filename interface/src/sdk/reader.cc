#include <utility>

#include "packice/client.h"
#include "packice/transport/codec.h"
#include "sdk/reader_state.h"

namespace packice {

namespace sdk {

std::istream& ReaderState::stream() {
  MutexLock lock(mutex_);
  if (stream_ == nullptr) stream_ = std::make_unique<ViewStream>(bytes().View(0));
  return *stream_;
}

}  // namespace sdk

Reader::Reader(std::unique_ptr<sdk::ReaderState> state) : state_(std::move(state)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

const ObjectId& Reader::id() const { return state_->id(); }
size_t Reader::blob_count() const { return state_->bytes().blob_count(); }
uint64_t Reader::size() const { return state_->bytes().size(); }
uint64_t Reader::blob_size(size_t blob) const { return state_->bytes().blob_size(blob); }
const Metadata& Reader::metadata() const { return state_->metadata(); }
std::string Reader::metadata_json() const { return FormatMetadata(state_->metadata()); }

absl::StatusOr<absl::string_view> Reader::View(size_t blob) const {
  return state_->bytes().View(blob);
}

absl::StatusOr<size_t> Reader::Read(uint64_t offset, absl::Span<char> out, size_t blob) const {
  return state_->bytes().Read(offset, out, blob);
}

std::istream& Reader::stream() { return state_->stream(); }
absl::Status Reader::Renew(absl::Duration ttl) { return state_->lease().Renew(ttl); }
void Reader::Release() { state_->lease().Release(); }

}  // namespace packice
