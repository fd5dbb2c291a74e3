#include "unix_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {
namespace {

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("a socket path has 1 to ", sizeof(address.sun_path) - 1,
                                  " bytes, this one has ", path.size()));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

absl::StatusOr<UniqueFd> NewSocket() {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return ErrnoError(errno, "cannot make a socket");
  return fd;
}

// Held while a stale socket file is looked at and replaced, so that of two nodes that start at once
// one finds the other alive. A lock on the directory leaves no file behind.
UniqueFd LockDirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) flock(fd.get(), LOCK_EX);
  return fd;
}

absl::Status RemoveStale(const std::string& path, bool* replaced) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) return absl::OkStatus();
  if (!S_ISSOCK(info.st_mode)) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat(path, " exists and is not a socket; choose another --socket"));
  }
  absl::StatusOr<UniqueFd> live = ConnectUnix(path);
  if (live.ok()) {
    return MakeError(ErrorKind::kBusy, absl::StrCat("a live server listens on ", path));
  }
  if (KindOf(live.status()) != ErrorKind::kUnavailable) return live.status();
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError(errno, absl::StrCat("cannot replace the stale socket ", path));
  }
  *replaced = true;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> ListenUnix(const std::string& path, bool* replaced) {
  *replaced = false;
  absl::StatusOr<sockaddr_un> address = AddressOf(path);
  if (!address.ok()) return address.status();
  absl::StatusOr<UniqueFd> fd = NewSocket();
  if (!fd.ok()) return fd;
  const UniqueFd lock = LockDirectoryOf(path);
  if (absl::Status status = RemoveStale(path, replaced); !status.ok()) return status;
  // Before bind(2), so that the file never has another mode.
  fchmod(fd->get(), 0600);
  if (bind(fd->get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    return ErrnoError(errno, absl::StrCat("cannot bind ", path));
  }
  if (listen(fd->get(), kBacklog) != 0) {
    return ErrnoError(errno, absl::StrCat("cannot listen on ", path));
  }
  return fd;
}

absl::StatusOr<UniqueFd> ConnectUnix(const std::string& path) {
  absl::StatusOr<sockaddr_un> address = AddressOf(path);
  if (!address.ok()) return address.status();
  absl::StatusOr<UniqueFd> fd = NewSocket();
  if (!fd.ok()) return fd;
  while (connect(fd->get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    if (errno == EINTR) continue;
    if (errno == ECONNREFUSED || errno == ENOENT || errno == EAGAIN || errno == ENOTSOCK) {
      return MakeError(ErrorKind::kUnavailable,
                       absl::StrCat("no node listens on ", path, " (", std::strerror(errno), ")"));
    }
    return ErrnoError(errno, absl::StrCat("cannot connect to ", path));
  }
  return fd;
}

absl::optional<int> PeerPid(int socket) {
  ucred credentials;
  socklen_t size = sizeof(credentials);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return absl::nullopt;
  // 0: a process outside of this one's pid namespace.
  if (credentials.pid == 0) return absl::nullopt;
  return credentials.pid;
}

absl::StatusOr<unsigned> PeerUid(int socket) {
  ucred credentials;
  socklen_t size = sizeof(credentials);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return ErrnoError(errno, "cannot tell whose connection it is");
  }
  return credentials.uid;
}

ssize_t SendWithDescriptors(int socket, absl::string_view bytes, absl::Span<const int> descriptors,
                            int flags) {
  iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptorsPerMessage)];
  if (!descriptors.empty()) {
    const size_t length = sizeof(int) * descriptors.size();
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(length);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(length);
    std::memcpy(CMSG_DATA(header), descriptors.data(), length);
  }
  while (true) {
    const ssize_t n = sendmsg(socket, &message, flags | MSG_NOSIGNAL);
    if (n >= 0) return n;
    if (errno != EINTR) return -errno;
  }
}

ssize_t ReceiveWithDescriptors(int socket, absl::Span<char> out, std::vector<UniqueFd>& descriptors,
                               int flags) {
  iovec part = {out.data(), out.size()};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptorsPerMessage)];
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t n;
  do {
    n = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return -errno;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      descriptors.emplace_back(fd);
    }
  }
  // Descriptors were dropped because this process has no room for them (recvmsg(2)).
  if ((message.msg_flags & MSG_CTRUNC) != 0) return -EMFILE;
  return n;
}

}  // namespace packice
