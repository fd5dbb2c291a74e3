// HTTP clients that go away, at whatever stage: nothing is left of what they had begun.
#include <sys/socket.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "http_node_test.h"

namespace packice {
namespace {

class HttpFaults : public HttpNodeTest {};

// What a client does before it goes.
struct Stage {
  const char* what;
  std::function<void(HttpClient&)> deed;
};

std::function<void(HttpClient&)> Sends(std::string bytes) {
  return [bytes = std::move(bytes)](HttpClient& client) { client.Send(bytes); };
}
std::function<void(HttpClient&)> SendsAndReads(std::string bytes, size_t size) {
  return [bytes = std::move(bytes), size](HttpClient& client) {
    client.Send(bytes);
    std::string got(size, '\0');
    EXPECT_EQ(recv(client.socket(), got.data(), got.size(), MSG_WAITALL),
              static_cast<ssize_t>(size));
  };
}

std::vector<Stage> Stages() {
  const std::string megabyte(1 << 20, 'y');
  const std::string sized = PutHead("a", "Content-Length: 10000000\r\n");
  const std::string chunked = PutHead("a", "Transfer-Encoding: chunked\r\n");
  const std::string waits = PutHead("a", "Expect: 100-continue\r\nContent-Length: 1000\r\n");
  const std::string get = HttpClient::Text("GET /objects/large/data");
  const size_t go_on = std::string("HTTP/1.1 100 Continue\r\n\r\n").size();
  return {
      {"nothing", Sends("")},
      {"half a request line", Sends("PUT /obj")},
      {"half a head", Sends("PUT /objects/a HTTP/1.1\r\nHost: x\r\nConte")},
      {"the head of a PUT", Sends(sized)},
      {"a byte of a body", Sends(sized + "y")},
      {"some of a body", Sends(sized + megabyte)},
      {"all but a byte of a body", Sends(PutHead("a", "Content-Length: 1048577\r\n") + megabyte)},
      {"a chunked head", Sends(chunked)},
      {"half the size of a chunk", Sends(chunked + "10")},
      {"half a chunk", Sends(chunked + "200000\r\n" + megabyte)},
      {"a chunk", Sends(chunked + "100000\r\n" + megabyte + "\r\n")},
      {"all but the end of the last chunk", Sends(chunked + "1\r\ny\r\n0\r\n")},
      {"all but the end of a trailer", Sends(chunked + "1\r\ny\r\n0\r\nA: b\r\n")},
      {"a head that waits for its turn", Sends(waits)},
      {"a head that has had its turn", SendsAndReads(waits, go_on)},
      {"half a body after its turn",
       [=](HttpClient& client) {
         SendsAndReads(waits, go_on)(client);
         client.Send(std::string(500, 'y'));
       }},
      {"a refused body",
       Sends(absl::StrCat(
           "PUT /objects/large HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n",
           megabyte))},
      {"a GET whose answer is not read", Sends(get)},
      {"a GET of which a part is read", SendsAndReads(get, 5 << 20)},
      {"many GETs whose answers are not read", Sends(absl::StrCat(get, get, get, get, get, get))},
      {"a GET of a part",
       Sends(HttpClient::Text("GET /objects/large/data", "", "Range: bytes=1000000-60000000\r\n"))},
      {"half a POST",
       Sends("POST /acquire HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"intent\":")},
      {"the head of a chunked POST",
       Sends("POST /acquire HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"i")},
      {"a POST whose answer is not read",
       Sends(HttpClient::Text("POST /acquire",
                              R"({"intent":"read","object_id":"large","ttl_seconds":0.05})"))},
      {"a create whose answer is not read",
       Sends(HttpClient::Text("POST /acquire",
                              R"({"intent":"create","object_id":"a","ttl_seconds":0.05})"))},
      {"many questions",
       [](HttpClient& client) {
         std::string questions;
         for (int i = 0; i < 1000; ++i) questions += HttpClient::Text("GET /stats");
         client.Send(questions);
       }},
  };
}

// Each way of going: a close, a reset, and half a close, after which the node finds for itself that
// no more can come.
TEST_F(HttpFaults, OfAClientThatGoesNothingIsLeftAtWhateverStage) {
  StartWithLargeObject();
  const auto do_and_be_seen = [&](const Stage& stage, HttpClient& client) {
    stage.deed(client);
    EXPECT_TRUE(Eventually(
        [&] { return FiguresOf(watcher()).connections == with_object_.connections + 1; }));
  };
  for (const Stage& stage : Stages()) {
    SCOPED_TRACE(stage.what);
    {
      HttpClient closing = ConnectHttp();
      do_and_be_seen(stage, closing);
    }
    ASSERT_TRUE(Has(with_object_));
    HttpClient resetting = ConnectHttp();
    do_and_be_seen(stage, resetting);
    resetting.Reset();
    ASSERT_TRUE(Has(with_object_));
    HttpClient half = ConnectHttp();
    do_and_be_seen(stage, half);
    half.FinishSending();
    char bytes[65536];
    while (recv(half.socket(), bytes, sizeof(bytes), 0) > 0) {
    }
    half.Close();
    ASSERT_TRUE(Has(with_object_));
    EXPECT_EQ(AskHttp("GET /objects/a").Outcome(), "404 not_found");
    EXPECT_EQ(AskHttp("GET /healthz").status, 200);
  }
}

TEST_F(HttpFaults, OfAClientKilledInTheMiddleOfAPutNothingIsLeftWithinASecond) {
  StartHttpNode();
  const uint16_t port = node().http_port();
  ChildProcess writer = ChildProcess::Fork([port] {
    static HttpClient* client = new HttpClient(port);
    client->Send(PutHead("a", absl::StrCat("Content-Length: ", kLarge, "\r\n")));
    client->Send(std::string(kLarge / 2, 'x'));
  });
  ASSERT_EQ(writer.ReadLine(), "ready");
  EXPECT_EQ(FiguresOf(watcher()).creating, 1);
  EXPECT_EQ(AskHttp("GET /objects/a/data").Outcome(), "409 not_sealed");
  EXPECT_EQ(AskHttp("PUT /objects/a", "x").Outcome(), "423 busy");
  writer.Kill();
  EXPECT_TRUE(IsAsBefore(kAtOnce));
  EXPECT_EQ(AskHttp("PUT /objects/a", "the id is free").status, 201);
}

TEST_F(HttpFaults, APutToALeaseCanBeMadeAnewAfterItBroke) {
  StartHttpNode();
  const HttpReply created = AskHttp(
      "POST /acquire", R"({"intent":"create","object_id":"a","size":1000000,"ttl_seconds":600})");
  const std::string lease = created.Json().Text("lease_id");
  const Figures creating = FiguresAlone();
  const std::string what = absl::StrCat("PUT /leases/", lease, "/blobs/0");
  const std::string request = HttpClient::Text(what, std::string(1000000, 'x'));
  for (const size_t sent :
       {size_t{0}, size_t{10}, size_t{100}, size_t{1000}, size_t{900000}, request.size() - 1}) {
    HttpClient client = ConnectHttp();
    client.Send(absl::string_view(request).substr(0, sent));
    client.Reset();
    EXPECT_TRUE(Has(creating)) << sent;
  }
  // The node may not have seen the last one yet.
  EXPECT_TRUE(Eventually([&] { return AskHttp(what, std::string(1000000, 'y')).status == 200; }));
  EXPECT_EQ(AskHttp("POST /seal", absl::StrCat(R"({"lease_id":")", lease, "\"}")).status, 200);
  EXPECT_EQ(AskHttp("GET /objects/a/data").body, std::string(1000000, 'y'));
  EXPECT_EQ(AskHttp("POST /release", absl::StrCat(R"({"lease_id":")", lease, "\"}")).status, 200);
}

TEST_F(HttpFaults, AClientThatIsGoneWaitsForNothing) {
  StartHttpNode();
  const std::string lease =
      AskHttp("POST /acquire", R"({"intent":"create","object_id":"a","size":1,"ttl_seconds":600})")
          .Json()
          .Text("lease_id");
  const Figures creating = FiguresAlone();
  const std::string waits = HttpClient::Text(
      "POST /acquire", R"({"intent":"read","object_id":"a","wait_seconds":600,"ttl_seconds":600})");
  const std::string batch = HttpClient::Text(
      "POST /batch",
      absl::StrCat(R"({"requests":[{"op":"acquire","intent":"read","object_id":"a",)",
                   R"("wait_seconds":600,"ttl_seconds":600}]})"));
  for (const std::string& request : {waits, batch}) {
    for (const char* way : {"close", "reset", "killed"}) {
      SCOPED_TRACE(way);
      if (way == absl::string_view("killed")) {
        const uint16_t port = node().http_port();
        ChildProcess reader = ChildProcess::Fork([port, request] {
          static HttpClient* client = new HttpClient(port);
          client->Send(request);
        });
        ASSERT_EQ(reader.ReadLine(), "ready");
        ASSERT_TRUE(Eventually([&] { return FiguresOf(watcher()).waiting == 1; }));
        reader.Kill();
      } else {
        HttpClient reader = ConnectHttp();
        reader.Send(request);
        ASSERT_TRUE(Eventually([&] { return FiguresOf(watcher()).waiting == 1; }));
        if (way == absl::string_view("reset")) reader.Reset();
      }
      EXPECT_TRUE(Has(creating));
    }
  }
  AskHttp("POST /seal", absl::StrCat(R"({"lease_id":")", lease, "\"}"));
  AskHttp("POST /release", absl::StrCat(R"({"lease_id":")", lease, "\"}"));
  EXPECT_EQ(FiguresAlone().reads, 0);
}

TEST_F(HttpFaults, WhoHasSentAllOfARequestMayCloseHalfAndGetsTheAnswer) {
  StartWithLargeObject();
  const auto answer = [&](const std::string& request) {
    HttpClient client = ConnectHttp();
    client.Send(request);
    client.FinishSending();
    const HttpReply reply = client.Receive();
    EXPECT_TRUE(client.AtEnd());
    return reply;
  };
  EXPECT_EQ(answer(HttpClient::Text("GET /stats")).status, 200);
  EXPECT_EQ(answer(HttpClient::Text("PUT /objects/a", std::string(1 << 20, 'y'))).status, 201);
  EXPECT_EQ(answer(HttpClient::Text("GET /objects/large/data")).body.size(), kLarge);
  EXPECT_EQ(
      answer(HttpClient::Text("POST /acquire", R"({"intent":"read","object_id":"x"})")).status,
      404);
}

}  // namespace
}  // namespace packice
