// Reading a node's small objects without messages: what is read is right, whatever becomes of the
// objects, the index and the node meanwhile.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "read_node.h"

namespace packice {
namespace {

using ::testing::HasSubstr;

class IndexReaderTest : public ::testing::Test {
 protected:
  void Warm(Client& client) { ReadNode::Warm(client); }

  ReadNode node_;
  std::unique_ptr<Client> client_ = node_.Connect();
};

TEST_F(IndexReaderTest, WhatWasPutIsReadWithoutAMessage) {
  Warm(*client_);
  const std::unique_ptr<Client> writer = node_.Connect();
  std::vector<std::string> objects;
  for (const size_t size : {0, 1, 100, 4096, 4097, 200000}) {
    objects.push_back(Pattern(size));
    ASSERT_THAT(writer->Put(absl::StrCat("size/", size), objects.back()), IsOk());
  }
  std::string room(1 << 20, '\0');
  const auto read_all = [&] {
    for (const std::string& object : objects) {
      const std::string id = absl::StrCat("size/", object.size());
      ASSERT_THAT(client_->GetCopy(id), IsOkAndHolds(object));
      ASSERT_THAT(client_->ReadInto(id, absl::MakeSpan(room)), IsOkAndHolds(object.size()));
      ASSERT_EQ(room.substr(0, object.size()), object);
    }
  };
  EXPECT_EQ(node_.RequestBytes(*client_,
                               [&] {
                                 for (int i = 0; i < 10; ++i) read_all();
                               }),
            0u);
}

TEST_F(IndexReaderTest, WhatAnotherPutsNextToItNeedsNoMessageEither) {
  Warm(*client_);
  const std::unique_ptr<Client> writer = node_.Connect();
  for (int i = 0; i < 100; ++i) {
    ASSERT_THAT(writer->Put(absl::StrCat(i), absl::StrCat("bytes ", i)), IsOk());
  }
  EXPECT_EQ(node_.RequestBytes(*client_,
                               [&] {
                                 for (int i = 0; i < 100; ++i) {
                                   EXPECT_THAT(client_->GetCopy(absl::StrCat(i)),
                                               IsOkAndHolds(absl::StrCat("bytes ", i)));
                                 }
                               }),
            0u);
}

TEST_F(IndexReaderTest, BufferThatIsTooSmallIsToldTheSize) {
  Warm(*client_);
  ASSERT_THAT(client_->Put("a", "12345"), IsOk());
  std::string room(4, '\0');
  const absl::StatusOr<size_t> read = client_->ReadInto("a", absl::MakeSpan(room));
  EXPECT_THAT(read, HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(std::string(read.status().message()), HasSubstr("needs 5"));
}

TEST_F(IndexReaderTest, WhatIsDeletedIsGoneAtOnceAndComesBackAnew) {
  Warm(*client_);
  const std::unique_ptr<Client> writer = node_.Connect();
  for (int i = 0; i < 200; ++i) {
    ASSERT_THAT(writer->Put("a", absl::StrCat("version ", i)), IsOk());
    ASSERT_THAT(client_->GetCopy("a"), IsOkAndHolds(absl::StrCat("version ", i)));
    ASSERT_THAT(writer->Delete("a"), IsOk());
    ASSERT_THAT(client_->GetCopy("a"), HasKind(ErrorKind::kNotFound));
  }
}

TEST_F(IndexReaderTest, WhatIsRelocatedIsFoundUnderItsNewId) {
  Warm(*client_);
  ASSERT_THAT(client_->Put("from", "bytes"), IsOk());
  ASSERT_THAT(client_->GetCopy("from"), IsOkAndHolds("bytes"));
  ASSERT_THAT(node_.Connect()->Relocate("from", "to"), IsOk());
  EXPECT_THAT(client_->GetCopy("from"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(client_->GetCopy("to"), IsOkAndHolds("bytes"));
}

TEST_F(IndexReaderTest, WhoseTimeIsOverIsNotReadAnyMore) {
  Warm(*client_);
  constexpr absl::Duration kTtl = absl::Milliseconds(50);
  ASSERT_THAT(client_->Put("a", "bytes", {.object_ttl = kTtl}), IsOk());
  const absl::Time last = absl::Now() + kTtl;
  absl::Time asked;
  absl::StatusOr<std::string> read;
  do {
    asked = absl::Now();
    read = client_->GetCopy("a");
    if (read.ok()) {
      ASSERT_LE(asked, last);
    }
  } while (read.ok());
  EXPECT_THAT(read, HasKind(ErrorKind::kNotFound));
}

TEST_F(IndexReaderTest, WhatIsNotInTheIndexIsReadAllTheSame) {
  Warm(*client_);
  const std::string large = Pattern(3 << 20);
  ASSERT_THAT(client_->Put("large", large), IsOk());
  ASSERT_THAT(client_->Put("parts", "abcdef", {.sizes = {1, 0, 5}}), IsOk());
  ASSERT_OK_AND_ASSIGN(Writer writer, client_->Create("growing"));
  EXPECT_THAT(client_->GetCopy("growing"), HasKind(ErrorKind::kNotSealed));
  ASSERT_THAT(writer.Write("grown"), IsOk());
  ASSERT_THAT(writer.Seal(), IsOk());
  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_TRUE(*client_->GetCopy("large") == large);
    EXPECT_THAT(client_->GetCopy("parts"), IsOkAndHolds("abcdef"));
    EXPECT_THAT(client_->GetCopy("growing"), IsOkAndHolds("grown"));
  }
  ASSERT_OK_AND_ASSIGN(const NodeStats stats, client_->Stats());
  EXPECT_EQ(stats.peer.read_leases, 0u);
}

TEST_F(IndexReaderTest, ReadersKeepRightWhileTheIndexGrows) {
  Warm(*client_);
  constexpr int kFixed = 50;
  constexpr int kObjects = 20000;
  for (int i = 0; i < kFixed; ++i) {
    ASSERT_THAT(client_->Put(absl::StrCat("fixed/", i), Pattern(200, i)), IsOk());
  }
  std::atomic<bool> done{false};
  std::atomic<uint64_t> wrong{0};
  std::vector<std::thread> readers;
  for (int thread = 0; thread < 3; ++thread) {
    readers.emplace_back([&, thread] {
      for (uint32_t i = static_cast<uint32_t>(thread); !done; ++i) {
        const absl::StatusOr<std::string> read =
            client_->GetCopy(absl::StrCat("fixed/", i % kFixed));
        if (!read.ok() || *read != Pattern(200, i % kFixed)) ++wrong;
      }
    });
  }
  const std::unique_ptr<Client> writer = node_.Connect();
  std::vector<std::string> ids;
  for (int i = 0; i < kObjects; ++i) ids.push_back(absl::StrCat("object/", i));
  std::vector<PutItem> items;
  for (const std::string& id : ids) items.push_back({id, id});
  for (const absl::StatusOr<ObjectId>& put : writer->PutMany(items)) ASSERT_THAT(put, IsOk());
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0u);

  // Again without messages, in an index that is larger.
  ASSERT_TRUE(Eventually(
      [&] { return node_.RequestBytes(*client_, [&] { (void)client_->GetCopy(ids[0]); }) == 0; }));
  EXPECT_EQ(node_.RequestBytes(*client_,
                               [&] {
                                 for (const std::string& id : ids) {
                                   ASSERT_THAT(client_->GetCopy(id), IsOkAndHolds(id));
                                 }
                               }),
            0u);
}

TEST_F(IndexReaderTest, ThreadsReadWhileObjectsComeAndGo) {
  Warm(*client_);
  constexpr int kIds = 8;
  std::atomic<bool> done{false};
  std::atomic<uint64_t> reads{0};
  std::atomic<uint64_t> wrong{0};
  std::vector<std::thread> threads;
  for (uint32_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (uint32_t i = thread; !done; ++i) {
        const std::string id = absl::StrCat(i % kIds);
        const absl::StatusOr<std::string> read = client_->GetCopy(id);
        if (!read.ok()) {
          const ErrorKind kind = KindOf(read.status());
          wrong += kind == ErrorKind::kNotFound || kind == ErrorKind::kNotSealed ? 0 : 1;
        } else {
          // The id, then a number, then what follows from the number.
          const size_t space = read->find(' ');
          uint32_t seed = 0;
          if (!absl::SimpleAtoi(absl::string_view(*read).substr(0, space), &seed) ||
              seed % kIds != i % kIds || read->substr(space + 1) != Pattern(seed % 3000, seed)) {
            ++wrong;
          }
          ++reads;
        }
      }
    });
  }
  const std::unique_ptr<Client> writer = node_.Connect();
  for (uint32_t seed = 0; seed < 3000 || reads < 1000; ++seed) {
    const std::string id = absl::StrCat(seed % kIds);
    const absl::Status deleted = writer->Delete(id);
    if (!deleted.ok() && KindOf(deleted) == ErrorKind::kBusy) continue;
    EXPECT_THAT(writer->Put(id, absl::StrCat(seed, " ", Pattern(seed % 3000, seed))), IsOk());
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0u);
}

TEST_F(IndexReaderTest, NodeThatDiedIsNoticed) {
  Warm(*client_);
  ASSERT_THAT(client_->Put("a", "old"), IsOk());
  ASSERT_THAT(client_->GetCopy("a"), IsOkAndHolds("old"));
  node_.Stop();
  absl::StatusOr<std::string> read;
  EXPECT_TRUE(Eventually([&] { return !(read = client_->GetCopy("a")).ok(); }));
  EXPECT_THAT(read, HasKind(ErrorKind::kUnavailable));
}

TEST_F(IndexReaderTest, NodeThatWasRestartedIsReadAnew) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_THAT(node_.Connect()->Put("a", absl::StrCat(i)), IsOk());
    ASSERT_TRUE(Eventually([&] {
      const absl::StatusOr<std::string> read = client_->GetCopy("a");
      return read.ok() && *read == absl::StrCat(i);
    })) << i;
    ASSERT_TRUE(Eventually([&] {
      return node_.RequestBytes(*client_, [&] { (void)client_->GetCopy("a"); }) == 0;
    })) << i;
    EXPECT_THAT(client_->GetCopy("a"), IsOkAndHolds(absl::StrCat(i)));
    node_.Restart();
  }
}

TEST_F(IndexReaderTest, NodeWithoutAnIndexIsAskedForItOnce) {
  node_.Hide();
  const std::unique_ptr<Client> client = node_.Connect();
  ASSERT_THAT(client->Put("a", "bytes"), IsOk());
  for (int i = 0; i < 10; ++i) EXPECT_THAT(client->GetCopy("a"), IsOkAndHolds("bytes"));
  EXPECT_EQ(node_.Metric("packice_operations_total{op=\"index\""), 1u);
  EXPECT_EQ(node_.Metric("packice_operations_total{op=\"acquire\""), 10u);
}

TEST_F(IndexReaderTest, ReadsCountAsHits) {
  Warm(*client_);
  ASSERT_THAT(client_->Put("a", "four"), IsOk());
  ASSERT_OK_AND_ASSIGN(const NodeStats before, client_->Stats());
  for (int i = 0; i < 1000; ++i) ASSERT_THAT(client_->GetCopy("a"), IsOk());
  NodeStats after;
  EXPECT_TRUE(Eventually([&] {
    after = *client_->Stats();
    return after.peer.hits >= before.peer.hits + 1000;
  }));
  EXPECT_EQ(after.peer.hits, before.peer.hits + 1000);
  EXPECT_EQ(after.peer.hit_bytes, before.peer.hit_bytes + 4000);
}

TEST_F(IndexReaderTest, WhatIsReadIsNotEvicted) {
  LocalPeerOptions options;
  options.capacity = 64 << 10;
  ReadNode node(options);
  const std::unique_ptr<Client> client = node.Connect();
  const auto put = [&](const std::string& id) {
    ASSERT_THAT(client->Put(id, Pattern(1000)), IsOk());
  };
  put("read");
  put("unread");
  ASSERT_THAT(client->GetCopy("read"), IsOk());
  for (int i = 0; client->Stat("unread").ok(); ++i) {
    ASSERT_LT(i, 1000);
    const uint64_t hits = client->Stats()->peer.hits;
    ASSERT_THAT(client->GetCopy("read"), IsOkAndHolds(Pattern(1000)));
    ASSERT_TRUE(Eventually([&] { return client->Stats()->peer.hits > hits; }));
    for (int more = 0; more < 10; ++more) put(absl::StrCat(i, "/", more));
  }
  EXPECT_THAT(client->GetCopy("read"), IsOkAndHolds(Pattern(1000)));
  EXPECT_THAT(client->GetCopy("unread"), HasKind(ErrorKind::kNotFound));
}

TEST_F(IndexReaderTest, IndexThatWasOpenedEmptyIsReadOnceThereAreObjects) {
  EXPECT_THAT(client_->GetCopy("a"), HasKind(ErrorKind::kNotFound));
  ASSERT_THAT(node_.Connect()->Put("a", "bytes"), IsOk());
  EXPECT_TRUE(Eventually([&] {
    return node_.RequestBytes(
               *client_, [&] { EXPECT_THAT(client_->GetCopy("a"), IsOkAndHolds("bytes")); }) == 0;
  }));
}

TEST_F(IndexReaderTest, ReadersOutliveTheirClientAndNothingIsLeft) {
  Warm(*client_);
  ASSERT_THAT(client_->Put("a", "bytes"), IsOk());
  const std::unique_ptr<Client> other = node_.Connect();
  {
    ASSERT_OK_AND_ASSIGN(const Reader reader, client_->Get("a"));
    ASSERT_THAT(client_->GetCopy("a"), IsOk());
    client_.reset();
    EXPECT_THAT(reader.View(), IsOkAndHolds("bytes"));
  }
  EXPECT_TRUE(Eventually([&] {
    const absl::StatusOr<NodeStats> stats = other->Stats();
    return stats.ok() && stats->connections == 1 && stats->peer.read_leases == 0;
  }));
}

}  // namespace
}  // namespace packice
