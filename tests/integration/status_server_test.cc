// A program's metrics over HTTP, where it is no node.
#include "packice/transport/status_server.h"

#include <string>

#include "absl/strings/numbers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http_client.h"
#include "packice/core/testing/status_matchers.h"

namespace packice {
namespace {

class StatusServerTest : public testing::Test {
 protected:
  StatusServerTest() {
    server_ = *StatusServer::Start("127.0.0.1", 0,
                                   {{"/metrics", StatusServer::kMetricsType,
                                     [this] { return absl::StrCat("asked ", ++asked_, "\n"); }}});
    EXPECT_TRUE(absl::SimpleAtoi(server_->url().substr(server_->url().rfind(':') + 1), &port_));
  }
  HttpReply Ask(absl::string_view what) { return HttpClient(port_).Ask(what); }

  int asked_ = 0;
  int port_ = 0;
  std::unique_ptr<StatusServer> server_;
};

TEST_F(StatusServerTest, APageIsMadeForEachRequest) {
  EXPECT_EQ(Ask("GET /metrics").body, "asked 1\n");
  const HttpReply again = Ask("GET /metrics?x=1");
  EXPECT_EQ(again.body, "asked 2\n");
  EXPECT_EQ(again.Header("content-type"), StatusServer::kMetricsType);
  EXPECT_EQ(again.Header("connection"), "close");
  HttpClient head(port_);
  ASSERT_TRUE(head.Send(HttpClient::Text("HEAD /metrics")));
  EXPECT_EQ(head.Receive(/*to_head=*/true).Header("content-length"), "8");
}

TEST_F(StatusServerTest, ThereIsNothingElse) {
  EXPECT_EQ(Ask("GET /").Outcome(), "404 not_found");
  EXPECT_EQ(Ask("GET /metrics/..").Outcome(), "404 not_found");
  EXPECT_EQ(Ask("POST /metrics").Outcome(), "405 invalid_argument");
  HttpClient garbage(port_);
  ASSERT_TRUE(garbage.Send("\x16\x03\x01 no HTTP\r\n\r\n"));
  EXPECT_EQ(garbage.Receive().status, 400);
}

TEST_F(StatusServerTest, AnAddressServesOne) {
  EXPECT_THAT(StatusServer::Start("127.0.0.1", static_cast<uint16_t>(port_), {}),
              HasKind(ErrorKind::kBusy));
  EXPECT_THAT(StatusServer::Start("nowhere", 0, {}), HasKind(ErrorKind::kInvalidArgument));
}

}  // namespace
}  // namespace packice
