// What the control protocol says of a Unix socket, spoken by hand.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node_test.h"

namespace packice {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class UdsProtocol : public NodeTest {
 protected:
  void SetUp() override { StartNode(); }

  // As a client in a hurry writes it: all of what read(2) gives, from wherever the descriptor is.
  static std::string ReadAll(const UniqueFd& fd) {
    std::string all;
    char bytes[4096];
    for (ssize_t n; (n = read(fd.get(), bytes, sizeof(bytes))) > 0;) {
      all.append(bytes, static_cast<size_t>(n));
    }
    return all;
  }

  static int64_t SizeOf(const UniqueFd& fd) {
    struct stat info;
    return fstat(fd.get(), &info) == 0 ? info.st_size : -1;
  }

  static std::string Waiting(absl::string_view id, absl::string_view more = "") {
    return absl::StrCat(R"({"op":"acquire","intent":"read","wait_seconds":600,"object_id":")", id,
                        "\"", more, "}");
  }
  bool NodeHasWaiting(int64_t count) {
    return Eventually([&] { return FiguresOf(watcher()).waiting == count || HasFailure(); });
  }

  // Bytes that repeat nowhere soon.
  static std::string Bytes(size_t size) {
    std::string bytes(size, '\0');
    uint32_t x = 1;
    for (char& c : bytes) c = static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
    return bytes;
  }
};

// ---- Framing ----

TEST_F(UdsProtocol, EveryRequestIsALineAndSoIsItsAnswer) {
  RawClient client = Connect();
  Put(client, "a", "x");
  EXPECT_THAT(client.Ask(R"({"op":"stat","object_id":"a"})").line,
              StartsWith(R"({"object_id":"a")"));
  EXPECT_THAT(client.Ask(R"({"op":"list"})").line, StartsWith(R"({"objects":[{)"));
  EXPECT_FALSE(client.HasResponse());
}

TEST_F(UdsProtocol, HundredsOfPipelinedRequestsAreAnsweredInOrder) {
  RawClient client = Connect();
  std::string lines;
  for (int i = 0; i < 800; ++i) {
    absl::StrAppend(&lines, R"({"op":"stat","object_id":"missing","seq":)", i, "}\n");
  }
  ASSERT_TRUE(client.Send(lines));
  for (int i = 0; i < 800; ++i) {
    const Response response = client.Receive();
    ASSERT_EQ(response.Json("seq"), absl::StrCat(i));
    ASSERT_EQ(response.Kind(), "not_found");
  }
}

TEST_F(UdsProtocol, AClientThatSendsAllAndThenReadsGetsAllDescriptorsToo) {
  RawClient client = Connect();
  std::string lines;
  for (int i = 0; i < 300; ++i) absl::StrAppend(&lines, CreateLine(absl::StrCat(i), i), "\n");
  ASSERT_TRUE(client.Send(lines));
  for (int i = 0; i < 300; ++i) {
    const Response response = client.Receive();
    ASSERT_EQ(response.Text("object_id"), absl::StrCat(i)) << response.line;
    ASSERT_EQ(response.descriptors.size(), 1u);
    ASSERT_EQ(SizeOf(response.descriptors[0]), i);
  }
}

TEST_F(UdsProtocol, ARequestMayComeInPieces) {
  RawClient client = Connect();
  for (const char c : std::string(R"({"op":"stats"})")) client.Send(std::string(1, c));
  EXPECT_FALSE(client.HasResponse());
  client.Send("\n");
  EXPECT_EQ(client.Receive().Kind(), "ok");
}

TEST_F(UdsProtocol, ALineOfOneMebibyteIsTaken) {
  RawClient client = Connect();
  const std::string request = R"({"op":"stats","seq":"long"})";
  const Response response = client.Ask(request + std::string((1 << 20) - request.size(), ' '));
  EXPECT_EQ(response.Kind(), "ok") << response.line;
  EXPECT_EQ(response.Text("seq"), "long");
}

TEST_F(UdsProtocol, DescriptorsRideWithTheFirstByteOfTheirLine) {
  RawClient client = Connect();
  client.Send(absl::StrCat(R"({"op":"stats"})", "\n", CreateLine("a", 1), "\n", R"({"op":"stats"})",
                           "\n", CreateLine("b", 2), "\n"));
  std::string all;
  std::vector<size_t> riding;  // the positions of bytes that a descriptor came with
  while (std::count(all.begin(), all.end(), '\n') < 4) {
    char byte;
    iovec part = {&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 8)];
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    ASSERT_EQ(recvmsg(client.socket(), &message, MSG_CMSG_CLOEXEC), 1);
    if (const cmsghdr* header = CMSG_FIRSTHDR(&message)) {
      ASSERT_EQ(header->cmsg_len, CMSG_LEN(sizeof(int)));
      int fd;
      std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
      UniqueFd dropped(fd);
      riding.push_back(all.size());
    }
    all.push_back(byte);
  }
  const size_t first = all.find('\n') + 1;
  const size_t second = all.find('\n', first) + 1;
  const size_t third = all.find('\n', second) + 1;
  EXPECT_THAT(riding, testing::ElementsAre(first, third));
  EXPECT_GT(third, second);
}

// ---- seq, and who may be overtaken ----

TEST_F(UdsProtocol, ASeqIsEchoedAsItCame) {
  RawClient client = Connect();
  for (const char* seq : {"7", R"("seven")", "-1", R"("")"}) {
    const Response response = client.Ask(absl::StrCat(R"({"op":"stats","seq":)", seq, "}"));
    EXPECT_EQ(response.Json("seq"), seq) << response.line;
  }
  EXPECT_EQ(client.Ask(R"({"op":"no such op","seq":9})").Json("seq"), "9");
  EXPECT_EQ(client.Ask(R"({"op":"stats"})").Json("seq"), "");
}

TEST_F(UdsProtocol, AWaitingRequestWithASeqIsOvertaken) {
  RawClient creator = Connect();
  const Response created = creator.Ask(CreateLine("a", 1));
  RawClient reader = Connect();
  reader.Send(Waiting("a", R"(,"seq":1)") + "\n");
  EXPECT_EQ(reader.Ask(R"({"op":"stats","seq":2})").Json("seq"), "2");
  ASSERT_TRUE(NodeHasWaiting(1));
  creator.Ask(LeaseLine("seal", created.Text("lease_id")));
  const Response waited = reader.Receive();
  EXPECT_EQ(waited.Json("seq"), "1");
  EXPECT_EQ(waited.Text("state"), "SEALED");
  EXPECT_EQ(waited.descriptors.size(), 1u);
}

TEST_F(UdsProtocol, AWaitingRequestWithoutASeqHoldsUpThoseBehindIt) {
  RawClient creator = Connect();
  const Response created = creator.Ask(CreateLine("a", 1));
  RawClient reader = Connect();
  reader.Send(absl::StrCat(Waiting("a"), "\n", R"({"op":"stats","seq":2})", "\n"));
  ASSERT_TRUE(NodeHasWaiting(1));
  EXPECT_FALSE(reader.HasResponse());
  creator.Ask(LeaseLine("seal", created.Text("lease_id")));
  EXPECT_EQ(reader.Receive().Text("state"), "SEALED");
  EXPECT_EQ(reader.Receive().Json("seq"), "2");
}

TEST_F(UdsProtocol, AHelloMayOvertakeAWaitingRequest) {
  RawClient creator = Connect();
  RawClient reader = Connect();
  for (int i = 0; i < 20; ++i) {
    const std::string id = absl::StrCat(i);
    const std::string lease = creator.Ask(CreateLine(id, 1)).Text("lease_id");
    reader.Send(Waiting(id, R"(,"seq":1)") + "\n");
    ASSERT_TRUE(NodeHasWaiting(1));
    reader.Send(R"({"op":"hello","features":["positioned"]})"
                "\n");
    creator.Ask(LeaseLine("seal", lease));
    int granted = 0;
    for (const Response& response : reader.Receive(2)) granted += response.descriptors.size();
    ASSERT_EQ(granted, 1);
  }
}

TEST_F(UdsProtocol, ARequestThatDoesNotWaitIsNeverOvertaken) {
  RawClient client = Connect();
  client.Send(R"({"op":"acquire","intent":"create","object_id":"a","size":1,"seq":1})"
              "\n"
              R"({"op":"stats","seq":2})"
              "\n");
  EXPECT_EQ(client.Receive().Json("seq"), "1");
  EXPECT_EQ(client.Receive().Json("seq"), "2");
}

// ---- batch ----

TEST_F(UdsProtocol, ABatchIsAnsweredInOneLineWithItsDescriptorsInOrder) {
  RawClient client = Connect();
  const Response batch = client.Ask(BatchLine(
      {CreateLine("a", 1), R"({"op":"stat","object_id":"missing","seq":5})",
       R"({"op":"acquire","intent":"create","object_id":"b","blobs":[{"size":2},{"size":3}]})",
       CreateLine("c", 4)}));
  ASSERT_EQ(batch.descriptors.size(), 4u) << batch.line;
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(SizeOf(batch.descriptors[i]), i + 1);
    EXPECT_TRUE(batch.Has(
        absl::StrCat(R"({"kind":"fd","index":)", i, R"(,"offset":0,"size":)", i + 1, "}")))
        << batch.line;
  }
  EXPECT_THAT(batch.line, StartsWith(R"({"responses":[{"lease_id")"));
  EXPECT_THAT(batch.line, HasSubstr(R"("kind":"not_found")"));
  EXPECT_THAT(batch.line, HasSubstr(R"("seq":5)"));
}

// ---- Handles and older clients ----

TEST_F(UdsProtocol, HelloTellsVersionProtocolAndFeatures) {
  RawClient client = Connect();
  const Response hello = client.Ask(R"({"op":"hello"})");
  EXPECT_EQ(hello.Text("packice"), "test");
  EXPECT_EQ(hello.Number("protocol"), 2);
  EXPECT_THAT(hello.Json("features"), HasSubstr("\"batch\""));
}

TEST_F(UdsProtocol, AGrantNamesItsHandlesInBothGenerationsWords) {
  RawClient client = Connect();
  const Response grant = client.Ask(CreateLine("a", 10));
  EXPECT_EQ(grant.Text("object_id"), "a");
  EXPECT_EQ(grant.Text("objid"), "a");
  EXPECT_EQ(grant.Text("intent"), "create");
  EXPECT_EQ(grant.Text("state"), "CREATING");
  EXPECT_EQ(grant.Json("size"), "10");
  EXPECT_EQ(grant.Json("handles"), R"([{"kind":"fd","index":0,"offset":0,"size":10}])");
  EXPECT_EQ(grant.Json("attachment_fd"), "0");
}

TEST_F(UdsProtocol, OlderWordsMeanTheSame) {
  RawClient client = Connect();
  const Response created = client.Ask(R"({"objid":"o1","intent":"create"})");
  ASSERT_EQ(created.descriptors.size(), 1u) << created.line;
  ASSERT_EQ(write(created.descriptors[0].get(), "hello", 5), 5);
  const std::string lease = created.Text("lease_id");
  const Response sealed =
      client.Ask(absl::StrCat(R"({"command":"seal","lease_id":")", lease, R"("})"));
  EXPECT_EQ(sealed.Text("status"), "sealed");
  EXPECT_EQ(sealed.Number("size"), 5);
  const Response read = client.Ask(R"({"command":"acquire","objid":"o1","intent":"read"})");
  ASSERT_EQ(read.descriptors.size(), 1u);
  EXPECT_EQ(ReadAll(read.descriptors[0]), "hello");
  EXPECT_EQ(client.Ask(LeaseLine("discard", lease)).Text("status"), "discarded");
}

TEST_F(UdsProtocol, AClientThatHalfClosesStillGetsItsAnswers) {
  RawClient client = Connect();
  client.Send(R"({"objid":"o1","intent":"create"})"
              "\n"
              R"({"op":"stat","object_id":"o1"})"
              "\n");
  client.FinishSending();
  EXPECT_EQ(client.Receive().descriptors.size(), 1u);
  EXPECT_EQ(client.Receive().Text("state"), "CREATING");
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(UdsProtocol, AClientThatHalfClosesStillGetsWhatItWaitsFor) {
  RawClient creator = Connect();
  const std::string lease = creator.Ask(CreateLine("a", 1)).Text("lease_id");
  for (const char* seq : {"", R"(,"seq":1)"}) {
    RawClient reader = Connect();
    reader.Send(Waiting("a", seq) + "\n");
    reader.FinishSending();
    ASSERT_TRUE(NodeHasWaiting(1));
    RawClient other = Connect();
    other.Send(Waiting("a") + "\n");
    ASSERT_TRUE(NodeHasWaiting(2));
    other.Close();
    ASSERT_TRUE(NodeHasWaiting(1));
    EXPECT_FALSE(reader.HasResponse());
    if (*seq == '\0') continue;
    creator.Ask(LeaseLine("seal", lease));
    EXPECT_EQ(reader.Receive().Text("state"), "SEALED");
    EXPECT_TRUE(reader.AtEnd());
  }
}

// ---- File positions ----

TEST_F(UdsProtocol, NaiveReadersDoNotShareAFilePosition) {
  const std::string bytes = Bytes(100 * 1000);
  RawClient writer = Connect();
  const Response created = writer.Ask(CreateLine("a", bytes.size()));
  // The writer moves its own position.
  ASSERT_EQ(write(created.descriptors[0].get(), bytes.data(), bytes.size()),
            static_cast<ssize_t>(bytes.size()));
  writer.Ask(LeaseLine("seal", created.Text("lease_id")));
  RawClient one = Connect();
  RawClient two = Connect();
  const Response first = one.Ask(ReadLine("a"));
  const Response second = two.Ask(ReadLine("a"));
  const Response again = two.Ask(ReadLine("a"));
  EXPECT_EQ(ReadAll(first.descriptors[0]), bytes);
  EXPECT_EQ(ReadAll(second.descriptors[0]), bytes);
  EXPECT_EQ(ReadAll(again.descriptors[0]), bytes);
}

TEST_F(UdsProtocol, APositionedClientReadsWhereTheHandleSays) {
  const std::string bytes = Bytes(10 * 1000);
  RawClient writer = Connect();
  const std::string lease = PutAndHold(writer, "a", bytes);
  RawClient reader = Connect();
  reader.Ask(R"({"op":"hello","features":["positioned"]})");
  const Response grant = reader.Ask(ReadLine("a"));
  std::string read(bytes.size(), '\0');
  ASSERT_EQ(grant.Number("size"), static_cast<int64_t>(bytes.size()));
  ASSERT_EQ(pread(grant.descriptors[0].get(), read.data(), read.size(), grant.Number("offset")),
            static_cast<ssize_t>(read.size()));
  EXPECT_EQ(read, bytes);
}

// ---- Sealed by the kernel ----

TEST_F(UdsProtocol, TheKernelKeepsTheWriterToTheDeclaredSize) {
  RawClient client = Connect();
  const Response created = client.Ask(CreateLine("a", 4096));
  const int fd = created.descriptors[0].get();
  EXPECT_EQ(pwrite(fd, "x", 1, 4096), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(ftruncate(fd, 8192), -1);
  EXPECT_EQ(ftruncate(fd, 1), -1);
}

TEST_F(UdsProtocol, TheKernelRefusesToChangeWhatIsSealed) {
  RawClient writer = Connect();
  const Response created = writer.Ask(CreateLine("a", 4096));
  const std::string lease = created.Text("lease_id");
  writer.Ask(LeaseLine("seal", lease));
  RawClient naive = Connect();
  RawClient positioned = Connect();
  positioned.Ask(R"({"op":"hello","features":["positioned"]})");
  std::vector<Response> grants;
  grants.push_back(naive.Ask(ReadLine("a")));
  grants.push_back(positioned.Ask(ReadLine("a")));
  std::vector<int> fds = {created.descriptors[0].get()};
  for (const Response& grant : grants) fds.push_back(grant.descriptors[0].get());
  for (const int fd : fds) {
    EXPECT_NE(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE, 0);
    EXPECT_EQ(pwrite(fd, "x", 1, 0), -1);
    EXPECT_EQ(ftruncate(fd, 0), -1);
    EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    void* const readable = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    ASSERT_NE(readable, MAP_FAILED);
    munmap(readable, 4096);
  }
}

TEST_F(UdsProtocol, AnOpenWritableMappingKeepsSealBusy) {
  RawClient client = Connect();
  const Response created = client.Ask(CreateLine("a", 4096));
  const std::string lease = created.Text("lease_id");
  void* const mapped =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, created.descriptors[0].get(), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  std::memset(mapped, 'x', 4096);
  EXPECT_EQ(client.Ask(LeaseLine("seal", lease)).Kind(), "busy");
  munmap(mapped, 4096);
  EXPECT_EQ(client.Ask(LeaseLine("seal", lease)).Kind(), "ok");
}

}  // namespace
}  // namespace packice
