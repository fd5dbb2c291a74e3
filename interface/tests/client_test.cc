// What a client can do with objects, on a node reached in every way.
#include "packice/client.h"

#include <istream>
#include <ostream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "node.h"

namespace packice {
namespace {

using ::testing::SizeIs;

class ClientTest : public ::testing::TestWithParam<Way> {
 protected:
  std::string ViewOf(const std::string& id) {
    absl::StatusOr<Reader> reader = client_->Get(id);
    if (!reader.ok()) return std::string(reader.status().message());
    absl::StatusOr<absl::string_view> view = reader->View();
    return view.ok() ? std::string(*view) : std::string(view.status().message());
  }

  TestNode node_{GetParam()};
  std::unique_ptr<Client> client_ = node_.Connect();
};

INSTANTIATE_TEST_SUITE_P(Ways, ClientTest, EveryWay(), WayName);

TEST_P(ClientTest, WhatWasPutIsRead) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1000}, size_t{4096}, size_t{3 << 20}}) {
    const std::string id = "size/" + std::to_string(size);
    const std::string bytes = Pattern(size);
    ASSERT_OK_AND_ASSIGN(const ObjectId put, client_->Put(id, bytes));
    EXPECT_EQ(put.bytes(), id);
    EXPECT_EQ(ViewOf(id), bytes);
    ASSERT_OK_AND_ASSIGN(const Reader reader, client_->Get(id));
    EXPECT_EQ(reader.size(), size);
    EXPECT_EQ(reader.id().bytes(), id);
  }
}

TEST_P(ClientTest, PutLeavesNoLeaseAndNoSecondPut) {
  ASSERT_THAT(client_->Put("a", "1"), IsOk());
  EXPECT_THAT(client_->Put("a", "2"), HasKind(ErrorKind::kAlreadyExists));
  ASSERT_OK_AND_ASSIGN(const ObjectInfo info, client_->Stat("a"));
  EXPECT_EQ(info.leases, 0u);
  EXPECT_EQ(ViewOf("a"), "1");
}

TEST_P(ClientTest, PutsOfAllSizesMayRunAtOnce) {
  constexpr size_t kSizes[] = {0, 1, 32 << 10, (32 << 10) + 1, 1 << 20, 20 << 20};
  const std::string bytes = Pattern(20 << 20);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (const size_t size : kSizes) {
        const std::string id = absl::StrCat(thread, "/", size);
        EXPECT_THAT(client_->Put(id, absl::string_view(bytes).substr(0, size)), IsOk());
        absl::StatusOr<Reader> reader = client_->Get(id);
        ASSERT_THAT(reader, IsOk());
        absl::StatusOr<absl::string_view> view = reader->View();
        ASSERT_THAT(view, IsOk());
        EXPECT_TRUE(*view == absl::string_view(bytes).substr(0, size)) << size;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(ClientTest, ManyArePutAtOnceAndEachHasItsAnswer) {
  ASSERT_THAT(client_->Put("taken", "old"), IsOk());
  std::vector<std::string> ids;
  for (int i = 0; i < 300; ++i) ids.push_back(absl::StrCat("many/", i));
  const std::string large = Pattern(3 << 20);
  std::vector<PutItem> items;
  for (const std::string& id : ids) items.push_back({id, id});
  items[17] = {"taken", "new"};
  items[18] = {absl::string_view(), "no name"};
  items[19].options.metadata_json = "no JSON";
  items[20] = {ids[20], large};
  items[21].options.metadata_json = R"({"k":1})";
  const std::vector<absl::StatusOr<ObjectId>> put = client_->PutMany(items);
  ASSERT_THAT(put, SizeIs(items.size()));
  EXPECT_THAT(put[17], HasKind(ErrorKind::kAlreadyExists));
  ASSERT_THAT(put[18], IsOk());
  EXPECT_EQ(ViewOf(std::string(put[18]->bytes())), "no name");
  EXPECT_THAT(put[19], HasKind(ErrorKind::kInvalidArgument));
  EXPECT_TRUE(ViewOf(ids[20]) == large);
  ASSERT_OK_AND_ASSIGN(const ObjectInfo info, client_->Stat(ids[21]));
  EXPECT_FALSE(info.metadata.empty());
  EXPECT_EQ(info.leases, 0u);
  for (const size_t i : {size_t{0}, size_t{16}, size_t{127}, size_t{128}, size_t{299}}) {
    ASSERT_THAT(put[i], IsOk()) << i;
    EXPECT_EQ(ViewOf(ids[i]), ids[i]);
  }
  EXPECT_THAT(client_->PutMany({}), SizeIs(0));
}

TEST_P(ClientTest, NodeNamesWhatHasNoName) {
  ASSERT_OK_AND_ASSIGN(const ObjectId id, client_->Put("", "bytes"));
  EXPECT_FALSE(id.empty());
  EXPECT_EQ(ViewOf(std::string(id.bytes())), "bytes");
}

TEST_P(ClientTest, BadArgumentsAreRefused) {
  EXPECT_THAT(client_->Get(""), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(client_->Get(std::string(256, 'x')), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(client_->Put("a", "b", {.metadata_json = "[1]"}),
              HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(client_->Put("a", "four", {.sizes = {2, 1}}), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(client_->Put("a", "four", {.sizes = {~uint64_t{0}, 5}}),
              HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(client_->Get("a"), HasKind(ErrorKind::kNotFound));
}

TEST_P(ClientTest, PutCutsBytesIntoBlobs) {
  ASSERT_THAT(client_->Put("parts", "abcdef", {.sizes = {1, 0, 5}}), IsOk());
  ASSERT_OK_AND_ASSIGN(const Reader reader, client_->Get("parts"));
  ASSERT_EQ(reader.blob_count(), 3u);
  EXPECT_THAT(reader.View(2), IsOkAndHolds("bcdef"));
  EXPECT_THAT(reader.View(0), IsOkAndHolds("a"));
  EXPECT_THAT(reader.View(1), IsOkAndHolds(""));
  EXPECT_THAT(reader.View(3), HasKind(ErrorKind::kInvalidArgument));
}

TEST_P(ClientTest, WritesAppendAndSealFreezes) {
  ASSERT_OK_AND_ASSIGN(Writer writer, client_->Create("log", {.metadata_json = R"({"a":1})"}));
  EXPECT_THAT(client_->Get("log"), HasKind(ErrorKind::kNotSealed));
  EXPECT_THAT(client_->Create("log"), HasKind(ErrorKind::kBusy));
  ASSERT_THAT(writer.Write("one "), IsOk());
  ASSERT_THAT(writer.Write("two"), IsOk());
  ASSERT_THAT(writer.WriteAt(0, "O"), IsOk());
  ASSERT_THAT(writer.Seal(R"({"b":[2]})"), IsOk());
  EXPECT_TRUE(writer.sealed());
  EXPECT_THAT(writer.Write("x"), HasKind(ErrorKind::kPermissionDenied));
  EXPECT_EQ(ViewOf("log"), "One two");
  ASSERT_OK_AND_ASSIGN(const Reader reader, client_->Get("log"));
  EXPECT_EQ(reader.metadata_json(), R"({"a":1,"b":[2]})");
}

TEST_P(ClientTest, DeclaredSizeIsALimit) {
  ASSERT_OK_AND_ASSIGN(Writer writer, client_->Create("four", {.sizes = {4}}));
  EXPECT_THAT(writer.Write("12345"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(writer.WriteAt(0, "x", 1), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(writer.Write("1234"), IsOk());
  EXPECT_THAT(writer.Write("5"), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(writer.Seal(), IsOk());
}

TEST_P(ClientTest, SpanIsTheObjectsMemory) {
  ASSERT_OK_AND_ASSIGN(Writer writer, client_->Create("span", {.sizes = {8192, 4}}));
  if (GetParam() == Way::kHttp) {
    EXPECT_THAT(writer.Span(0), HasKind(ErrorKind::kUnsupported)) << "it is another machine's";
    return;
  }
  ASSERT_OK_AND_ASSIGN(const absl::Span<char> first, writer.Span(0));
  ASSERT_OK_AND_ASSIGN(const absl::Span<char> second, writer.Span(1));
  ASSERT_THAT(first, SizeIs(8192));
  first[8191] = 'z';
  second[0] = 'a';
  ASSERT_THAT(writer.Seal(), IsOk()) << "the writer's own mappings must not stand in its way";
  ASSERT_OK_AND_ASSIGN(const Reader reader, client_->Get("span"));
  ASSERT_OK_AND_ASSIGN(const absl::string_view view, reader.View(0));
  EXPECT_EQ(view[8191], 'z');
  EXPECT_THAT(reader.View(1), IsOkAndHolds(absl::string_view("a\0\0\0", 4)));
}

TEST_P(ClientTest, SpanWantsASize) {
  ASSERT_OK_AND_ASSIGN(Writer writer, client_->Create("open"));
  EXPECT_THAT(writer.Span(), HasKind(ErrorKind::kUnsupported));
}

TEST_P(ClientTest, StreamsWriteAndRead) {
  ASSERT_OK_AND_ASSIGN(Writer writer, client_->Create("text"));
  writer.stream() << "line " << 1 << "\n";
  ASSERT_THAT(writer.Write("between\n"), IsOk());
  const std::string large = Pattern(200000);
  writer.stream() << "line 2\n" << large;
  Writer moved = std::move(writer);
  moved.stream().put('!');
  ASSERT_THAT(moved.Seal(), IsOk());

  ASSERT_OK_AND_ASSIGN(Reader reader, client_->Get("text"));
  std::string line;
  std::istream& in = reader.stream();
  ASSERT_TRUE(std::getline(in, line));
  EXPECT_EQ(line, "line 1");
  ASSERT_TRUE(std::getline(in, line));
  EXPECT_EQ(line, "between");
  in.seekg(-1, std::ios::end);
  EXPECT_EQ(in.get(), '!');
  EXPECT_EQ(in.get(), std::char_traits<char>::eof());
  in.clear();
  in.seekg(0);
  const std::string all(std::istreambuf_iterator<char>(in), {});
  EXPECT_EQ(all, "line 1\nbetween\nline 2\n" + large + "!");
}

TEST_P(ClientTest, StreamThatFailedIsNotSealed) {
  ASSERT_OK_AND_ASSIGN(Writer writer, client_->Create("short", {.sizes = {2}}));
  writer.stream() << "too long" << std::flush;
  EXPECT_FALSE(writer.stream().good());
  EXPECT_THAT(writer.Seal(), HasKind(ErrorKind::kInvalidArgument));
}

TEST_P(ClientTest, ReadCopiesWithAndWithoutAMapping) {
  const std::string bytes = Pattern(10000);
  ASSERT_THAT(client_->Put("r", bytes), IsOk());
  ASSERT_OK_AND_ASSIGN(const Reader reader, client_->Get("r"));
  for (int pass = 0; pass < 2; ++pass) {
    std::string piece(100, '\0');
    EXPECT_THAT(reader.Read(5000, absl::MakeSpan(piece)), IsOkAndHolds(100u));
    EXPECT_EQ(piece, bytes.substr(5000, 100));
    EXPECT_THAT(reader.Read(9990, absl::MakeSpan(piece)), IsOkAndHolds(10u));
    EXPECT_THAT(reader.Read(10001, absl::MakeSpan(piece)), IsOkAndHolds(0u));
    ASSERT_THAT(reader.View(), IsOkAndHolds(absl::string_view(bytes)));
  }
}

TEST_P(ClientTest, CopiesAreWhatWasPut) {
  std::string room(4 << 20, '\0');
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4096}, size_t{4097}, size_t{3 << 20}}) {
    const std::string id = absl::StrCat("copied/", size);
    const std::string bytes = Pattern(size);
    ASSERT_THAT(client_->Put(id, bytes), IsOk());
    EXPECT_THAT(client_->ReadInto(id, absl::MakeSpan(room)), IsOkAndHolds(size));
    EXPECT_TRUE(room.substr(0, size) == bytes) << size;
    EXPECT_THAT(client_->ReadInto(id, absl::MakeSpan(room).subspan(0, size)), IsOkAndHolds(size));
    ASSERT_OK_AND_ASSIGN(const std::string copy, client_->GetCopy(id));
    EXPECT_TRUE(copy == bytes) << size;
    if (size == 0) continue;
    const absl::StatusOr<size_t> cut =
        client_->ReadInto(id, absl::MakeSpan(room).subspan(0, size - 1));
    EXPECT_THAT(cut, HasKind(ErrorKind::kInvalidArgument));
    EXPECT_THAT(std::string(cut.status().message()), ::testing::HasSubstr(absl::StrCat(size)));
  }
  ASSERT_THAT(client_->Put("parts", "abcdef", {.sizes = {1, 0, 5}}), IsOk());
  EXPECT_THAT(client_->GetCopy("parts"), IsOkAndHolds("abcdef"));
  EXPECT_THAT(client_->ReadInto("parts", absl::MakeSpan(room)), IsOkAndHolds(6u));
  EXPECT_EQ(room.substr(0, 6), "abcdef");
  ASSERT_OK_AND_ASSIGN(const NodeStats stats, client_->Stats());
  EXPECT_EQ(stats.peer.read_leases, 0u);
}

TEST_P(ClientTest, CopiesFailAsGetDoes) {
  std::string room(10, '\0');
  EXPECT_THAT(client_->GetCopy("none"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(client_->ReadInto("none", absl::MakeSpan(room)), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(client_->GetCopy(""), HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(client_->ReadInto(std::string(256, 'x'), absl::MakeSpan(room)),
              HasKind(ErrorKind::kInvalidArgument));
  ASSERT_OK_AND_ASSIGN(const Writer writer, client_->Create("open"));
  EXPECT_THAT(client_->GetCopy("open"), HasKind(ErrorKind::kNotSealed));
}

TEST_P(ClientTest, ManyThreadsLookAtOneReader) {
  const std::string bytes = Pattern(100000);
  ASSERT_THAT(client_->Put("shared", bytes), IsOk());
  ASSERT_OK_AND_ASSIGN(const Reader reader, client_->Get("shared"));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      std::string first(1, '\0');
      EXPECT_THAT(reader.Read(0, absl::MakeSpan(first)), IsOkAndHolds(1u));
      EXPECT_THAT(reader.View(), IsOkAndHolds(absl::string_view(bytes)));
      EXPECT_EQ(first[0], bytes[0]);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(ClientTest, UnsealedObjectGoesWithItsWriter) {
  {
    ASSERT_OK_AND_ASSIGN(Writer writer, client_->Create("half"));
    ASSERT_THAT(writer.Write("x"), IsOk());
  }
  EXPECT_THAT(client_->Stat("half"), HasKind(ErrorKind::kNotFound));
}

TEST_P(ClientTest, DiscardFreesTheId) {
  ASSERT_OK_AND_ASSIGN(Writer writer, client_->Create("d"));
  ASSERT_THAT(writer.Discard(), IsOk());
  EXPECT_THAT(writer.Write("x"), HasKind(ErrorKind::kLeaseExpired));
  EXPECT_THAT(client_->Put("d", "new"), IsOk());
}

TEST_P(ClientTest, DeletedBytesStayWithTheirReaders) {
  ASSERT_THAT(client_->Put("gone", "bytes"), IsOk());
  ASSERT_OK_AND_ASSIGN(const Reader reader, client_->Get("gone"));
  ASSERT_THAT(client_->Delete("gone"), IsOk());
  EXPECT_THAT(client_->Delete("gone"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(client_->Get("gone"), HasKind(ErrorKind::kNotFound));
  EXPECT_THAT(reader.View(), IsOkAndHolds("bytes"));
}

TEST_P(ClientTest, RelocatedBytesStayWhereTheyAre) {
  ASSERT_THAT(client_->Put("a", "bytes", {.metadata_json = R"({"k":1})"}), IsOk());
  ASSERT_THAT(client_->Put("taken", "1"), IsOk());
  {
    ASSERT_OK_AND_ASSIGN(const Reader reader, client_->Get("a"));
    EXPECT_THAT(client_->Relocate("a", "b"), HasKind(ErrorKind::kBusy));
  }
  EXPECT_THAT(client_->Relocate("a", "taken"), HasKind(ErrorKind::kAlreadyExists));
  EXPECT_THAT(client_->Relocate("a", ""), HasKind(ErrorKind::kInvalidArgument));
  ASSERT_THAT(client_->Relocate("a", "b"), IsOk());
  EXPECT_THAT(client_->Relocate("a", "c"), HasKind(ErrorKind::kNotFound));
  EXPECT_EQ(ViewOf("b"), "bytes");
  ASSERT_OK_AND_ASSIGN(const ObjectInfo info, client_->Stat("b"));
  EXPECT_EQ(info.leases, 0u);
  ASSERT_OK_AND_ASSIGN(const Reader reader, client_->Get("b"));
  EXPECT_EQ(reader.metadata_json(), R"({"k":1})");
}

TEST_P(ClientTest, LeasesEndWithTheirOwners) {
  ASSERT_THAT(client_->Put("a", "1"), IsOk());
  {
    ASSERT_OK_AND_ASSIGN(Reader released, client_->Get("a"));
    ASSERT_OK_AND_ASSIGN(Reader held, client_->Get("a"));
    // What is streamed is there as long as the lease.
    if (GetParam() == Way::kHttp) {
      EXPECT_THAT(released.View(), IsOk());
    }
    released.Release();
    released.Release();
    EXPECT_THAT(released.Renew(absl::Minutes(1)), HasKind(ErrorKind::kLeaseExpired));
    EXPECT_THAT(held.Renew(absl::Minutes(1)), IsOk());
    ASSERT_OK_AND_ASSIGN(const ObjectInfo info, client_->Stat("a"));
    EXPECT_EQ(info.leases, 1u);
    EXPECT_THAT(released.View(), IsOkAndHolds("1"));
  }
  ASSERT_OK_AND_ASSIGN(const NodeStats stats, client_->Stats());
  EXPECT_EQ(stats.peer.read_leases, 0u);
}

TEST_P(ClientTest, ReaderMayOutliveItsClient) {
  ASSERT_THAT(client_->Put("a", "1"), IsOk());
  ASSERT_OK_AND_ASSIGN(const Reader reader, client_->Get("a"));
  ASSERT_OK_AND_ASSIGN(Writer writer, client_->Create("b"));
  client_.reset();
  EXPECT_THAT(reader.View(), IsOkAndHolds("1"));
  EXPECT_THAT(writer.Seal(), IsOk());
}

TEST_P(ClientTest, WriterAndClientThatGoTogetherLeaveNothing) {
  const std::unique_ptr<Client> other = node_.Connect();
  {
    ASSERT_OK_AND_ASSIGN(const Writer writer, client_->Create("half"));
    client_.reset();
  }
  // Whoever waits is told at once, not when a TTL is over.
  EXPECT_THAT(other->Get("half", {.wait = absl::Seconds(20)}), HasKind(ErrorKind::kNotFound));
}

TEST_P(ClientTest, GetManyAnswersInOrder) {
  std::vector<std::string> ids;
  for (int i = 0; i < 300; ++i) {
    ids.push_back("many/" + std::to_string(i));
    if (i % 7 == 0) continue;
    ASSERT_THAT(client_->Put(ids.back(), ids.back()), IsOk());
  }
  ids.push_back("");
  std::vector<absl::StatusOr<Reader>> readers = client_->GetMany(ids);
  ASSERT_THAT(readers, SizeIs(301));
  for (int i = 0; i < 300; ++i) {
    if (i % 7 == 0) {
      EXPECT_THAT(readers[i], HasKind(ErrorKind::kNotFound));
    } else {
      ASSERT_THAT(readers[i], IsOk());
      EXPECT_THAT(readers[i]->View(), IsOkAndHolds(absl::string_view(ids[i])));
    }
  }
  EXPECT_THAT(readers[300], HasKind(ErrorKind::kInvalidArgument));
  EXPECT_THAT(client_->GetMany({}), SizeIs(0));
}

TEST_P(ClientTest, StatAndListTell) {
  for (const char* id : {"b/2", "a", "b/1"}) {
    ASSERT_THAT(client_->Put(id, "xy", {.object_ttl = absl::Hours(1)}), IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const ObjectInfo info, client_->Stat("a"));
  EXPECT_EQ(info.size(), 2u);
  EXPECT_TRUE(info.expires_at.has_value());
  ListRequest request;
  request.prefix = "b/";
  request.limit = 1;
  ASSERT_OK_AND_ASSIGN(const ListPage first, client_->List(request));
  ASSERT_THAT(first.objects, SizeIs(1));
  ASSERT_TRUE(first.next.has_value());
  request.after = std::string(first.next->bytes());
  ASSERT_OK_AND_ASSIGN(const ListPage second, client_->List(request));
  ASSERT_THAT(second.objects, SizeIs(1));
  EXPECT_EQ(second.objects[0].object_id.bytes(), "b/2");
  EXPECT_FALSE(second.next.has_value());
}

TEST_P(ClientTest, StatsCount) {
  ASSERT_THAT(client_->Put("a", "123"), IsOk());
  EXPECT_THAT(client_->Get("a"), IsOk());
  EXPECT_THAT(client_->Get("b"), HasKind(ErrorKind::kNotFound));
  ASSERT_OK_AND_ASSIGN(const NodeStats stats, client_->Stats());
  EXPECT_EQ(stats.peer.objects, 1u);
  EXPECT_EQ(stats.peer.hits, 1u);
  EXPECT_EQ(stats.peer.misses, 1u);
  if (GetParam() == Way::kHttp) return;  // has as many connections as it needs
  const bool socket = GetParam() == Way::kSocket || GetParam() == Way::kFiles;
  EXPECT_EQ(stats.connections, socket ? 1u : 0u);
}

TEST_P(ClientTest, GetWaitsForTheSeal) {
  ASSERT_OK_AND_ASSIGN(Writer writer, client_->Create("later"));
  std::unique_ptr<Client> other = node_.Connect();
  std::thread waiter([&] {
    absl::StatusOr<Reader> reader = other->Get("later", {.wait = absl::Minutes(1)});
    ASSERT_THAT(reader, IsOk());
    EXPECT_THAT(reader->View(), IsOkAndHolds("now"));
  });
  absl::StatusOr<NodeStats> stats = client_->Stats();
  while (stats.ok() && stats->peer.waiting == 0) stats = client_->Stats();
  EXPECT_THAT(writer.Write("now"), IsOk());
  EXPECT_THAT(writer.Seal(), IsOk());
  waiter.join();
  EXPECT_THAT(client_->Get("later", {.wait = absl::Milliseconds(1)}), IsOk());
}

}  // namespace
}  // namespace packice
