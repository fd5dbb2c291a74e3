// The bytes of one connection between nodes, in plain text or within TLS. Never blocks. Owned by
// its link, which also owns the socket; thread-compatible.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "packice/p2p/swarm_peer.h"

namespace packice {

class LinkStream {
 public:
  enum class Next {
    kGoOn,
    kAwaitReadable,  // the socket; then try again
    kAwaitWritable,
    kOver,
  };
  struct Moved {
    size_t bytes = 0;  // zero only where it cannot go on
    Next next = Next::kGoOn;
    absl::Status failure;  // with kOver; OK: the other end is done
  };

  virtual ~LinkStream() = default;

  // Fills `room` in its order, as far as there is something.
  virtual Moved Read(absl::Span<const iovec> room) = 0;
  // `more`: the rest of a packet follows at once.
  virtual Moved Write(absl::Span<const iovec> bytes, bool more) = 0;
  // From a file; plain text only.
  virtual Moved SendFile(int fd, off_t offset, size_t bytes) = 0;
  // No more will be written.
  virtual void FinishWriting() = 0;
};

std::unique_ptr<LinkStream> MakePlainLinkStream(int socket);

// What TLS links show and whom they trust. Shared by all of a node's links, outlives them.
class LinkTls {
 public:
  // `not_found`, `permission_denied`, `invalid_argument` for files that are missing or do not fit
  // together.
  static absl::StatusOr<std::unique_ptr<LinkTls>> Load(const TlsFiles& files);
  ~LinkTls();

  // `dialled`: this end begins.
  std::unique_ptr<LinkStream> MakeStream(int socket, bool dialled);

 private:
  struct Context;
  explicit LinkTls(std::unique_ptr<Context> context);
  std::unique_ptr<Context> context_;
};

}  // namespace packice
