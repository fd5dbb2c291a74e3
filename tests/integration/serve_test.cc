// The real program, `packice serve`, under load and after accidents.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node_test.h"

namespace packice {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr char kStats[] = R"({"op":"stats"})";

class Serve : public testing::Test {
 protected:
  ChildProcess StartHere() const {
    const char* const binary = std::getenv("PACKICE_BINARY");
    EXPECT_NE(binary, nullptr) << "PACKICE_BINARY names the program";
    return ChildProcess::StartProgram({binary == nullptr ? "packice" : binary, "serve", "--impl",
                                       "mem", "--transport", "uds", "--socket", path()});
  }
  std::string path() const { return directory_ / "socket"; }

  TemporaryDirectory directory_;
};

TEST_F(Serve, SaysWhereOnceItIsReady) {
  ChildProcess node = StartHere();
  EXPECT_THAT(node.ReadLine(), HasSubstr(path()));
  EXPECT_EQ(RawClient(path()).Ask(kStats).Kind(), "ok");
}

TEST_F(Serve, DrainsUnderLoadAndExitsWithZero) {
  for (const int number : {SIGTERM, SIGINT}) {
    ChildProcess node = StartHere();
    node.ReadLine();
    std::atomic<int> answered{0};
    std::vector<std::thread> clients;
    for (int i = 0; i < 8; ++i) {
      clients.emplace_back([&, i] {
        RawClient client(path());
        const std::string id = absl::StrCat("object/", i);
        const std::string lines = absl::StrCat(CreateLine(id, 5), "\n", kStats, "\n");
        // What is sent is answered, until no more is taken.
        while (client.Send(lines)) {
          ASSERT_THAT(client.Receive().Kind(), AnyOf("ok", "busy", "unavailable"));
          ASSERT_THAT(client.Receive().Kind(), AnyOf("ok", "unavailable"));
          ++answered;
        }
        EXPECT_TRUE(client.AtEnd());
      });
    }
    EXPECT_TRUE(Eventually([&] { return answered > 500; }));
    node.Signal(number);
    for (std::thread& client : clients) client.join();
    EXPECT_EQ(node.Wait(), 0);
    EXPECT_NE(access(path().c_str(), F_OK), 0) << "the socket goes with its node";
  }
}

TEST_F(Serve, ASecondNodeOnTheSameSocketExitsWithFive) {
  ChildProcess node = StartHere();
  node.ReadLine();
  EXPECT_EQ(StartHere().Wait(), 5);
  EXPECT_EQ(RawClient(path()).Ask(kStats).Kind(), "ok");
}

TEST_F(Serve, ReplacesTheSocketOfAKilledNode) {
  ChildProcess node = StartHere();
  node.ReadLine();
  node.Kill();
  EXPECT_EQ(access(path().c_str(), F_OK), 0);
  node = StartHere();
  EXPECT_THAT(node.ReadLine(), HasSubstr(path()));
  EXPECT_EQ(RawClient(path()).Ask(kStats).Kind(), "ok");
}

}  // namespace
}  // namespace packice
