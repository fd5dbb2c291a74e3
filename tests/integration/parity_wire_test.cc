// The same JSON, sent as a line over a Unix socket and as a body over HTTP: the same JSON comes
// back, but for what the transports must tell differently.
#include <regex>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "conversation.h"
#include "gmock/gmock.h"
#include "parity_node.h"
#include "raw_client.h"
#include "raw_http.h"

namespace packice {
namespace {

// One request over both. In a body, $W and $R stand for the last lease of an acquire to create or
// to write, and of one to read.
struct Asked {
  const char* op;
  const char* body;    // a JSON object
  const char* answer;  // "ok", or the kind of error
};

const Asked kAsked[] = {
    {"acquire", R"({"intent":"create","object_id":"o","size":5,"meta":{"k":[1]},"ttl_seconds":60})",
     "ok"},
    {"acquire", R"({"intent":"create","object_id":"o","size":5,"ttl_seconds":60})", "busy"},
    {"acquire", R"({"intent":"read","object_id":"o","ttl_seconds":60})", "not_sealed"},
    {"acquire", R"({"intent":"read","object_id":"o","ttl_seconds":60,"wait_seconds":0.01})",
     "timeout"},
    {"stat", R"({"object_id":"o"})", "ok"},
    {"renew", R"({"lease_id":"$W","ttl_seconds":30.5})", "ok"},
    {"seal", R"({"lease_id":"$W","meta":{"more":"ü"}})", "ok"},
    {"seal", R"({"lease_id":"$W"})", "already_exists"},
    {"acquire", R"({"objid":"o","intent":"read","ttl_seconds":60})", "ok"},
    {"seal", R"({"lease_id":"$R"})", "permission_denied"},
    {"discard", R"({"lease_id":"$R"})", "permission_denied"},
    {"relocate", R"({"lease_id":"$R","object_id":"p"})", "permission_denied"},
    {"release", R"({"lease_id":"$R"})", "ok"},
    {"release", R"({"lease_id":"$R"})", "ok"},
    {"renew", R"({"lease_id":"$R","ttl_seconds":1})", "lease_expired"},
    {"release", R"({"lease_id":"$W"})", "ok"},
    {"acquire", R"({"intent":"write","object_id":"o","ttl_seconds":60})", "ok"},
    {"relocate", R"({"lease_id":"$W","object_id":"p"})", "ok"},
    {"stat", R"({"object_id":"o"})", "not_found"},
    {"list", R"({"prefix":"p","limit":1})", "ok"},
    {"list", R"({})", "ok"},
    {"acquire", R"({"intent":"write","object_id":"p","ttl_seconds":60})", "ok"},
    {"discard", R"({"lease_id":"$W"})", "ok"},
    {"acquire", R"({"intent":"read","object_id":"p","ttl_seconds":60})", "not_found"},
    {"acquire", R"({"intent":"create","size":2097152,"ttl_seconds":60})", "capacity"},
    {"events", R"({})", "ok"},
    {"events", R"({"kinds":["sealed"],"limit":1})", "ok"},
    {"events", R"({"limit":0,"wait_seconds":60})", "ok"},
    // Bad requests, word for word.
    {"events", R"({"kinds":["bogus"]})", "invalid_argument"},
    {"events", R"({"after":99})", "invalid_argument"},
    {"events", R"({"limit":10001})", "invalid_argument"},
    {"acquire", R"({"intent":"borrow","ttl_seconds":60})", "invalid_argument"},
    {"acquire", R"({"object_id":"o","ttl_seconds":60})", "invalid_argument"},
    {"acquire", R"({"intent":"read","ttl_seconds":60})", "invalid_argument"},
    {"acquire", R"({"intent":"create","size":1.5,"ttl_seconds":60})", "invalid_argument"},
    {"acquire", R"({"intent":"create","size":-1,"ttl_seconds":60})", "invalid_argument"},
    {"acquire", R"({"intent":"create","ttl_seconds":0})", "invalid_argument"},
    {"acquire", R"({"intent":"create","ttl_seconds":60,"meta":[]})", "invalid_argument"},
    {"acquire", R"({"intent":"create","object_id":"","ttl_seconds":60})", "invalid_argument"},
    {"seal", R"({"lease_id":"short"})", "lease_expired"},
    {"seal", R"({})", "invalid_argument"},
    {"seal", R"({"lease_id":"00000000000000000000000000000001"})", "lease_expired"},
    {"renew", R"({"lease_id":"00000000000000000000000000000001"})", "invalid_argument"},
    {"relocate", R"({"lease_id":"00000000000000000000000000000001"})", "invalid_argument"},
    {"stat", R"({"object_id":7})", "invalid_argument"},
};

// Leases, times and handles are each transport's own; older names of handles go with them.
std::string Normal(std::string json) {
  const std::pair<const char*, const char*> rules[] = {
      {R"re("lease_id":"[0-9a-f]{32}")re", R"("lease_id":"L")"},
      {R"re("(created_at|sealed_at|expires_at|time)":"[^"]*")re", R"("$1":"T")"},
      {R"re("handles":\[[^\]]*\])re", R"("handles":H)"},
      {R"re("operation":[0-9]+)re", R"("operation":O)"},
      {R"re(lease [0-9a-f]{32} is)re", "lease L is"},
      {R"re(,"attachment_(fd|path)":("[^"]*"|[0-9]+))re", ""},
  };
  for (const auto& [pattern, replacement] : rules) {
    json = std::regex_replace(json, std::regex(pattern), replacement);
  }
  return json;
}

std::string KindIn(const std::string& json) {
  std::smatch found;
  const std::regex kind(R"re(^\{"error":\{"kind":"([a-z_]+)")re");
  return std::regex_search(json, found, kind) ? found[1].str() : "ok";
}

// The leases of one side.
struct Side {
  std::string written;
  std::string read;

  std::string Fill(const Asked& asked) const {
    return absl::StrReplaceAll(asked.body, {{"$W", written}, {"$R", read}});
  }
  void Note(const Asked& asked, const std::string& answer) {
    std::smatch found;
    const std::regex lease(R"re("lease_id":"([0-9a-f]{32})")re");
    if (absl::string_view(asked.op) != "acquire" || !std::regex_search(answer, found, lease))
      return;
    (absl::StrContains(asked.body, R"("read")") ? read : written) = found[1].str();
  }
};

std::string OverUds(RawClient& client, const Asked& asked, const std::string& body) {
  const std::string comma = body == "{}" ? "" : ",";
  return client.Ask(absl::StrCat("{\"op\":\"", asked.op, "\"", comma, body.substr(1))).line;
}

std::string Query(const std::string& body, const std::string& name) {
  std::smatch found;
  const std::regex field("\"" + name + "\":\"?([^\",}]*)");
  return std::regex_search(body, found, field) ? found[1].str() : "";
}

HttpAnswer OverHttp(uint16_t port, const Asked& asked, const std::string& body) {
  const absl::string_view op = asked.op;
  if (op == "stat") {
    return AskHttp(port, "GET", "/objects/" + Query(body, "object_id"));
  }
  if (op == "list") {
    const std::string limit = Query(body, "limit");
    return AskHttp(port, "GET",
                   absl::StrCat("/objects?prefix=", Query(body, "prefix"),
                                limit.empty() ? "" : "&limit=", limit));
  }
  return AskHttp(port, "POST", absl::StrCat("/", asked.op), body);
}

class ParityWireTest : public testing::TestWithParam<Medium> {};

INSTANTIATE_TEST_SUITE_P(Media, ParityWireTest, testing::Values(Medium::kMemory, Medium::kFiles),
                         [](const auto& parameters) { return NameOf(parameters.param); });

TEST_P(ParityWireTest, TheSameJsonComesBack) {
  ParityNode by_socket(GetParam());
  ParityNode by_http(GetParam());
  RawClient client(by_socket.front().socket());
  Side uds, http;
  for (const Asked& asked : kAsked) {
    SCOPED_TRACE(absl::StrCat(asked.op, " ", asked.body));
    const std::string line = OverUds(client, asked, uds.Fill(asked));
    uds.Note(asked, line);
    // A number where the id belongs cannot be said in a path.
    if (absl::StrContains(asked.body, "\"object_id\":7")) {
      EXPECT_EQ(KindIn(line), asked.answer);
      continue;
    }
    const HttpAnswer answer = OverHttp(by_http.front().port(), asked, http.Fill(asked));
    http.Note(asked, answer.body);
    std::string body = answer.body;
    while (!body.empty() && body.back() == '\n') body.pop_back();

    EXPECT_EQ(Normal(line), Normal(body));
    EXPECT_EQ(KindIn(line), asked.answer);
    const auto kind = ErrorKindFromName(KindIn(body));
    EXPECT_EQ(answer.status, kind.has_value() ? InfoOf(*kind).http_status : 200);
  }
}

TEST_P(ParityWireTest, HandlesAreWhatTheTransportCanCarry) {
  ParityNode node(GetParam());
  Conversation writer([&] { return node.front().Connect(Way::kDirect); });
  for (const char* line : {"A: w = create o 5", "A: put w hello", "A: seal w"}) writer.Say(line);
  RawClient client(node.front().socket());
  const std::string ask = R"({"intent":"read","object_id":"o","ttl_seconds":60})";
  const Response line = client.Ask(ask);
  const std::string body = AskHttp(node.front().port(), "POST", "/acquire", ask).body;
  EXPECT_TRUE(line.Has(R"("index":0)")) << "a client without the mount can read: " << line.line;
  if (GetParam() == Medium::kMemory) {
    EXPECT_TRUE(absl::StrContains(body, R"("kind":"http","url":"/leases/)")) << body;
    EXPECT_TRUE(line.Has(R"("kind":"fd")")) << line.line;
    EXPECT_TRUE(line.Has(R"("attachment_fd":0)")) << line.line;
  } else {
    EXPECT_TRUE(line.Has(R"("kind":"path")")) << line.line;
    EXPECT_TRUE(absl::StrContains(body, R"("kind":"path")")) << body;
    EXPECT_EQ(line.Text("attachment_path"), line.Text("path"));
    EXPECT_TRUE(absl::StrContains(
        body, absl::StrCat(R"("attachment_path":")", line.Text("attachment_path"), "\"")))
        << body;
  }
}

}  // namespace
}  // namespace packice
