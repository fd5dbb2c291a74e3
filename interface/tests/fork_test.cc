// A client in a forked child.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>

#include "node.h"
#include "read_node.h"

namespace packice {
namespace {

// Runs `child` in a forked process; it answers whether all was well.
bool InForkedChild(const std::function<bool()>& child) {
  const pid_t pid = fork();
  if (pid == 0) _exit(child() ? 0 : 1);
  int status = 0;
  return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// From now on the kernel ends this process at any system call of this thread but its exit, before
// which AddressSanitizer asks for the signal stack.
bool AllowOnlyToExit() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sigaltstack, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog filter = {std::size(program), program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST(ForkTest, SocketClientWorksInTheChildAndLeavesTheParentsLeases) {
  TestNode node(Way::kSocket);
  std::unique_ptr<Client> client = node.Connect();
  ASSERT_THAT(client->Put("a", "1"), IsOk());
  ASSERT_OK_AND_ASSIGN(Reader reader, client->Get("a"));
  ASSERT_THAT(reader.View(), IsOk());
  absl::StatusOr<Writer> writer = client->Create("w");
  ASSERT_THAT(writer, IsOk());
  EXPECT_TRUE(InForkedChild([&] {
    const bool works = client->Put("child", "2").ok() && client->Get("a").ok();
    const bool sees = *reader.View() == "1";
    const bool refused = KindOf(writer->Write("x")) == ErrorKind::kPermissionDenied;
    { Reader gone = std::move(reader); }
    writer = absl::CancelledError();
    client.reset();
    return works && sees && refused;
  }));
  EXPECT_THAT(client->Get("child"), IsOk());
  // The child did not wait for the node to hear of its releases.
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  uint64_t leases = 0;
  while (leases != 1 && absl::Now() < deadline) {
    ASSERT_OK_AND_ASSIGN(const NodeStats stats, client->Stats());
    leases = stats.peer.read_leases;
  }
  EXPECT_EQ(leases, 1u);
  EXPECT_THAT(writer->Write("parent"), IsOk());
  EXPECT_THAT(writer->Seal(), IsOk());
}

TEST(ForkTest, ReadsWithoutMessagesMakeNoSystemCall) {
  ReadNode node;
  const std::unique_ptr<Client> client = node.Connect();
  const std::string bytes = Pattern(1000);
  ASSERT_THAT(client->Put("a", bytes), IsOk());
  const auto read = [&](int times) {
    char room[1000];
    for (int i = 0; i < times; ++i) {
      const absl::StatusOr<size_t> size = client->ReadInto("a", absl::MakeSpan(room));
      if (!size.ok() || absl::string_view(room, *size) != bytes) return false;
    }
    return true;
  };
  EXPECT_TRUE(InForkedChild([&] { return read(100) && AllowOnlyToExit() && read(10'000); }));
  EXPECT_FALSE(InForkedChild([&] { return AllowOnlyToExit() && client->Stat("a").ok(); }))
      << "so it would be seen";
}

TEST(ForkTest, ChildGetsForItselfWhatTheParentHolds) {
  ReadNode node;
  std::unique_ptr<Client> client = node.Connect();
  ASSERT_THAT(client->Put("a", "1"), IsOk());
  ASSERT_OK_AND_ASSIGN(const Reader held, client->Get("a"));
  const auto leases = [&] { return client->Stats()->peer.read_leases; };
  ASSERT_THAT(client->Get("a"), IsOk());
  ASSERT_EQ(leases(), 1u);
  EXPECT_TRUE(InForkedChild([&] {
    const absl::StatusOr<Reader> mine = client->Get("a");
    return mine.ok() && *mine->View() == "1" && leases() == 2;
  }));
}

TEST(ForkTest, ChildReadsWithoutMessagesForItself) {
  ReadNode node;
  std::unique_ptr<Client> client = node.Connect();
  ASSERT_THAT(client->Put("a", "1"), IsOk());
  for (int i = 0; i < 10; ++i) ASSERT_THAT(client->GetCopy("a"), IsOkAndHolds("1"));
  const auto opened = [&] { return node.Metric("packice_operations_total{op=\"index\""); };
  const uint64_t before = opened();
  EXPECT_TRUE(InForkedChild([&] {
    for (int i = 0; i < 10; ++i) {
      if (*client->GetCopy("a") != "1") return false;
    }
    const bool deleted = client->Delete("a").ok() && client->Put("a", "2").ok();
    const bool sees = *client->GetCopy("a") == "2";
    // A client that read nothing here.
    std::unique_ptr<Client> other = node.Connect();
    client.reset();
    return deleted && sees && *other->GetCopy("a") == "2";
  }));
  EXPECT_EQ(opened(), before + 2) << "one for each client that read in the child";
  for (int i = 0; i < 10; ++i) EXPECT_THAT(client->GetCopy("a"), IsOkAndHolds("2"));
  EXPECT_EQ(opened(), before + 2) << "the parent has its own";
  // A child that only drops it.
  EXPECT_TRUE(InForkedChild([&] {
    client.reset();
    return true;
  }));
  EXPECT_THAT(client->GetCopy("a"), IsOkAndHolds("2"));
}

TEST(ForkTest, NodeInTheParentsProcessIsUnavailableToTheChild) {
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Client> client, Connect("memory://forked"));
  ASSERT_THAT(client->Put("a", "1"), IsOk());
  ASSERT_OK_AND_ASSIGN(Reader reader, client->Get("a"));
  ASSERT_THAT(reader.View(), IsOk());
  EXPECT_TRUE(InForkedChild([&] {
    const auto unavailable = [](const absl::Status& status) {
      return !status.ok() && KindOf(status) == ErrorKind::kUnavailable;
    };
    const bool refused =
        unavailable(client->Get("a").status()) && unavailable(client->Put("b", "").status()) &&
        unavailable(client->Stats().status()) && unavailable(client->List().status()) &&
        unavailable(client->GetMany({{"a"}})[0].status());
    const bool sees = *reader.View() == "1";
    // A node of the child's own.
    absl::StatusOr<std::unique_ptr<Client>> own = Connect("memory://forked");
    const bool fresh = own.ok() && (*own)->Put("a", "2").ok();
    { Reader gone = std::move(reader); }
    client.reset();
    return refused && sees && fresh;
  }));
  EXPECT_THAT(client->Get("a"), IsOk());
}

}  // namespace
}  // namespace packice
