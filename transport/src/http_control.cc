// The part of HttpConnection that answers with JSON.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bearer_token.h"
#include "http_connection.h"
#include "http_query.h"
#include "openapi.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

namespace asio = boost::asio;

using Phase = HttpParser::Phase;

// A body that nobody wants is read to its end when it is no longer than this, so that the
// connection can go on.
constexpr uint64_t kMaxDiscarded = 64 * 1024;
constexpr size_t kReadBytes = 64 * 1024;

void SetDefaultTtl(Request& request, absl::Duration ttl) {
  if (auto* acquire = absl::get_if<AcquireRequest>(&request.body)) {
    if (!acquire->ttl) acquire->ttl = ttl;
  } else if (auto* batch = absl::get_if<std::unique_ptr<BatchRequest>>(&request.body)) {
    for (absl::StatusOr<Request>& entry : (*batch)->requests) {
      if (entry.ok()) SetDefaultTtl(*entry, ttl);
    }
  }
}

absl::Duration WaitForEvents(const Request& request) {
  const auto* events = absl::get_if<EventsRequest>(&request.body);
  return events != nullptr ? events->wait : absl::ZeroDuration();
}

bool MayWait(const Request& request) {
  if (const auto* acquire = absl::get_if<AcquireRequest>(&request.body)) {
    return acquire->wait > absl::ZeroDuration();
  }
  return request.op == Op::kBatch || request.op == Op::kExtension ||
         WaitForEvents(request) > absl::ZeroDuration();
}

}  // namespace

// --- Which request it is, and whether it may be made.

HttpConnection::OptionalFailure HttpConnection::Route() {
  const HttpRequest& request = parser_.request();
  ParsedTarget parsed = ParseTarget(request.target, node_.routes);
  if (parsed.failure) return std::move(parsed.failure);
  target_ = std::move(parsed.target);
  return absl::nullopt;
}

HttpConnection::OptionalFailure HttpConnection::Admit() {
  const HttpRequest& request = parser_.request();
  OptionalFailure malformed = Route();
  const std::string& token = node_.options.token;
  const bool open_to_all = !malformed && target_.endpoint == HttpEndpoint::kHealth;
  if (!token.empty() && !open_to_all && !HasBearerToken(request.authorization, token)) {
    return HttpFailure(401, ErrorKind::kPermissionDenied,
                       "this node wants its token: send \"Authorization: Bearer TOKEN\"",
                       "WWW-Authenticate: Bearer\r\n");
  }
  if (token.empty() && request.has_origin) {
    return HttpFailure(403, ErrorKind::kPermissionDenied,
                       "a node without a token serves no pages in browsers (the request has an "
                       "Origin)");
  }
  if (malformed) return malformed;
  if (target_.endpoint == HttpEndpoint::kUnknown) {
    return HttpFailure(404, ErrorKind::kNotFound,
                       "there is no such endpoint; /openapi.json lists those there are");
  }
  if (!IsAllowed(target_.endpoint, request.method)) {
    const absl::string_view allowed = AllowedMethods(target_.endpoint);
    return HttpFailure(405, ErrorKind::kInvalidArgument,
                       absl::StrCat("this endpoint takes ", allowed,
                                    target_.endpoint == HttpEndpoint::kObjectData
                                        ? " (an id that ends in \"/data\" is written \"%2Fdata\")"
                                        : ""),
                       absl::StrCat("Allow: ", allowed, "\r\n"));
  }
  if (request.expects_else) {
    return HttpFailure(417, ErrorKind::kInvalidArgument,
                       "of expectations this node knows 100-continue only");
  }
  if (node_.in_flight >= node_.options.max_in_flight) {
    return HttpFailure(503, ErrorKind::kCapacity,
                       absl::StrCat("the node has ", node_.options.max_in_flight,
                                    " requests under way and takes no more just now"),
                       "Retry-After: 1\r\n");
  }
  return absl::nullopt;
}

// A control request that came whole and is answered on the spot: nearly all are. False leaves
// everything to Respond.
bool HttpConnection::RespondAtOnce() {
  if (parser_.request().method != HttpMethod::kPost) return false;
  if (parser_.phase() == Phase::kBody) {
    if (parser_.request().content_length.value_or(UINT64_MAX) > input_.bytes().size()) return false;
    Parse();
  }
  if (parser_.phase() != Phase::kDone || pieces_.size() > 1) return false;
  const OptionalFailure failure = Admit();
  if (failure) {
    QueueFailure(*failure);
    return true;
  }
  std::shared_ptr<Call<Answer>> call = BeginOp(pieces_.empty() ? "" : pieces_[0]);
  if (call == nullptr) return true;
  if (!call->finished) {
    under_way_ = std::move(call);
    return false;
  }
  QueueAnswer(*std::move(call->answer), seq_);
  return true;
}

asio::awaitable<void> HttpConnection::Respond() {
  if (under_way_ != nullptr) {
    co_await FinishOp(std::exchange(under_way_, nullptr));
    co_return;
  }
  if (OptionalFailure failure = Admit()) {
    co_await Fail(*std::move(failure));
    co_return;
  }
  const HttpMethod method = parser_.request().method;
  switch (target_.endpoint) {
    case HttpEndpoint::kOp:
    case HttpEndpoint::kExtensionPost:
      co_await Post();
      break;
    case HttpEndpoint::kVersion:
    case HttpEndpoint::kObjects:
    case HttpEndpoint::kStats:
    case HttpEndpoint::kExtensionQuery:
      co_await Query();
      break;
    case HttpEndpoint::kEvents:
      if (method == HttpMethod::kPost) {
        co_await Post();
      } else {
        co_await GetEvents();
      }
      break;
    case HttpEndpoint::kMetrics:
      co_await Metrics();
      break;
    case HttpEndpoint::kHealth:
      QueueBody(200, kJsonType, "{\"status\":\"ok\"}\n");
      break;
    case HttpEndpoint::kOpenApi:
      QueueBody(200, kJsonType, OpenApiText());
      break;
    case HttpEndpoint::kObject:
      if (method == HttpMethod::kPut) {
        co_await PutObject();
      } else if (method == HttpMethod::kDelete) {
        co_await DeleteObject();
      } else {
        co_await Query();
      }
      break;
    case HttpEndpoint::kObjectData:
      co_await GetObject();
      break;
    case HttpEndpoint::kBlob:
      if (method == HttpMethod::kPut) {
        co_await PutBlob();
      } else {
        co_await GetBlob();
      }
      break;
    case HttpEndpoint::kSums:
      co_await GetSums();
      break;
    case HttpEndpoint::kUnknown:
      break;
  }
  // A body that came along with a GET, say.
  if (!broken_ && keep_ && parser_.phase() == Phase::kBody) co_await SkipBody();
}

// --- Ops.

asio::awaitable<void> HttpConnection::Post() {
  std::string body;
  if (OptionalFailure failure = co_await ReadJsonBody(body)) {
    co_await Fail(*std::move(failure));
    co_return;
  }
  if (broken_) co_return;
  if (std::shared_ptr<Call<Answer>> call = BeginOp(body)) co_await FinishOp(std::move(call));
}

asio::awaitable<HttpConnection::OptionalFailure> HttpConnection::ReadJsonBody(std::string& body) {
  const size_t limit = node_.options.max_body_bytes;
  const HttpFailure too_long(413, ErrorKind::kInvalidArgument,
                             absl::StrCat("a JSON body has at most ", limit, " bytes"));
  if (parser_.request().content_length.value_or(0) > limit) co_return too_long;
  co_await Continue();
  SetDeadline(node_.options.stall_timeout);
  while (!broken_) {
    Parse();
    for (const absl::string_view piece : pieces_) body.append(piece.data(), piece.size());
    pieces_.clear();
    if (body.size() > limit) co_return too_long;
    if (parser_.phase() == Phase::kFailed) co_return parser_.failure();
    if (parser_.phase() == Phase::kDone) break;
    co_await FillBody(input_.Room(kReadBytes));
  }
  deadline_ = absl::InfiniteDuration();
  co_return absl::nullopt;
}

// Null when it was answered without a call.
std::shared_ptr<HttpConnection::Call<Answer>> HttpConnection::BeginOp(absl::string_view body) {
  if (body.size() > node_.options.max_body_bytes) {
    QueueFailure(HttpFailure(
        413, ErrorKind::kInvalidArgument,
        absl::StrCat("a JSON body has at most ", node_.options.max_body_bytes, " bytes")));
    return nullptr;
  }
  DecodedRequest decoded =
      target_.endpoint == HttpEndpoint::kExtensionPost
          ? DecodeExtensionRequest(target_.extension.op, body)
          : DecodeRequestAs(target_.op, body, node_.dispatcher.extension_ops());
  seq_ = std::move(decoded.seq);
  if (!decoded.request.ok()) {
    QueueAnswer(Answer{decoded.request.status(), {}}, seq_);
    return nullptr;
  }
  SetDefaultTtl(*decoded.request, node_.options.default_ttl);
  if (OptionalFailure failure = PassWriters(*decoded.request)) {
    QueueFailure(*failure);
    return nullptr;
  }
  return BeginOp(*std::move(decoded.request));
}

std::shared_ptr<HttpConnection::Call<Answer>> HttpConnection::BeginOp(Request request) {
  const OperationId operation = NewOperationId();
  if (MayWait(request)) operation_ = operation;
  const absl::Duration wait = WaitForEvents(request);
  std::shared_ptr<Call<Answer>> call = Begin<Answer>([&](auto done) {
    node_.dispatcher.Dispatch(std::move(request), caller_, operation, std::move(done));
  });
  // One that came in while everything is being ended waits for nothing.
  if (call->finished) {
    operation_ = OperationId::kNone;
  } else if (draining_ && operation_ != OperationId::kNone) {
    node_.dispatcher.Cancel(operation_);
  } else if (wait > absl::ZeroDuration()) {
    EndAfter(operation, wait);
  }
  return call;
}

// A wait for events has no deadline of its own.
void HttpConnection::EndAfter(OperationId operation, absl::Duration wait) {
  patience_.expires_after(absl::ToChronoMicroseconds(wait));
  patience_.async_wait([self = shared_from_this(), operation](boost::system::error_code error) {
    if (!error) self->node_.dispatcher.Cancel(operation);
  });
}

asio::awaitable<void> HttpConnection::FinishOp(std::shared_ptr<Call<Answer>> call) {
  if (!call->finished) {
    if (!FlushAtOnce()) co_await Flush();
    ++node_.in_flight;
    co_await UntilFinished(call->finished);
    --node_.in_flight;
  }
  patience_.cancel();
  const bool waited = std::exchange(operation_, OperationId::kNone) != OperationId::kNone;
  Answer& answer = *call->answer;
  if (auto* grant = absl::get_if<GrantReply>(&answer.reply);
      grant != nullptr && (broken_ || (waited && IsAlone()))) {
    // Nobody will use it.
    node_.dispatcher.peer().Release({grant->lease_id, SessionId::kNone, OperationId::kNone},
                                    nullptr);
  }
  if (waited && draining_ && absl::holds_alternative<absl::Status>(answer.reply)) {
    answer.reply = MakeError(ErrorKind::kUnavailable, "the node is shutting down");
  }
  QueueAnswer(std::move(answer), seq_);
}

// A seal must not meet a PUT of the same lease that is under way, nor another seal.
HttpConnection::OptionalFailure HttpConnection::PassWriters(const Request& request) {
  if (const auto* batch = absl::get_if<std::unique_ptr<BatchRequest>>(&request.body)) {
    for (const absl::StatusOr<Request>& entry : (*batch)->requests) {
      if (!entry.ok() || entry->op != Op::kSeal) continue;
      if (OptionalFailure failure = PassWriters(*entry)) return failure;
    }
    return absl::nullopt;
  }
  const auto* seal = absl::get_if<SealRequest>(&request.body);
  return seal != nullptr ? PassWriters(seal->lease_id) : absl::nullopt;
}

HttpConnection::OptionalFailure HttpConnection::PassWriters(const LeaseId& lease) {
  passes_.push_back(node_.writers.Enter(lease));
  if (passes_.back()) return absl::nullopt;
  return HttpFailure(MakeError(ErrorKind::kBusy,
                               "the object is being written or sealed under this lease by another "
                               "request; wait for its answer"));
}

// --- Questions.

asio::awaitable<void> HttpConnection::Query() {
  Request request;
  request.op = target_.op;
  OptionalFailure failure;
  switch (target_.endpoint) {
    case HttpEndpoint::kVersion:
      request.body = HelloRequest();
      break;
    case HttpEndpoint::kObjects: {
      absl::StatusOr<ListRequest> list = ListFromQuery(target_);
      if (!list.ok()) failure = HttpFailure(list.status());
      if (list.ok()) request.body = *std::move(list);
      break;
    }
    case HttpEndpoint::kObject: {
      absl::StatusOr<ObjectId> id = ObjectId::Parse(target_.id);
      if (!id.ok()) failure = HttpFailure(id.status());
      request.op = Op::kStat;
      if (id.ok()) request.body = StatRequest{*std::move(id)};
      break;
    }
    case HttpEndpoint::kExtensionQuery:
      request.op = Op::kExtension;
      request.body = target_.extension;
      break;
    default:
      break;
  }
  if (failure) {
    co_await Fail(*std::move(failure));
    co_return;
  }
  seq_.clear();
  co_await FinishOp(BeginOp(std::move(request)));
}

asio::awaitable<void> HttpConnection::Metrics() {
  using Stats = absl::StatusOr<PeerStats>;
  Stats stats =
      co_await Ask<Stats>([this](auto done) { node_.dispatcher.peer().Stats(std::move(done)); });
  if (!stats.ok()) {
    co_await Fail(stats.status());
    co_return;
  }
  QueueBody(200, "text/plain; version=0.0.4; charset=utf-8", node_.dispatcher.MetricsText(*stats));
}

// --- Answers.

void HttpConnection::QueueAnswer(Answer answer, absl::string_view seq) {
  int status = 200;
  if (const auto* failure = absl::get_if<absl::Status>(&answer.reply)) {
    status = failure->ok() ? 500 : InfoOf(KindOf(*failure)).http_status;
  }
  scratch_.clear();
  EncodeReply(answer.reply, seq, scratch_);
  QueueBody(status, kJsonType, scratch_);
  if (scratch_.capacity() > kMaxDiscarded) std::string().swap(scratch_);
}

// Answers that the request is refused. Its body, as far as it has not come, is read when it is
// short; otherwise the connection ends with the answer.
asio::awaitable<void> HttpConnection::Fail(HttpFailure failure) {
  pieces_.clear();
  if (parser_.phase() == Phase::kFailed) keep_ = false;
  if (parser_.phase() == Phase::kBody) {
    const HttpRequest& request = parser_.request();
    const bool held_back = request.expects_continue && !continued_;
    if (held_back || request.content_length.value_or(UINT64_MAX) > kMaxDiscarded) {
      keep_ = false;
    } else {
      co_await SkipBody();
    }
  }
  if (!broken_) QueueFailure(failure);
}

asio::awaitable<void> HttpConnection::SkipBody() {
  SetDeadline(node_.options.stall_timeout);
  uint64_t skipped = 0;
  Parse();
  while (!broken_ && parser_.phase() == Phase::kBody && skipped <= kMaxDiscarded) {
    pieces_.clear();
    co_await FillBody(input_.Room(kReadBytes));
    Parse();
    for (const absl::string_view piece : pieces_) skipped += piece.size();
  }
  pieces_.clear();
  deadline_ = absl::InfiniteDuration();
  if (parser_.phase() != Phase::kDone) keep_ = false;
}

void HttpConnection::QueueFailure(const HttpFailure& failure) {
  QueueBody(failure.status, kJsonType, FailureBody(failure), failure.headers);
}

void HttpConnection::QueueHead(HttpResponseHead head) {
  AppendHead(head, {keep_ && !draining_, parser_.request().http_1_0}, output_);
  keep_ = keep_ && !draining_;
}

void HttpConnection::QueueBody(int status, absl::string_view content_type, absl::string_view body,
                               absl::string_view headers) {
  QueueHead({status, content_type, headers, body.size()});
  if (parser_.request().method != HttpMethod::kHead) output_.append(body.data(), body.size());
}

SessionId HttpConnection::session() {
  if (session_ == SessionId::kNone) session_ = NewSessionId();
  return session_;
}

}  // namespace packice
