// A client of a RedisNode that asks for many keys before it reads the first answer. Owned by one
// thread.
#pragma once

#include <hiredis/hiredis.h>

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace packice {

class RedisPipeline {
 public:
  // Aborts when nobody listens on `socket`, as all calls do when something fails.
  explicit RedisPipeline(const std::string& socket);
  ~RedisPipeline();
  RedisPipeline(const RedisPipeline&) = delete;
  RedisPipeline& operator=(const RedisPipeline&) = delete;

  void Set(absl::Span<const std::string> keys, absl::string_view value);
  // Bytes of all values, which have been copied into this process by then.
  size_t Get(absl::Span<const std::string> keys);
  // Everything goes.
  void Flush();

 private:
  size_t Hear(int type);

  redisContext* context_;
};

}  // namespace packice
