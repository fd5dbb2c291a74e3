// The protocol of a slot: how the node changes it and how readers of other processes read it and
// what it points to. A seqlock; templates over the memory, so that tests/read_index_model_test.cc
// runs this very code under all that C++ lets a memory do.
//
// The argument, for C++'s memory model and so for x86-64 and arm64 alike:
//
// Writers are one at a time (the node's lock). Each change of a slot stores an odd version, issues
// a release fence, stores the fields, and stores the next even version with release. Versions only
// rise, and 64 bits of them do not wrap.
//
// A reader loads the version with acquire (v1, even), the fields and the payload, issues an acquire
// fence and loads the version again (v2). Let v1 == v2.
// - Nothing it read is older than v1's change: the acquire load synchronises with the release store
//   of v1.
// - Nothing it read is newer: had it read a store made after a later change had begun, then that
//   change's release fence, before the store, synchronises with the reader's acquire fence, after
//   the load; so v2 could not be older than that change's odd version.
// The same holds for payload that is recycled after a withdrawal, provided that a release fence
// stands between the withdrawal and the first store of the new bytes. Where another thread stores
// them, the allocator's lock puts the withdrawal before that thread's stores, but a relaxed or
// plain store does not hand this on to the reader: hence ReadIndex::BeforeRefill. (x86-64 and arm64
// would not need it: a store that one processor has seen, all have.)
//
// A table that was replaced is no longer kept right. Its state is changed before the first
// withdrawal that it is not told of, and a reader checks the state after the payload as it does the
// version; the same argument covers it.
//
// Fields are atomics, accessed with relaxed order: no data race. The payload is copied as plain
// bytes while it may change (racy_copy.h); what was copied is not looked at until it is validated.
// Both fences keep the compiler from moving the copy across them. String instructions keep to the
// order of other loads; those of the node that do not keep to the order of stores (streaming) are
// fenced by the C library that uses them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace packice {

struct RealMemory {
  using Word = std::atomic<uint64_t>;
  static void Fence(std::memory_order order) { std::atomic_thread_fence(order); }
};

enum ReadIndexState : uint64_t {
  kIndexLive = 1,
  kIndexReplaced = 2,
  kIndexEnded = 3,
};

template <typename Memory>
struct SlotOf {
  using Word = typename Memory::Word;
  Word version;  // even: stable, odd: being changed, 0: never used
  Word where;    // offset << 24 | what the id must match: 16 bits of its hash, its length
  Word extent;   // segment << 32 | size, kNotReadable
  Word expiry;   // nanoseconds of CLOCK_MONOTONIC, kNeverExpires
  // The id, padded with zeros; or of one that is longer than 32 bytes its hash and where in the
  // arena it is, as a number of words.
  std::array<Word, 4> id;
};

inline constexpr uint64_t kNeverExpires = ~uint64_t{0};
inline constexpr uint64_t kNotReadable = UINT32_MAX;  // instead of a size
inline constexpr uint64_t kMatchBits = 24;
inline constexpr uint64_t kMatchMask = (uint64_t{1} << kMatchBits) - 1;
inline constexpr size_t kInlineIdBytes = 32;

// A slot's fields as values. An empty slot has `where` 0, which matches no id.
struct SlotFields {
  uint64_t where = 0;
  uint64_t extent = 0;
  uint64_t expiry = 0;
  std::array<uint64_t, 4> id = {};

  bool empty() const { return where == 0; }
  uint64_t offset() const { return where >> kMatchBits; }
  size_t id_size() const { return where & 0xff; }
  bool id_is_long() const { return id_size() > kInlineIdBytes; }
};

inline constexpr size_t kLongIdHash = 0;   // in id[]
inline constexpr size_t kLongIdPlace = 1;  // in id[]

// Node: makes `version`, even and larger than the one before, that of `fields`.
template <typename Memory>
void WriteSlot(SlotOf<Memory>& slot, const SlotFields& fields, uint64_t version) {
  slot.version.store(version - 1, std::memory_order_relaxed);
  Memory::Fence(std::memory_order_release);
  slot.where.store(fields.where, std::memory_order_relaxed);
  slot.extent.store(fields.extent, std::memory_order_relaxed);
  slot.expiry.store(fields.expiry, std::memory_order_relaxed);
  for (size_t i = 0; i < fields.id.size(); ++i) {
    slot.id[i].store(fields.id[i], std::memory_order_relaxed);
  }
  slot.version.store(version, std::memory_order_release);
}

// Node: readers that validate from now on do not find anything here. The rest of an empty slot does
// not matter.
template <typename Memory>
void EmptySlot(SlotOf<Memory>& slot, uint64_t version) {
  slot.version.store(version - 1, std::memory_order_relaxed);
  Memory::Fence(std::memory_order_release);
  slot.where.store(0, std::memory_order_relaxed);
  slot.version.store(version, std::memory_order_release);
}

// Node: the table is no longer what readers may go by. To be called before the first change that
// this table is not told of.
template <typename Memory>
void EndTable(typename Memory::Word& state, ReadIndexState end) {
  state.store(end, std::memory_order_relaxed);
  Memory::Fence(std::memory_order_release);
}

// Reader: whether the slot still has that version in a table that is still live, after all that was
// read since.
template <typename Memory>
bool Unchanged(const SlotOf<Memory>& slot, const typename Memory::Word& state, uint64_t version) {
  Memory::Fence(std::memory_order_acquire);
  return slot.version.load(std::memory_order_relaxed) == version &&
         state.load(std::memory_order_relaxed) == kIndexLive;
}

// Reader: the fields of a slot whose `where` has these low bits and for which `is_id(id)` holds,
// and their version; 0 when there is no such entry, or it would not hold still for `tries` looks.
template <typename Memory, typename IsId>
uint64_t ReadSlot(const SlotOf<Memory>& slot, const typename Memory::Word& state, uint64_t match,
                  int tries, const IsId& is_id, SlotFields& fields) {
  for (; tries > 0; --tries) {
    const uint64_t version = slot.version.load(std::memory_order_acquire);
    if (version == 0) return 0;
    if (version % 2 != 0) continue;
    fields.where = slot.where.load(std::memory_order_relaxed);
    if ((fields.where & kMatchMask) != match) return 0;
    for (size_t i = 0; i < fields.id.size(); ++i) {
      fields.id[i] = slot.id[i].load(std::memory_order_relaxed);
    }
    if (!is_id(fields)) return 0;
    fields.extent = slot.extent.load(std::memory_order_relaxed);
    fields.expiry = slot.expiry.load(std::memory_order_relaxed);
    if (Unchanged(slot, state, version)) return version;
  }
  return 0;
}

}  // namespace packice
