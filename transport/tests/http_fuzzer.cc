// Any bytes may come over HTTP: everything a server does with them before it asks its peer.
//
// Checks besides the sanitizers': what is read does not depend on how the bytes were cut up, a
// range lies within what it is of, and what is asked can be asked.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "bearer_token.h"
#include "http_parser.h"
#include "http_query.h"
#include "http_range.h"
#include "http_response.h"
#include "http_target.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

void Check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

struct Message {
  HttpParser::Phase phase = HttpParser::Phase::kHead;
  HttpRequest request;
  std::string body;
  int status = 0;  // of a failure
};

constexpr size_t kMessages = 8;

// The first kMessages requests in the text, which comes in pieces of `step` bytes.
std::vector<Message> Parse(absl::string_view text, size_t step) {
  std::vector<Message> messages(1);
  HttpParser parser(2048, 512);
  std::vector<absl::string_view> pieces;
  std::string pending;
  while (!text.empty()) {
    const size_t n = std::min(step, text.size());
    pending.append(text.data(), n);
    text.remove_prefix(n);
    size_t taken = 0;
    while (true) {
      const HttpParser::Phase before = parser.phase();
      const size_t more = parser.Read(absl::string_view(pending).substr(taken), pieces);
      taken += more;
      Check(taken <= pending.size(), "no more is taken than there is");
      for (const absl::string_view piece : pieces)
        messages.back().body.append(piece.data(), piece.size());
      pieces.clear();
      Message& message = messages.back();
      message.phase = parser.phase();
      if (message.phase == HttpParser::Phase::kFailed) {
        message.status = parser.failure().status;
        FailureBody(parser.failure());
        return messages;
      }
      if (message.phase != HttpParser::Phase::kHead) message.request = parser.request();
      if (message.phase == HttpParser::Phase::kDone) {
        if (messages.size() == kMessages) return messages;
        parser.Next();
        messages.emplace_back();
      } else if (more == 0 && before == parser.phase()) {
        break;
      }
    }
    pending.erase(0, taken);
  }
  return messages;
}

void FuzzMessage(const Message& message) {
  const HttpRequest& request = message.request;
  HasBearerToken(request.authorization, "secret");
  const ParsedTarget parsed = ParseTarget(request.target);
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{1000}, UINT64_MAX / 2}) {
    const RangeAnswer answer = ResolveRange(request.range, size);
    if (answer.kind != RangeAnswer::Kind::kPart) continue;
    Check(answer.range.size > 0 && answer.range.offset <= size &&
              answer.range.size <= size - answer.range.offset,
          "a range lies within");
  }
  if (const auto range = ParseContentRange(request.content_range)) {
    Check(range->size > 0 && range->offset <= UINT64_MAX - range->size, "a range ends somewhere");
  }
  for (const std::string* list : {&request.if_match, &request.if_none_match, &request.if_range}) {
    HasETag(*list, "\"1-2\"", true);
  }
  if (parsed.failure) return;
  const HttpTarget& target = parsed.target;
  Check(IsAllowed(target.endpoint, HttpMethod::kOther) == false, "nothing takes any method");
  if (target.endpoint == HttpEndpoint::kObject) {
    Check(ParseTarget("/objects/" + EncodePath(target.id)).target.id == target.id,
          "an id is found where it is said to be");
    if (const auto create = CreateFromQuery(target, request); create.ok()) {
      Check(create->object_id.bytes() == target.id, "what is created has the id of the path");
    }
  }
  if (const auto list = ListFromQuery(target); list.ok()) {
    Check(list->limit >= 1 && list->limit <= ListRequest::kMaxLimit,
          "a limit is within its limits");
  }
  if (const auto events = EventsFromQuery(target); events.ok()) {
    Check(events->limit <= EventsRequest::kMaxLimit && events->wait >= absl::ZeroDuration(),
          "events are asked for within the limits");
  }
  const DecodedRequest decoded = DecodeRequestAs(target.op, message.body);
  if (decoded.request.ok()) Check(decoded.request->op == target.op, "the op is the path's");
}

}  // namespace
}  // namespace packice

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using packice::Check;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto whole = packice::Parse(text, size);
  const auto pieces = packice::Parse(text, 7);
  Check(whole.size() == pieces.size(), "there are as many requests however they come");
  for (size_t i = 0; i < whole.size(); ++i) {
    // What is wrong with the beginning of a request may show early or late.
    const bool done = whole[i].phase == packice::HttpParser::Phase::kDone;
    Check(done == (pieces[i].phase == packice::HttpParser::Phase::kDone) &&
              (!done || (whole[i].body == pieces[i].body &&
                         whole[i].request.target == pieces[i].request.target)),
          "a request is the same however it comes");
    packice::FuzzMessage(whole[i]);
  }
  return 0;
}
