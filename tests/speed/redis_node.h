// A redis-server of its own on a Unix socket, to compare with. Owned by one thread; it ends with
// its owner.
#pragma once

#include <hiredis/hiredis.h>
#include <sys/types.h>

#include <string>

#include "absl/strings/string_view.h"

namespace packice {

class RedisNode {
 public:
  // Keeps nothing on disk; pinned to `cpu` (-1: not pinned). Aborts when redis-server cannot be
  // started.
  RedisNode(int cpu, const std::string& directory);
  ~RedisNode();

  // Where further clients connect.
  const std::string& socket() const { return socket_; }

  void Set(const std::string& key, absl::string_view value);
  // The length of the value, which has been copied into this process by then.
  size_t Get(const std::string& key);
  void Delete(const std::string& key);

 private:
  const std::string socket_;
  pid_t child_ = -1;
  redisContext* context_ = nullptr;
};

}  // namespace packice
