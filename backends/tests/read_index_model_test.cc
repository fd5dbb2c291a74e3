// The protocol of a slot under every behaviour that C++ allows: the code that is proven is the code
// that runs, read_index_slot.h, over the memory of model_memory.h. And the proof notices each
// thing that may be left out.
#include <atomic>
#include <cstdint>
#include <functional>
#include <set>
#include <utility>

#include "gtest/gtest.h"
#include "model_memory.h"
#include "read_index_slot.h"

namespace packice {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;

TEST(ModelMemoryTest, ARelaxedFlagTellsNothingOfTheData) {
  for (const bool ordered : {false, true}) {
    Model model;
    ModelMemory::Word data, flag;
    Model::Thread writer;
    Model::running = &writer;
    const Model::Thread before = writer;
    data.store(1, kRelaxed);
    flag.store(1, ordered ? kRelease : kRelaxed);
    std::set<std::pair<uint64_t, uint64_t>> seen;
    const size_t runs = model.ForAllReads(before, [&] {
      const uint64_t told = flag.load(ordered ? kAcquire : kRelaxed);
      seen.insert({told, data.load(kRelaxed)});
      return true;
    });
    EXPECT_EQ(seen.count({1, 0}), ordered ? 0u : 1u);
    EXPECT_EQ(runs, ordered ? 3u : 4u);
  }
}

TEST(ModelMemoryTest, FencesOrderRelaxedAccesses) {
  for (const Breakage broken :
       {Breakage::kNone, Breakage::kNoReleaseFence, Breakage::kNoAcquireFence}) {
    Model model(broken);
    ModelMemory::Word data, flag;
    Model::Thread writer;
    Model::running = &writer;
    const Model::Thread before = writer;
    data.store(1, kRelaxed);
    ModelMemory::Fence(kRelease);
    flag.store(1, kRelaxed);
    bool stale = false;
    model.ForAllReads(before, [&] {
      const uint64_t told = flag.load(kRelaxed);
      ModelMemory::Fence(kAcquire);
      if (told == 1 && data.load(kRelaxed) == 0) stale = true;
      return true;
    });
    EXPECT_EQ(stale, broken != Breakage::kNone);
  }
}

TEST(ModelMemoryTest, AWordNeverGoesBack) {
  Model model;
  ModelMemory::Word word;
  Model::Thread writer;
  Model::running = &writer;
  const Model::Thread before = writer;
  word.store(1, kRelaxed);
  word.store(2, kRelaxed);
  const size_t runs = model.ForAllReads(before, [&] {
    const uint64_t first = word.load(kRelaxed);
    EXPECT_LE(first, word.load(kRelaxed));
    return true;
  });
  EXPECT_EQ(runs, 6u);
}

// Two objects, the second of which the reader does not ask for, whose hashes and sizes are equal.
constexpr uint64_t kMatch = 0x123420;
constexpr uint64_t kAsked = 7;
constexpr uint64_t kOther = 8;

// A slot, two places for an object's bytes, two words long, and two for an id that is too long for
// the slot. An object's contents are a number in each of its words, in its segment and its expiry.
class World {
 public:
  explicit World(Breakage broken = Breakage::kNone) : model_(broken) {
    slot_.version.set_is_version();
    Model::running = &thread_;
    state_.store(kIndexLive, kRelaxed);
    handed_out_ = thread_;
  }

  // The rest is done by another thread, after this one.
  void NextThread(bool fence = true) {
    thread_ = Model::After(thread_);
    if (fence) ModelMemory::Fence(kRelease);
  }
  void Fill(size_t place, uint64_t contents) {
    for (ModelMemory::Word& word : payload_[place]) word.store(contents, kRelaxed);
  }
  void Publish(uint64_t id, size_t place, uint64_t contents) {
    SlotFields fields;
    fields.where = place << kMatchBits | kMatch;
    fields.extent = contents << 32;
    fields.expiry = contents;
    fields.id = {id, 0, 0, 0};
    WriteSlot(slot_, fields, version_ += 2);
  }
  // As if the id were long: in the arena's cell, and the slot the same for all.
  void PublishLong(uint64_t id, size_t cell, uint64_t contents) {
    ids_[cell].store(id, kRelaxed);
    Publish(cell, 0, contents);
  }
  void Withdraw() { EmptySlot(slot_, version_ += 2); }
  void End() { EndTable<ModelMemory>(state_, kIndexReplaced); }

  struct Result {
    bool torn = false;
    std::set<uint64_t> found;  // contents
    size_t runs = 0;
  };
  // One look of a reader: a second one would know more, and so has no more ways to go.
  Result ReadInAllWays(bool long_id = false, bool validates = true) {
    Result result;
    result.runs = model_.ForAllReads(handed_out_, [&] {
      const auto is_id = [&](const SlotFields& fields) {
        return (long_id ? ids_[fields.id[0]].load(kRelaxed) : fields.id[0]) == kAsked;
      };
      SlotFields fields;
      const uint64_t version = ReadSlot(slot_, state_, kMatch, 1, is_id, fields);
      if (version == 0) return true;
      uint64_t copy[2];
      for (size_t i = 0; i < 2; ++i) copy[i] = payload_[fields.offset()][i].load(kRelaxed);
      if (validates && !Unchanged(slot_, state_, version)) return true;
      const uint64_t contents = fields.extent >> 32;
      result.found.insert(contents);
      if (contents / 10 != kAsked || fields.expiry != contents || copy[0] != contents ||
          copy[1] != contents) {
        result.torn = true;
      }
      return !result.torn;
    });
    return result;
  }

 private:
  Model model_;
  SlotOf<ModelMemory> slot_;
  ModelMemory::Word state_;
  ModelMemory::Word payload_[2][2];
  ModelMemory::Word ids_[2];
  Model::Thread thread_;
  Model::Thread handed_out_;
  uint64_t version_ = 0;
};

// The bytes go from the object to another one and back to a later object of the first one's name.
void Recycle(World& world, bool fence = true) {
  world.Fill(0, 71);
  world.Publish(kAsked, 0, 71);
  world.Withdraw();
  world.NextThread(fence);
  world.Fill(0, 81);
  world.Publish(kOther, 0, 81);
  world.Withdraw();
  world.NextThread(fence);
  world.Fill(0, 72);
  world.Publish(kAsked, 0, 72);
}

// Published anew at another place, and the old place recycled.
void Replace(World& world) {
  world.Fill(0, 71);
  world.Publish(kAsked, 0, 71);
  world.Fill(1, 72);
  world.Publish(kAsked, 1, 72);
  world.NextThread();
  world.Fill(0, 81);
}

// The table was replaced, and what is withdrawn afterwards is withdrawn from the new one only.
void Grow(World& world, bool end = true) {
  world.Fill(0, 71);
  world.Publish(kAsked, 0, 71);
  if (end) world.End();
  world.NextThread();
  world.Fill(0, 81);
}

// A long id's cell in the arena goes to another one.
void RecycleCell(World& world, bool fence = true) {
  world.Fill(0, 71);
  world.PublishLong(kAsked, 0, 71);
  world.Withdraw();
  world.NextThread(fence);
  world.Fill(0, 81);
  world.PublishLong(kOther, 0, 81);
  world.Withdraw();
  world.NextThread(fence);
  world.Fill(0, 72);
  world.PublishLong(kAsked, 0, 72);
}

TEST(ReadIndexModelTest, RecycledBytesAreNeverTakenForTheObject) {
  World world;
  Recycle(world);
  const World::Result result = world.ReadInAllWays();
  EXPECT_FALSE(result.torn);
  EXPECT_EQ(result.found, (std::set<uint64_t>{71, 72}));
  RecordProperty("runs", static_cast<int>(result.runs));
}

TEST(ReadIndexModelTest, AnEntryThatIsReplacedIsTheOldOrTheNewOne) {
  World world;
  Replace(world);
  const World::Result result = world.ReadInAllWays();
  EXPECT_FALSE(result.torn);
  EXPECT_EQ(result.found, (std::set<uint64_t>{71, 72}));
}

TEST(ReadIndexModelTest, ATableThatWasReplacedIsNotBelieved) {
  World world;
  Grow(world);
  const World::Result result = world.ReadInAllWays();
  EXPECT_FALSE(result.torn);
  EXPECT_EQ(result.found, (std::set<uint64_t>{71}));
}

TEST(ReadIndexModelTest, ALongIdIsNeverTakenForAnother) {
  World world;
  RecycleCell(world);
  const World::Result result = world.ReadInAllWays(/*long_id=*/true);
  EXPECT_FALSE(result.torn);
  EXPECT_EQ(result.found, (std::set<uint64_t>{71, 72}));
}

// From here on: what is left out is noticed.
bool Torn(Breakage broken, const std::function<void(World&)>& script) {
  World world(broken);
  script(world);
  return world.ReadInAllWays().torn;
}

TEST(ReadIndexModelTest, TheWritersFenceIsNeeded) {
  EXPECT_TRUE(Torn(Breakage::kNoReleaseFence, Replace));
}

TEST(ReadIndexModelTest, TheReadersFenceIsNeeded) {
  EXPECT_TRUE(Torn(Breakage::kNoAcquireFence, [](World& world) { Recycle(world); }));
  EXPECT_TRUE(Torn(Breakage::kNoAcquireFence, [](World& world) { Grow(world); }));
}

TEST(ReadIndexModelTest, TheVersionIsToBeLoadedWithAcquire) {
  EXPECT_TRUE(Torn(Breakage::kRelaxedLoads, Replace));
}

TEST(ReadIndexModelTest, TheVersionIsToBeStoredWithRelease) {
  EXPECT_TRUE(Torn(Breakage::kRelaxedStores, Replace));
}

TEST(ReadIndexModelTest, TheOddVersionIsNeeded) {
  EXPECT_TRUE(Torn(Breakage::kNoOddVersion, Replace));
}

TEST(ReadIndexModelTest, TheVersionHasToRise) {
  EXPECT_TRUE(Torn(Breakage::kVersionStays, [](World& world) { Recycle(world); }));
}

TEST(ReadIndexModelTest, ValidationIsNeeded) {
  World world;
  Recycle(world);
  EXPECT_TRUE(world.ReadInAllWays(/*long_id=*/false, /*validates=*/false).torn);
}

TEST(ReadIndexModelTest, TheEndOfATableHasToBeTold) {
  EXPECT_TRUE(Torn(Breakage::kNone, [](World& world) { Grow(world, /*end=*/false); }));
}

TEST(ReadIndexModelTest, WhoRefillsHasToIssueAFence) {
  EXPECT_TRUE(Torn(Breakage::kNone, [](World& world) { Recycle(world, /*fence=*/false); }));
  World world;
  RecycleCell(world, /*fence=*/false);
  EXPECT_TRUE(world.ReadInAllWays(/*long_id=*/true).torn);
}

TEST(ReadIndexModelTest, BytesMayNotBeRecycledBeforeTheWithdrawal) {
  EXPECT_TRUE(Torn(Breakage::kNone, [](World& world) {
    world.Fill(0, 71);
    world.Publish(kAsked, 0, 71);
    world.NextThread();
    world.Fill(0, 81);
    world.Withdraw();
  }));
}

}  // namespace
}  // namespace packice
