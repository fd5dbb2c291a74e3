#include "redis_pipeline.h"

#include <cstdio>
#include <cstdlib>

namespace packice {

RedisPipeline::RedisPipeline(const std::string& socket)
    : context_(redisConnectUnix(socket.c_str())) {
  if (context_ != nullptr && context_->err == 0) return;
  std::fprintf(stderr, "redis: cannot connect to %s\n", socket.c_str());
  std::abort();
}

RedisPipeline::~RedisPipeline() { redisFree(context_); }

size_t RedisPipeline::Hear(int type) {
  void* answer = nullptr;
  if (redisGetReply(context_, &answer) != REDIS_OK) {
    std::fprintf(stderr, "redis: %s\n", context_->errstr);
    std::abort();
  }
  auto* reply = static_cast<redisReply*>(answer);
  if (reply->type != type) {
    std::fprintf(stderr, "redis: %s\n", reply->str);
    std::abort();
  }
  const size_t size = reply->len;
  freeReplyObject(reply);
  return size;
}

void RedisPipeline::Set(absl::Span<const std::string> keys, absl::string_view value) {
  for (const std::string& key : keys) {
    redisAppendCommand(context_, "SET %b %b", key.data(), key.size(), value.data(), value.size());
  }
  for (size_t i = 0; i < keys.size(); ++i) Hear(REDIS_REPLY_STATUS);
}

size_t RedisPipeline::Get(absl::Span<const std::string> keys) {
  for (const std::string& key : keys) {
    redisAppendCommand(context_, "GET %b", key.data(), key.size());
  }
  size_t size = 0;
  for (size_t i = 0; i < keys.size(); ++i) size += Hear(REDIS_REPLY_STRING);
  return size;
}

void RedisPipeline::Flush() {
  redisAppendCommand(context_, "FLUSHALL");
  Hear(REDIS_REPLY_STATUS);
}

}  // namespace packice
