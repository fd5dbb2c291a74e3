// One fills, the others wait.
#include <atomic>
#include <thread>

#include "node.h"

namespace packice {
namespace {

class GetOrCreateTest : public ::testing::TestWithParam<Way> {
 protected:
  // Returns when `count` acquires wait on the node.
  void AwaitWaiters(uint64_t count) {
    while (true) {
      absl::StatusOr<NodeStats> stats = client_->Stats();
      ASSERT_THAT(stats, IsOk());
      if (stats->peer.waiting >= count) return;
    }
  }

  TestNode node_{GetParam()};
  std::unique_ptr<Client> client_ = node_.Connect();
};

INSTANTIATE_TEST_SUITE_P(Ways, GetOrCreateTest, EveryWay(), WayName);

TEST_P(GetOrCreateTest, FillsWhatIsMissingOnce) {
  int fills = 0;
  const auto fill = [&](Writer& writer) {
    ++fills;
    return writer.Write("bytes");
  };
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const Reader reader, client_->GetOrCreate("a", fill));
    EXPECT_THAT(reader.View(), IsOkAndHolds("bytes"));
    EXPECT_EQ(reader.size(), 5u);
  }
  EXPECT_EQ(fills, 1);
  ASSERT_OK_AND_ASSIGN(const NodeStats stats, client_->Stats());
  EXPECT_EQ(stats.peer.create_leases + stats.peer.read_leases, 0u);
}

TEST_P(GetOrCreateTest, FillerMaySealByItself) {
  ASSERT_OK_AND_ASSIGN(const Reader reader, client_->GetOrCreate("a", [](Writer& writer) {
    absl::Status status = writer.Write("mine");
    return status.ok() ? writer.Seal(R"({"by":"me"})") : status;
  }));
  EXPECT_THAT(reader.View(), IsOkAndHolds("mine"));
  EXPECT_EQ(reader.metadata_json(), R"({"by":"me"})");
}

TEST_P(GetOrCreateTest, OfManyCallersOneFills) {
  std::atomic<int> fills{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&, client = node_.Connect()] {
      absl::StatusOr<Reader> reader = client->GetOrCreate("one",
                                                          [&](Writer& writer) {
                                                            ++fills;
                                                            return writer.WriteAt(0, "x");
                                                          },
                                                          {.sizes = {4096}});
      ASSERT_THAT(reader, IsOk());
      ASSERT_OK_AND_ASSIGN(const absl::string_view view, reader->View());
      EXPECT_EQ(view[0], 'x');
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(fills, 1);
}

TEST_P(GetOrCreateTest, WhenAllFillersFailNobodyWaits) {
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([client = node_.Connect()] {
      const auto fill = [](Writer&) { return MakeError(ErrorKind::kIo, "the disk is on fire"); };
      EXPECT_THAT(client->GetOrCreate("one", fill, {.wait = absl::Seconds(20)}),
                  HasKind(ErrorKind::kIo));
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST_P(GetOrCreateTest, WhenAFillerFailsAnotherOneFills) {
  std::unique_ptr<Client> other = node_.Connect();
  std::thread second;
  absl::StatusOr<Reader> first = client_->GetOrCreate("a", [&](Writer&) {
    second = std::thread([&] {
      absl::StatusOr<Reader> reader =
          other->GetOrCreate("a", [](Writer& writer) { return writer.Write("second"); });
      ASSERT_THAT(reader, IsOk());
      EXPECT_THAT(reader->View(), IsOkAndHolds("second"));
    });
    AwaitWaiters(1);
    return MakeError(ErrorKind::kIo, "the disk is on fire");
  });
  second.join();
  EXPECT_THAT(first, HasKind(ErrorKind::kIo));
}

TEST_P(GetOrCreateTest, WaitIsBounded) {
  ASSERT_OK_AND_ASSIGN(Writer writer, client_->Create("slow"));
  EXPECT_THAT(client_->GetOrCreate("slow", [](Writer&) { return absl::OkStatus(); },
                                   {.wait = absl::Milliseconds(5)}),
              HasKind(ErrorKind::kTimeout));
}

}  // namespace
}  // namespace packice
