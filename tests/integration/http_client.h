// A client that speaks HTTP by hand: sends bytes, reads responses. It knows no more than RFC 9112
// says, so that what it sees is what any client sees.
//
// Thread-compatible. Calls block, at most kPatience; a test that would have to wait longer fails,
// and gets a response of status 0.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "packice/core/unique_fd.h"
#include "raw_client.h"

namespace packice {

struct HttpReply {
  int status = 0;                              // 0: the connection ended instead
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string Header(const std::string& name) const {
    const auto it = headers.find(name);
    return it == headers.end() ? "" : it->second;
  }
  // The body as an answer of the protocol.
  Response Json() const {
    Response response;
    response.line = body;
    return response;
  }
  // "404 not_found", "200 ok".
  std::string Outcome() const;
};

class HttpClient {
 public:
  // Connects to loopback. The test fails when nobody listens.
  explicit HttpClient(uint16_t port);

  // Exactly these bytes. False when the server does not take them.
  bool Send(absl::string_view bytes);
  // The next response. `to_head`: it answers a HEAD, and has no body.
  HttpReply Receive(bool to_head = false);

  // A request with a Host, these further header lines and this body, and its response. The method
  // and target as in "GET /stats".
  HttpReply Ask(absl::string_view what, absl::string_view body = "",
                absl::string_view headers = "");
  // The text of such a request.
  static std::string Text(absl::string_view what, absl::string_view body = "",
                          absl::string_view headers = "");

  // True once the server has closed; what it sends before that is dropped.
  bool AtEnd();
  // Whether anything has come that was not received yet; waits for it for a moment.
  bool HasBytes();
  void FinishSending();
  void Close() { socket_.Reset(); }
  // Closes so that the server sees a reset.
  void Reset();
  int socket() const { return socket_.get(); }

 private:
  bool ReadMore();

  UniqueFd socket_;
  std::string input_;
};

}  // namespace packice
