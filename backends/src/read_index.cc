#include "packice/backends/read_index.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "read_index_table.h"

namespace packice {
namespace {

// Full enough to grow. With 64 slots moved for each call the table fills by another 27/32 / 64 at
// most until the larger one is ready, to less than 28/32, and there are two tables for a short time
// only. By the number of entries alone, never for
// want of a place: ids chosen to share their buckets fill those, and take no memory.
bool IsFull(uint64_t entries, uint64_t slots) { return entries * 32 >= slots * 27; }
constexpr uint64_t kMovesPerCall = 64;
constexpr int kRestCalls = 1000;

// 9/32 more is what keeps memory within 96 bytes an entry; small tables do not matter.
uint64_t Grown(uint64_t slots) { return slots < (1 << 16) ? slots * 2 : slots + slots / 32 * 9; }

uint64_t Seed(RandomSource& random) {
  uint64_t seed = 0;
  random.Fill(absl::MakeSpan(reinterpret_cast<uint8_t*>(&seed), sizeof(seed)));
  return seed;
}

// Whether the layout has room for that place.
bool Fits(const ReadIndexEntry& entry) {
  return entry.offset < uint64_t{1} << (64 - kMatchBits) &&
         (!entry.readable || entry.size < kNotReadable);
}

SlotFields FieldsOf(const ReadIndexEntry& entry) {
  SlotFields fields;
  fields.where = entry.offset << kMatchBits;
  fields.extent = uint64_t{entry.segment} << 32 | (entry.readable ? entry.size : kNotReadable);
  fields.expiry =
      entry.deadline == absl::InfiniteDuration()
          ? kNeverExpires
          : static_cast<uint64_t>(std::max<int64_t>(0, absl::ToInt64Nanoseconds(entry.deadline)));
  return fields;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReadIndex>> ReadIndex::Create(const ReadIndexOptions& options) {
  const uint64_t seed = Seed(*options.random);
  auto table = ReadIndexTable::Create(std::max<uint64_t>(1, options.slots), seed, *options.random);
  if (!table.ok()) return table.status();
  return std::unique_ptr<ReadIndex>(new ReadIndex(*std::move(table), seed, *options.random));
}

ReadIndex::ReadIndex(std::unique_ptr<ReadIndexTable> table, uint64_t seed, RandomSource& random)
    : random_(random), seed_(seed), table_(std::move(table)) {}

ReadIndex::~ReadIndex() {
  MutexLock lock(mutex_);
  table_->End(kIndexEnded);
}

void ReadIndex::Publish(const ReadIndexEntry& entry) {
  if (!IsIdSize(entry.id.size())) return;
  if (!Fits(entry)) return Withdraw(entry.id);
  const IdKey key = MakeKey(entry.id, seed_);
  const SlotFields fields = FieldsOf(entry);
  std::unique_ptr<ReadIndexTable> done;
  MutexLock lock(mutex_);
  table_->Put(key, fields);
  const std::vector<uint64_t> moves = table_->TakeMoves();
  if (next_ != nullptr) {
    next_->Put(key, fields);
    next_->TakeMoves();
    // They may be behind what was moved already.
    for (const uint64_t slot : moves) Carry(slot);
  }
  Grow(done);
}

void ReadIndex::Withdraw(absl::string_view id) {
  if (!IsIdSize(id.size())) return;
  const IdKey key = MakeKey(id, seed_);
  std::unique_ptr<ReadIndexTable> done;
  MutexLock lock(mutex_);
  table_->Remove(key);
  if (next_ != nullptr) next_->Remove(key);
  Grow(done);
}

void ReadIndex::Grow(std::unique_ptr<ReadIndexTable>& done) {
  if (next_ == nullptr) {
    if (!IsFull(table_->entries(), table_->slots()) || (rest_ > 0 && --rest_ > 0)) return;
    auto next = ReadIndexTable::Create(Grown(table_->slots()), seed_, random_);
    if (!next.ok()) {
      // Until then the table takes what it has room for.
      rest_ = kRestCalls;
      return;
    }
    next_ = *std::move(next);
    moved_ = 0;
  }
  CarrySome();
  if (moved_ < table_->slots()) return;
  table_->End(kIndexReplaced);
  done = std::exchange(table_, std::move(next_));
}

void ReadIndex::CarrySome() {
  // All their places are asked for before the first is waited for.
  std::array<std::string, kMovesPerCall> ids;
  const uint64_t count = std::min(kMovesPerCall, table_->slots() - moved_);
  for (uint64_t i = 0; i < count; ++i) {
    const SlotFields fields = table_->At(moved_ + i);
    if (fields.empty()) continue;
    ids[i] = table_->IdAt(fields);
    next_->Prefetch(MakeKey(ids[i], seed_));
  }
  for (uint64_t i = 0; i < count; ++i) {
    if (!ids[i].empty()) next_->Put(MakeKey(ids[i], seed_), table_->At(moved_ + i));
  }
  next_->TakeMoves();
  moved_ += count;
}

void ReadIndex::Carry(uint64_t slot) {
  const SlotFields fields = table_->At(slot);
  if (fields.empty()) return;
  const std::string id = table_->IdAt(fields);
  next_->Put(MakeKey(id, seed_), fields);
  next_->TakeMoves();
}

std::shared_ptr<const UniqueFd> ReadIndex::descriptor() const {
  MutexLock lock(mutex_);
  return table_->descriptor();
}

absl::optional<ObjectId> ReadIndex::IdAt(uint64_t slot, uint32_t check) const {
  MutexLock lock(mutex_);
  if (slot >= table_->slots()) return absl::nullopt;
  const SlotFields fields = table_->At(slot);
  if (fields.empty() || static_cast<uint32_t>(table_->VersionAt(slot) >> 1) != check) {
    return absl::nullopt;
  }
  absl::StatusOr<ObjectId> id = ObjectId::Parse(table_->IdAt(fields));
  if (!id.ok()) return absl::nullopt;
  return *std::move(id);
}

uint64_t ReadIndex::entries() const {
  MutexLock lock(mutex_);
  return table_->entries();
}

uint64_t ReadIndex::bytes() const {
  MutexLock lock(mutex_);
  return table_->bytes() + (next_ == nullptr ? 0 : next_->bytes());
}

}  // namespace packice
