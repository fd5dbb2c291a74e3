// Another Get of an object that a client holds already: without a message, and never of an object
// that the node does not have under that id any more.
#include <atomic>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "read_node.h"

namespace packice {
namespace {

class HeldObjectsTest : public ::testing::Test {
 protected:
  void SetUp() override { ReadNode::Warm(*client_); }

  uint64_t BytesOfGetting(const std::string& id) {
    return node_.RequestBytes(*client_, [&] { EXPECT_THAT(client_->Get(id), IsOk()); });
  }
  uint64_t Leases() { return other_->Stats()->peer.read_leases; }

  ReadNode node_;
  std::unique_ptr<Client> client_ = node_.Connect();
  std::unique_ptr<Client> other_ = node_.Connect();
};

TEST_F(HeldObjectsTest, NoMessageForWhatIsHeldWhateverItLiesIn) {
  ASSERT_THAT(other_->Put("small", "bytes"), IsOk());
  ASSERT_THAT(other_->Put("large", Pattern(3 << 20)), IsOk());
  ASSERT_THAT(other_->Put("parts", "abcdef", {.sizes = {1, 0, 5}}), IsOk());
  {
    ASSERT_OK_AND_ASSIGN(Writer writer, other_->Create("written", {.sizes = {3 << 20}}));
    ASSERT_THAT(writer.Write(Pattern(3 << 20)), IsOk());
    ASSERT_THAT(writer.Seal(R"({"kind":"weights"})"), IsOk());
  }
  ASSERT_THAT(other_->Stats(), IsOk());  // takes the release along
  for (const std::string id : {"small", "large", "parts", "written"}) {
    ASSERT_OK_AND_ASSIGN(const Reader first, client_->Get(id));
    EXPECT_EQ(BytesOfGetting(id), 0u) << id;
    ASSERT_OK_AND_ASSIGN(const Reader second, client_->Get(id));
    EXPECT_EQ(second.id(), first.id());
    EXPECT_EQ(second.metadata_json(), first.metadata_json());
    ASSERT_EQ(second.blob_count(), first.blob_count());
    for (size_t blob = 0; blob < first.blob_count(); ++blob) {
      EXPECT_EQ(first.View(blob)->data(), second.View(blob)->data()) << "it is mapped once";
    }
  }
}

TEST_F(HeldObjectsTest, GetManyAsksForTheOthersOnly) {
  const std::vector<std::string> ids = {"a", "b", "c"};
  for (const std::string& id : ids) ASSERT_THAT(other_->Put(id, absl::StrCat("of ", id)), IsOk());
  const auto all = client_->GetMany(ids);
  std::vector<absl::StatusOr<Reader>> again;
  EXPECT_EQ(node_.RequestBytes(*client_, [&] { again = client_->GetMany(ids); }), 0u);
  const auto mixed = client_->GetMany({"missing", "b", "warm"});
  EXPECT_THAT(mixed[0], HasKind(ErrorKind::kNotFound));
  ASSERT_THAT(mixed[1], IsOk());
  EXPECT_THAT(mixed[1]->View(), IsOkAndHolds("of b"));
  EXPECT_THAT(mixed[2], HasKind(ErrorKind::kNotFound));
  for (size_t i = 0; i < ids.size(); ++i) {
    ASSERT_THAT(again[i], IsOk());
    EXPECT_THAT(again[i]->View(), IsOkAndHolds(absl::StrCat("of ", ids[i])));
  }
}

TEST_F(HeldObjectsTest, TheIdsNewObjectIsGivenAndTheOldOneKept) {
  for (const size_t size : {size_t{100}, size_t{3 << 20}}) {
    ASSERT_THAT(other_->Put("a", std::string(size, '1')), IsOk());
    ASSERT_OK_AND_ASSIGN(const Reader before, client_->Get("a"));
    ASSERT_THAT(other_->Delete("a"), IsOk());
    EXPECT_THAT(client_->Get("a"), HasKind(ErrorKind::kNotFound));
    ASSERT_THAT(other_->Put("a", std::string(size, '2')), IsOk());
    ASSERT_OK_AND_ASSIGN(const Reader after, client_->Get("a"));
    EXPECT_THAT(before.View(), IsOkAndHolds(std::string(size, '1')));
    EXPECT_THAT(after.View(), IsOkAndHolds(std::string(size, '2')));
    EXPECT_EQ(BytesOfGetting("a"), 0u) << "the new one is held by now";
    ASSERT_THAT(other_->Delete("a"), IsOk());
  }
}

TEST_F(HeldObjectsTest, OneLeaseUntilTheLastReaderGoes) {
  ASSERT_THAT(other_->Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Reader last, client_->Get("a"));
  {
    ASSERT_OK_AND_ASSIGN(Reader first, client_->Get("a"));
    ASSERT_OK_AND_ASSIGN(Reader released, client_->Get("a"));
    released.Release();
    EXPECT_EQ(Leases(), 1u);
    std::swap(first, last);
  }
  EXPECT_THAT(client_->Stats(), IsOk());  // takes releases along
  EXPECT_EQ(Leases(), 1u);
  last.Release();
  EXPECT_THAT(client_->Stats(), IsOk());
  EXPECT_EQ(Leases(), 0u);
  EXPECT_THAT(last.View(), IsOkAndHolds("bytes"));
  EXPECT_GT(BytesOfGetting("a"), 0u) << "nobody holds a lease on it";
}

TEST_F(HeldObjectsTest, WhoWantsATtlGetsALeaseOfItsOwn) {
  ASSERT_THAT(other_->Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(const Reader held, client_->Get("a"));
  ASSERT_OK_AND_ASSIGN(const Reader limited, client_->Get("a", {.lease_ttl = absl::Hours(1)}));
  EXPECT_EQ(Leases(), 2u);
}

TEST_F(HeldObjectsTest, ALeaseWithATtlIsNotShared) {
  ASSERT_THAT(other_->Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Reader held, client_->Get("a"));
  ASSERT_THAT(held.Renew(absl::Hours(1)), IsOk());
  ASSERT_OK_AND_ASSIGN(const Reader second, client_->Get("a"));
  EXPECT_EQ(Leases(), 2u);
}

TEST_F(HeldObjectsTest, ATtlOfOneReaderIsNothingToTheOthers) {
  ASSERT_THAT(other_->Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(Reader limited, client_->Get("a"));
  {
    ASSERT_OK_AND_ASSIGN(const Reader lasting, client_->Get("a"));
    EXPECT_THAT(limited.Renew(absl::ZeroDuration()), HasKind(ErrorKind::kInvalidArgument));
    ASSERT_THAT(limited.Renew(absl::Milliseconds(1)), IsOk());
    // By the time that a longer one is over, that one would be.
    ASSERT_OK_AND_ASSIGN(const Reader longer,
                         other_->Get("a", {.lease_ttl = absl::Milliseconds(30)}));
    EXPECT_TRUE(Eventually([&] { return Leases() == 1; }));
    EXPECT_THAT(client_->Get("a"), IsOk());
    EXPECT_EQ(Leases(), 1u);
  }
  EXPECT_TRUE(Eventually([&] { return Leases() == 0; })) << "only who wanted a TTL is left";
  EXPECT_THAT(limited.View(), IsOkAndHolds("bytes"));
}

TEST_F(HeldObjectsTest, AGetWithoutAMessageIsAHit) {
  ASSERT_THAT(other_->Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(const Reader held, client_->Get("a"));
  ASSERT_THAT(client_->Get("a"), IsOk());
  const uint64_t before = other_->Stats()->peer.hits;
  for (int i = 0; i < 100; ++i) ASSERT_THAT(client_->Get("a"), IsOk());
  EXPECT_TRUE(Eventually([&] { return other_->Stats()->peer.hits >= before + 100; }));
}

TEST_F(HeldObjectsTest, ANewNodesObjectIsNotTheHeldOne) {
  ASSERT_THAT(other_->Put("a", "old"), IsOk());
  ASSERT_OK_AND_ASSIGN(const Reader held, client_->Get("a"));
  ASSERT_THAT(client_->Get("a"), IsOk());
  node_.Restart();
  ASSERT_THAT(node_.Connect()->Put("a", "new"), IsOk());
  EXPECT_TRUE(Eventually([&] {
    const absl::StatusOr<Reader> reader = client_->Get("a");
    return reader.ok() && *reader->View() == "new";
  }));
  EXPECT_THAT(held.View(), IsOkAndHolds("old"));
}

TEST_F(HeldObjectsTest, ALeaseOfAConnectionThatIsOverIsNotShared) {
  ASSERT_THAT(other_->Put("a", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(const Reader held, client_->Get("a"));
  node_.Reconnect();
  EXPECT_TRUE(Eventually([&] { return client_->Stats().ok(); }));
  EXPECT_GT(BytesOfGetting("a"), 0u);
  ASSERT_OK_AND_ASSIGN(const Reader again, client_->Get("a"));
  EXPECT_THAT(client_->Get("a"), IsOk());  // opens the index anew
  EXPECT_EQ(BytesOfGetting("a"), 0u) << "that of the new one is";
}

TEST_F(HeldObjectsTest, NothingThatWasHeldKeepsAConnectionOpen) {
  const auto sockets = [] {
    int count = 0;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
      if (absl::StartsWith(target, "socket:")) ++count;
    }
    return count;
  };
  ASSERT_THAT(other_->Put("a", "bytes"), IsOk());
  ASSERT_THAT(client_->Get("a"), IsOk());
  const int before = sockets();
  node_.Reconnect();
  EXPECT_TRUE(Eventually([&] { return other_->Stats().ok() && client_->Stats().ok(); }));
  EXPECT_TRUE(Eventually([&] { return sockets() == before; }));
}

// Each version is put after the one before was deleted. Whoever gets the object after that was done
// gets no older one.
TEST_F(HeldObjectsTest, NobodyGetsAnOlderOneThanThereIs) {
  ASSERT_THAT(other_->Put("a", "0"), IsOk());
  std::atomic<int> newest{0};
  std::atomic<bool> done{false};
  std::atomic<int> gets{0};
  std::atomic<int> old{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      std::vector<Reader> kept;
      while (!done) {
        const int at_least = newest;
        absl::StatusOr<Reader> reader = client_->Get("a");
        if (!reader.ok()) continue;
        if (std::stoi(std::string(*reader->View())) < at_least) ++old;
        ++gets;
        kept.push_back(*std::move(reader));
        if (kept.size() > 5) kept.clear();
      }
    });
  }
  for (int version = 1; version < 2000 || gets < 1000; ++version) {
    const absl::Status deleted = other_->Delete("a");
    if (!deleted.ok() && KindOf(deleted) == ErrorKind::kBusy) continue;
    ASSERT_THAT(other_->Put("a", absl::StrCat(version)), IsOk());
    newest = version;
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(old, 0);
}

}  // namespace
}  // namespace packice
