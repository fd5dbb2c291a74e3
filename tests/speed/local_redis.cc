#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "local_rows.h"
#include "redis_node.h"
#include "redis_pipeline.h"

namespace packice {
namespace {

constexpr size_t kSize = 1024;
constexpr int kCalls = 16000;  // of all clients, in a round

// Some clients, each on a thread of its own, that ask for `depth` objects at a time.
class Crowd {
 public:
  Crowd(const LocalSetup& setup, const RedisNode& redis, int clients, int depth)
      : depth_(depth), bytes_(kSize, 'x') {
    const int batches = std::max(1, setup.table.Few(kCalls) / (clients * depth));
    for (int i = 0; i < clients; ++i) {
      Member member;
      member.packice = Must(Connect(setup.node.socket()));
      member.redis = std::make_unique<RedisPipeline>(redis.socket());
      member.ids = Ids(absl::StrCat("redis/", i), batches * depth);
      members_.push_back(std::move(member));
    }
  }

  void PutToPackice() {
    for (Member& member : members_) PutAll(*member.packice, member.ids, bytes_);
  }
  void PutToRedis() {
    for (Member& member : members_) member.redis->Set(member.ids, bytes_);
  }
  void Clear() {
    for (Member& member : members_) DeleteAll(*member.packice, member.ids);
    members_[0].redis->Flush();
  }

  // Objects a second.
  double PutRate() {
    return Rate([this](Member& member, absl::Span<const std::string> ids) {
      if (ids.size() == 1) {
        Must(member.packice->Put(ids[0], bytes_));
      } else {
        PutAll(*member.packice, ids, bytes_);
      }
    });
  }
  double LeaseRate() {
    return Rate([](Member& member, absl::Span<const std::string> ids) {
      if (ids.size() == 1) {
        Must(member.packice->Get(ids[0]));
      } else {
        for (const auto& reader : member.packice->GetMany(ids)) {
          if (!reader.ok()) std::abort();
        }
      }
    });
  }
  double ReadRate() {
    return Rate([](Member& member, absl::Span<const std::string> ids) {
      char out[kSize];
      for (const std::string& id : ids) {
        if (ReadObject(*member.packice, id, absl::MakeSpan(out)) != kSize) std::abort();
      }
    });
  }
  double RedisSetRate() {
    return Rate([this](Member& member, absl::Span<const std::string> ids) {
      member.redis->Set(ids, bytes_);
    });
  }
  double RedisGetRate() {
    return Rate([](Member& member, absl::Span<const std::string> ids) {
      if (member.redis->Get(ids) != kSize * ids.size()) std::abort();
    });
  }

 private:
  struct Member {
    std::unique_ptr<Client> packice;
    std::unique_ptr<RedisPipeline> redis;
    std::vector<std::string> ids;
  };
  using Call = std::function<void(Member&, absl::Span<const std::string>)>;

  // Every member's ids, once.
  double Rate(const Call& call) {
    std::atomic<size_t> waiting{0};
    std::atomic<bool> begin{false};
    std::vector<std::thread> threads;
    for (Member& member : members_) {
      threads.emplace_back([&] {
        waiting.fetch_add(1);
        begin.wait(false);
        const absl::Span<const std::string> ids = member.ids;
        for (size_t i = 0; i < ids.size(); i += depth_) call(member, ids.subspan(i, depth_));
      });
    }
    while (waiting.load() < members_.size()) std::this_thread::yield();
    const auto start = std::chrono::steady_clock::now();
    begin.store(true);
    begin.notify_all();
    for (std::thread& thread : threads) thread.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return static_cast<double>(members_.size() * members_[0].ids.size()) / took.count();
  }

  const size_t depth_;
  const std::string bytes_;
  std::vector<Member> members_;
};

void Measure(const LocalSetup& setup, Crowd& crowd, const std::string& who) {
  SpeedTable::RateLine put;
  put.name = absl::StrCat("redis: put 1 KiB, ", who);
  put.ours = [&] { return crowd.PutRate(); };
  put.beside_name = "SET";
  put.beside = [&] { return crowd.RedisSetRate(); };
  put.target = "2x";
  put.cleanup = [&] { crowd.Clear(); };
  setup.table.Rate(put);

  crowd.PutToPackice();
  crowd.PutToRedis();
  SpeedTable::RateLine lease;
  lease.name = absl::StrCat("redis: lease and release 1 KiB, ", who);
  lease.ours = [&] { return crowd.LeaseRate(); };
  lease.beside_name = "GET";
  lease.beside = [&] { return crowd.RedisGetRate(); };
  lease.target = "2x";
  setup.table.Rate(lease);

  SpeedTable::RateLine read = lease;
  read.name = absl::StrCat("redis: read 1 KiB, ", who);
  read.ours = [&] { return crowd.ReadRate(); };
  read.target = "100x";
  setup.table.Rate(read);
  crowd.Clear();
}

}  // namespace

void MeasureBesideRedis(const LocalSetup& setup) {
  if (!setup.table.Wanted("redis")) return;
  const RedisNode redis(setup.node_cpu, setup.directory);
  setup.table.BeginRates("Beside redis on its Unix socket, thousands a second");
  Crowd one(setup, redis, 1, 1);
  Measure(setup, one, "one client");
  Crowd many(setup, redis, 16, 16);
  Measure(setup, many, "16 clients, 16 at a time");
}

}  // namespace packice
