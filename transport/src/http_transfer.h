// Moves bytes between a client and an HTTP node: whole exchanges, on the thread that asks, over
// connections of their own.
//
// Thread-safe; shared by the blobs of one peer. Belongs to the process that made it: in a forked
// child every call is `unavailable`.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "http_line.h"
#include "http_version.h"
#include "http_wire.h"
#include "packice/core/mutex.h"

namespace packice {

class HttpTransfer {
 public:
  explicit HttpTransfer(std::shared_ptr<const HttpWire> wire);
  ~HttpTransfer();

  // Bytes [offset, offset + out.size()) of a resource. Goes on where a broken connection left off,
  // a bounded number of times. Errors of the node, `unavailable`, `timeout`, `corrupt`. With a
  // `version` the bytes are of that one: errors of HttpVersion::Check.
  absl::Status Fetch(const std::string& target, uint64_t offset, absl::Span<char> out,
                     const HttpVersion* version = nullptr);

  // Writes `bytes` there. Begins anew after a broken connection, a bounded number of times.
  absl::Status Store(const std::string& target, uint64_t offset, absl::string_view bytes);

  // The body of a resource.
  absl::StatusOr<std::string> Get(const std::string& target);

  const HttpWire& wire() const { return *wire_; }

 private:
  struct OwnLine;

  // One exchange. A connection that ended while it was idle is replaced unseen.
  absl::Status Ask(const HttpQuestion& question, HttpAnswer& answer);
  std::unique_ptr<OwnLine> TakeIdle();
  void KeepIdle(std::unique_ptr<OwnLine> line);

  const std::shared_ptr<const HttpWire> wire_;
  const pid_t process_;
  Mutex mutex_;
  std::vector<std::unique_ptr<OwnLine>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
