// A view trusts nothing that it reads: whatever the shared memory holds, it says so or finds
// nothing, and reads no byte that is not its.
#include "packice/backends/read_index_view.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "memfd.h"
#include "packice/backends/read_index.h"
#include "packice/core/mapping.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/status_matchers.h"
#include "read_index_layout.h"

namespace packice {
namespace {

using Outcome = ReadIndexView::Outcome;

constexpr uint64_t kIds = 300;
std::string IdOf(uint64_t i) {
  return i % 3 == 0 ? absl::StrCat(i, std::string(40 + i % 200, 'l')) : absl::StrCat("id-", i);
}

// The bytes of an index with kIds entries, and of its arena what is in use.
std::string IndexBytes() {
  FakeRandom random;
  ReadIndexOptions options;
  options.slots = 4096;
  options.random = &random;
  auto index = *ReadIndex::Create(options);
  for (uint64_t i = 0; i < kIds; ++i) index->Publish({IdOf(i), 1, i * 8, 8 + i % 5});
  const uint64_t size = index->bytes();
  std::string bytes(size, '\0');
  EXPECT_EQ(pread(index->descriptor()->get(), &bytes[0], size, 0), static_cast<ssize_t>(size));
  const uint64_t arena_words =
      (size - kHeaderBytes - SlotsBytes(4096 / kBucketSlots)) / sizeof(ReadIndexWord);
  std::memcpy(&bytes[offsetof(ReadIndexHeader, arena_words)], &arena_words, sizeof(arena_words));
  return bytes;
}

// A memfd with those bytes that the test can go on to write to.
UniqueFd MemoryOf(absl::string_view bytes, int seals = memfd::kFixedSize) {
  UniqueFd fd = *memfd::Create("garbage");
  EXPECT_EQ(write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  EXPECT_THAT(memfd::AddSeals(fd.get(), seals), IsOk());
  return fd;
}

absl::StatusOr<std::unique_ptr<ReadIndexView>> OpenBytes(absl::string_view bytes) {
  return ReadIndexView::Open(MemoryOf(bytes).get(), Clock::System());
}

// The segment is on the heap and no longer than it has to be, so that AddressSanitizer sees it
// overrun. Returns how many were found.
uint64_t ReadAll(const ReadIndexView& view) {
  const std::vector<char> segment(kIds * 8 + 16, 's');
  const auto segments = [&](uint32_t number) {
    return number == 1 ? absl::MakeConstSpan(segment) : absl::Span<const char>();
  };
  uint64_t found = 0;
  for (uint64_t i = 0; i < kIds; ++i) {
    std::vector<char> out(16);
    const ReadIndexView::Found read = view.Read(IdOf(i), segments, absl::MakeSpan(out));
    if (read.outcome == Outcome::kFound) {
      ++found;
      EXPECT_LE(read.size, out.size());
    }
  }
  return found;
}

template <typename T>
void Set(std::string& bytes, size_t offset, T value) {
  std::memcpy(&bytes[offset], &value, sizeof(value));
}

TEST(ReadIndexViewTest, ACopyOfAnIndexIsOne) {
  ASSERT_OK_AND_ASSIGN(auto view, OpenBytes(IndexBytes()));
  EXPECT_EQ(ReadAll(*view), kIds);
}

TEST(ReadIndexViewTest, OnlyMemoryThatCannotShrinkIsOpened) {
  const std::string bytes = IndexBytes();
  EXPECT_THAT(ReadIndexView::Open(MemoryOf(bytes, F_SEAL_GROW).get(), Clock::System()),
              HasKind(ErrorKind::kCorrupt));
  const UniqueFd file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  EXPECT_THAT(ReadIndexView::Open(file.get(), Clock::System()), HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(ReadIndexView::Open(-1, Clock::System()), HasKind(ErrorKind::kIo));
}

TEST(ReadIndexViewTest, AnotherLayoutIsUnsupported) {
  std::string bytes = IndexBytes();
  Set(bytes, offsetof(ReadIndexHeader, layout), kReadIndexLayout + 1);
  EXPECT_THAT(OpenBytes(bytes), HasKind(ErrorKind::kUnsupported));
}

TEST(ReadIndexViewTest, WhatIsNoIndexIsCorrupt) {
  EXPECT_THAT(OpenBytes(""), HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(OpenBytes(std::string(4095, '\0')), HasKind(ErrorKind::kCorrupt));
  EXPECT_THAT(OpenBytes(std::string(8192, 'x')), HasKind(ErrorKind::kCorrupt));
}

TEST(ReadIndexViewTest, SizesThatDoNotFitAreCorrupt) {
  const std::string bytes = IndexBytes();
  for (const size_t field :
       {offsetof(ReadIndexHeader, buckets), offsetof(ReadIndexHeader, arena_words)}) {
    uint64_t right = 0;
    std::memcpy(&right, &bytes[field], sizeof(right));
    for (const uint64_t wrong : {right + 1, uint64_t{1} << 31, uint64_t{1} << 32, uint64_t{1} << 60,
                                 uint64_t{1} << 61, ~uint64_t{0}}) {
      std::string broken = bytes;
      Set(broken, field, wrong);
      EXPECT_THAT(OpenBytes(broken), HasKind(ErrorKind::kCorrupt)) << field << " " << wrong;
    }
  }
  std::string none = bytes;
  Set(none, offsetof(ReadIndexHeader, buckets), uint64_t{0});
  EXPECT_THAT(OpenBytes(none), HasKind(ErrorKind::kCorrupt));
}

TEST(ReadIndexViewTest, AnUnknownStateIsStale) {
  std::string bytes = IndexBytes();
  Set(bytes, offsetof(ReadIndexHeader, state), uint64_t{77});
  ASSERT_OK_AND_ASSIGN(auto view, OpenBytes(bytes));
  EXPECT_EQ(view->Lookup(IdOf(1)).outcome, Outcome::kStale);
}

TEST(ReadIndexViewTest, ASlotThatIsLeftInTheMiddleOfAChangeIsNotFound) {
  std::string bytes = IndexBytes();
  for (uint64_t at = kHeaderBytes; at < kHeaderBytes + SlotsBytes(1024); at += 64) bytes[at] |= 1;
  ASSERT_OK_AND_ASSIGN(auto view, OpenBytes(bytes));
  EXPECT_EQ(ReadAll(*view), 0u);
}

TEST(ReadIndexViewTest, RandomBytesAreReadWithoutHarm) {
  std::mt19937_64 random(1);
  std::string bytes = IndexBytes();
  for (int round = 0; round < 20; ++round) {
    for (size_t at = kHeaderBytes; at + 8 <= bytes.size(); at += 8) Set(bytes, at, random());
    ASSERT_OK_AND_ASSIGN(auto view, OpenBytes(bytes));
    EXPECT_EQ(ReadAll(*view), 0u) << "no id is right by chance";
  }
}

TEST(ReadIndexViewTest, FlippedBitsAreReadWithoutHarm) {
  std::mt19937_64 random(2);
  const std::string bytes = IndexBytes();
  uint64_t found = 0;
  for (int round = 0; round < 100; ++round) {
    std::string broken = bytes;
    // Some in the header; the others in slots that are taken and in the arena.
    if (round % 4 == 0) broken[random() % sizeof(ReadIndexHeader)] ^= 1 << random() % 8;
    for (size_t at = kHeaderBytes; at < bytes.size(); ++at) {
      if (bytes[at] != 0 && random() % 16 == 0) broken[at] ^= 1 << random() % 8;
    }
    auto view = OpenBytes(broken);
    if (view.ok()) found += ReadAll(**view);
  }
  EXPECT_GT(found, 0u) << "else nothing was tried but the hash";
}

TEST(ReadIndexViewTest, LongIdsPlacesAreNotTrusted) {
  const std::string bytes = IndexBytes();
  const uint64_t arena = (bytes.size() - kHeaderBytes - SlotsBytes(1024)) / 8;
  for (const uint64_t place : {arena - 1, arena, arena + 1, uint64_t{1} << 61, ~uint64_t{0}}) {
    std::string broken = bytes;
    for (uint64_t at = kHeaderBytes; at < kHeaderBytes + SlotsBytes(1024); at += 64) {
      const auto id_size = static_cast<uint8_t>(bytes[at + offsetof(ReadIndexSlot, where)]);
      if (id_size > kInlineIdBytes) {
        Set(broken, at + offsetof(ReadIndexSlot, id) + 8 * kLongIdPlace, place);
      }
    }
    ASSERT_OK_AND_ASSIGN(auto view, OpenBytes(broken));
    EXPECT_EQ(ReadAll(*view), kIds - kIds / 3) << place;
  }
}

TEST(ReadIndexViewTest, WordsThatChangeAllTheTimeAreReadWithoutHarm) {
  const std::string bytes = IndexBytes();
  const UniqueFd fd = MemoryOf(bytes);
  ASSERT_OK_AND_ASSIGN(const Mapping mapping,
                       Mapping::Map(fd.get(), 0, bytes.size(), MapAccess::kReadWrite));
  ASSERT_OK_AND_ASSIGN(auto view, ReadIndexView::Open(fd.get(), Clock::System()));
  auto* words = reinterpret_cast<ReadIndexWord*>(mapping.bytes().data());
  std::atomic<bool> over{false};
  std::thread vandal([&] {
    std::mt19937_64 random(3);
    const size_t first = kHeaderBytes / 8;
    while (!over.load()) {
      // A word that matters is flipped and then made right, so that all is found now and then.
      const size_t at = first + random() % (bytes.size() / 8 - first);
      const uint64_t right = words[at].load(std::memory_order_relaxed);
      if (right == 0) continue;
      words[at].store(right ^ (uint64_t{1} << random() % 64), std::memory_order_relaxed);
      words[at].store(random(), std::memory_order_relaxed);
      words[at].store(right, std::memory_order_relaxed);
    }
  });
  for (int round = 0; round < 1000; ++round) ReadAll(*view);
  over = true;
  vandal.join();
  EXPECT_EQ(ReadAll(*view), kIds);
}

}  // namespace
}  // namespace packice
