// Every endpoint of HTTP, and what it answers: docs/protocol.md.
#include "absl/strings/str_cat.h"
#include "http_test.h"

namespace packice {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class HttpEndpoints : public HttpTest {
 protected:
  HttpEndpoints() { StartServer({.version = "1.2.3"}); }

  std::string Acquire(HttpClient& client, absl::string_view body) {
    const HttpReply reply = client.Ask("POST /acquire", body);
    EXPECT_EQ(reply.Outcome(), "200 ok") << reply.body;
    return reply.Json().Text("lease_id");
  }
  static std::string Lease(absl::string_view id) {
    return absl::StrCat(R"({"lease_id":")", id, "\"}");
  }
};

TEST_F(HttpEndpoints, ALeaseFromItsCreationToItsEnd) {
  HttpClient client = Connect();
  const HttpReply created =
      client.Ask("POST /acquire", R"({"intent":"create","object_id":"a","size":5})");
  EXPECT_EQ(created.status, 200);
  EXPECT_EQ(created.Header("content-type"), "application/json");
  EXPECT_EQ(created.Json().Number("ttl_seconds"), 60);
  const std::string id = created.Json().Text("lease_id");
  EXPECT_EQ(created.Json().Text("url"), absl::StrCat("/leases/", id, "/blobs/0"));
  const std::string blob = absl::StrCat("/leases/", id, "/blobs/0");
  EXPECT_EQ(client.Ask("PUT " + blob, "hello").body, "{\"status\":\"written\",\"size\":5}\n");
  EXPECT_EQ(
      client.Ask("POST /seal", absl::StrCat(R"({"lease_id":")", id, R"(","meta":{"k":1}})")).body,
      "{\"status\":\"sealed\",\"object_id\":\"a\",\"size\":5}\n");
  EXPECT_EQ(client.Ask("GET " + blob).body, "hello");
  EXPECT_EQ(
      client.Ask("POST /renew", absl::StrCat(R"({"ttl_seconds":5,"lease_id":")", id, "\"}")).body,
      "{\"status\":\"renewed\",\"ttl_seconds\":5}\n");
  EXPECT_EQ(client.Ask("POST /release", Lease(id)).body, "{\"status\":\"released\"}\n");
  EXPECT_EQ(client.Ask("GET " + blob).Outcome(), "410 lease_expired");
  const std::string writer = Acquire(client, R"({"intent":"write","object_id":"a"})");
  EXPECT_EQ(client.Ask("POST /discard", Lease(writer)).body, "{\"status\":\"discarded\"}\n");
  EXPECT_EQ(client.Ask("GET /objects/a").Outcome(), "404 not_found");
  EXPECT_TRUE(NothingIsLeft());
}

// A lease is a capability: it works on any connection, and over any transport.
TEST_F(HttpEndpoints, ALeaseWorksOnEveryConnection) {
  HttpClient one = Connect();
  const std::string id = Acquire(one, R"({"intent":"create","object_id":"a","size":1})");
  one.Close();
  HttpClient other = Connect();
  EXPECT_EQ(other.Ask(absl::StrCat("PUT /leases/", id, "/blobs/0"), "x").status, 200);
  EXPECT_EQ(other.Ask("POST /seal", Lease(id)).status, 200);
  EXPECT_THAT(
      blocking::Release(*peer_, {*LeaseId::Parse(id), SessionId::kNone, OperationId::kNone}),
      IsOk());
}

TEST_F(HttpEndpoints, Relocate) {
  HttpClient client = Connect();
  ASSERT_EQ(client.Ask("PUT /objects/old", "bytes").status, 201);
  const std::string id = Acquire(client, R"({"intent":"write","object_id":"old"})");
  const HttpReply moved =
      client.Ask("POST /relocate", absl::StrCat(R"({"object_id":"new","lease_id":")", id, "\"}"));
  EXPECT_EQ(moved.body, "{\"status\":\"relocated\",\"object_id\":\"new\"}\n");
  EXPECT_EQ(client.Ask("GET /objects/new/data").body, "bytes");
  EXPECT_EQ(client.Ask("GET /objects/old").Outcome(), "404 not_found");
}

TEST_F(HttpEndpoints, Batch) {
  HttpClient client = Connect();
  const HttpReply reply = client.Ask(
      "POST /batch", R"({"requests":[{"op":"acquire","intent":"create","object_id":"a"},)"
                     R"({"op":"stat","object_id":"b","seq":7}]})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body, HasSubstr(R"("ttl_seconds":60)"));
  EXPECT_THAT(reply.body, HasSubstr(R"({"seq":7,"error":{"kind":"not_found")"));
}

TEST_F(HttpEndpoints, QuestionsWithoutABody) {
  HttpClient client = Connect();
  for (const char* id : {"b/1", "a/1", "a/2", "a/3"}) {
    ASSERT_EQ(client.Ask(absl::StrCat("PUT /objects/", id), "xyz").status, 201);
  }
  EXPECT_THAT(client.Ask("GET /version").body, StartsWith(R"({"packice":"1.2.3","protocol":2)"));
  const HttpReply stat = client.Ask("GET /objects/a/1");
  EXPECT_THAT(stat.body, StartsWith(R"({"object_id":"a/1","state":"SEALED","size":3)"));
  const HttpReply page = client.Ask("GET /objects?prefix=a%2f&limit=2");
  EXPECT_EQ(page.Json().Texts("object_id"), (std::vector<std::string>{"a/1", "a/2"}));
  EXPECT_EQ(page.Json().Text("next"), "a/2");
  const HttpReply rest = client.Ask("GET /objects?after=a/2&prefix=");
  EXPECT_EQ(rest.Json().Texts("object_id"), (std::vector<std::string>{"a/3", "b/1"}));
  EXPECT_EQ(client.Ask("GET /stats").Json().Number("objects"), 4);
  EXPECT_EQ(client.Ask("GET /stats").Json().Number("connections"), 1);
  EXPECT_EQ(client.Ask("GET /healthz").body, "{\"status\":\"ok\"}\n");
  EXPECT_THAT(client.Ask("GET /openapi.json").body, HasSubstr("\"openapi\""));
  EXPECT_EQ(client.Ask("HEAD /stats").status, 200);
}

TEST_F(HttpEndpoints, MetricsCountWhatWasDone) {
  HttpClient client = Connect();
  client.Ask("PUT /objects/a", "xyz");
  client.Ask("GET /objects/a/data");
  client.Ask("GET /objects/b/data");
  client.Ask("POST /acquire", R"({"intent":"read","object_id":"b"})");
  const HttpReply reply = client.Ask("GET /metrics");
  EXPECT_THAT(reply.Header("content-type"), StartsWith("text/plain; version=0.0.4"));
  for (const char* line :
       {"\npackice_operations_total{op=\"put_object\",result=\"ok\"} 1\n",
        "\npackice_operations_total{op=\"get_object\",result=\"ok\"} 1\n",
        "\npackice_operations_total{op=\"get_object\",result=\"not_found\"} 1\n",
        "\npackice_operations_total{op=\"acquire\",result=\"not_found\"} 1\n",
        "\npackice_operation_seconds_count{op=\"acquire\"} 1\n", "packice_objects 1\n",
        "\npackice_hits_total 1\n", "\npackice_misses_total 2\n", "\npackice_bytes 3\n",
        "\npackice_leases{access=\"read\"} 0\n", "\npackice_connections{transport=\"http\"} 1\n"}) {
    EXPECT_THAT(reply.body, HasSubstr(line));
  }
}

// Ids are any UTF-8: a slash may be escaped or not, dots are no directories.
TEST_F(HttpEndpoints, IdsArePercentEncoded) {
  HttpClient client = Connect();
  const std::pair<const char*, const char*> ids[] = {
      {"models/a", "models/a"},
      {"models%2Fb", "models/b"},
      {"../../etc/passwd", "../../etc/passwd"},
      {"%2e%2e", ".."},
      {"a%20b+c", "a b+c"},
      {"x%2Fdata", "x/data"},
      {"data", "data"},
      {"%C3%BC", "\xc3\xbc"},
      {"//a//", "//a//"},
  };
  for (const auto& [path, id] : ids) {
    EXPECT_EQ(client.Ask(absl::StrCat("PUT /objects/", path), "v").status, 201) << path;
    EXPECT_THAT(blocking::Stat(*peer_, *ObjectId::Parse(id)), IsOk()) << path;
    EXPECT_EQ(client.Ask(absl::StrCat("GET /objects/", path, "/data")).body, "v") << path;
  }
  EXPECT_EQ(client.Ask("GET /objects/").Outcome(), "400 invalid_argument");
  EXPECT_EQ(client.Ask("GET /objects/%4").Outcome(), "400 invalid_argument");
  EXPECT_EQ(client.Ask("GET /objects/%zz").Outcome(), "400 invalid_argument");
  EXPECT_EQ(client.Ask("GET /objects/" + std::string(256, 'a')).Outcome(), "400 invalid_argument");
}

TEST_F(HttpEndpoints, PutSaysWhereTheObjectIs) {
  HttpClient client = Connect();
  const HttpReply put = client.Ask("PUT /objects/a%20b/data?x", "v");
  EXPECT_EQ(put.Outcome(), "405 invalid_argument");
  EXPECT_EQ(put.Header("allow"), "GET, HEAD");
  const HttpReply other = client.Ask("PUT /objects/a%20b%2Fdata", "v");
  EXPECT_EQ(other.status, 201);
  EXPECT_EQ(other.Header("location"), "/objects/a%20b%2Fdata");
}

TEST_F(HttpEndpoints, PutTakesMetadataAndALifetime) {
  HttpClient client = Connect();
  EXPECT_EQ(client.Ask("PUT /objects/a?object_ttl_seconds=100&meta=%7B%22k%22:1%7D", "v").status,
            201);
  const HttpReply a = client.Ask("GET /objects/a");
  EXPECT_THAT(a.body, HasSubstr(R"("meta":{"k":1})"));
  EXPECT_THAT(a.body, Not(HasSubstr(R"("expires_at":null)")));
  EXPECT_EQ(client.Ask("PUT /objects/b", "v", "Packice-Meta: {\"k\": 2}\r\n").status, 201);
  EXPECT_THAT(client.Ask("GET /objects/b").body, HasSubstr(R"("meta":{"k":2})"));
  EXPECT_EQ(client.Ask("PUT /objects/c?meta=1", "v").Outcome(), "400 invalid_argument");
  EXPECT_EQ(client.Ask("PUT /objects/c?object_ttl_seconds=x", "v").Outcome(),
            "400 invalid_argument");
  EXPECT_EQ(client.Ask("PUT /objects/c?object_ttl_seconds=0", "v").Outcome(),
            "400 invalid_argument");
  EXPECT_EQ(Stats().objects, 2u);
}

TEST_F(HttpEndpoints, Delete) {
  HttpClient client = Connect();
  client.Ask("PUT /objects/a", "v");
  EXPECT_EQ(client.Ask("DELETE /objects/a").body, "{\"status\":\"discarded\"}\n");
  EXPECT_EQ(client.Ask("DELETE /objects/a").Outcome(), "404 not_found");
  Acquire(client, R"({"intent":"create","object_id":"b"})");
  EXPECT_EQ(client.Ask("DELETE /objects/b").Outcome(), "423 busy");
}

TEST_F(HttpEndpoints, FailuresHaveTheirStatus) {
  HttpClient client = Connect();
  client.Ask("PUT /objects/sealed", "v");
  const std::string reader = Acquire(client, R"({"intent":"read","object_id":"sealed"})");
  const std::string creator = Acquire(client, R"({"intent":"create","object_id":"new"})");
  const std::string blobs = absl::StrCat("/leases/", creator, "/blobs/");
  const std::tuple<std::string, std::string, const char*> rows[] = {
      {"POST /acquire", R"({"intent":"read","object_id":"x"})", "404 not_found"},
      {"POST /acquire", R"({"intent":"read","object_id":"new"})", "409 not_sealed"},
      {"POST /acquire", R"({"intent":"create","object_id":"sealed"})", "409 already_exists"},
      {"POST /acquire", R"({"intent":"create","object_id":"new"})", "423 busy"},
      {"POST /acquire", R"({"intent":"create","object_id":"new","wait_seconds":0.01})",
       "504 timeout"},
      {"POST /acquire", R"({"intent":"fly"})", "400 invalid_argument"},
      {"POST /acquire", "", "400 invalid_argument"},
      {"POST /acquire", "{", "400 invalid_argument"},
      {"POST /seal", Lease(reader), "403 permission_denied"},
      {"POST /seal", Lease("x"), "410 lease_expired"},
      {"POST /discard", Lease(reader), "403 permission_denied"},
      {"PUT /objects/sealed", "v", "409 already_exists"},
      {"PUT /objects/new", "v", "423 busy"},
      {"GET /objects/new/data", "", "409 not_sealed"},
      {"GET /objects/x/data", "", "404 not_found"},
      {"GET /leases/x/blobs/0", "", "410 lease_expired"},
      {"GET " + blobs + "1", "", "404 not_found"},
      {"PUT " + blobs + "1", "v", "404 not_found"},
      {"GET " + blobs + "0/sums", "", "409 not_sealed"},
      {absl::StrCat("GET /leases/", reader, "/blobs/0/sums"), "", "501 unsupported"},
      {absl::StrCat("PUT /leases/", reader, "/blobs/0"), "v", "403 permission_denied"},
      {"GET " + blobs + "-1", "", "404 not_found"},
      {"GET /", "", "404 not_found"},
      {"GET /objectsx", "", "404 not_found"},
      {"GET /objects?limit=0", "", "400 invalid_argument"},
      {"GET /objects?limit=ten", "", "400 invalid_argument"},
      {"GET /acquire", "", "405 invalid_argument"},
      {"POST /objects/a", "v", "405 invalid_argument"},
      {"PATCH /objects/a", "v", "405 invalid_argument"},
      {"OPTIONS /stats", "", "405 invalid_argument"},
  };
  // All on one connection: none of them ends it.
  for (const auto& [what, body, outcome] : rows) {
    const HttpReply reply = client.Ask(what, body);
    EXPECT_EQ(reply.Outcome(), outcome) << what << " " << body << ": " << reply.body;
    EXPECT_EQ(reply.Header("content-type"), "application/json");
  }
  EXPECT_EQ(client.Ask("DELETE /stats").Header("allow"), "GET, HEAD");
}

TEST_F(HttpEndpoints, OlderClientsFindTheirNames) {
  HttpClient client = Connect();
  const HttpReply reply =
      client.Ask("POST /acquire",
                 R"({"objid":"o1","intent":"create","meta":{"prev_objid":null},"ttl_seconds":60})");
  EXPECT_EQ(reply.Json().Text("objid"), "o1");
}

TEST_F(HttpEndpoints, AWaitIsAnsweredWhenItIsOver) {
  HttpClient creator = Connect();
  const std::string id = Acquire(creator, R"({"intent":"create","object_id":"a"})");
  HttpClient reader = Connect();
  ASSERT_TRUE(reader.Send(
      HttpClient::Text("POST /acquire", R"({"intent":"read","object_id":"a","wait_seconds":60})")));
  ASSERT_TRUE(Eventually([&] { return Stats().waiting == 1; }));
  // Others are served meanwhile.
  EXPECT_EQ(creator.Ask("POST /seal", Lease(id)).status, 200);
  EXPECT_EQ(reader.Receive().Outcome(), "200 ok");
}

TEST_F(HttpEndpoints, AWaitEndsWithItsClient) {
  HttpClient creator = Connect();
  Acquire(creator, R"({"intent":"create","object_id":"a"})");
  for (const bool reset : {false, true}) {
    HttpClient reader = Connect();
    // Even if it has more to ask.
    ASSERT_TRUE(
        reader.Send(HttpClient::Text("POST /acquire",
                                     R"({"intent":"read","object_id":"a","wait_seconds":1000})") +
                    HttpClient::Text("GET /stats")));
    ASSERT_TRUE(Eventually([&] { return Stats().waiting == 1; }));
    reset ? reader.Reset() : reader.Close();
    EXPECT_TRUE(Eventually([&] { return Stats().waiting == 0; }));
  }
}

TEST_F(HttpEndpoints, DrainAnswersAndCloses) {
  HttpClient creator = Connect();
  Acquire(creator, R"({"intent":"create","object_id":"a"})");
  HttpClient waiting = Connect();
  ASSERT_TRUE(waiting.Send(HttpClient::Text(
      "POST /acquire", R"({"intent":"read","object_id":"a","wait_seconds":1000})")));
  ASSERT_TRUE(Eventually([&] { return Stats().waiting == 1; }));
  HttpClient idle = Connect();
  ASSERT_EQ(idle.Ask("GET /healthz").status, 200);
  server_->Drain(kPatience);
  const HttpReply reply = waiting.Receive();
  EXPECT_EQ(reply.Outcome(), "503 unavailable");
  EXPECT_EQ(reply.Header("connection"), "close");
  EXPECT_TRUE(waiting.AtEnd());
  EXPECT_TRUE(idle.AtEnd());
}

}  // namespace
}  // namespace packice
