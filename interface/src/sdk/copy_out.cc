#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/client.h"
#include "packice/core/error.h"
#include "sdk/connection.h"
#include "sdk/index_reader.h"

namespace packice {
namespace {

using sdk::IndexReader;

// Copied once more from here, which is cheaper than to look the size up first.
constexpr size_t kOnStack = 4096;
// An object that is replaced by a larger one each time is read by a lease.
constexpr int kGrowths = 3;

IndexReader::Answer ReadByIndex(sdk::Connection& connection, absl::string_view id,
                                absl::Span<char> out) {
  IndexReader* const index = connection.index();
  return index == nullptr ? IndexReader::Answer() : index->Read(id, out);
}

absl::Status TooSmall(absl::string_view id, uint64_t size, size_t room) {
  const absl::StatusOr<ObjectId> object_id = ObjectId::Parse(id);
  if (!object_id.ok()) return object_id.status();
  return MakeError(ErrorKind::kInvalidArgument,
                   absl::StrCat("object ", object_id->ToQuoted(), " does not fit into ", room,
                                " bytes; it needs ", size));
}

// All blobs, one after another. Requires: they fit.
absl::StatusOr<size_t> CopyOut(const Reader& reader, absl::Span<char> out) {
  size_t done = 0;
  for (size_t blob = 0; blob < reader.blob_count(); ++blob) {
    const uint64_t size = reader.blob_size(blob);
    for (uint64_t at = 0; at < size;) {
      const absl::StatusOr<size_t> got = reader.Read(at, out.subspan(done, size - at), blob);
      if (!got.ok()) return got.status();
      if (*got == 0) {
        return MakeError(ErrorKind::kIo, absl::StrCat("object ", reader.id().ToQuoted(),
                                                      " ended after ", at, " of ", size, " bytes"));
      }
      at += *got;
      done += *got;
    }
  }
  return done;
}

}  // namespace

absl::StatusOr<size_t> Client::ReadInto(absl::string_view id, absl::Span<char> out) {
  const IndexReader::Answer answer = ReadByIndex(*connection_, id, out);
  if (answer.outcome == IndexReader::Outcome::kRead) return static_cast<size_t>(answer.size);
  if (answer.outcome == IndexReader::Outcome::kTooSmall) {
    return TooSmall(id, answer.size, out.size());
  }
  const absl::StatusOr<Reader> reader = Get(id);
  if (!reader.ok()) return reader.status();
  if (reader->size() > out.size()) return TooSmall(id, reader->size(), out.size());
  return CopyOut(*reader, out);
}

absl::StatusOr<std::string> Client::GetCopy(absl::string_view id) {
  char small[kOnStack];
  IndexReader::Answer answer = ReadByIndex(*connection_, id, absl::MakeSpan(small));
  if (answer.outcome == IndexReader::Outcome::kRead) return std::string(small, answer.size);
  // The string is filled with zeros first, which nothing standard avoids yet: 0.1 us of 0.23 for
  // 8 KB, 1.3 of 3.1 for 64 KB (2 cores of a virtual machine). ReadInto does without.
  std::string bytes;
  for (int i = 0; i < kGrowths && answer.outcome == IndexReader::Outcome::kTooSmall; ++i) {
    bytes.resize(answer.size);
    answer = ReadByIndex(*connection_, id, absl::MakeSpan(bytes));
    if (answer.outcome != IndexReader::Outcome::kRead) continue;
    bytes.resize(answer.size);
    return bytes;
  }
  const absl::StatusOr<Reader> reader = Get(id);
  if (!reader.ok()) return reader.status();
  bytes.resize(reader->size());
  const absl::StatusOr<size_t> copied = CopyOut(*reader, absl::MakeSpan(bytes));
  if (!copied.ok()) return copied.status();
  return bytes;
}

}  // namespace packice
