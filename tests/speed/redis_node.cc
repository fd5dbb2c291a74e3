#include "redis_node.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "pinning.h"

namespace packice {
namespace {

constexpr int kStartTries = 500;
constexpr int kTryPauseMs = 10;

redisReply* Check(void* reply, int type) {
  auto* checked = static_cast<redisReply*>(reply);
  if (checked != nullptr && checked->type == type) return checked;
  std::fprintf(stderr, "redis: %s\n", checked == nullptr ? "no reply" : checked->str);
  std::abort();
}

}  // namespace

RedisNode::RedisNode(int cpu, const std::string& directory) : socket_(directory + "/redis") {
  child_ = fork();
  if (child_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    PinTo(cpu);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_.c_str(), "--save",
           "", "--appendonly", "no", "--dir", directory.c_str(), "--loglevel", "warning",
           "--logfile", "/dev/null", nullptr);
    std::perror("redis-server");
    _exit(127);
  }
  for (int i = 0; i < kStartTries; ++i) {
    context_ = redisConnectUnix(socket_.c_str());
    if (context_ != nullptr && context_->err == 0) return;
    if (context_ != nullptr) redisFree(context_);
    poll(nullptr, 0, kTryPauseMs);
  }
  std::fprintf(stderr, "redis-server did not start; it is in Debian's package redis-server\n");
  std::abort();
}

RedisNode::~RedisNode() {
  redisFree(context_);
  kill(child_, SIGTERM);
  waitpid(child_, nullptr, 0);
}

void RedisNode::Set(const std::string& key, absl::string_view value) {
  freeReplyObject(
      Check(redisCommand(context_, "SET %s %b", key.c_str(), value.data(), value.size()),
            REDIS_REPLY_STATUS));
}

size_t RedisNode::Get(const std::string& key) {
  redisReply* reply = Check(redisCommand(context_, "GET %s", key.c_str()), REDIS_REPLY_STRING);
  const size_t size = reply->len;
  freeReplyObject(reply);
  return size;
}

void RedisNode::Delete(const std::string& key) {
  freeReplyObject(Check(redisCommand(context_, "DEL %s", key.c_str()), REDIS_REPLY_INTEGER));
}

}  // namespace packice
