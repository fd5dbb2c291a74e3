// Reads without messages from the real program, by processes that may be killed at any point or
// write what they like where they may: nobody ever reads a wrong byte.
//
// PACKICE_SHARED_READS=50000000 makes so many reads instead of a few.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "child_process.h"
#include "gmock/gmock.h"
#include "packice/backends/read_hints.h"
#include "packice/client.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/transport/uds_peer.h"
#include "raw_client.h"
#include "temporary_directory.h"

namespace packice {
namespace {

constexpr size_t kIds = 64;
constexpr size_t kWriters = 2;
constexpr size_t kReaders = 3;

uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15;
  return x ^ (x >> 29);
}

// Which of an id's objects: of one run of one writer they count up.
struct Version {
  static constexpr int kRunShift = 40;
  uint64_t word = 0;

  uint64_t run() const { return word >> kRunShift; }
  // Surely made earlier.
  bool before(Version other) const { return run() == other.run() && word < other.word; }
};

// An object says which it is, and all of it follows from that: its size, too.
size_t WordsOf(uint64_t id, Version version) { return 2 + Mix(id * 31 + version.word) % 500; }
uint64_t WordOf(uint64_t id, Version version, size_t nth) {
  return nth == 0 ? id : nth == 1 ? version.word : Mix(Mix(id << 32 | nth) + version.word);
}
std::string ObjectOf(uint64_t id, Version version) {
  std::vector<uint64_t> words(WordsOf(id, version));
  for (size_t i = 0; i < words.size(); ++i) words[i] = WordOf(id, version, i);
  return std::string(reinterpret_cast<const char*>(words.data()), words.size() * 8);
}
absl::optional<Version> VersionOf(uint64_t id, absl::string_view bytes) {
  const auto word = [&](size_t nth) {
    uint64_t value = 0;
    std::memcpy(&value, bytes.data() + nth * 8, 8);
    return value;
  };
  if (bytes.size() < 16 || word(0) != id) return absl::nullopt;
  const Version version{word(1)};
  if (bytes.size() != WordsOf(id, version) * 8) return absl::nullopt;
  for (size_t i = 2; i * 8 < bytes.size(); ++i) {
    if (word(i) != WordOf(id, version, i)) return absl::nullopt;
  }
  return version;
}

// What all processes of the test see, in a file that each maps.
struct Board {
  std::atomic<uint64_t> over;
  std::atomic<uint64_t> reads;
  std::atomic<uint64_t> absent;  // of them, of objects that were not there
  std::atomic<uint64_t> wrong;   // bytes
  std::atomic<uint64_t> old;     // reads of what was gone, or older than one before
  std::atomic<uint64_t> failed;  // calls
  std::atomic<uint64_t> puts;
  std::array<std::atomic<uint64_t>, kIds> gone;  // the version whose discard was answered last

  static Board& Map(const std::string& path) {
    const UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(ftruncate(fd.get(), sizeof(Board)), 0);
    void* const base =
        mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    EXPECT_NE(base, MAP_FAILED);
    return *static_cast<Board*>(base);
  }
};

std::string IdOf(uint64_t id) {
  return id % 4 == 0 ? absl::StrCat(std::string(60, 'l'), id) : absl::StrCat("object-", id);
}

// Arguments: the socket, the board, a number unlike any other.
int Read(const std::vector<std::string>& arguments) {
  Board& board = Board::Map(arguments[1]);
  auto client = Connect(arguments[0]);
  if (!client.ok()) return 1;
  std::mt19937_64 random(std::strtoull(arguments[2].c_str(), nullptr, 10));
  std::array<Version, kIds> seen = {};
  std::string room(8192, '\0');
  while (board.over == 0) {
    for (int i = 0; i < 64; ++i) {
      const uint64_t id = random() % kIds;
      const Version gone{board.gone[id].load()};
      absl::StatusOr<std::string> copy;
      absl::string_view bytes;
      absl::Status status;
      if (i % 2 == 0) {
        copy = (*client)->GetCopy(IdOf(id));
        status = copy.status();
        if (copy.ok()) bytes = *copy;
      } else {
        const absl::StatusOr<size_t> size = (*client)->ReadInto(IdOf(id), absl::MakeSpan(room));
        status = size.status();
        if (size.ok()) bytes = absl::string_view(room).substr(0, *size);
      }
      if (!status.ok()) {
        const ErrorKind kind = KindOf(status);
        const bool absent = kind == ErrorKind::kNotFound || kind == ErrorKind::kNotSealed;
        ++(absent ? board.absent : board.failed);
        continue;
      }
      const absl::optional<Version> version = VersionOf(id, bytes);
      if (!version.has_value()) {
        ++board.wrong;
        continue;
      }
      if (version->before(seen[id]) || version->before({gone.word + 1})) ++board.old;
      seen[id] = *version;
    }
    board.reads += 64;
  }
  return 0;
}
const Role kReader("shared-reads-reader", Read);

// Arguments: the socket, the board, its run, which writer it is.
int Write(const std::vector<std::string>& arguments) {
  Board& board = Board::Map(arguments[1]);
  auto client = Connect(arguments[0]);
  if (!client.ok()) return 1;
  const uint64_t run = std::strtoull(arguments[2].c_str(), nullptr, 10);
  const uint64_t writer = std::strtoull(arguments[3].c_str(), nullptr, 10);
  std::mt19937_64 random(run);
  std::array<Version, kIds> put = {};
  for (uint64_t count = 1; board.over == 0; ++count) {
    const uint64_t id = random() % (kIds / kWriters) * kWriters + writer;
    const Version version{run << Version::kRunShift | count};
    const absl::Status deleted = (*client)->Delete(IdOf(id));
    if (deleted.ok() && put[id].word != 0) board.gone[id] = put[id].word;
    const absl::StatusOr<ObjectId> made = (*client)->Put(IdOf(id), ObjectOf(id, version));
    put[id] = made.ok() ? version : Version();
    if (made.ok()) {
      ++board.puts;
    } else if (KindOf(made.status()) != ErrorKind::kAlreadyExists &&
               KindOf(made.status()) != ErrorKind::kBusy) {
      ++board.failed;
    }
    // What nobody reads goes first where room is short; the memory of either is used for both.
    if (count % 4 == 0) (void)(*client)->Put("", ObjectOf(id, version));
  }
  return 0;
}
const Role kWriter("shared-reads-writer", Write);

// Arguments: the socket. Writes whatever it may until it is killed.
int Scribble(const std::vector<std::string>& arguments) {
  auto peer = UdsPeer::Connect({.path = arguments[0]});
  if (!peer.ok()) return 1;
  const absl::StatusOr<SharedIndex> index = (*peer)->OpenIndex();
  if (!index.ok()) return 1;
  // What is not to be written cannot be.
  constexpr size_t kBytes = 16384;
  if (mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, index->index.get(), 0) !=
      MAP_FAILED) {
    return 2;
  }
  // Nor may the page go away under the node.
  if (ftruncate(index->hints.get(), 0) == 0) return 3;
  void* const page =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, index->hints.get(), 0);
  if (page == MAP_FAILED) return 4;
  auto* const words = static_cast<std::atomic<uint64_t>*>(page);
  std::mt19937_64 random(1);
  dprintf(STDOUT_FILENO, "scribbling\n");
  for (uint64_t i = 0;; ++i) {
    // Mostly counters: by little, so that some of it is believed, and by anything.
    const uint64_t at = i % 4 < 2 ? i % 2 : random() % (kBytes / 8);
    const uint64_t by = i % 64 < 60 ? random() % 10000 : random();
    words[at].store(i % 3 == 0 ? by : words[at].load() + by);
  }
}
const Role kScribbler("shared-reads-scribbler", Scribble);

class SharedReads : public ::testing::Test {
 protected:
  void StartNode(const std::string& capacity = "1MiB") {
    node_.emplace(ChildProcess::StartProgram(
        {std::getenv("PACKICE_BINARY"), "serve", "--socket", socket_, "--capacity", capacity}));
    ASSERT_THAT(node_->ReadLine(), ::testing::HasSubstr("serving"));
  }
  std::unique_ptr<Client> NewClient() const {
    auto client = Connect(socket_);
    EXPECT_THAT(client, IsOk());
    return *std::move(client);
  }
  // Until it holds, which another process brings about.
  template <typename Condition>
  static bool Eventually(Condition condition) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (absl::Now() < deadline) {
      if (condition()) return true;
    }
    return false;
  }

  TemporaryDirectory directory_;
  const std::string socket_ = directory_.path() + "/node.sock";
  absl::optional<ChildProcess> node_;
};

uint64_t ReadsToMake() {
  const char* const text = std::getenv("PACKICE_SHARED_READS");
  uint64_t reads = 0;
  return text != nullptr && absl::SimpleAtoi(text, &reads) ? reads : 2'000'000;
}

TEST_F(SharedReads, AreRightWhileMemoryIsRecycledAndProcessesAreKilled) {
  StartNode();
  const std::string board_path = directory_.path() + "/board";
  Board& board = Board::Map(board_path);
  std::mt19937_64 random(std::random_device{}());
  uint64_t runs = 0;
  const auto start = [&](size_t nth) {
    const std::string run = absl::StrCat(++runs);
    return nth < kWriters ? ChildProcess::Start("shared-reads-writer",
                                                {socket_, board_path, run, absl::StrCat(nth)})
                          : ChildProcess::Start("shared-reads-reader", {socket_, board_path, run});
  };
  std::vector<ChildProcess> processes;
  for (size_t i = 0; i < kWriters + kReaders; ++i) processes.push_back(start(i));
  const absl::Time began = absl::Now();
  const uint64_t wanted = ReadsToMake();
  uint64_t kills = 0;
  const uint64_t kill_every = std::max<uint64_t>(wanted / 100, 50'000);
  for (uint64_t next = kill_every; board.reads < wanted; next += kill_every) {
    ASSERT_TRUE(Eventually([&] { return board.reads >= std::min(next, wanted); }))
        << board.reads << " reads";
    const size_t victim = random() % processes.size();
    processes[victim].Kill();
    processes[victim] = start(victim);
    ++kills;
  }
  const absl::Duration took = absl::Now() - began;
  board.over = 1;
  for (ChildProcess& process : processes) EXPECT_EQ(process.Wait(), 0);
  ASSERT_OK_AND_ASSIGN(const NodeStats stats, NewClient()->Stats());
  std::printf("%lu reads (%lu of what was absent), %lu puts, %lu evictions, %lu kills in %.1f s\n",
              board.reads.load(), board.absent.load(), board.puts.load(), stats.peer.evictions,
              kills, absl::ToDoubleSeconds(took));
  EXPECT_EQ(board.wrong, 0u);
  EXPECT_EQ(board.old, 0u);
  EXPECT_EQ(board.failed, 0u);
  EXPECT_GT(board.puts, 0u);
  EXPECT_LT(board.absent, board.reads / 2) << "most are to find something";
  // Whose client was killed, their leases are gone.
  EXPECT_TRUE(Eventually([&] {
    const absl::StatusOr<NodeStats> now = NewClient()->Stats();
    return now.ok() && now->connections == 1 && now->peer.read_leases == 0 &&
           now->peer.create_leases == 0;
  }));
}

TEST_F(SharedReads, HintsThatAreScribbledOverHarmNobody) {
  StartNode();
  const absl::Time began = absl::Now();
  const std::unique_ptr<Client> client = NewClient();
  for (uint64_t id = 0; id < kIds; ++id) {
    ASSERT_THAT(client->Put(IdOf(id), ObjectOf(id, {id})), IsOk());
  }
  std::vector<ChildProcess> scribblers;
  for (int i = 0; i < 2; ++i) {
    scribblers.push_back(ChildProcess::Start("shared-reads-scribbler", {socket_}));
  }
  for (ChildProcess& scribbler : scribblers) ASSERT_EQ(scribbler.ReadLine(), "scribbling");
  uint64_t wrong = 0;
  constexpr uint64_t kReads = 100'000;
  for (uint64_t i = 0; i < kReads; ++i) {
    const absl::StatusOr<std::string> read = client->GetCopy(IdOf(i % kIds));
    if (!read.ok() || !VersionOf(i % kIds, *read).has_value()) ++wrong;
  }
  EXPECT_EQ(wrong, 0u);
  for (ChildProcess& scribbler : scribblers) scribbler.Kill();
  NodeStats stats;
  EXPECT_TRUE(Eventually([&] {
    const absl::StatusOr<NodeStats> now = client->Stats();
    if (now.ok()) stats = *now;
    return now.ok() && now->peer.hits >= kReads && now->connections == 1;
  }));
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began) + 1;
  EXPECT_LT(static_cast<double>(stats.peer.hits), 3 * seconds * ReadHints::kMaxReadsPerSecond);
  EXPECT_LT(static_cast<double>(stats.peer.hit_bytes), 3 * seconds * ReadHints::kMaxBytesPerSecond);
  EXPECT_EQ(stats.peer.objects, kIds);
  EXPECT_EQ(stats.peer.misses, 0u);
  EXPECT_EQ(stats.peer.evictions, 0u);
}

TEST_F(SharedReads, ComeFromTheNewNodeWhenTheOldOneHasEnded) {
  std::unique_ptr<Client> client;  // of all of them
  for (const int number : {SIGKILL, SIGTERM, SIGKILL}) {
    StartNode();
    ASSERT_THAT(NewClient()->Put("a", absl::StrCat("of ", node_->pid())), IsOk());
    if (client == nullptr) client = NewClient();
    ASSERT_TRUE(Eventually([&] {
      const absl::StatusOr<std::string> read = client->GetCopy("a");
      return read.ok() && *read == absl::StrCat("of ", node_->pid());
    }));
    for (int i = 0; i < 1000; ++i) {
      ASSERT_THAT(client->GetCopy("a"), IsOkAndHolds(absl::StrCat("of ", node_->pid())));
    }
    EXPECT_TRUE(Eventually([&] { return client->Stats()->peer.hits >= 1000; }));
    node_->Signal(number);
    node_->Wait();
    EXPECT_TRUE(Eventually([&] { return !client->GetCopy("a").ok(); }));
    EXPECT_THAT(client->GetCopy("a"), HasKind(ErrorKind::kUnavailable));
  }
}

}  // namespace
}  // namespace packice
