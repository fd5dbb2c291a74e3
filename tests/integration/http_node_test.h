// The fixture of tests that treat a node badly over HTTP: it runs in its own process, and the
// watcher, who asks over its Unix socket, makes sure that nothing is left of what was done to it.
#pragma once

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "http_client.h"
#include "node_test.h"

namespace packice {

inline constexpr size_t kLarge = 64 << 20;

inline std::string PutHead(absl::string_view id, absl::string_view headers) {
  return absl::StrCat("PUT /objects/", id, " HTTP/1.1\r\nHost: x\r\n", headers, "\r\n");
}

class HttpNodeTest : public NodeTest {
 protected:
  void StartHttpNode(NodeFlags flags = {}) {
    flags.http = true;
    StartNode(std::move(flags));
    ASSERT_NE(node().http_port(), 0);
    // Each of its threads makes its timer and what else it needs when it first runs.
    {
      HttpClient one = ConnectHttp();
      HttpClient two = ConnectHttp();
      EXPECT_TRUE(
          Eventually([&] { return FiguresOf(watcher()).connections == before().connections + 2; }));
    }
    before_ = FiguresAlone();
  }

  // With an object that is larger than all that the kernel keeps of it on the way.
  void StartWithLargeObject(NodeFlags flags = {}) {
    StartHttpNode(std::move(flags));
    ASSERT_EQ(AskHttp("PUT /objects/large", std::string(kLarge, 'x')).status, 201);
    with_object_ = FiguresAlone();
  }

  HttpClient ConnectHttp() { return HttpClient(node().http_port()); }

  // What a new client gets; also a sign that the node serves others.
  HttpReply AskHttp(absl::string_view what, absl::string_view body = "") {
    return ConnectHttp().Ask(what, body);
  }

  // Of all the answers to these bytes, when no more follow: "200 ok, 400 invalid_argument";
  // "closed" when there is none. `one_by_one`: so that the node sees them in many pieces.
  std::string OutcomesOf(absl::string_view bytes, bool one_by_one = false) {
    HttpClient client = ConnectHttp();
    if (one_by_one) {
      for (size_t i = 0; i < bytes.size() && client.Send(bytes.substr(i, 1)); ++i) {
      }
    } else {
      client.Send(bytes);  // the answer may come before the end of it
    }
    client.FinishSending();
    std::string outcomes;
    const bool to_head = absl::StartsWith(bytes, "HEAD ");
    for (HttpReply reply = client.Receive(to_head); reply.status != 0;
         reply = client.Receive(to_head)) {
      absl::StrAppend(&outcomes, outcomes.empty() ? "" : ", ", reply.Outcome());
    }
    return outcomes.empty() ? "closed" : outcomes;
  }

  Figures with_object_;
};

}  // namespace packice
