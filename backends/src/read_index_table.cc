#include "read_index_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "memfd.h"
#include "packice/core/error.h"

// Linux 5.1; the C library may be older.
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace packice {
namespace {

// How many entries may move for one to find a place. At 29/32 one alone is not always enough.
constexpr int kMoveDepth = 3;

uint64_t Random(RandomSource& random) {
  std::array<uint8_t, 8> bytes;
  random.Fill(absl::MakeSpan(bytes));
  uint64_t number = 0;
  for (const uint8_t byte : bytes) number = number << 8 | byte;
  return number;
}

// The memory is zeros, and a zero word is an atomic zero.
template <typename T>
T* PartAt(const Mapping& mapping, uint64_t offset) {
  return reinterpret_cast<T*>(mapping.bytes().data() + offset);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReadIndexTable>> ReadIndexTable::Create(uint64_t slots,
                                                                       uint64_t seed,
                                                                       RandomSource& random) {
  const uint64_t buckets = std::clamp<uint64_t>((slots - 1) / kBucketSlots + 1, 2, kMaxBuckets);
  const uint64_t arena_words = buckets * kBucketSlots * kArenaWordsPerSlot;
  const uint64_t bytes = TableBytes(buckets, arena_words);
  absl::StatusOr<UniqueFd> fd = memfd::Create("packice-index");
  if (!fd.ok()) return fd.status();
  if (ftruncate(fd->get(), static_cast<off_t>(bytes)) != 0) {
    return ErrnoError(errno, "cannot make a memfd as long as the read index is");
  }
  absl::StatusOr<Mapping> mapping = Mapping::Map(fd->get(), 0, bytes, MapAccess::kReadWrite);
  if (!mapping.ok()) return mapping.status();
  const int seals = memfd::kFixedSize | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
  if (absl::Status status = memfd::AddSeals(fd->get(), seals); !status.ok()) {
    // The kernel's answer to a seal that it does not know (EINVAL).
    if (KindOf(status) != ErrorKind::kIo) return status;
    return MakeError(ErrorKind::kUnsupported,
                     "this kernel cannot keep clients from writing to the read index "
                     "(F_SEAL_FUTURE_WRITE); Linux 5.1 can");
  }
  auto* header = PartAt<ReadIndexHeader>(*mapping, 0);
  header->magic = kReadIndexMagic;
  header->layout = kReadIndexLayout;
  header->generation = Random(random);
  header->seed = seed;
  header->buckets = buckets;
  header->arena_words = arena_words;
  header->state.store(kIndexLive, std::memory_order_release);
  // Even, and neither 0 nor so large that it could wrap.
  const uint64_t first_version = ((Random(random) >> 32) + 1) * 2;
  return std::unique_ptr<ReadIndexTable>(
      new ReadIndexTable(*std::move(fd), *std::move(mapping), first_version));
}

ReadIndexTable::ReadIndexTable(UniqueFd fd, Mapping mapping, uint64_t first_version)
    : descriptor_(std::make_shared<const UniqueFd>(std::move(fd))),
      mapping_(std::move(mapping)),
      header_(PartAt<ReadIndexHeader>(mapping_, 0)),
      slots_(PartAt<ReadIndexSlot>(mapping_, kHeaderBytes), header_->buckets * kBucketSlots),
      arena_words_(PartAt<ReadIndexWord>(mapping_, kHeaderBytes + SlotsBytes(header_->buckets)),
                   header_->arena_words),
      first_version_(first_version),
      arena_(header_->arena_words) {}

bool ReadIndexTable::Put(const IdKey& key, const SlotFields& fields) {
  Prefetch(key);
  SlotFields entry = fields;
  entry.where = (fields.where & ~kMatchMask) | key.match;
  if (const absl::optional<uint64_t> old = Find(key)) {
    entry.id = At(*old).id;
    WriteSlot(slots_[*old], entry, NextVersion(*old));
    return true;
  }
  const BucketPair buckets = BucketsOf(key.hash, header_->buckets);
  absl::optional<uint64_t> slot = FreeIn(buckets.first, key.hash);
  if (!slot) slot = FreeIn(buckets.second, key.hash);
  for (int depth = 1; depth <= kMoveDepth && !slot; ++depth) {
    slot = MakeRoomIn(buckets.first, depth);
    if (!slot) slot = MakeRoomIn(buckets.second, depth);
  }
  if (!slot) return false;
  entry.id = key.words;
  if (key.is_long()) {
    const absl::optional<uint64_t> place = arena_.Take(WordsOfId(key.bytes.size()));
    if (!place) return false;
    // The cell is recycled as the objects' bytes are.
    std::atomic_thread_fence(std::memory_order_release);
    StoreId(key.bytes, arena_words_.subspan(*place));
    entry.id[kLongIdPlace] = *place;
  }
  WriteSlot(slots_[*slot], entry, NextVersion(*slot));
  ++entries_;
  return true;
}

bool ReadIndexTable::Remove(const IdKey& key) {
  Prefetch(key);
  const absl::optional<uint64_t> slot = Find(key);
  if (!slot) return false;
  EmptySlot(slots_[*slot], NextVersion(*slot));
  --entries_;
  if (key.is_long()) {
    arena_.Give(slots_[*slot].id[kLongIdPlace].load(std::memory_order_relaxed),
                WordsOfId(key.bytes.size()));
  }
  return true;
}

void ReadIndexTable::Prefetch(const IdKey& key) const {
  const BucketPair buckets = BucketsOf(key.hash, header_->buckets);
  PrefetchBucket(&slots_[buckets.first * kBucketSlots]);
  PrefetchBucket(&slots_[buckets.second * kBucketSlots]);
}

SlotFields ReadIndexTable::At(uint64_t slot) const {
  const ReadIndexSlot& from = slots_[slot];
  SlotFields fields;
  fields.where = from.where.load(std::memory_order_relaxed);
  fields.extent = from.extent.load(std::memory_order_relaxed);
  fields.expiry = from.expiry.load(std::memory_order_relaxed);
  for (size_t i = 0; i < fields.id.size(); ++i) {
    fields.id[i] = from.id[i].load(std::memory_order_relaxed);
  }
  return fields;
}

uint64_t ReadIndexTable::VersionAt(uint64_t slot) const {
  return slots_[slot].version.load(std::memory_order_relaxed);
}

uint64_t ReadIndexTable::bytes() const { return TableBytes(header_->buckets, arena_.used()); }

absl::optional<uint64_t> ReadIndexTable::Find(const IdKey& key) const {
  const BucketPair buckets = BucketsOf(key.hash, header_->buckets);
  for (const uint64_t bucket : {buckets.first, buckets.second}) {
    for (uint64_t nth = 0; nth < kBucketSlots; ++nth) {
      const uint64_t slot = SlotAt(bucket, key.hash, nth);
      const uint64_t where = slots_[slot].where.load(std::memory_order_relaxed);
      if ((where & kMatchMask) == key.match && IsId(key, At(slot), arena_words_)) return slot;
    }
  }
  return absl::nullopt;
}

absl::optional<uint64_t> ReadIndexTable::FreeIn(uint64_t bucket, uint64_t hash) const {
  for (uint64_t nth = 0; nth < kBucketSlots; ++nth) {
    const uint64_t slot = SlotAt(bucket, hash, nth);
    if (slots_[slot].where.load(std::memory_order_relaxed) == 0) return slot;
  }
  return absl::nullopt;
}

absl::optional<uint64_t> ReadIndexTable::MakeRoomIn(uint64_t bucket, int depth) {
  for (uint64_t from = bucket * kBucketSlots; from < (bucket + 1) * kBucketSlots; ++from) {
    const SlotFields fields = At(from);
    const uint64_t hash =
        fields.id_is_long() ? fields.id[kLongIdHash] : MakeKey(IdAt(fields), header_->seed).hash;
    const BucketPair buckets = BucketsOf(hash, header_->buckets);
    const uint64_t other = buckets.first == bucket ? buckets.second : buckets.first;
    const absl::optional<uint64_t> to =
        depth == 1 ? FreeIn(other, hash) : MakeRoomIn(other, depth - 1);
    if (!to) continue;
    // What was moved out of the way may have been this very entry, and another may be there now.
    const SlotFields now = At(from);
    if (now.empty()) return from;
    if (now.where != fields.where || now.id != fields.id) continue;
    Move(from, *to);
    return from;
  }
  return absl::nullopt;
}

// There before it is gone here: a reader between the two finds either, and both are right.
void ReadIndexTable::Move(uint64_t from, uint64_t to) {
  WriteSlot(slots_[to], At(from), NextVersion(to));
  EmptySlot(slots_[from], NextVersion(from));
  moves_.push_back(to);
}

uint64_t ReadIndexTable::NextVersion(uint64_t slot) const {
  const uint64_t version = VersionAt(slot);
  return version == 0 ? first_version_ : version + 2;
}

}  // namespace packice
