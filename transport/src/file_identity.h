// Which file a path leads to, in a form that two processes can compare: so that a client who is
// told a path over a network knows whether it means the same file where the client is.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace packice {

// The running kernel's boot id (random(4)), the file's device and inode, and when it was made where
// the file system keeps that (statx(2), stx_btime). Device and inode name one file on one running
// system, whatever is mounted where; the rest tells systems apart that are copies of one another.
// The text is opaque: equal or not. Empty: it cannot be told. Does not block beyond statx.
std::string FileIdentity(int fd);
std::string FileIdentity(const std::string& path);

}  // namespace packice
