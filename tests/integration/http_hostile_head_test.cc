// Heads that are none, and bodies of which nobody can tell where they end.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "http_hostile.h"

namespace packice {
namespace {

// ---- Heads ----

TEST_F(HttpHostile, RequestLines) {
  Check({
      {"", kClosed},
      {"\r\n\r\n\r\n", kClosed},
      {"\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "200 ok"},
      {"G", kClosed},
      {"GET /healthz HTTP/1.1\r\nHost: x", kClosed},
      {"GET /healthz HTTP/1.1\r\nHost: x\r\n", kClosed},
      {"GET\r\n\r\n"},
      {"GET \r\n\r\n"},
      {"GET /healthz\r\n\r\n"},            // HTTP/0.9
      {"GET /healthz \r\n\r\n", kClosed},  // the version might follow
      {" GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"\tGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"GET\t/healthz\tHTTP/1.1\r\nHost: x\r\n\r\n"},
      {"GET /healthz  HTTP/1.1\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/1.1 \r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/1.1 HTTP/1.1\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/1.1\nHost: x\n\n", kNoVersion, kClosed},
      {"GET /healthz HTTP/1.1\rHost: x\r\r", kNoVersion, kClosed},
      {"GET /healthz HTTP/1.1\r\rHost: x\r\n\r\n", kNoVersion},
      {"GET HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
      {"GET\"/healthz\" HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"{\"op\":\"stats\"}\n"},
      {"EHLO mail\r\n"},
      {"SSH-2.0-OpenSSH_9.2\r\n"},
      {"*1\r\n$4\r\nPING\r\n"},
      {"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz http/1.1\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTQ/1.1\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP1.1\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/1\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/1.\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/.1\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/1.x\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/1.10\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/01.1\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/-1.1\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/0.9\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/1.2\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/3.0\r\nHost: x\r\n\r\n", kNoVersion},
      {"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", kNoVersion},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", kNoVersion},
      {std::string("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", 10)},
      {std::string(1000, '\0')},
      {std::string(1000, '\xff')},
      {std::string(100000, 'A'), "414 invalid_argument"},
      {"GET /" + std::string(100000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", "414 invalid_argument"},
      {Get("/objects?prefix=" + std::string(9000, 'a')), "414 invalid_argument"},
  });
}

TEST_F(HttpHostile, MethodsThatAreNone) {
  std::vector<Row> rows;
  for (const char* method : {"get", "Get", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND",
                             "M-SEARCH", "GETGET", "X", "DELETE_", "BREW"}) {
    for (const char* target : {"/healthz", "/objects/precious"}) {
      rows.push_back({absl::StrCat(method, " ", target, " HTTP/1.1\r\nHost: x\r\n\r\n"),
                      "405 invalid_argument"});
    }
  }
  for (const char* what :
       {"GET /acquire", "PUT /acquire", "DELETE /acquire", "POST /objects", "DELETE /objects",
        "POST /objects/precious", "POST /stats", "PUT /objects/precious/data",
        "DELETE /objects/precious/data", "POST /healthz", "PUT /metrics",
        "DELETE /leases/x/blobs/0", "PUT /leases/x/blobs/0/sums", "POST /leases/x/blobs/0"}) {
    rows.push_back({absl::StrCat(what, " HTTP/1.1\r\nHost: x\r\n\r\n"), "405 invalid_argument"});
  }
  Check(rows);
}

TEST_F(HttpHostile, TargetsThatAreNone) {
  std::vector<Row> rows;
  for (const char* target : {"/",
                             "/nowhere",
                             "/acquire/",
                             "//acquire",
                             "/ACQUIRE",
                             "/./healthz",
                             "/healthz/../stats",
                             "/healthz/",
                             "/objects/../stats/..",
                             "/leases",
                             "/leases/",
                             "/leases/x",
                             "/leases/x/",
                             "/leases/x/blobs",
                             "/leases/x/blobs/",
                             "/leases/x/blobs/-1",
                             "/leases/x/blobs/+1",
                             "/leases/x/blobs/0x0",
                             "/leases/x/blobs/1e1",
                             "/leases/x/blobs/4294967296",
                             "/leases/x/blobs/99999999999999999999",
                             "/leases/x/blobs/0/",
                             "/leases/x/blobs/0/sums/",
                             "/leases/a/b/blobs/0",
                             "/leases/x/blobs/%30",
                             "/%68ealthz",
                             "*",
                             "healthz",
                             "x",
                             "http://",
                             "http://x",
                             "http://x/",
                             "https://x/nowhere",
                             "ftp://x/healthz",
                             "x:80",
                             "?",
                             "/?",
                             "#",
                             "/healthz#",
                             "/healthz;x"}) {
    rows.push_back({Get(target), "404 not_found"});
  }
  for (const char* target : {"/leases/x/blobs/0", "/leases//blobs/0", "/leases/..%2f/blobs/0",
                             "/leases/%/blobs/0", "/leases/../blobs/0", "/leases/x/blobs/0/sums",
                             "/leases/0123456789abcdef0123456789abcdef/blobs/999999999"}) {
    rows.push_back({Get(target), "410 lease_expired"});
  }
  for (const char* target :
       {"/healthz", "/healthz?", "/healthz?&&&===", "/healthz?a=%00", "http://x/healthz",
        "HTTP://user:password@x:99999/healthz", "https://[::1]/healthz"}) {
    rows.push_back({Get(target), "200 ok"});
  }
  Check(rows);
}

TEST_F(HttpHostile, BytesThatAreNotForHeads) {
  std::vector<Row> rows;
  for (int c = 0; c < 256; ++c) {
    const bool control = c < 0x20 || c == 0x7f;
    const bool letter = c >= 'A' && c <= 'Z';
    if (control || c == ' ' || c >= 0x80) {
      rows.push_back({absl::StrCat("G", Byte(c), "T /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
                      c == ' ' ? kNoVersion : kBad});
      rows.push_back(
          {absl::StrCat("GET /healthz HTTP/1.1\r\nHost: x\r\nA", Byte(c), "B: v\r\n\r\n")});
    }
    if (control || c == ' ') {
      rows.push_back({absl::StrCat("GET /heal", Byte(c), "thz HTTP/1.1\r\nHost: x\r\n\r\n"),
                      c == ' ' ? kNoVersion : kBad});
    }
    if (control && c != '\t') {
      rows.push_back({Get("/healthz", absl::StrCat("A: v", Byte(c), "w\r\n"))});
    }
    if (!letter && absl::StrContains("\"(),/:;<=>?@[\\]{}", Byte(c)) && c != 0 && c != ':') {
      rows.push_back({Get("/healthz", absl::StrCat("A", Byte(c), "B: v\r\n"))});
    }
  }
  Check(rows);
}

TEST_F(HttpHostile, Headers) {
  std::vector<Row> rows;
  for (const char* header :
       {"A\r\n", "A \r\n", ": v\r\n", "A : v\r\n", "A\t: v\r\n", "A: v\n", "A: v\r", "\r A: v\r\n",
        "Host: y\r\n", "Host:\r\n", "Host: x\r\n", "Host: x, y\r\n", "host: x\r\n"}) {
    rows.push_back({Get("/healthz", header)});
  }
  // Empty, folded, repeated, foreign: odd, but what is asked is plain.
  for (const char* header :
       {"A:\r\n",
        "A: \r\n",
        "A:v\r\n",
        "A:    v    \r\n",
        "A: v\r\n w\r\n",
        " A: v\r\n",
        " : v\r\n",
        "A: v\r\nA: w\r\n",
        "A: \xff\xfe\r\n",
        "A: \t v\r\n",
        "Connection: \r\n",
        "Connection: x, y, z\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAM\r\n",
        "Upgrade: websocket\r\nConnection: Upgrade\r\n",
        "Content-Length: 0\r\n",
        "Authorization: Bearer x\r\n",
        "Authorization:\r\n",
        "If-Match: \r\n",
        "Cookie: a=b\r\n",
        "Trailer: Content-Length\r\n",
        "TE: trailers\r\n",
        "Keep-Alive: timeout=99999999999999999999\r\n"}) {
    rows.push_back({Get("/healthz", header), "200 ok"});
  }
  for (const char* header : {"A: v\n\r\n", "A: v\r\r\n"}) {
    rows.push_back({Get("/healthz", header), kBad, kClosed});
  }
  rows.push_back({"GET /healthz HTTP/1.1\r\n\r\n"});
  rows.push_back({"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n"});
  rows.push_back({"GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n"});
  rows.push_back({"GET /healthz HTTP/1.0\r\n\r\n", "200 ok"});
  rows.push_back({Get("/healthz", "Origin: http://evil\r\n"), "403 permission_denied"});
  rows.push_back({Get("/healthz", "Origin: null\r\n"), "403 permission_denied"});
  rows.push_back({Get("/healthz", "Expect: 200-ok\r\n"), "417 invalid_argument"});
  const char* const kTooLarge = "431 invalid_argument";
  rows.push_back({Get("/healthz", "A: " + std::string(20000, 'v') + "\r\n"), kTooLarge});
  rows.push_back({Get("/healthz", std::string(20000, 'A') + ": v\r\n"), kTooLarge});
  rows.push_back({Get("/healthz", "A: v\r\n" + std::string(20000, ' ') + "w\r\n"), kTooLarge});
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "A: v\r\n";
  rows.push_back({Get("/healthz", many), kTooLarge});
  rows.push_back(
      {absl::StrCat("GET /healthz HTTP/1.1\r\nHost: x\r\n", many, many, many), kTooLarge});
  Check(rows);
}

// ---- How long a body is ----

TEST_F(HttpHostile, ContentLengthsThatAreNone) {
  std::vector<Row> rows;
  for (const char* length : {"",
                             " ",
                             "-1",
                             "+1",
                             "-0",
                             "+0",
                             "0x1",
                             "1e3",
                             "1.0",
                             "1, 2",
                             "1 1",
                             "1;1",
                             "a",
                             "1a",
                             "a1",
                             "\"1\"",
                             "1\x0b",
                             "\xd9\xa1",
                             "18446744073709551616",
                             "99999999999999999999999999",
                             "-18446744073709551615",
                             "true",
                             "null"}) {
    rows.push_back({Put(absl::StrCat("Content-Length: ", length, "\r\n"), kSmuggled)});
  }
  for (const char* lines :
       {"Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: 0\r\nContent-Length: 46\r\n",
        "Content-Length: 46\r\ncontent-length: 0\r\n",
        "Content-Length: 1\r\nContent-Length: -1\r\n", "Content-Length: 1\r\nContent-Length: \r\n",
        "Content-Length : 1\r\n", "Content-Length\t: 1\r\n",
        "Content-Length: 1\r\n\tContent-Length: 2\r\n"}) {
    rows.push_back({Put(lines, kSmuggled)});
  }
  rows.push_back({Put("Content-Length: 2\r\n", "x"), kClosed});
  rows.push_back({Put("Content-Length: 9223372036854775807\r\n", "x"), "413 invalid_argument"});
  rows.push_back({Put("Content-Length: 9223372036854775808\r\n", "x")});
  rows.push_back({Put("Content-Length: 18446744073709551615\r\n", "x")});
  rows.push_back({Put("Content-Length: 1099511627777\r\n", "x"), "413 invalid_argument"});
  rows.push_back({Put("Content-Length: 1099511627776\r\n", "x"), "507 capacity"});
  rows.push_back({Put("Content-Length: 67108865\r\n", "x"), "507 capacity"});
  Check(rows);
}

TEST_F(HttpHostile, TransferEncodingsThatHideARequest) {
  const std::string hidden = absl::StrCat("0\r\n\r\n", kSmuggled);
  std::vector<Row> rows;
  for (const char* lines :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\ncontent-length: 51\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked\n", "Transfer-Encoding: chun\x00ked\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\x0b\r\n",
        "\rTransfer-Encoding: chunked\r\n", "Transfer_Encoding\x00: chunked\r\n"}) {
    rows.push_back({Put(lines, hidden)});
  }
  for (const char* coding :
       {"identity", "gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked",
        "chunked, identity", "xchunked", "chunkedx", "x chunked", "chunked;q=1", "\"chunked\"", "",
        ",", "chunked,", ",chunked", "chunk", "cow, chunked", "null"}) {
    rows.push_back(
        {Put(absl::StrCat("Transfer-Encoding: ", coding, "\r\n"), hidden), "501 unsupported"});
    rows.push_back(
        {Put(absl::StrCat("Content-Length: 5\r\nTransfer-Encoding: ", coding, "\r\n"), hidden)});
  }
  for (const char* lines : {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
                            "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
                            "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n"}) {
    rows.push_back({Put(lines, hidden), "501 unsupported"});
  }
  rows.push_back(
      {absl::StrCat("PUT /objects/a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", hidden)});
  rows.push_back(
      {absl::StrCat("GET /healthz HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", hidden)});
  Check(rows);
}

TEST_F(HttpHostile, Chunks) {
  std::vector<Row> rows;
  for (const char* size :
       {"-1", "+1", "0x1", " 1", "1 1", "g", "", ";", ";x=y", "1,", "1:", "1\x01", "1\"", "-0",
        "fffffffffffffffff", "10000000000000000", "99999999999999999999999999", "\xc2\xb9"}) {
    rows.push_back({Chunked(absl::StrCat(size, "\r\nx\r\n0\r\n\r\n", kSmuggled))});
  }
  for (const char* body :
       {"1\nx\n0\n\n", "1\rx\r0\r\r", "1\r\nxy\r\n0\r\n\r\n", "1\r\nx0\r\n\r\n",
        "1\r\nx\n0\r\n\r\n", "1\r\nx\r0\r\n\r\n", "\r\n1\r\nx\r\n0\r\n\r\n", "0\r\nA\r\n\r\n",
        "0\r\n: v\r\n\r\n", "0\r\nA : v\r\n\r\n", "0\r\nA\x01: v\r\n\r\n", "0\r\n\rX\r\n\r\n"}) {
    rows.push_back({Chunked(absl::StrCat(body, kSmuggled))});
  }
  // More than there can be, and less than was said.
  for (const char* size : {"7fffffffffffffff", "8000000000000000", "ffffffffffffffff", "fffffff"}) {
    rows.push_back({Chunked(absl::StrCat(size, "\r\n", kSmuggled)), kClosed});
  }
  for (const char* body :
       {"", "1", "1\r", "1\r\n", "1\r\nx", "1\r\nx\r", "1\r\nx\r\n", "1\r\nx\r\n0",
        "1\r\nx\r\n0\r\n", "1\r\nx\r\n0\r\n\r", "5;a=b\r\nxx", "0\r\nA: v\r\n"}) {
    rows.push_back({Chunked(body), kClosed});
  }
  // More of it than is read at a time.
  const std::string megabytes(3 << 20, 'a');
  rows.push_back({Chunked("1;" + megabytes + "\r\nx\r\n0\r\n\r\n"), "431 invalid_argument"});
  rows.push_back({Chunked("0\r\nA: " + megabytes + "\r\n\r\n"), "431 invalid_argument"});
  rows.push_back(
      {Chunked(std::string(3 << 20, '0') + "1\r\nx\r\n0\r\n\r\n"), "431 invalid_argument"});
  rows.push_back({Chunked(std::string(100, '0')), kClosed});
  Check(rows);
}

// In the places where one may follow another: what is behind a refused request is none.
TEST_F(HttpHostile, NothingIsReadBehindWhatCannotBeRead) {
  const std::string good = Get("/healthz");
  Check({
      {absl::StrCat(good, "x\r\n\r\n", kSmuggled), "200 ok, 400 invalid_argument"},
      {absl::StrCat(good, good, Get("/healthz", "A : b\r\n"), kSmuggled),
       "200 ok, 200 ok, 400 invalid_argument"},
      {absl::StrCat(Get("/healthz", "Connection: close\r\n"), kSmuggled), "200 ok"},
      {absl::StrCat("GET /healthz HTTP/1.0\r\n\r\n", kSmuggled), "200 ok"},
      // The body of a request that wants none is no request.
      {absl::StrCat(Get("/healthz", "Content-Length: 46\r\n"), kSmuggled, good), "200 ok, 200 ok"},
      {absl::StrCat("DELETE /objects/missing HTTP/1.1\r\nHost: x\r\nContent-Length: 46\r\n\r\n",
                    kSmuggled, good),
       "404 not_found, 200 ok"},
      {absl::StrCat("PATCH / HTTP/1.1\r\nHost: x\r\nContent-Length: 46\r\n\r\n", kSmuggled, good),
       "404 not_found, 200 ok"},
      {absl::StrCat("POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2e\r\n",
                    kSmuggled, "\r\n0\r\n\r\n", good),
       "404 not_found"},
      // Held back until the node asks for it: what comes instead is the body, or nothing.
      {absl::StrCat("POST /nowhere HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                    "Content-Length: 46\r\n\r\n",
                    kSmuggled),
       "404 not_found"},
      {absl::StrCat("GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
                    "\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                    kSmuggled),
       absl::StrCat("200 ok, ", kNoVersion)},
  });
}

}  // namespace
}  // namespace packice
