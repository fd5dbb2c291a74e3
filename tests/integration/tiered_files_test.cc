// Real input for a node with tiers: the files of this machine, three times what its hot tier holds,
// put and read by eight processes; then with another node as the cold tier, which is killed and
// started again in the middle.
//
// PACKICE_TIERED_BYTES names another size of the hot tier than 64 MiB.
#include "tiered_files.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "child_process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/transport/uds_peer.h"
#include "temporary_directory.h"

namespace packice {
namespace {

using ::testing::Contains;
using ::testing::StartsWith;

constexpr size_t kClients = 8;
constexpr size_t kReads = 300;  // of each client

uint64_t HotBytes() {
  const char* const bytes = std::getenv("PACKICE_TIERED_BYTES");
  return bytes != nullptr ? std::strtoull(bytes, nullptr, 10) : uint64_t{64} << 20;
}

// For what another process has to come to first.
template <typename Condition>
bool Eventually(Condition condition) {
  const absl::Time deadline = absl::Now() + absl::Seconds(90);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(20));
  }
  return true;
}

// What several processes found out: of each file, every answer that they got.
using Answers = std::map<size_t, std::vector<std::string>>;

class TieredFiles : public testing::Test {
 protected:
  void SetUp() override {
    files_ = ChooseFiles(3 * HotBytes());
    ASSERT_GT(BytesOf(files_), 2 * HotBytes()) << "this machine has too few files";
    WriteFileList(list(), files_);
    std::printf("%zu files of %.0f MiB\n", files_.size(),
                static_cast<double>(BytesOf(files_)) / (1 << 20));
  }

  static ChildProcess Serve(std::vector<std::string> flags, std::string* address = nullptr) {
    const char* const binary = std::getenv("PACKICE_BINARY");
    EXPECT_NE(binary, nullptr) << "PACKICE_BINARY names the program";
    flags.insert(flags.begin(), {binary == nullptr ? "packice" : binary, "serve"});
    ChildProcess node = ChildProcess::StartProgram(flags);
    const std::string line = node.ReadLine();
    EXPECT_THAT(line, StartsWith("packice serving "));
    if (address != nullptr) *address = line.substr(line.rfind(' ') + 1);
    return node;
  }
  ChildProcess ServeHot(const std::vector<std::string>& more) {
    std::vector<std::string> flags = {
        "--socket", path(), "--capacity", absl::StrCat(HotBytes()), "--flush-after", "2"};
    flags.insert(flags.end(), more.begin(), more.end());
    ChildProcess node = Serve(std::move(flags));
    pid_ = node.pid();
    return node;
  }

  std::vector<ChildProcess> Start(const std::string& role, size_t clients,
                                  const std::string& last) {
    std::vector<ChildProcess> started;
    for (size_t i = 0; i < clients; ++i) {
      started.push_back(
          ChildProcess::Start(role, {path(), list(), OutputOf(role, i), absl::StrCat(i), last}));
    }
    return started;
  }
  Answers Finish(const std::string& role, std::vector<ChildProcess>& clients) {
    Answers answers;
    for (size_t i = 0; i < clients.size(); ++i) {
      EXPECT_EQ(clients[i].Wait(), 0) << role;
      ExpectMemoryWithinCapacity();
      std::ifstream in(OutputOf(role, i));
      size_t index;
      std::string answer;
      while (in >> index && in.get() == ' ' && std::getline(in, answer)) {
        answers[index].push_back(answer);
      }
    }
    return answers;
  }
  Answers Run(const std::string& role, const std::string& last) {
    std::vector<ChildProcess> clients = Start(role, kClients, last);
    return Finish(role, clients);
  }
  Answers Mix() { return Run(kTieredMix, absl::StrCat(kReads)); }

  void PutAll() {
    const Answers put = Run(kTieredPut, absl::StrCat(kClients));
    for (const auto& [index, answers] : put) digests_[index] = answers.front();
    ASSERT_EQ(digests_.size(), files_.size());
    for (const auto& [index, digest] : digests_) {
      uint64_t number;
      ASSERT_TRUE(absl::SimpleAtoi(digest, &number)) << files_[index].path << ": " << digest;
    }
  }

  // Further objects, of the first `count` files once more.
  void PutMore(size_t count) {
    const size_t first = files_.size();
    files_.reserve(first + count);
    for (size_t i = 0; i < count; ++i) files_.push_back(files_[i]);
    WriteFileList(list(), files_);
    std::vector<ChildProcess> client;
    client.push_back(ChildProcess::Start(
        kTieredPut, {path(), list(), OutputOf("more", 0), absl::StrCat(first), "1"}));
    const Answers put = Finish("more", client);
    EXPECT_EQ(put.size(), count);
    for (const auto& [index, answers] : put) {
      digests_[index] = answers.front();
      EXPECT_EQ(digests_[index], digests_[index - first]);
    }
  }

  // Nothing but the digests of what was put; where `may_fail` also `unavailable`. Answers how often
  // that was the answer.
  size_t ExpectDigests(const Answers& answers, bool may_fail = false) {
    size_t unavailable = 0;
    size_t wrong = 0;
    for (const auto& [index, each] : answers) {
      for (const std::string& answer : each) {
        if (answer == digests_[index]) continue;
        if (may_fail && absl::StartsWith(answer, "unavailable ")) {
          ++unavailable;
        } else if (++wrong <= 10) {
          ADD_FAILURE() << files_[index].path << ": " << answer;
        }
      }
    }
    EXPECT_EQ(wrong, 0u);
    return unavailable;
  }
  void ExpectAllThere() {
    const Answers got = Run(kTieredGet, absl::StrCat(kClients));
    EXPECT_EQ(got.size(), files_.size());
    ExpectDigests(got);
  }

  PeerStats Stats() {
    UdsPeerOptions options;
    options.path = path();
    const absl::StatusOr<std::unique_ptr<UdsPeer>> peer = UdsPeer::Connect(options);
    if (!peer.ok()) return {};
    const absl::StatusOr<PeerStats> stats = blocking::Await<absl::StatusOr<PeerStats>>(
        **peer, [&](Done<absl::StatusOr<PeerStats>> done) { (*peer)->Stats(std::move(done)); });
    EXPECT_THAT(stats, IsOk());
    return stats.ok() ? *stats : PeerStats();
  }
  TierStats Tier(const std::string& name) {
    for (const TierStats& tier : Stats().tiers) {
      if (tier.name == name) return tier;
    }
    ADD_FAILURE() << "no tier " << name;
    return {};
  }
  bool IsFlushed() {
    const TierStats hot = Tier("hot");
    return hot.queued == 0 && hot.moving == 0;
  }

  // By the node's word, and by the kernel's of the memory that its descriptors lead to.
  void ExpectMemoryWithinCapacity() {
    EXPECT_LE(Tier("hot").bytes, HotBytes());
    // What is too large for hot is fetched for its reader, beside the capacity.
    if (streamed_) return;
    uint64_t bytes = 0;
    std::set<std::pair<dev_t, ino_t>> seen;
    std::error_code error;
    for (const auto& entry :
         std::filesystem::directory_iterator(absl::StrCat("/proc/", pid_, "/fd"), error)) {
      const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
      struct stat info = {};
      if (error || !absl::StartsWith(target, "/memfd:") || stat(entry.path().c_str(), &info) != 0 ||
          !seen.insert({info.st_dev, info.st_ino}).second) {
        continue;
      }
      bytes += static_cast<uint64_t>(info.st_blocks) * 512;
    }
    // Large blobs take whole pages, and between small ones there is free room.
    EXPECT_LE(bytes, HotBytes() + HotBytes() / 2);
  }

  std::string path() const { return directory_ / "socket"; }
  std::string list() const { return directory_ / "files"; }
  std::string OutputOf(const std::string& role, size_t i) const {
    return directory_ / absl::StrCat(role, i);
  }

  TemporaryDirectory directory_;
  std::vector<TieredFile> files_;
  std::map<size_t, std::string> digests_;
  pid_t pid_ = -1;
  bool streamed_ = false;
};

TEST_F(TieredFiles, AreServedFromMemoryOverFiles) {
  const std::vector<std::string> flags = {"--impl", "tiered", "--data", directory_ / "cold"};
  {
    ChildProcess node = ServeHot(flags);
    PutAll();
    for (int round = 0; round < 2; ++round) ExpectDigests(Mix());
    const TierStats hot = Tier("hot");
    const TierStats cold = Tier("cold");
    EXPECT_GT(hot.demotions, 0u);
    EXPECT_GT(hot.evictions, 0u);
    EXPECT_GT(hot.promotions, 0u);
    EXPECT_GT(hot.hits, 0u);
    EXPECT_GT(cold.hits, 0u);
    EXPECT_GE(hot.misses, cold.hits);
    EXPECT_EQ(cold.state, TierState::kOk);
    ExpectAllThere();
    node.Signal(SIGTERM);
    EXPECT_EQ(node.Wait(), 0);
  }
  ChildProcess node = ServeHot(flags);
  EXPECT_EQ(Tier("cold").objects, files_.size());
  ExpectAllThere();
}

TEST_F(TieredFiles, AreStreamedFromANodeThatHasThemInMemory) {
  std::string address;
  ChildProcess cold = Serve({"--impl", "mem", "--capacity", absl::StrCat(8 * HotBytes()),
                             "--transport", "http", "--port", "0"},
                            &address);
  streamed_ = true;
  ChildProcess node = ServeHot({"--cold", address, "--data", directory_ / "hot"});
  PutAll();
  ExpectDigests(Mix());
  ExpectAllThere();
  EXPECT_GT(Tier("hot").promotions, 0u);
}

TEST_F(TieredFiles, OutliveAColdNodeThatIsKilledAndStartedAgain) {
  const std::vector<std::string> cold_flags = {"--impl", "fs",     "--transport",
                                               "http",   "--data", directory_ / "cold"};
  const auto serve_cold = [&](const std::string& port, std::string* address) {
    std::vector<std::string> all = cold_flags;
    all.insert(all.end(), {"--port", port});
    return Serve(std::move(all), address);
  };
  std::string address;
  ChildProcess cold = serve_cold("0", &address);
  const std::string port = address.substr(address.rfind(':') + 1);
  const std::vector<std::string> hot_flags = {"--cold", address, "--data", directory_ / "hot"};
  {
    ChildProcess node = ServeHot(hot_flags);
    PutAll();
    ExpectDigests(Mix());
    ASSERT_TRUE(Eventually([&] { return IsFlushed(); }));

    // Killed while it is read from.
    std::vector<ChildProcess> readers = Start(kTieredMix, kClients, absl::StrCat(kReads));
    for (ChildProcess& reader : readers) EXPECT_EQ(reader.ReadLine(), "half");
    cold.Kill();
    size_t unavailable = ExpectDigests(Finish(kTieredMix, readers), /*may_fail=*/true);
    // Away, all the while.
    unavailable += ExpectDigests(Mix(), /*may_fail=*/true);
    EXPECT_GT(unavailable, 0u);
    EXPECT_EQ(Tier("cold").state, TierState::kDown);
    PutMore(30);

    // Back again, while it is asked for.
    readers = Start(kTieredMix, kClients, absl::StrCat(kReads));
    for (ChildProcess& reader : readers) EXPECT_EQ(reader.ReadLine(), "half");
    cold = serve_cold(port, nullptr);
    ExpectDigests(Finish(kTieredMix, readers), /*may_fail=*/true);
    ASSERT_TRUE(Eventually([&] { return Tier("cold").state == TierState::kOk; }));
    ExpectAllThere();
    node.Signal(SIGTERM);
    EXPECT_EQ(node.Wait(), 0);
  }
  // With nothing in memory.
  ChildProcess node = ServeHot(hot_flags);
  ExpectAllThere();
}

}  // namespace
}  // namespace packice
