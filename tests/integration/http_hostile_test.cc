// Whatever bytes a client sends, it gets an error of the table or a closed connection; no request
// hides within another, others are served meanwhile, and nothing is left of it.
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "http_node_test.h"

namespace packice {
namespace {

constexpr char kBad[] = "400 invalid_argument";
// Also of what stands where a version should.
constexpr char kNoVersion[] = "505 unsupported";
// Where it is no error that more was to come.
constexpr char kClosed[] = "closed";

struct Row {
  std::string bytes;
  std::string outcome = kBad;
  // Of its bytes one by one; empty: the same.
  std::string slowly = {};
};

// Hidden where it must not be found: it would take away the object that everybody reads.
constexpr char kSmuggled[] = "DELETE /objects/precious HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr char kPrecious[] = "0123456789";

std::string Get(absl::string_view target, absl::string_view headers = "") {
  return absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: x\r\n", headers, "\r\n");
}
std::string Put(absl::string_view headers, absl::string_view body) {
  return absl::StrCat("PUT /objects/a HTTP/1.1\r\nHost: x\r\n", headers, "\r\n", body);
}
std::string Chunked(absl::string_view body) { return Put("Transfer-Encoding: chunked\r\n", body); }
std::string Post(absl::string_view endpoint, absl::string_view body) {
  return HttpClient::Text(absl::StrCat("POST ", endpoint), body);
}
std::string Byte(int value) { return std::string(1, static_cast<char>(value)); }

class HttpHostile : public HttpNodeTest {
 protected:
  void SetUp() override {
    NodeFlags flags;
    flags.capacity = 64 << 20;
    StartHttpNode(flags);
    ASSERT_EQ(AskHttp("PUT /objects/precious", kPrecious).status, 201);
    with_precious_ = FiguresAlone();
  }

  // Of each row twice: when it comes at once, and byte by byte.
  void Check(const std::vector<Row>& rows) {
    HttpClient other = ConnectHttp();
    for (const Row& row : rows) {
      const std::string shown = absl::CHexEscape(absl::string_view(row.bytes).substr(0, 300));
      EXPECT_EQ(OutcomesOf(row.bytes), row.outcome) << shown;
      if (row.bytes.size() < 2000) {
        // However TCP puts the bytes together again.
        EXPECT_THAT(OutcomesOf(row.bytes, /*one_by_one=*/true),
                    testing::AnyOf(row.outcome, row.slowly.empty() ? row.outcome : row.slowly))
            << "slowly: " << shown;
      }
      const HttpReply reply = other.Ask("GET /objects/precious/data");
      ASSERT_EQ(reply.status, 200) << "after " << shown;
      ASSERT_EQ(reply.body, kPrecious) << "after " << shown;
    }
    other.Close();
    EXPECT_TRUE(Has(with_precious_));
  }

  Figures with_precious_;
};

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
      {"GET /healthz\r\n\r\n"},  // HTTP/0.9
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
  for (const char* what : {"GET /acquire", "PUT /acquire", "DELETE /acquire", "POST /objects",
                           "DELETE /objects", "POST /objects/precious", "POST /stats",
                           "PUT /objects/precious/data", "DELETE /objects/precious/data",
                           "POST /healthz", "PUT /metrics", "DELETE /leases/x/blobs/0",
                           "PUT /leases/x/blobs/0/sums", "POST /leases/x/blobs/0"}) {
    rows.push_back({absl::StrCat(what, " HTTP/1.1\r\nHost: x\r\n\r\n"), "405 invalid_argument"});
  }
  Check(rows);
}

TEST_F(HttpHostile, TargetsThatAreNone) {
  std::vector<Row> rows;
  for (const char* target :
       {"/", "/nowhere", "/acquire/", "//acquire", "/ACQUIRE", "/./healthz", "/healthz/../stats",
        "/healthz/", "/objects/../stats/..", "/leases", "/leases/", "/leases/x", "/leases/x/",
        "/leases/x/blobs", "/leases/x/blobs/", "/leases/x/blobs/-1", "/leases/x/blobs/+1",
        "/leases/x/blobs/0x0", "/leases/x/blobs/1e1", "/leases/x/blobs/4294967296",
        "/leases/x/blobs/99999999999999999999", "/leases/x/blobs/0/", "/leases/x/blobs/0/sums/",
        "/leases/a/b/blobs/0", "/leases/x/blobs/%30", "/%68ealthz", "*", "healthz", "x",
        "http://", "http://x", "http://x/", "https://x/nowhere", "ftp://x/healthz", "x:80", "?",
        "/?", "#", "/healthz#", "/healthz;x"}) {
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
      rows.push_back({absl::StrCat("GET /healthz HTTP/1.1\r\nHost: x\r\nA", Byte(c), "B: v\r\n\r\n")});
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
       {"A\r\n", "A \r\n", ": v\r\n", "A : v\r\n", "A\t: v\r\n", "A: v\n", "A: v\r",
        "\r A: v\r\n", "Host: y\r\n",
        "Host:\r\n", "Host: x\r\n", "Host: x, y\r\n", "host: x\r\n"}) {
    rows.push_back({Get("/healthz", header)});
  }
  // Empty, folded, repeated, foreign: odd, but what is asked is plain.
  for (const char* header :
       {"A:\r\n", "A: \r\n", "A:v\r\n", "A:    v    \r\n", "A: v\r\n w\r\n", " A: v\r\n", " : v\r\n", "A: v\r\nA: w\r\n",
        "A: \xff\xfe\r\n", "A: \t v\r\n", "Connection: \r\n", "Connection: x, y, z\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAM\r\n",
        "Upgrade: websocket\r\nConnection: Upgrade\r\n", "Content-Length: 0\r\n",
        "Authorization: Bearer x\r\n", "Authorization:\r\n", "If-Match: \r\n",
        "Cookie: a=b\r\n", "Trailer: Content-Length\r\n", "TE: trailers\r\n",
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
  rows.push_back({absl::StrCat("GET /healthz HTTP/1.1\r\nHost: x\r\n", many, many, many), kTooLarge});
  Check(rows);
}

// ---- How long a body is ----

TEST_F(HttpHostile, ContentLengthsThatAreNone) {
  std::vector<Row> rows;
  for (const char* length :
       {"", " ", "-1", "+1", "-0", "+0", "0x1", "1e3", "1.0", "1, 2", "1 1", "1;1", "a", "1a",
        "a1", "\"1\"", "1\x0b", "\xd9\xa1", "18446744073709551616", "99999999999999999999999999",
        "-18446744073709551615", "true", "null"}) {
    rows.push_back({Put(absl::StrCat("Content-Length: ", length, "\r\n"), kSmuggled)});
  }
  for (const char* lines : {"Content-Length: 1\r\nContent-Length: 2\r\n",
                            "Content-Length: 0\r\nContent-Length: 46\r\n",
                            "Content-Length: 46\r\ncontent-length: 0\r\n",
                            "Content-Length: 1\r\nContent-Length: -1\r\n",
                            "Content-Length: 1\r\nContent-Length: \r\n",
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
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding : chunked\r\n", "Transfer-Encoding\t: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked\n", "Transfer-Encoding: chun\x00ked\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\x0b\r\n",
        "\rTransfer-Encoding: chunked\r\n", "Transfer_Encoding\x00: chunked\r\n"}) {
    rows.push_back({Put(lines, hidden)});
  }
  for (const char* coding :
       {"identity", "gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "chunked, identity",
        "xchunked", "chunkedx", "x chunked", "chunked;q=1", "\"chunked\"", "", ",", "chunked,",
        ",chunked", "chunk", "cow, chunked", "null"}) {
    rows.push_back({Put(absl::StrCat("Transfer-Encoding: ", coding, "\r\n"), hidden),
                    "501 unsupported"});
    rows.push_back(
        {Put(absl::StrCat("Content-Length: 5\r\nTransfer-Encoding: ", coding, "\r\n"), hidden)});
  }
  for (const char* lines : {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
                            "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
                            "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n"}) {
    rows.push_back({Put(lines, hidden), "501 unsupported"});
  }
  rows.push_back({absl::StrCat("PUT /objects/a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", hidden)});
  rows.push_back({absl::StrCat("GET /healthz HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", hidden)});
  Check(rows);
}

TEST_F(HttpHostile, Chunks) {
  std::vector<Row> rows;
  for (const char* size :
       {"-1", "+1", "0x1", " 1", "1 1", "g", "", ";", ";x=y", "1,", "1:", "1\x01", "1\"", "-0",
        "fffffffffffffffff", "10000000000000000", "99999999999999999999999999", "\xc2\xb9"}) {
    rows.push_back({Chunked(absl::StrCat(size, "\r\nx\r\n0\r\n\r\n", kSmuggled))});
  }
  for (const char* body : {"1\nx\n0\n\n", "1\rx\r0\r\r", "1\r\nxy\r\n0\r\n\r\n", "1\r\nx0\r\n\r\n",
                           "1\r\nx\n0\r\n\r\n", "1\r\nx\r0\r\n\r\n", "\r\n1\r\nx\r\n0\r\n\r\n",
                           "0\r\nA\r\n\r\n", "0\r\n: v\r\n\r\n", "0\r\nA : v\r\n\r\n",
                           "0\r\nA\x01: v\r\n\r\n", "0\r\n\rX\r\n\r\n"}) {
    rows.push_back({Chunked(absl::StrCat(body, kSmuggled))});
  }
  // More than there can be, and less than was said.
  for (const char* size : {"7fffffffffffffff", "8000000000000000", "ffffffffffffffff", "fffffff"}) {
    rows.push_back({Chunked(absl::StrCat(size, "\r\n", kSmuggled)), kClosed});
  }
  for (const char* body : {"", "1", "1\r", "1\r\n", "1\r\nx", "1\r\nx\r", "1\r\nx\r\n",
                           "1\r\nx\r\n0", "1\r\nx\r\n0\r\n", "1\r\nx\r\n0\r\n\r", "5;a=b\r\nxx",
                           "0\r\nA: v\r\n"}) {
    rows.push_back({Chunked(body), kClosed});
  }
  // More of it than is read at a time.
  const std::string megabytes(3 << 20, 'a');
  rows.push_back({Chunked("1;" + megabytes + "\r\nx\r\n0\r\n\r\n"), "431 invalid_argument"});
  rows.push_back({Chunked("0\r\nA: " + megabytes + "\r\n\r\n"), "431 invalid_argument"});
  rows.push_back({Chunked(std::string(3 << 20, '0') + "1\r\nx\r\n0\r\n\r\n"), "431 invalid_argument"});
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

// ---- Ids and parameters ----

TEST_F(HttpHostile, EscapesAndIdsThatAreNone) {
  const char* const kIds[] = {
      "%", "a%", "%2", "%zz", "%2g", "%g2", "%%", "%%32f", "%-1", "%+1", "%0x", "%u0041", "%C3%", "%.2"};
  std::vector<Row> rows;
  for (const std::string id : kIds) {
    rows.push_back({Get("/objects/" + id)});
    rows.push_back({Get("/objects/" + id + "/data")});
    rows.push_back({"PUT /objects/" + id + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"});
    rows.push_back({"DELETE /objects/" + id + " HTTP/1.1\r\nHost: x\r\n\r\n"});
  }
  for (const std::string& id : {std::string(), std::string(256, 'x'), std::string(4000, 'x')}) {
    rows.push_back({Get("/objects/" + id)});
    rows.push_back({Get("/objects/" + id + "/data")});
    rows.push_back({"PUT /objects/" + id + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"});
  }
  for (const char* query :
       {"limit=0", "limit=-1", "limit=10001", "limit=1.5", "limit=1e9999", "limit=x", "limit=",
        "limit=99999999999999999999", "limit=%00", "limit=1%201", "limit=[]", "limit=1&limit=0",
        "prefix=%", "after=%2", "%=1", "limit=--1", "limit=1e", "limit=."}) {
    rows.push_back({Get(absl::StrCat("/objects?", query))});
  }
  for (const char* query :
       {"object_ttl_seconds=0", "object_ttl_seconds=-1", "object_ttl_seconds=x",
        "object_ttl_seconds=1e999", "object_ttl_seconds=", "meta=x", "meta=[]", "meta=1",
        "meta=%7B", "meta=%ff", "meta=%00", "meta={\"a\":1}}", "meta=null"}) {
    rows.push_back({absl::StrCat("PUT /objects/a?", query,
                                 " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")});
  }
  for (const char* meta : {"x", "[]", "{", "\xff", "{\"a\":1}{}", "{\"a\":\"\xff\"}"}) {
    rows.push_back({Put(absl::StrCat("Packice-Meta: ", meta, "\r\nContent-Length: 1\r\n"), "x")});
  }
  Check(rows);
}

// No start, no end, too long a form, half of a pair, beyond the last character: no ids,
// and none that is taken for another.
TEST_F(HttpHostile, IdsThatAreNoUtf8) {
  ASSERT_EQ(AskHttp("PUT /objects/%ef%bf%bd", "another").status, 201);
  for (const char* id : {"%80", "%ff", "%fe%ff", "%c3", "%c3%28", "%e2%82", "%e2%28%a1", "%f0%9f%a7", "%c0%af",
       "%c0%ae%c0%ae%c0%af", "%e0%80%af", "%f0%80%80%af", "%ed%a0%80", "%ed%bf%bf", "%f4%90%80%80",
       "%f8%88%80%80%80", "a%c3"}) {
    const std::string object = absl::StrCat(" /objects/", id);
    EXPECT_EQ(AskHttp("PUT" + object, "x").Outcome(), kBad) << id;
    EXPECT_EQ(AskHttp("GET" + object).Outcome(), kBad) << id;
    EXPECT_EQ(AskHttp("GET" + object + "/data").Outcome(), kBad) << id;
    EXPECT_EQ(AskHttp("DELETE" + object).Outcome(), kBad) << id;
  }
  EXPECT_EQ(AskHttp("GET /objects/%ef%bf%bd/data").body, "another");
  EXPECT_EQ(AskHttp("GET /objects/precious/data").body, kPrecious);
}

// ---- JSON ----

TEST_F(HttpHostile, JsonThatIsNone) {
  std::vector<std::string> bodies = {
      "{", "}", "acquire", "[]", "[{}]", "\"x\"", "1", "null", "true", "{}{}", "{},", "{'a':1}",
      "{\"a\":1,}", "{\"a\"}", "{a:1}", "{} // x", "   ", "\xef\xbb\xbf{}", "{\"a\":\"\xff\"}",
      "{\"a\":\"\\ud800\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\x01\"}", "{\"a\":01}", "{\"a\":1.}",
      "{\"a\":.5}", "{\"a\":NaN}", "{\"a\":Infinity}", "{\"a\":0x1}", "{\"a\":\"", "{\"\\",
      std::string("{\0}", 3), std::string("{}\0", 3), std::string(100, '\0'), "<xml/>",
      "op=acquire&intent=create", "%7B%7D", std::string(500000, '['),
      absl::StrCat("{\"a\":", std::string(100000, '['), std::string(100000, ']'), "}")};
  std::string objects;
  for (int i = 0; i < 20000; ++i) objects += "{\"a\":";
  bodies.push_back(objects);
  std::vector<Row> rows;
  for (const char* endpoint :
       {"/acquire", "/seal", "/discard", "/release", "/renew", "/relocate", "/batch"}) {
    for (const std::string& body : bodies) {
      if (body.size() > 1000 && endpoint != absl::string_view("/acquire")) continue;
      rows.push_back({Post(endpoint, body)});
    }
    rows.push_back({Post(endpoint, "")});
    rows.push_back({Post(endpoint, "{}")});
  }
  rows.push_back({Post("/acquire", std::string((1 << 20) + 1, ' ')), "413 invalid_argument"});
  rows.push_back({"POST /acquire HTTP/1.1\r\nHost: x\r\nContent-Length: 4294967296\r\n\r\n{",
                  "413 invalid_argument"});
  Check(rows);
}

TEST_F(HttpHostile, JsonOfWrongTypes) {
  struct Field {
    const char* endpoint;
    const char* rest;  // what the request has beside the field
    const char* name;
    std::vector<const char*> wrong;
  };
  const std::vector<const char*> no_text = {"1", "true", "[]", "{}", "[\"a\"]"};
  const std::vector<const char*> no_size = {
      "-1", "0.5", "1e3", "9223372036854775808", "1e400", "\"1\"", "true", "[]", "{}"};
  const std::vector<const char*> no_time = {"-1", "1e400", "\"1\"", "true", "[]", "{}", "1e300"};
  const std::vector<Field> fields = {
      {"/acquire", R"("object_id":"a","size":1)", "intent", {"\"steal\"", "\"\"", "1", "[]", "{}"}},
      {"/acquire", R"("intent":"create","size":1)", "object_id", no_text},
      {"/acquire", R"("intent":"create","object_id":"a")", "size", no_size},
      {"/acquire", R"("intent":"create","object_id":"a")", "blobs",
       {"1", "\"x\"", "{}", "[]", "[1]", "[{}]", "[{\"size\":-1}]", "[[]]", "[null]",
        "[{\"size\":9223372036854775807},{\"size\":9223372036854775807}]"}},
      {"/acquire", R"("intent":"create","object_id":"a","size":1)", "ttl_seconds", no_time},
      {"/acquire", R"("intent":"create","object_id":"a","size":1)", "object_ttl_seconds", no_time},
      {"/acquire", R"("intent":"create","object_id":"a","size":1)", "wait_seconds", no_time},
      {"/acquire", R"("intent":"create","object_id":"a","size":1)", "meta",
       {"1", "\"x\"", "[]", "true"}},
      {"/acquire", R"("intent":"create","object_id":"a","size":1)", "seq", {"{}", "[]", "true"}},
      {"/seal", R"("x":1)", "lease_id", no_text},
      {"/discard", R"("x":1)", "lease_id", no_text},
      {"/release", R"("x":1)", "lease_id", no_text},
      {"/renew", R"("ttl_seconds":1)", "lease_id", no_text},
      {"/renew", R"("lease_id":"0123456789abcdef0123456789abcdef")", "ttl_seconds", no_time},
      {"/relocate", R"("object_id":"precious")", "new_object_id", no_text},
      {"/batch", R"("x":1)", "requests", {"1", "\"x\"", "{}", "true"}},
  };
  std::vector<Row> rows;
  for (const Field& field : fields) {
    for (const char* wrong : field.wrong) {
      rows.push_back(
          {Post(field.endpoint, absl::StrCat("{", field.rest, ",\"", field.name, "\":", wrong, "}"))});
    }
  }
  Check(rows);
}

// ---- Ranges ----

TEST_F(HttpHostile, Ranges) {
  std::vector<Row> rows;
  const auto row = [&](const char* range, const char* outcome) {
    rows.push_back(
        {Get("/objects/precious/data", absl::StrCat("Range: ", range, "\r\n")), outcome});
  };
  // Beyond what there is.
  for (const char* range : {"bytes=10-", "bytes=10-10", "bytes=9223372036854775807-",
                            "bytes=18446744073709551615-", "bytes=18446744073709551616-",
                            "bytes=99999999999999999999999-99999999999999999999999", "bytes=-0",
                            "bytes=-00"}) {
    row(range, "416 invalid_argument");
  }
  // A part, as far as there is one.
  for (const char* range :
       {"bytes=0-0", "bytes=9-", "bytes=0-18446744073709551615", "bytes=0-18446744073709551616",
        "bytes=-18446744073709551615", "bytes=-99999999999999999999", "bytes=-1", "BYTES=0-1",
        "bytes= 0-1", "bytes=00000000000000000000000000000000-1"}) {
    row(range, "206 ok");
  }
  // No range that this node knows: there is only the whole.
  for (const char* range :
       {"", "bytes", "bytes=", "bytes=-", "bytes=--1", "bytes=1", "bytes=a-b", "bytes=0-a",
        "bytes=5-4", "bytes=18446744073709551615-0", "bytes=0x0-0x1", "bytes=-1-", "bytes=0--1",
        "bytes=+0-1", "bytes=0 - 1", "bytes=0-1-2", "bytes=0-1,2-3", "bytes=0-,0-,0-,0-", "bytes=,",
        "items=0-1", "=0-1", "bytes:0-1", "0-1", "bytes=../../etc/passwd-", "bytes=0-1;x",
        "bytes=0-\xff", "none"}) {
    row(range, "200 ok");
  }
  row(absl::StrCat("bytes=0-0", std::string(5000, ',')).c_str(), "200 ok");
  // Several headers; the other conditions with nonsense.
  for (const char* headers :
       {"Range: bytes=0-1\r\nIf-Range: x\r\n", "Range: bytes=0-1\r\nIf-Range: \"\r\n",
        "Range: bytes=0-1\r\nIf-Range: \"x\"\r\n", "If-None-Match: x\r\n", "If-None-Match: \"\r\n",
        "If-None-Match: W/\r\n", "If-None-Match: ,,,,\r\n", "If-None-Match: \"x\", \"\r\n"}) {
    rows.push_back({Get("/objects/precious/data", headers), "200 ok"});
  }
  for (const char* tag : {"x", "\"", "W/", "\"x", ",", "\"x\", \"y\"", "W/\"x\""}) {
    rows.push_back({Get("/objects/precious/data", absl::StrCat("If-Match: ", tag, "\r\n")),
                    "412 invalid_argument"});
  }
  Check(rows);
}

TEST_F(HttpHostile, ContentRanges) {
  const HttpReply created = AskHttp("POST /acquire",
                                    R"({"intent":"create","object_id":"a","size":10})");
  ASSERT_EQ(created.status, 200);
  const std::string lease = created.Json().Text("lease_id");
  const Figures creating = FiguresAlone();
  const std::string blob = absl::StrCat("PUT /leases/", lease, "/blobs/0");
  for (const char* range :
       {"bytes", "bytes ", "bytes=0-0/*", "bytes 0-0", "bytes 0/*", "bytes -/*", "bytes -0/*",
        "bytes 1-0/*", "bytes 0-0/", "bytes 0-0/x", "bytes 0-0/0", "bytes 5-5/5", "bytes */10",
        "bytes a-b/*", "bytes 0-1/*", "bytes -1-0/*", "bytes 0--0/*", "bytes 0-0/-1", "items 0-0/*",
        "bytes 18446744073709551615-18446744073709551615/*",
        "bytes 18446744073709551614-18446744073709551614/*",
        "bytes 18446744073709551616-18446744073709551616/*",
        "bytes 9223372036854775807-9223372036854775807/*", "bytes 0-18446744073709551615/*",
        "bytes 10-10/*", "bytes 0-0/*, 1-1/*", "bytes 0-0/../../etc/passwd"}) {
    const std::string request =
        HttpClient::Text(blob, "x", absl::StrCat("Content-Range: ", range, "\r\n"));
    EXPECT_EQ(OutcomesOf(request), kBad) << range;
  }
  for (const char* number : {"1", "252", "253", "999999999"}) {
    EXPECT_EQ(AskHttp(absl::StrCat("PUT /leases/", lease, "/blobs/", number), "x").Outcome(),
              "404 not_found");
  }
  EXPECT_EQ(AskHttp(blob, "more than fits").Outcome(), kBad);
  EXPECT_TRUE(Has(creating));
  // The lease is as good as before.
  EXPECT_EQ(AskHttp(blob, "0123456789").status, 200);
  EXPECT_EQ(AskHttp("POST /discard", absl::StrCat("{\"lease_id\":\"", lease, "\"}")).status, 200);
}

// ---- No sense at all ----

TEST_F(HttpHostile, GarbageEndsAConnectionAndNothingElse) {
  uint32_t x = 12345;
  const auto next = [&] { return (x = x * 1664525 + 1013904223) >> 24; };
  HttpClient other = ConnectHttp();
  for (int round = 0; round < 100; ++round) {
    std::string garbage(1 + next() * next(), '\0');
    for (char& c : garbage) c = static_cast<char>(next());
    if (round % 2 == 1) garbage = absl::StrCat("GET /objects/", garbage, " HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string outcomes = OutcomesOf(garbage);
    EXPECT_TRUE(outcomes == kClosed || outcomes[0] == '4' || outcomes[0] == '5') << outcomes;
    ASSERT_EQ(other.Ask("GET /objects/precious").status, 200);
  }
}

// A good request of which a byte is another, is missing or comes twice.
TEST_F(HttpHostile, RequestsWithAnErrorAreAnsweredOrClosed) {
  const std::string requests[] = {
      Get("/objects/precious/data", "Range: bytes=2-5\r\nIf-None-Match: \"a\"\r\n"),
      Post("/acquire", R"({"intent":"read","object_id":"precious","ttl_seconds":0.1})"),
      "PUT /objects/%61?meta=%7B%7D&object_ttl_seconds=1 HTTP/1.1\r\nHost: x\r\n"
      "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nT: v\r\n\r\n",
  };
  HttpClient other = ConnectHttp();
  for (const std::string& request : requests) {
    for (size_t at = 0; at < request.size(); ++at) {
      for (const std::string& instead :
           {std::string(), request.substr(at, 1) + request.substr(at, 1), Byte(0), Byte('\r'),
            Byte('\n'), Byte(' '), Byte(0xff), Byte(request[at] ^ 1)}) {
        const std::string wrong =
            absl::StrCat(request.substr(0, at), instead, request.substr(at + 1));
        EXPECT_FALSE(absl::StrContains(OutcomesOf(wrong), "500")) << absl::CHexEscape(wrong);
      }
    }
    EXPECT_EQ(other.Ask("GET /objects/precious/data").body, kPrecious);
  }
}

}  // namespace
}  // namespace packice
