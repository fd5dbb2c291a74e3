// What a node does beyond its peer, over both transports: a small extension in this process.
#include "packice/transport/node_extension.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "http_test.h"
#include "packice/client.h"
#include "packice/core/mutex.h"
#include "packice/transport/json_object.h"
#include "packice/transport/json_value.h"
#include "packice/transport/uds_server.h"
#include "raw_client.h"
#include "temporary_directory.h"

namespace packice {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Greets at once, or keeps who waits for a greeting waiting until it is cancelled.
class Greeter final : public NodeExtension {
 public:
  const std::vector<std::string>& Ops() const override { return ops_; }
  const std::vector<Route>& Routes() const override { return routes_; }

  void Call(ExtensionRequest request, OperationId operation,
            Done<absl::StatusOr<std::string>> done) override {
    if (request.op == "wait") {
      MutexLock lock(mutex_);
      waiting_[operation] = std::move(done);
      return;
    }
    const absl::StatusOr<JsonValue> asked = JsonValue::Parse(request.json);
    const std::string name((*asked)["name"].text());
    if (name.empty()) {
      return std::move(done)(MakeError(ErrorKind::kNotFound, "there is nobody to greet"));
    }
    std::move(done)(JsonObject().Text("greeting", absl::StrCat("Hello ", name)).ToText());
  }

  void Cancel(OperationId operation) override {
    Done<absl::StatusOr<std::string>> done;
    {
      MutexLock lock(mutex_);
      const auto it = waiting_.find(operation);
      if (it == waiting_.end()) return;
      done = std::move(it->second);
      waiting_.erase(it);
    }
    std::move(done)(MakeError(ErrorKind::kTimeout, "nobody came"));
  }

  std::string StatsJson() const override { return R"({"greeter":{"names":2}})"; }
  std::string MetricsText() const override { return "greeter_names 2\n"; }

  bool HasWaiting() const {
    MutexLock lock(mutex_);
    return !waiting_.empty();
  }

 private:
  const std::vector<std::string> ops_ = {"greet", "wait"};
  const std::vector<Route> routes_ = {{false, "/greetings", "greet", "name"},
                                      {true, "/greet", "greet"}};
  mutable Mutex mutex_;
  std::map<OperationId, Done<absl::StatusOr<std::string>>> waiting_ ABSL_GUARDED_BY(mutex_);
};

class NodeExtensionTest : public HttpTest {
 protected:
  NodeExtensionTest() {
    HttpServerOptions http;
    http.extension = &greeter_;
    StartServer(std::move(http));
    UdsServerOptions options;
    options.path = directory_ / "socket";
    options.extension = &greeter_;
    uds_ = *UdsServer::Start(*peer_, std::move(options));
  }

  // Declared first: it outlives the servers.
  Greeter greeter_;
  TemporaryDirectory directory_;
  std::unique_ptr<UdsServer> uds_;
  void TearDown() override { server_.reset(); }
};

TEST_F(NodeExtensionTest, TheClientCallsItOverBothTransports) {
  for (const std::string& target : {std::string(uds_->path()), server_->url()}) {
    ASSERT_OK_AND_ASSIGN(std::unique_ptr<Client> client, packice::Connect(target));
    EXPECT_EQ(*client->Call("greet", R"({"name":"Ada"})"), R"({"greeting":"Hello Ada"})");
    EXPECT_THAT(client->Call("greet"), HasKind(ErrorKind::kNotFound));
    EXPECT_FALSE(client->Call("unheard").ok());
    ASSERT_OK_AND_ASSIGN(const NodeStats stats, client->Stats());
    EXPECT_EQ(stats.more_json, R"({"greeter":{"names":2}})");
  }
}

TEST_F(NodeExtensionTest, HttpHasItsRoutes) {
  HttpClient client = Connect();
  EXPECT_EQ(client.Ask("GET /greetings/Ada%20L").body, "{\"greeting\":\"Hello Ada L\"}\n");
  EXPECT_EQ(client.Ask("POST /greet", R"({"name":"Bob"})").body, "{\"greeting\":\"Hello Bob\"}\n");
  EXPECT_EQ(client.Ask("POST /ops/greet", R"({"name":"Bob"})").status, 200);
  EXPECT_EQ(client.Ask("POST /greet").Outcome(), "404 not_found");
  EXPECT_EQ(client.Ask("POST /greet", "no JSON").Outcome(), "400 invalid_argument");
  EXPECT_EQ(client.Ask("GET /greet").Header("allow"), "POST");
  EXPECT_EQ(client.Ask("DELETE /greetings/Ada").status, 405);
  EXPECT_EQ(client.Ask("POST /ops/unheard", "{}").status, 404);
  EXPECT_THAT(client.Ask("GET /metrics").body, HasSubstr("\ngreeter_names 2\n"));
  EXPECT_THAT(client.Ask("GET /metrics").body,
              HasSubstr(R"(packice_operations_total{op="extension",result="ok"} 3)"));
}

TEST_F(NodeExtensionTest, TheTokenIsAskedForHereToo) {
  HttpServerOptions options;
  options.token = "secret";
  options.extension = &greeter_;
  StartServer(std::move(options));
  HttpClient client = Connect();
  EXPECT_EQ(client.Ask("GET /greetings/Ada").status, 401);
  EXPECT_EQ(client.Ask("GET /greetings/Ada", "", "Authorization: Bearer secret\r\n").status, 200);
}

TEST_F(NodeExtensionTest, OnlyAWaitWithASeqIsOvertaken) {
  RawClient client(uds_->path());
  ASSERT_TRUE(
      client.Send("{\"op\":\"wait\",\"wait_seconds\":60,\"seq\":1}\n"
                  "{\"op\":\"greet\",\"name\":\"Ada\",\"seq\":2}\n"));
  EXPECT_EQ(client.Receive().line, R"({"seq":2,"greeting":"Hello Ada"})");
  uds_->Drain(absl::Seconds(10));
  EXPECT_THAT(client.Receive().line, StartsWith(R"({"seq":1,"error":{"kind":"unavailable")"));
}

TEST_F(NodeExtensionTest, AClientThatGoesCancelsItsCall) {
  {
    RawClient client(uds_->path());
    ASSERT_TRUE(client.Send("{\"op\":\"wait\"}\n"));
    ASSERT_TRUE(Eventually([&] { return greeter_.HasWaiting(); }));
  }
  EXPECT_TRUE(Eventually([&] { return !greeter_.HasWaiting(); }));
  {
    HttpClient client = Connect();
    ASSERT_TRUE(client.Send(HttpClient::Text("POST /ops/wait", "{}")));
    ASSERT_TRUE(Eventually([&] { return greeter_.HasWaiting(); }));
  }
  EXPECT_TRUE(Eventually([&] { return !greeter_.HasWaiting(); }));
}

}  // namespace
}  // namespace packice
