// Readers in threads and processes of their own while the node publishes, withdraws and recycles as
// fast as it can: each copy that is validated is whole, and the object's.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "packice/backends/read_index.h"
#include "packice/backends/read_index_view.h"
#include "packice/core/mutex.h"

namespace packice {
namespace {

using Outcome = ReadIndexView::Outcome;

constexpr size_t kCellBytes = 1024;
constexpr size_t kCells = 24;  // few, so that they are read and recycled at once
constexpr size_t kIds = 64;

std::string IdOf(uint64_t i) {
  return i % 4 == 0 ? absl::StrCat(std::string(60, 'l'), i) : absl::StrCat("object-", i);
}

uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15;
  return x ^ (x >> 29);
}

// Word 0 is the object's birth, the others follow from it, the id and where they are; so does the
// size. Two objects of one id differ.
size_t WordsOf(uint64_t id, uint64_t birth) {
  return 2 + Mix(id * 31 + birth) % (kCellBytes / 8 - 1);
}
uint64_t WordOf(uint64_t id, uint64_t birth, size_t nth) {
  return nth == 0 ? birth : Mix(Mix(id << 32 | nth) + birth);
}

bool IsWhole(uint64_t id, absl::Span<const uint64_t> words) {
  if (words.size() < 2 || words.size() != WordsOf(id, words[0])) return false;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] != WordOf(id, words[0], i)) return false;
  }
  return true;
}

// A segment that forked children share, and the node's bookkeeping of its cells. Several threads
// may Step; each works on what it took out of the bookkeeping.
class Node {
 public:
  explicit Node(uint64_t slots, size_t cells = kCells, size_t ids = kIds)
      : ids_(ids), place_(ids, kNowhere) {
    void* base = mmap(nullptr, cells * kCellBytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    segment_ = absl::MakeSpan(static_cast<char*>(base), cells * kCellBytes);
    ReadIndexOptions options;
    options.slots = slots;
    index_ = *ReadIndex::Create(options);
    for (size_t i = 0; i < cells; ++i) free_.push_back(i);
  }
  ~Node() {
    index_.reset();
    munmap(segment_.data(), segment_.size());
  }

  // Takes an id at random: away if it is there, else into the cell that was last given up.
  void Step(std::mt19937_64& random) {
    const uint64_t id = random() % ids_;
    size_t cell = kNowhere;
    bool goes = false;
    uint64_t birth = 0;
    {
      MutexLock lock(mutex_);
      if (place_[id] == kBusy) return;
      goes = place_[id] != kNowhere;
      if (!goes && free_.empty()) return;
      cell = goes ? place_[id] : free_.back();
      if (!goes) free_.pop_back();
      place_[id] = kBusy;
      birth = ++births_;
    }
    if (goes) {
      index_->Withdraw(IdOf(id));
    } else {
      Put(id, cell, birth);
    }
    MutexLock lock(mutex_);
    place_[id] = goes ? kNowhere : cell;
    if (goes) free_.push_back(cell);
  }

  void Put(uint64_t id, size_t cell, uint64_t birth) {
    char* at = segment_.data() + cell * kCellBytes;
    const size_t words = WordsOf(id, birth);
    ReadIndex::BeforeRefill();
    for (size_t i = 0; i < words; ++i) {
      const uint64_t word = WordOf(id, birth, i);
      std::memcpy(at + i * 8, &word, 8);
    }
    index_->Publish({IdOf(id), 0, cell * kCellBytes, words * 8});
  }

  ReadIndex& index() { return *index_; }
  void EndIndex() { index_.reset(); }
  absl::Span<const char> segment() const { return segment_; }

 private:
  static constexpr size_t kNowhere = ~size_t{0};
  static constexpr size_t kBusy = kNowhere - 1;

  const size_t ids_;
  absl::Span<char> segment_;
  std::unique_ptr<ReadIndex> index_;
  Mutex mutex_;
  std::vector<size_t> place_ ABSL_GUARDED_BY(mutex_);  // of each id
  std::vector<size_t> free_ ABSL_GUARDED_BY(mutex_);
  uint64_t births_ ABSL_GUARDED_BY(mutex_) = 0;
};

struct Counts {
  std::atomic<uint64_t> found{0};
  std::atomic<uint64_t> broken{0};
  std::atomic<uint64_t> reopened{0};
};

// One read of an id at random. False when the view is stale.
bool ReadOne(const ReadIndexView& view, absl::Span<const char> segment, std::mt19937_64& random,
             Counts& counts, size_t ids = kIds) {
  const uint64_t id = random() % ids;
  std::array<uint64_t, kCellBytes / 8> words;
  const ReadIndexView::Found found = view.Read(
      IdOf(id), [&](uint32_t) { return segment; },
      absl::MakeSpan(reinterpret_cast<char*>(words.data()), kCellBytes));
  if (found.outcome == Outcome::kStale) return false;
  if (found.outcome == Outcome::kMissing) return true;
  const bool whole = found.outcome == Outcome::kFound &&
                     IsWhole(id, absl::MakeConstSpan(words.data(), found.size / 8));
  (whole ? counts.found : counts.broken).fetch_add(1, std::memory_order_relaxed);
  return true;
}

constexpr uint64_t kEnoughFound = 30'000;
constexpr int kEnoughSteps = 300'000;

TEST(ReadIndexStressTest, ThreadsReadWhileTwoOthersRecycle) {
  Node node(128);
  Counts counts;
  std::atomic<int> writing{2};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      std::mt19937_64 random(i);
      for (int step = 0; step < kEnoughSteps || counts.found.load() < kEnoughFound; ++step) {
        node.Step(random);
      }
      --writing;
    });
    threads.emplace_back([&, i] {
      std::mt19937_64 random(10 + i);
      const auto view = *ReadIndexView::Open(node.index().descriptor()->get(), Clock::System());
      while (writing.load() > 0) ReadOne(*view, node.segment(), random, counts);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(counts.found.load(), kEnoughFound);
  EXPECT_EQ(counts.broken.load(), 0u);
}

TEST(ReadIndexStressTest, ThreadsReadWhileTheTableGrows) {
  constexpr size_t kMany = 20'000;
  Node node(1, kMany, kMany);
  Counts counts;
  std::atomic<bool> over{false};
  std::thread reader([&] {
    std::mt19937_64 random(1);
    auto view = *ReadIndexView::Open(node.index().descriptor()->get(), Clock::System());
    while (!over.load() || counts.found.load() < 1000) {
      if (ReadOne(*view, node.segment(), random, counts, kMany)) continue;
      view = *ReadIndexView::Open(node.index().descriptor()->get(), Clock::System());
      ++counts.reopened;
    }
  });
  std::mt19937_64 random(2);
  // Two steps of three publish until the table is half full, so that it grows all the while.
  for (int step = 0; step < 60'000; ++step) node.Step(random);
  over = true;
  reader.join();
  EXPECT_EQ(counts.broken.load(), 0u);
  EXPECT_GT(counts.reopened.load(), 0u);
}

// What children count, and a child of this process.
Counts* SharedCounts() {
  void* base =
      mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return new (base) Counts;
}
pid_t Fork(const std::function<void()>& child) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  child();
  _exit(0);
}
int StatusOf(pid_t pid) {
  int status = -1;
  waitpid(pid, &status, 0);
  return status;
}

TEST(ReadIndexStressTest, OtherProcessesReadUntilTheNodeEnds) {
  Node node(128);
  Counts* counts = SharedCounts();
  std::vector<pid_t> readers;
  for (int i = 0; i < 2; ++i) {
    readers.push_back(Fork([&, i] {
      std::mt19937_64 random(i);
      const auto view = *ReadIndexView::Open(node.index().descriptor()->get(), Clock::System());
      while (ReadOne(*view, node.segment(), random, *counts)) {
      }
    }));
  }
  std::mt19937_64 random(7);
  for (int step = 0; step < kEnoughSteps || counts->found.load() < kEnoughFound; ++step) {
    node.Step(random);
  }
  node.EndIndex();
  for (const pid_t reader : readers) EXPECT_EQ(StatusOf(reader), 0);
  EXPECT_EQ(counts->broken.load(), 0u);
  munmap(counts, sizeof(Counts));
}

TEST(ReadIndexStressTest, WhatAKilledNodeLeavesIsWholeOrMissing) {
  for (int round = 0; round < 10; ++round) {
    Node node(128);
    const pid_t writer = Fork([&] {
      std::mt19937_64 random(round);
      for (;;) node.Step(random);
    });
    Counts counts;
    std::mt19937_64 random(7);
    const auto view = *ReadIndexView::Open(node.index().descriptor()->get(), Clock::System());
    while (counts.found.load() < 1000) {
      ASSERT_TRUE(ReadOne(*view, node.segment(), random, counts));
    }
    kill(writer, SIGKILL);
    EXPECT_TRUE(WIFSIGNALED(StatusOf(writer)));
    for (int i = 0; i < 1000; ++i) {
      EXPECT_TRUE(ReadOne(*view, node.segment(), random, counts)) << "nobody was there to say so";
    }
    EXPECT_GT(counts.found.load(), 1000u);
    EXPECT_EQ(counts.broken.load(), 0u);
  }
}

}  // namespace
}  // namespace packice
