#include "http_response.h"

#include <time.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

absl::string_view StatusLine(int status) {
  switch (status) {
    case 200:
      return "HTTP/1.1 200 OK\r\n";
    case 201:
      return "HTTP/1.1 201 Created\r\n";
    case 206:
      return "HTTP/1.1 206 Partial Content\r\n";
    case 304:
      return "HTTP/1.1 304 Not Modified\r\n";
    case 400:
      return "HTTP/1.1 400 Bad Request\r\n";
    case 401:
      return "HTTP/1.1 401 Unauthorized\r\n";
    case 403:
      return "HTTP/1.1 403 Forbidden\r\n";
    case 404:
      return "HTTP/1.1 404 Not Found\r\n";
    case 405:
      return "HTTP/1.1 405 Method Not Allowed\r\n";
    case 408:
      return "HTTP/1.1 408 Request Timeout\r\n";
    case 409:
      return "HTTP/1.1 409 Conflict\r\n";
    case 410:
      return "HTTP/1.1 410 Gone\r\n";
    case 412:
      return "HTTP/1.1 412 Precondition Failed\r\n";
    case 413:
      return "HTTP/1.1 413 Content Too Large\r\n";
    case 414:
      return "HTTP/1.1 414 URI Too Long\r\n";
    case 416:
      return "HTTP/1.1 416 Range Not Satisfiable\r\n";
    case 417:
      return "HTTP/1.1 417 Expectation Failed\r\n";
    case 423:
      return "HTTP/1.1 423 Locked\r\n";
    case 431:
      return "HTTP/1.1 431 Request Header Fields Too Large\r\n";
    case 500:
      return "HTTP/1.1 500 Internal Server Error\r\n";
    case 501:
      return "HTTP/1.1 501 Not Implemented\r\n";
    case 503:
      return "HTTP/1.1 503 Service Unavailable\r\n";
    case 504:
      return "HTTP/1.1 504 Gateway Timeout\r\n";
    case 505:
      return "HTTP/1.1 505 HTTP Version Not Supported\r\n";
    case 507:
      return "HTTP/1.1 507 Insufficient Storage\r\n";
    default:
      return "HTTP/1.1 500 Internal Server Error\r\n";
  }
}

// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" (RFC 9110, 5.6.7), written once a second and thread.
absl::string_view DateLine() {
  thread_local time_t written = 0;
  thread_local std::string line;
  timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != written) {
    written = now.tv_sec;
    line = absl::StrCat("Date: ",
                        absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", absl::FromTimeT(now.tv_sec),
                                         absl::UTCTimeZone()),
                        "\r\n");
  }
  return line;
}

}  // namespace

void AppendHead(const HttpResponseHead& head, HttpKeepAlive keep_alive, std::string& out) {
  absl::StrAppend(&out, StatusLine(head.status), DateLine());
  if (!head.content_type.empty()) {
    absl::StrAppend(&out, "Content-Type: ", head.content_type, "\r\n");
  }
  if (head.content_length) absl::StrAppend(&out, "Content-Length: ", *head.content_length, "\r\n");
  if (!keep_alive.keep) {
    absl::StrAppend(&out, "Connection: close\r\n");
  } else if (keep_alive.http_1_0) {
    absl::StrAppend(&out, "Connection: keep-alive\r\n");
  }
  absl::StrAppend(&out, head.headers, "\r\n");
}

std::string FailureBody(const HttpFailure& failure) { return FormatReply(failure.error) + "\n"; }

}  // namespace packice
