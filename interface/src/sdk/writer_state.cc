#include "sdk/writer_state.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/blocking.h"
#include "packice/core/clock.h"
#include "packice/core/error.h"
#include "packice/transport/codec.h"

namespace packice::sdk {

WriterState::WriterState(Granted granted, bool declared)
    : granted_(std::move(granted)),
      id_(granted_.object->id()),
      declared_(declared),
      spans_(granted_.object->blobs().size()) {}

absl::Status WriterState::CheckWritable(size_t blob) const {
  if (sealed_) {
    return MakeError(ErrorKind::kPermissionDenied,
                     absl::StrCat("object ", id_.ToQuoted(), " is sealed"));
  }
  if (absl::Status status = granted_.lease.Use().status(); !status.ok()) return status;
  if (blob < spans_.size()) return absl::OkStatus();
  return MakeError(ErrorKind::kInvalidArgument,
                   absl::StrCat("there is no blob ", blob, ", the object has ", spans_.size()));
}

absl::Status WriterState::WriteAt(uint64_t offset, absl::string_view bytes, size_t blob) {
  if (absl::Status status = CheckWritable(blob); !status.ok()) return status;
  // Blob::Write is pwrite(2), and that is the fastest way at every size: into a fresh memfd it ran
  // 2 to 6 times faster than mmap and memcpy from 1 KiB to 64 MiB (measured on Linux 6.18: 6.5
  // against 1.0 GB/s at 4 KiB, 7.6 against 2.7 at 1 MiB, 3.4 against 1.6 at 64 MiB). A mapping pays
  // a page fault and a page of zeros for every page before the copy, MAP_POPULATE included; pwrite
  // takes whole pages that it need not clear.
  return granted_.object->blobs()[blob]->Write(offset, bytes);
}

absl::Status WriterState::AppendUnbuffered(absl::string_view bytes) {
  if (absl::Status status = WriteAt(position_, bytes, 0); !status.ok()) return status;
  position_ += bytes.size();
  return absl::OkStatus();
}

absl::Status WriterState::Append(absl::string_view bytes) {
  if (stream_ != nullptr) {
    if (absl::Status status = stream_->Flush(); !status.ok()) return status;
  }
  return AppendUnbuffered(bytes);
}

absl::StatusOr<absl::Span<char>> WriterState::Span(size_t blob) {
  if (absl::Status status = CheckWritable(blob); !status.ok()) return status;
  if (!declared_) {
    return MakeError(ErrorKind::kUnsupported,
                     absl::StrCat("object ", id_.ToQuoted(),
                                  " was created without a size and has "
                                  "no memory to map yet; declare CreateOptions::sizes, or Write"));
  }
  MappedBlob& span = spans_[blob];
  const Blob& target = *granted_.object->blobs()[blob];
  if (!span.mapped && target.size() > 0) {
    absl::StatusOr<Quota::Share> share = lease().connection().mappings().Take(1);
    if (!share.ok()) return share.status();
    absl::StatusOr<Mapping> mapping = target.Map(MapAccess::kReadWrite);
    if (!mapping.ok()) return mapping.status();
    span = MappedBlob{*std::move(mapping), *std::move(share), true};
  }
  return span.mapping.bytes();
}

std::ostream& WriterState::stream() {
  if (stream_ == nullptr) {
    stream_ = std::make_unique<AppendStream>(
        [this](absl::string_view bytes) { return AppendUnbuffered(bytes); });
  }
  return *stream_;
}

absl::Status WriterState::Seal(absl::string_view metadata_json) {
  const absl::StatusOr<LeaseId> id = lease().Use();
  if (!id.ok()) return id.status();
  SealRequest request;
  request.lease_id = *id;
  if (!metadata_json.empty()) {
    absl::StatusOr<Metadata> metadata = ParseMetadata(metadata_json);
    if (!metadata.ok()) return metadata.status();
    request.metadata = *std::move(metadata);
  }
  if (stream_ != nullptr && !sealed_) {
    if (absl::Status status = stream_->Flush(); !status.ok()) return status;
  }
  // The kernel seals no memory that is mapped writable.
  for (MappedBlob& span : spans_) span = MappedBlob{};

  const Metadata changes = request.metadata;
  absl::StatusOr<Sealed> sealed = blocking::Seal(lease().connection().peer(), std::move(request));
  if (!sealed.ok()) return sealed.status();
  sealed_ = true;
  Object& object = *granted_.object;
  if (object.state() == ObjectState::kSealed) return absl::OkStatus();
  // This process's own view of a node's object.
  return object.Seal(absl::nullopt, changes, Clock::System().WallTime());
}

absl::Status WriterState::Discard() {
  const absl::StatusOr<LeaseId> id = lease().Use();
  if (!id.ok()) return id.status();
  for (MappedBlob& span : spans_) span = MappedBlob{};
  absl::Status status =
      blocking::Discard(lease().connection().peer(), LeaseRequest{.lease_id = *id});
  if (status.ok()) {
    lease().Forget();
    DropBytes();
  }
  return status;
}

void WriterState::DropBytes() {
  granted_.object.reset();
  granted_.descriptors = Quota::Share();
}

}  // namespace packice::sdk
