// The part of HttpConnection that sends objects' bytes.
#include <sys/sendfile.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cached_file.h"
#include "http_connection.h"
#include "http_range.h"
#include "packice/core/error.h"
#include "packice/core/fd_blob.h"

namespace packice {
namespace {

namespace asio = boost::asio;

using Work = NodeMetrics::Work;

// Sent before others get their turn.
constexpr uint64_t kTurnBytes = 1 << 20;
// Up to this much goes out in one call with the headers.
constexpr uint64_t kSmallBody = 16 * 1024;
constexpr size_t kCopyBytes = 256 * 1024;

// Of one sealed object: no other of that id was sealed in the same nanosecond.
std::string ETagOf(const Object& object) {
  return absl::StrCat("\"", absl::Hex(absl::ToUnixNanos(object.sealed_at())), "-",
                      absl::Hex(object.size()), "\"");
}

HttpFailure NoSuchBlob(size_t blob, size_t count) {
  return HttpFailure(MakeError(
      ErrorKind::kNotFound, absl::StrCat("there is no blob ", blob, "; the object has ", count)));
}

// What of a blob's bytes a file descriptor can give.
struct OpenBlob {
  std::shared_ptr<const UniqueFd> fd;
  uint64_t offset = 0;
  bool may_block = false;  // the file may have to be read from a disk
  // A segment's, which has other bytes there one day: what sendfile(2) took may still wait in the
  // socket then, so that it is copied.
  bool reused = false;
};

}  // namespace

asio::awaitable<void> HttpConnection::GetObject() {
  absl::StatusOr<ObjectId> id = ObjectId::Parse(target_.id);
  if (!id.ok()) {
    co_await Fail(id.status());
    co_return;
  }
  const Instant started = node_.metrics.Now();
  AcquireRequest acquire;
  acquire.object_id = *std::move(id);
  acquire.session = session();
  acquire.operation = NewOperationId();
  using Granted = absl::StatusOr<Grant>;
  Granted grant = co_await Ask<Granted>(
      [&](auto done) { node_.dispatcher.peer().Acquire(std::move(acquire), std::move(done)); });
  if (!grant.ok()) {
    node_.metrics.Count(Work::kGetObject, started, grant.status());
    co_await Fail(grant.status());
    co_return;
  }
  co_await SendBlobs(*grant->object, grant->object->blobs());
  node_.dispatcher.peer().Release({grant->lease.id, session(), NewOperationId()}, nullptr);
  node_.metrics.Count(Work::kGetObject, started, absl::OkStatus());
}

asio::awaitable<absl::StatusOr<Grant>> HttpConnection::LookUp() {
  const absl::StatusOr<LeaseId> id = LeaseId::Parse(target_.lease_id);
  if (!id.ok()) {
    co_return MakeError(ErrorKind::kLeaseExpired,
                        absl::StrCat("there is no such lease: ", id.status().message()));
  }
  using Granted = absl::StatusOr<Grant>;
  const LeaseRequest request{*id, SessionId::kNone, NewOperationId()};
  co_return co_await Ask<Granted>(
      [&](auto done) { node_.dispatcher.peer().Lookup(request, std::move(done)); });
}

asio::awaitable<void> HttpConnection::GetBlob() {
  const Instant started = node_.metrics.Now();
  absl::StatusOr<Grant> grant = co_await LookUp();
  OptionalFailure failure;
  if (!grant.ok()) {
    failure = HttpFailure(grant.status());
  } else if (target_.blob >= grant->object->blobs().size()) {
    failure = NoSuchBlob(target_.blob, grant->object->blobs().size());
  } else if (grant->object->state() != ObjectState::kSealed) {
    // Its creator may read back what it wrote, but not while it writes.
    failure = PassWriters(grant->lease.id);
  }
  node_.metrics.Count(Work::kReadBlob, started, failure ? failure->error : absl::OkStatus());
  if (failure) {
    co_await Fail(*std::move(failure));
    co_return;
  }
  co_await SendBlobs(*grant->object, absl::MakeConstSpan(&grant->object->blobs()[target_.blob], 1));
}

asio::awaitable<void> HttpConnection::GetSums() {
  const Instant started = node_.metrics.Now();
  absl::StatusOr<PieceSums> sums = PieceSums();
  absl::StatusOr<Grant> grant = co_await LookUp();
  OptionalFailure failure;
  if (!grant.ok()) {
    failure = HttpFailure(grant.status());
  } else if (target_.blob >= grant->object->blobs().size()) {
    failure = NoSuchBlob(target_.blob, grant->object->blobs().size());
  } else if (grant->object->state() != ObjectState::kSealed) {
    failure = HttpFailure(MakeError(ErrorKind::kNotSealed, "sums are made when a blob is sealed"));
  } else {
    const std::shared_ptr<Blob> blob = grant->object->blobs()[target_.blob];
    sums = co_await Blocking<absl::StatusOr<PieceSums>>([&blob] { return blob->Sums(); });
    if (!sums.ok()) failure = HttpFailure(sums.status());
  }
  node_.metrics.Count(Work::kSums, started, failure ? failure->error : absl::OkStatus());
  if (failure) {
    co_await Fail(*std::move(failure));
    co_return;
  }
  std::string body = absl::StrCat(
      "{\"algorithm\":\"xxh3-128\",\"piece_bytes\":", PieceSums::kPieceBytes, ",\"pieces\":[");
  for (size_t i = 0; i < sums->pieces.size(); ++i) {
    const Digest& digest = sums->pieces[i];
    const absl::string_view bytes(reinterpret_cast<const char*>(digest.data()), digest.size());
    absl::StrAppend(&body, i == 0 ? "\"" : ",\"", absl::BytesToHexString(bytes), "\"");
  }
  body += "]}\n";
  QueueBody(200, kJsonType, body);
}

// The blobs one after another, or the part of them that is asked for.
asio::awaitable<void> HttpConnection::SendBlobs(const Object& object,
                                                absl::Span<const std::shared_ptr<Blob>> blobs) {
  const HttpRequest& request = parser_.request();
  uint64_t size = 0;
  for (const auto& blob : blobs) size += blob->size();
  std::string headers = "Accept-Ranges: bytes\r\n";
  std::string etag;
  if (object.state() == ObjectState::kSealed) {
    etag = ETagOf(object);
    absl::StrAppend(&headers, "ETag: ", etag, "\r\n");
  }
  if (!request.if_match.empty() && !HasETag(request.if_match, etag, /*strong=*/true)) {
    co_await Fail(HttpFailure(412, ErrorKind::kInvalidArgument,
                              "the object is not the one that If-Match asks for", headers));
    co_return;
  }
  if (!request.if_none_match.empty() && HasETag(request.if_none_match, etag, /*strong=*/false)) {
    QueueHead({304, "", headers, absl::nullopt});
    co_return;
  }
  // Of dates this node knows none, so that an If-Range with one never holds.
  const bool ranged = request.if_range.empty() || (!etag.empty() && request.if_range == etag);
  const RangeAnswer range = ResolveRange(ranged ? request.range : "", size);
  if (range.kind == RangeAnswer::Kind::kUnsatisfiable) {
    absl::StrAppend(&headers, "Content-Range: ", FormatContentRange(absl::nullopt, size), "\r\n");
    co_await Fail(HttpFailure(416, ErrorKind::kInvalidArgument,
                              absl::StrCat("there are ", size, " bytes"), std::move(headers)));
    co_return;
  }
  ByteRange part{0, size};
  int status = 200;
  if (range.kind == RangeAnswer::Kind::kPart) {
    part = range.range;
    status = 206;
    absl::StrAppend(&headers, "Content-Range: ", FormatContentRange(part, size), "\r\n");
  }
  QueueHead({status, "application/octet-stream", headers, part.size});
  if (request.method == HttpMethod::kHead) co_return;
  ++node_.in_flight;
  for (const auto& blob : blobs) {
    const uint64_t blob_size = blob->size();
    const uint64_t skipped = std::min(part.offset, blob_size);
    const uint64_t sent = std::min(part.size, blob_size - skipped);
    if (sent > 0 && !broken_) co_await SendBlob(*blob, skipped, sent);
    part.offset -= skipped;
    part.size -= sent;
  }
  --node_.in_flight;
}

asio::awaitable<void> HttpConnection::SendBlob(const Blob& blob, uint64_t offset, uint64_t size) {
  BlobDescriptor descriptor = blob.Describe();
  OpenBlob open;
  if (auto* fd = absl::get_if<FdDescriptor>(&descriptor)) {
    open.fd = fd->fd;
    open.offset = fd->offset;
    open.reused = fd->segment != nullptr;
  } else if (auto* path = absl::get_if<PathDescriptor>(&descriptor)) {
    UniqueFd file = OpenCached(path->path.c_str());
    if (!file) {
      Awaitable<UniqueFd> opening =
          Blocking<UniqueFd>([name = path->path.c_str()] { return OpenForReading(name); });
      file = co_await std::move(opening);
    }
    if (file) open.fd = std::make_shared<const UniqueFd>(std::move(file));
    open.offset = path->offset;
    open.may_block = true;
  }
  if (open.fd == nullptr) {
    co_await SendCopy(blob, offset, size);
    co_return;
  }
  offset += open.offset;
  if (size <= kSmallBody) {
    const size_t before = output_.size();
    output_.resize(before + size);
    const absl::Span<char> room = absl::MakeSpan(&output_[before], size);
    const absl::optional<size_t> read = ReadCached(open.fd->get(), offset, room);
    if (read && *read == size) co_return;
    if (!open.may_block) {
      const absl::StatusOr<size_t> now = ReadAt(open.fd->get(), offset, room);
      if (now.ok() && *now == size) co_return;
    }
    output_.resize(before);
  }
  if (!stream_->plain() || open.reused) {
    co_await SendCopy(blob, offset - open.offset, size);
    co_return;
  }
  if (!FlushAtOnce()) co_await Flush();
  if (!broken_) co_await SendFile(open.fd->get(), offset, size, open.may_block);
}

asio::awaitable<void> HttpConnection::SendFile(int fd, uint64_t offset, uint64_t size,
                                               bool may_block) {
  const int socket = stream_->socket().native_handle();
  const auto send = [socket, fd](uint64_t from, uint64_t bytes) -> ssize_t {
    off_t at = static_cast<off_t>(from);
    const ssize_t n = sendfile(socket, fd, &at, bytes);
    return n >= 0 ? n : -errno;
  };
  SetDeadline(node_.options.stall_timeout);
  uint64_t turn = 0;
  while (size > 0 && !broken_) {
    const uint64_t next = std::min(size, kTurnBytes);
    ssize_t n;
    if (may_block && !IsCached(fd, offset, next)) {
      n = co_await Blocking<ssize_t>([&] { return send(offset, next); });
    } else {
      n = send(offset, next);
    }
    if (n > 0) {
      const uint64_t sent = static_cast<uint64_t>(n);
      node_.metrics.CountSent(Transport::kHttp, sent);
      Progress(sent);
      offset += sent;
      size -= sent;
      turn += sent;
      if (turn < kTurnBytes) continue;
      turn = 0;
      co_await asio::post(executor(), asio::use_awaitable);
    } else if (n == -EAGAIN) {
      boost::system::error_code error;
      co_await stream_->socket().async_wait(HttpStream::Socket::wait_write,
                                            asio::redirect_error(asio::use_awaitable, error));
      turn = 0;
      if (error) broken_ = true;
    } else if (n != -EINTR) {
      broken_ = true;  // too late to say why; also where the file ends before its time
    }
  }
  deadline_ = absl::InfiniteDuration();
}

// For blobs that are no files, and for clients that take no file as it is.
asio::awaitable<void> HttpConnection::SendCopy(const Blob& blob, uint64_t offset, uint64_t size) {
  std::string buffer(std::min<uint64_t>(size, kCopyBytes), '\0');
  while (size > 0 && !broken_) {
    const absl::Span<char> room =
        absl::MakeSpan(&buffer[0], std::min<uint64_t>(size, buffer.size()));
    const auto read =
        co_await Blocking<absl::StatusOr<size_t>>([&] { return blob.Read(offset, room); });
    if (!read.ok() || *read == 0) {
      broken_ = true;
      co_return;
    }
    output_.append(buffer.data(), *read);
    offset += *read;
    size -= *read;
    if (size == 0 && output_.size() <= kSmallBody) break;  // goes with what follows
    if (!FlushAtOnce()) co_await Flush();
  }
}

}  // namespace packice
