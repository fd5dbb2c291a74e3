// The part of HttpConnection that takes objects' bytes.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "http_connection.h"
#include "http_query.h"
#include "http_range.h"
#include "packice/core/error.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

namespace asio = boost::asio;

using Phase = HttpParser::Phase;
using Work = NodeMetrics::Work;

// Read from the socket, and written to the blob, at a time.
constexpr size_t kBufferBytes = 1 << 20;
constexpr size_t kWriteBytes = kBufferBytes / 2;
constexpr size_t kLeastRoom = 64 * 1024;
constexpr size_t kSmallRead = 16 * 1024;

HttpFailure TooLong(uint64_t limit) {
  return HttpFailure(413, ErrorKind::kInvalidArgument,
                     absl::StrCat("a PUT has at most ", limit, " bytes (--max-put)"));
}

}  // namespace

// Tells a client that waits for it to send the body.
asio::awaitable<void> HttpConnection::Continue() {
  if (!parser_.request().expects_continue || continued_) co_return;
  continued_ = true;
  if (parser_.phase() != Phase::kBody || !input_.empty()) co_return;
  output_.append("HTTP/1.1 100 Continue\r\n\r\n");
  if (!FlushAtOnce()) co_await Flush();
}

// A body on its way to a blob: while one stretch of it is written, the next is read.
struct HttpConnection::Writing {
  Writing(Blob& into, uint64_t offset) : blob(into), at(offset) {}

  Blob& blob;
  uint64_t at;            // in the blob, of the next byte
  uint64_t received = 0;  // that were given to be written

  ByteBuffer bytes;  // holds what is being written
  std::vector<absl::string_view> pieces;
  std::shared_ptr<Call<absl::Status>> call;
};

// Writes the body to the blob at `offset`. `size`: how long it must be, where that is known. Fails
// where the client is to be told something; broken_ where there is none any more.
asio::awaitable<HttpConnection::OptionalFailure> HttpConnection::Receive(
    Blob& blob, uint64_t offset, absl::optional<uint64_t> size) {
  Writing writing(blob, offset);
  co_await Continue();
  SetDeadline(node_.options.stall_timeout);
  OptionalFailure failure = co_await ReceiveBody(writing, size);
  OptionalFailure last = co_await Settle(writing);
  deadline_ = absl::InfiniteDuration();
  if (failure) co_return failure;
  if (last || broken_ || !size || writing.received == *size) co_return last;
  co_return HttpFailure(
      400, ErrorKind::kInvalidArgument,
      absl::StrCat("the body has ", writing.received, " bytes, its Content-Range ", *size));
}

asio::awaitable<HttpConnection::OptionalFailure> HttpConnection::ReceiveBody(
    Writing& writing, absl::optional<uint64_t> size) {
  const uint64_t limit = node_.options.max_put_bytes;
  const uint64_t expected = parser_.request().content_length.value_or(kBufferBytes);
  const size_t buffer = expected < kSmallRead ? kSmallRead : kBufferBytes;
  while (!broken_) {
    Parse();
    uint64_t gathered = 0;
    for (const absl::string_view piece : pieces_) gathered += piece.size();
    const bool last = parser_.phase() != Phase::kBody;
    if (writing.received + gathered > limit) co_return TooLong(limit);
    if (size && writing.received + gathered > *size) {
      co_return HttpFailure(400, ErrorKind::kInvalidArgument,
                            absl::StrCat("the body is longer than its Content-Range of ", *size));
    }
    if (gathered > 0 &&
        (last || gathered >= kWriteBytes || input_.FreeRoom().size() < kLeastRoom)) {
      if (OptionalFailure failure = co_await Settle(writing)) co_return failure;
      writing.received += gathered;
      BeginWriting(writing);
      gathered = 0;
    }
    if (parser_.phase() == Phase::kFailed) co_return parser_.failure();
    if (last) break;
    // While there are pieces, they must stay where they are. (Chosen before the co_await: gcc 12
    // evaluates both sides of a conditional within one.)
    const absl::Span<char> room = gathered > 0 ? input_.FreeRoom() : input_.Room(buffer);
    co_await FillBody(room);
  }
  co_return absl::nullopt;
}

// Hands what was gathered over to be written.
void HttpConnection::BeginWriting(Writing& writing) {
  pieces_.swap(writing.pieces);
  pieces_.clear();
  std::swap(input_, writing.bytes);
  input_.Clear();
  input_.Append(writing.bytes.bytes());  // not read yet: a part of a chunk's line, or what follows
  writing.call = BeginBlocking<absl::Status>([&writing]() -> absl::Status {
    for (const absl::string_view piece : writing.pieces) {
      if (absl::Status status = writing.blob.Write(writing.at, piece); !status.ok()) return status;
      writing.at += piece.size();
    }
    return absl::OkStatus();
  });
}

// Waits for what is being written; the client's time stands still meanwhile.
asio::awaitable<HttpConnection::OptionalFailure> HttpConnection::Settle(Writing& writing) {
  if (writing.call == nullptr) co_return absl::nullopt;
  const std::shared_ptr<Call<absl::Status>> call = std::move(writing.call);
  writing.call = nullptr;
  const Instant before = node_.metrics.Now();
  const Instant deadline = std::exchange(deadline_, absl::InfiniteDuration());
  co_await UntilFinished(call->finished);
  deadline_ = deadline + (node_.metrics.Now() - before);
  if (call->answer->ok()) co_return absl::nullopt;
  co_return HttpFailure(*call->answer);
}

asio::awaitable<void> HttpConnection::PutObject() {
  const Instant started = node_.metrics.Now();
  const HttpRequest& request = parser_.request();
  Peer& peer = node_.dispatcher.peer();
  absl::StatusOr<AcquireRequest> create = CreateFromQuery(target_, request);
  OptionalFailure failure;
  if (!create.ok()) {
    failure = HttpFailure(create.status());
  } else if (!request.content_range.empty()) {
    failure = HttpFailure(400, ErrorKind::kInvalidArgument,
                          "an object is put as a whole (RFC 9110, 14.5); parts are for "
                          "/leases/{lease_id}/blobs/{n}");
  } else if (request.content_length.value_or(0) > node_.options.max_put_bytes) {
    failure = TooLong(node_.options.max_put_bytes);
  }
  if (failure) {
    co_await Fail(*std::move(failure));
    co_return;
  }
  create->session = session();
  create->operation = NewOperationId();
  using Granted = absl::StatusOr<Grant>;
  Granted grant =
      co_await Ask<Granted>([&](auto done) { peer.Acquire(*std::move(create), std::move(done)); });
  if (!grant.ok()) {
    node_.metrics.Count(Work::kPutObject, started, grant.status());
    co_await Fail(grant.status());
    co_return;
  }
  ++node_.in_flight;
  failure = co_await Receive(*grant->object->blobs()[0], 0, absl::nullopt);
  absl::StatusOr<Sealed> sealed = Sealed();
  if (!failure && !broken_) {
    SealRequest seal;
    seal.lease_id = grant->lease.id;
    seal.session = session();
    seal.operation = NewOperationId();
    sealed = co_await Ask<absl::StatusOr<Sealed>>(
        [&](auto done) { peer.Seal(std::move(seal), std::move(done)); });
    if (!sealed.ok()) failure = HttpFailure(sealed.status());
  }
  --node_.in_flight;
  // Of an object that was not sealed, nothing is left after this.
  peer.Release({grant->lease.id, session(), NewOperationId()}, nullptr);
  node_.metrics.Count(Work::kPutObject, started,
                      failure   ? failure->error
                      : broken_ ? MakeError(ErrorKind::kUnavailable, "the client is gone")
                                : absl::OkStatus());
  if (failure) {
    co_await Fail(*std::move(failure));
  } else if (!broken_) {
    QueueBody(201, kJsonType, FormatReply(*std::move(sealed)) + "\n",
              absl::StrCat("Location: /objects/", EncodePath(target_.id), "\r\n"));
  }
}

asio::awaitable<void> HttpConnection::PutBlob() {
  const Instant started = node_.metrics.Now();
  const HttpRequest& request = parser_.request();
  OptionalFailure failure;
  ByteRange range{0, request.content_length.value_or(0)};
  absl::optional<uint64_t> size;
  if (!request.content_range.empty()) {
    const absl::optional<ByteRange> given = ParseContentRange(request.content_range);
    if (given) {
      range = *given;
      size = given->size;
    }
    if (!given || request.content_length.value_or(range.size) != range.size) {
      failure = HttpFailure(400, ErrorKind::kInvalidArgument,
                            "Content-Range must be \"bytes FIRST-LAST/*\", of the body's length");
    }
  }
  if (!failure && request.content_length.value_or(0) > node_.options.max_put_bytes) {
    failure = TooLong(node_.options.max_put_bytes);
  }
  absl::StatusOr<Grant> grant = co_await LookUp();
  if (!failure && !grant.ok()) failure = HttpFailure(grant.status());
  if (!failure) failure = CheckWritable(*grant);
  if (!failure) {
    ++node_.in_flight;
    failure = co_await Receive(*grant->object->blobs()[target_.blob], range.offset, size);
    --node_.in_flight;
  }
  node_.metrics.Count(Work::kWriteBlob, started, failure ? failure->error : absl::OkStatus());
  if (failure) {
    co_await Fail(*std::move(failure));
  } else if (!broken_) {
    QueueBody(200, kJsonType,
              absl::StrCat("{\"status\":\"written\",\"size\":",
                           grant->object->blobs()[target_.blob]->size(), "}\n"));
  }
}

// Whether the request that is under way may write the blob it names, and no other does.
HttpConnection::OptionalFailure HttpConnection::CheckWritable(const Grant& grant) {
  const size_t count = grant.object->blobs().size();
  if (target_.blob >= count) {
    return HttpFailure(
        MakeError(ErrorKind::kNotFound,
                  absl::StrCat("there is no blob ", target_.blob, "; the object has ", count)));
  }
  if (grant.lease.access != Access::kCreate || grant.object->state() == ObjectState::kSealed) {
    return HttpFailure(MakeError(ErrorKind::kPermissionDenied,
                                 "bytes are written under a create lease, before its seal"));
  }
  return PassWriters(grant.lease.id);
}

asio::awaitable<void> HttpConnection::DeleteObject() {
  const Instant started = node_.metrics.Now();
  Peer& peer = node_.dispatcher.peer();
  absl::StatusOr<ObjectId> id = ObjectId::Parse(target_.id);
  absl::Status status = id.status();
  if (status.ok()) {
    AcquireRequest acquire;
    acquire.access = Access::kWrite;
    acquire.object_id = *std::move(id);
    acquire.session = session();
    acquire.operation = NewOperationId();
    using Granted = absl::StatusOr<Grant>;
    const Granted grant = co_await Ask<Granted>(
        [&](auto done) { peer.Acquire(std::move(acquire), std::move(done)); });
    status = grant.status();
    if (status.ok()) {
      const LeaseRequest discard{grant->lease.id, session(), NewOperationId()};
      status =
          co_await Ask<absl::Status>([&](auto done) { peer.Discard(discard, std::move(done)); });
      if (!status.ok()) peer.Release(discard, nullptr);
    }
  }
  node_.metrics.Count(Work::kDeleteObject, started, status);
  if (!status.ok()) {
    co_await Fail(status);
  } else {
    QueueBody(200, kJsonType, FormatReply(DiscardReply()) + "\n");
  }
}

}  // namespace packice
