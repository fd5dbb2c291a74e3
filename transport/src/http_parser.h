// Reads requests off a stream of bytes, one after another (RFC 9112). Beast does the reading; this
// keeps what a node heeds. Owned by one connection; thread-compatible.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "http_failure.h"
#include "http_request.h"

namespace packice {

class HttpParser {
 public:
  enum class Phase { kHead, kBody, kDone, kFailed };

  HttpParser(size_t max_header_bytes, size_t max_target_bytes);
  ~HttpParser();

  Phase phase() const;

  // Reads on where it stopped, to the end of the head or of the body at most, and returns how many
  // bytes it is done with; the others are to be given again with more behind them. Pieces of the
  // body, which point into `bytes`, are added to `body`.
  size_t Read(absl::string_view bytes, std::vector<absl::string_view>& body);

  // From kBody on, what the head said.
  const HttpRequest& request() const;
  // At kFailed: what is wrong. Nothing that follows on the connection can be read.
  const HttpFailure& failure() const;

  // Back to kHead, for the next request.
  void Next();

 private:
  class Message;

  size_t ReadHead(absl::string_view bytes);
  size_t ReadBody(absl::string_view bytes, std::vector<absl::string_view>& body);
  void CheckHead();
  void Fail(HttpFailure failure);

  const size_t max_header_bytes_;
  const size_t max_target_bytes_;
  std::unique_ptr<Message> message_;
  Phase phase_ = Phase::kHead;
  size_t head_bytes_ = 0;  // that were read
  absl::optional<HttpFailure> failure_;
};

}  // namespace packice
