#include "cli/token.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice::cli {
namespace {

constexpr size_t kMaxBytes = 4096;

}  // namespace

absl::StatusOr<std::string> ReadToken(const std::string& file) {
  // Not by position: it may be a pipe, as of a shell's <(...).
  std::ifstream in(file, std::ios::binary);
  if (!in.is_open()) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("cannot open the token file ", file, ": ", strerror(errno)));
  }
  std::string token(kMaxBytes + 1, '\0');
  in.read(token.data(), static_cast<std::streamsize>(token.size()));
  token.resize(static_cast<size_t>(in.gcount()));
  token.erase(token.find_last_not_of(" \t\r\n") + 1);  // npos + 1 is 0
  if (token.empty() || token.size() > kMaxBytes ||
      !std::all_of(token.begin(), token.end(), absl::ascii_isgraph)) {
    return MakeError(
        ErrorKind::kInvalidArgument,
        absl::StrCat("the token file ", file, " must hold one line of 1 to ", kMaxBytes,
                     " visible characters; make one with: openssl rand -hex 32"));
  }
  return token;
}

bool IsOpenToOthers(const std::string& file) {
  struct stat info = {};
  return stat(file.c_str(), &info) == 0 && (info.st_mode & (S_IRGRP | S_IROTH)) != 0;
}

}  // namespace packice::cli
