// The system calls of Unix sockets, with errors as statuses. Thread-safe functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packice/core/unique_fd.h"

namespace packice {

// The most descriptors that one message carries (SCM_MAX_FD in the kernel, unix(7)).
inline constexpr size_t kMaxDescriptorsPerMessage = 253;

// Binds and listens, with mode 0600. A socket file that nobody listens on is replaced, and
// `*replaced` says so. `busy` when a live server has it, `invalid_argument` when the path is too
// long or another kind of file.
absl::StatusOr<UniqueFd> ListenUnix(const std::string& path, bool* replaced);

// A connected, blocking stream socket. `unavailable` when nobody listens.
absl::StatusOr<UniqueFd> ConnectUnix(const std::string& path);

// The uid of the process at the other end. `io`.
absl::StatusOr<unsigned> PeerUid(int socket);

// The process that made the connection, if that can be told. It may have passed it on, or be gone.
absl::optional<int> PeerPid(int socket);

// Whether a node of user `own` serves a process of user `peer`: its own user's and root's.
inline bool IsServedUid(unsigned peer, unsigned own) { return peer == own || peer == 0; }

// One sendmsg(2) or recvmsg(2): how many bytes went, or -errno. Descriptors ride with the first
// byte sent; received ones are close-on-exec and appended to `descriptors`.
ssize_t SendWithDescriptors(int socket, absl::string_view bytes, absl::Span<const int> descriptors,
                            int flags);
ssize_t ReceiveWithDescriptors(int socket, absl::Span<char> out, std::vector<UniqueFd>& descriptors,
                               int flags);

}  // namespace packice
