// Ids, parameters, JSON and ranges that are none, in requests that are HTTP; and no sense at all.
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "http_hostile.h"

namespace packice {
namespace {

// ---- Ids and parameters ----

TEST_F(HttpHostile, EscapesAndIdsThatAreNone) {
  const char* const kIds[] = {"%",     "a%",  "%2",  "%zz", "%2g",    "%g2",  "%%",
                              "%%32f", "%-1", "%+1", "%0x", "%u0041", "%C3%", "%.2"};
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
       {"limit=0", "limit=-1", "limit=10001", "limit=1.5", "limit=1e9999", "limit=x",
        "limit=", "limit=99999999999999999999", "limit=%00", "limit=1%201", "limit=[]",
        "limit=1&limit=0", "prefix=%", "after=%2", "%=1", "limit=--1", "limit=1e", "limit=."}) {
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
  for (const char* id : {"%80", "%ff", "%fe%ff", "%c3", "%c3%28", "%e2%82", "%e2%28%a1",
                         "%f0%9f%a7", "%c0%af", "%c0%ae%c0%ae%c0%af", "%e0%80%af", "%f0%80%80%af",
                         "%ed%a0%80", "%ed%bf%bf", "%f4%90%80%80", "%f8%88%80%80%80", "a%c3"}) {
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
      "{",
      "}",
      "acquire",
      "[]",
      "[{}]",
      "\"x\"",
      "1",
      "null",
      "true",
      "{}{}",
      "{},",
      "{'a':1}",
      "{\"a\":1,}",
      "{\"a\"}",
      "{a:1}",
      "{} // x",
      "   ",
      "\xef\xbb\xbf{}",
      "{\"a\":\"\xff\"}",
      "{\"a\":\"\\ud800\"}",
      "{\"a\":\"\\x\"}",
      "{\"a\":\"\x01\"}",
      "{\"a\":01}",
      "{\"a\":1.}",
      "{\"a\":.5}",
      "{\"a\":NaN}",
      "{\"a\":Infinity}",
      "{\"a\":0x1}",
      "{\"a\":\"",
      "{\"\\",
      std::string("{\0}", 3),
      std::string("{}\0", 3),
      std::string(100, '\0'),
      "<xml/>",
      "op=acquire&intent=create",
      "%7B%7D",
      std::string(500000, '['),
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
      {"/acquire",
       R"("intent":"create","object_id":"a")",
       "blobs",
       {"1", "\"x\"", "{}", "[]", "[1]", "[{}]", "[{\"size\":-1}]", "[[]]", "[null]",
        "[{\"size\":9223372036854775807},{\"size\":9223372036854775807}]"}},
      {"/acquire", R"("intent":"create","object_id":"a","size":1)", "ttl_seconds", no_time},
      {"/acquire", R"("intent":"create","object_id":"a","size":1)", "object_ttl_seconds", no_time},
      {"/acquire", R"("intent":"create","object_id":"a","size":1)", "wait_seconds", no_time},
      {"/acquire",
       R"("intent":"create","object_id":"a","size":1)",
       "meta",
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
      rows.push_back({Post(field.endpoint,
                           absl::StrCat("{", field.rest, ",\"", field.name, "\":", wrong, "}"))});
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
  for (const char* range :
       {"bytes=10-", "bytes=10-10", "bytes=9223372036854775807-", "bytes=18446744073709551615-",
        "bytes=18446744073709551616-", "bytes=99999999999999999999999-99999999999999999999999",
        "bytes=-0", "bytes=-00"}) {
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
  for (const char* range : {"",
                            "bytes",
                            "bytes=",
                            "bytes=-",
                            "bytes=--1",
                            "bytes=1",
                            "bytes=a-b",
                            "bytes=0-a",
                            "bytes=5-4",
                            "bytes=18446744073709551615-0",
                            "bytes=0x0-0x1",
                            "bytes=-1-",
                            "bytes=0--1",
                            "bytes=+0-1",
                            "bytes=0 - 1",
                            "bytes=0-1-2",
                            "bytes=0-1,2-3",
                            "bytes=0-,0-,0-,0-",
                            "bytes=,",
                            "items=0-1",
                            "=0-1",
                            "bytes:0-1",
                            "0-1",
                            "bytes=../../etc/passwd-",
                            "bytes=0-1;x",
                            "bytes=0-\xff",
                            "none"}) {
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
  const HttpReply created =
      AskHttp("POST /acquire", R"({"intent":"create","object_id":"a","size":10})");
  ASSERT_EQ(created.status, 200);
  const std::string lease = created.Json().Text("lease_id");
  const Figures creating = FiguresAlone();
  const std::string blob = absl::StrCat("PUT /leases/", lease, "/blobs/0");
  for (const char* range : {"bytes",
                            "bytes ",
                            "bytes=0-0/*",
                            "bytes 0-0",
                            "bytes 0/*",
                            "bytes -/*",
                            "bytes -0/*",
                            "bytes 1-0/*",
                            "bytes 0-0/",
                            "bytes 0-0/x",
                            "bytes 0-0/0",
                            "bytes 5-5/5",
                            "bytes */10",
                            "bytes a-b/*",
                            "bytes 0-1/*",
                            "bytes -1-0/*",
                            "bytes 0--0/*",
                            "bytes 0-0/-1",
                            "items 0-0/*",
                            "bytes 18446744073709551615-18446744073709551615/*",
                            "bytes 18446744073709551614-18446744073709551614/*",
                            "bytes 18446744073709551616-18446744073709551616/*",
                            "bytes 9223372036854775807-9223372036854775807/*",
                            "bytes 0-18446744073709551615/*",
                            "bytes 10-10/*",
                            "bytes 0-0/*, 1-1/*",
                            "bytes 0-0/../../etc/passwd"}) {
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
    if (round % 2 == 1)
      garbage = absl::StrCat("GET /objects/", garbage, " HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string outcomes = OutcomesOf(garbage);
    EXPECT_TRUE(outcomes == kClosed || outcomes[0] == '4' || outcomes[0] == '5') << outcomes;
    ASSERT_EQ(other.Ask("GET /objects/precious").status, 200);
  }
}

// A good request of which a byte is another, is missing or comes twice.
TEST_F(HttpHostile, RequestsWithAnErrorAreAnsweredOrClosed) {
  const std::string requests[] = {
      Get("/objects/precious/data", "Range: bytes=2-5\r\nIf-None-Match: \"a\"\r\n"),
      Post("/acquire", R"({"intent":"read","object_id":"missing","ttl_seconds":0.1})"),
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
