#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "packice/client.h"
#include "packice/core/clock.h"

namespace packice {
namespace {

// Large enough that a request for each is no matter, small enough to stay in a cache.
constexpr size_t kBuffer = 1 << 20;

// Fails when the bytes end early.
absl::Status CopyBlob(const Reader& from, size_t blob, Writer& to, std::vector<char>& buffer) {
  const uint64_t size = from.blob_size(blob);
  for (uint64_t done = 0; done < size;) {
    const size_t wanted = std::min<uint64_t>(size - done, buffer.size());
    const absl::StatusOr<size_t> got = from.Read(done, absl::MakeSpan(buffer.data(), wanted), blob);
    if (!got.ok()) return got.status();
    if (*got == 0) {
      return MakeError(ErrorKind::kIo, absl::StrCat("object ", from.id().ToQuoted(),
                                                    " ended after ", done, " of ", size, " bytes"));
    }
    const absl::string_view piece(buffer.data(), *got);
    if (absl::Status status = to.WriteAt(done, piece, blob); !status.ok()) return status;
    done += *got;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Sealed> CopyObject(Client& from, Client& to, absl::string_view id,
                                  absl::string_view new_id) {
  const absl::StatusOr<Reader> reader = from.Get(id);
  if (!reader.ok()) return reader.status();
  // A grant does not tell of the end of its life.
  const absl::StatusOr<ObjectInfo> info = from.Stat(id);
  if (!info.ok()) return info.status();

  CreateOptions options;
  for (size_t blob = 0; blob < reader->blob_count(); ++blob) {
    options.sizes.push_back(reader->blob_size(blob));
  }
  options.metadata_json = reader->metadata_json();
  if (info->expires_at.has_value()) {
    options.object_ttl = *info->expires_at - Clock::System().WallTime();
    if (*options.object_ttl <= absl::ZeroDuration()) {
      return MakeError(ErrorKind::kNotFound, absl::StrCat("object ", reader->id().ToQuoted(),
                                                          " is at the end of its life"));
    }
  }
  absl::StatusOr<Writer> writer = to.Create(new_id.empty() ? id : new_id, options);
  if (!writer.ok()) return writer.status();
  std::vector<char> buffer(std::min<uint64_t>(reader->size(), kBuffer));
  for (size_t blob = 0; blob < reader->blob_count(); ++blob) {
    absl::Status status = CopyBlob(*reader, blob, *writer, buffer);
    if (!status.ok()) return status;
  }
  if (absl::Status status = writer->Seal(); !status.ok()) return status;
  return Sealed{writer->id(), reader->size()};
}

}  // namespace packice
