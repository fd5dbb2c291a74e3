// A client that speaks the control protocol by hand: sends bytes, receives lines and the
// descriptors that ride with them. It knows no more than the protocol says, so that what it sees is
// what any client in any language sees.
//
// Thread-compatible, and usable in a forked child. Calls block, at most kPatience; a test that
// would have to wait longer fails, and gets an empty Response.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "packice/core/unique_fd.h"

namespace packice {

// How long tests wait for another process to have had its turn, before they call it a failure.
inline constexpr absl::Duration kPatience = absl::Seconds(60);

// One response line. Fields are found by name, the first of that name at any depth.
struct Response {
  std::string line;  // without its newline; empty: there was none
  std::vector<UniqueFd> descriptors;

  bool Has(absl::string_view text) const { return absl::StrContains(line, text); }
  // The kind of a failure; "ok" of anything else; "" where there was no response.
  std::string Kind() const;
  // A field's value as JSON text; empty when there is no such field.
  std::string Json(absl::string_view field) const;
  // The value of a string field without escapes, without its quotes.
  std::string Text(absl::string_view field) const;
  int64_t Number(absl::string_view field) const;
  // The values of all string fields of that name, escapes and all.
  std::vector<std::string> Texts(absl::string_view field) const;
};

class RawClient {
 public:
  // Connects. The test fails when nobody listens.
  explicit RawClient(const std::string& path);
  RawClient(RawClient&&) = default;
  RawClient& operator=(RawClient&&) = default;

  // Nothing where nobody listens or the backlog is full.
  static absl::optional<RawClient> TryConnect(const std::string& path);

  // Exactly these bytes. False when the server does not take them.
  bool Send(absl::string_view bytes);
  // The next response line, with its descriptors.
  Response Receive();
  std::vector<Response> Receive(size_t count);
  // A line and its response.
  Response Ask(absl::string_view line);

  // Whether the server has sent something that was not received yet; waits for it for a moment.
  bool HasResponse();
  // True once the server has closed; what it sends before that is dropped.
  bool AtEnd();

  // Shuts down the sending side, as `echo ... | socat` does.
  void FinishSending();
  void Close() { socket_.Reset(); }
  int socket() const { return socket_.get(); }

 private:
  RawClient() = default;
  bool WaitReadable(absl::Duration patience) const;
  // False at the end of the stream.
  bool ReadMore();

  UniqueFd socket_;
  std::string input_;
  std::deque<UniqueFd> received_;
};

// Requests, as lines without a newline.
std::string CreateLine(absl::string_view id, uint64_t size);
std::string ReadLine(absl::string_view id);
std::string LeaseLine(absl::string_view op, absl::string_view lease_id);
std::string BatchLine(const std::vector<std::string>& requests);

// Takes away every sealed object there is.
void RemoveAll(RawClient& client);

// Creates an object with these bytes and seals it. Answers the lease's id; empty on failure, which
// fails the test. Put also releases it.
std::string PutAndHold(RawClient& client, absl::string_view id, absl::string_view bytes);
void Put(RawClient& client, absl::string_view id, absl::string_view bytes);

}  // namespace packice
