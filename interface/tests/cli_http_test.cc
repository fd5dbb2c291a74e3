// Nodes on the network: addresses, tokens, TLS; and the node under its older name.
#include <signal.h>
#include <stdlib.h>

#include "gmock/gmock.h"
#include "process.h"

namespace packice {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

class HttpTest : public ::testing::Test {
 protected:
  std::vector<std::string> Flags(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> flags = {"serve", "--transport", "http", "--port", "0"};
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  }

  TempDir dir_;
};

TEST_F(HttpTest, BothTransportsServeOneNode) {
  for (const std::string impl : {"mem", "fs"}) {
    const std::string socket = dir_ / (impl + ".sock");
    StartedNode node(
        Flags({"--impl", impl, "--data", dir_ / "data", "--transport", "uds", "--socket", socket}));
    EXPECT_THAT(node.ready_line(), MatchesRegex("packice serving " + impl +
                                                " on http://127.0.0.1:[0-9]+ unix:" + socket));
    const std::string bytes = Pattern(3 << 20);
    const auto run = [&](const std::vector<std::string>& arguments, size_t address) {
      return RunPackice(arguments, {"PACKICE_TARGET=" + node.Address(address)}, bytes);
    };
    for (const size_t address : {0, 1}) {
      const std::string id = "by" + std::to_string(address);
      const Outcome put = run({"put", "-", "--id", id, "--meta", R"({"k":1})"}, address);
      EXPECT_EQ(put.exit_code, 0) << put.err;
      EXPECT_EQ(run({"get", id}, 1 - address).out, bytes);
      EXPECT_EQ(run({"put", "-", "--id", id}, 1 - address).exit_code, 4);
    }
    for (const size_t address : {0, 1}) {
      EXPECT_EQ(run({"ls", "--ids"}, address).out, "by0\nby1\n");
      EXPECT_EQ(run({"get", "missing"}, address).exit_code, 3);
      EXPECT_THAT(run({"stats", "--json"}, address).out, HasSubstr("\"objects\":2"));
    }
    EXPECT_EQ(run({"mv", "by0", "moved"}, 0).exit_code, 0);
    EXPECT_EQ(run({"rm", "by1"}, 0).exit_code, 0);
    EXPECT_EQ(run({"ls", "--ids"}, 1).out, "moved\n");
    const Outcome stopped = node.Stop();
    EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
    EXPECT_FALSE(std::filesystem::exists(socket));
  }
}

TEST_F(HttpTest, TakenPortIsBusy) {
  StartedNode node(Flags());
  const std::string url = node.Address();
  const std::string port = url.substr(url.rfind(':') + 1);
  const Outcome second = RunPackice({"serve", "--transport", "http", "--port", port});
  EXPECT_EQ(second.exit_code, 5) << second.err;
  EXPECT_EQ(second.out, "");
  const Outcome by_environment =
      RunPackice({"serve", "--transport", "http"}, {"PACKICE_PORT=" + port});
  EXPECT_EQ(by_environment.exit_code, 5) << by_environment.err;
  EXPECT_EQ(
      RunPackice({"serve", "--transport", "http"}, {"PACKICE_PORT=tcp://10.0.0.1:80"}).exit_code, 2)
      << "what Kubernetes puts there";
}

TEST_F(HttpTest, TokenIsAskedFor) {
  const std::string file = dir_.Write("token", "s3cret/Token==\n");
  StartedNode node(Flags({"--token-file", file}));
  const Outcome without = node.Run({"stats"});
  EXPECT_EQ(without.exit_code, 6) << without.err;
  EXPECT_THAT(without.err, StartsWith("packice: permission_denied: "));
  const std::string wrong = dir_.Write("wrong", "s3cret/Token=\n");
  EXPECT_EQ(node.Run({"stats", "--token-file", wrong}).exit_code, 6);
  EXPECT_EQ(node.Run({"stats", "--token-file", file}).exit_code, 0);
  EXPECT_EQ(
      RunPackice({"stats", "--target", node.Address()}, {"PACKICE_TOKEN=s3cret/Token=="}).exit_code,
      0);
  const Outcome copied =
      RunPackice({"cp", "--from", node.Address(), "--to", "", "a", "--from-token-file", file});
  EXPECT_EQ(copied.exit_code, 3) << "it got as far as to look: " << copied.err;
  const Outcome stopped = node.Stop();
  EXPECT_THAT(stopped.err, ::testing::Not(HasSubstr("s3cret"))) << "never logged";
  EXPECT_THAT(stopped.err, HasSubstr("other users may read the token file"));
}

TEST_F(HttpTest, TokenFilesThatAreNoneAreRefused) {
  for (const char* bytes : {"", "\n", "two\nlines", "a b", "\x01"}) {
    const Outcome outcome = RunPackice(Flags({"--token-file", dir_.Write("token", bytes)}));
    EXPECT_EQ(outcome.exit_code, 2) << bytes << ": " << outcome.err;
  }
  EXPECT_EQ(RunPackice(Flags({"--token-file", dir_ / "missing"})).exit_code, 2);
  EXPECT_EQ(RunPackice({"stats", "--token-file", dir_ / "missing"}).exit_code, 2);
}

TEST_F(HttpTest, OtherAddressesWantATokenOrAWord) {
  const Outcome refused = RunPackice(Flags({"--host", "0.0.0.0"}));
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("--insecure"));
  StartedNode insecure(Flags({"--host", "0.0.0.0", "--insecure"}));
  EXPECT_THAT(insecure.ready_line(), StartsWith("packice serving mem on http://"));
  StartedNode with_token(Flags({"--host", "0.0.0.0", "--token-file", dir_.Write("token", "t")}));
  EXPECT_THAT(with_token.ready_line(), StartsWith("packice serving mem on http://"));
}

TEST_F(HttpTest, TlsIsSpokenAndChecked) {
  const std::string key = dir_ / "key.pem";
  const std::string certificate = dir_ / "cert.pem";
  const std::string make =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
      "/CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout " +
      key + " -out " + certificate + " 2>/dev/null";
  ASSERT_EQ(system(make.c_str()), 0);
  EXPECT_EQ(RunPackice(Flags({"--tls-cert", certificate})).exit_code, 2) << "no key";
  StartedNode node(Flags({"--tls-cert", certificate, "--tls-key", key}));
  ASSERT_THAT(node.Address(), StartsWith("https://127.0.0.1:"));
  const Outcome distrusted = node.Run({"stats"});
  EXPECT_EQ(distrusted.exit_code, 6) << distrusted.err;
  const std::string bytes = Pattern(200000);
  EXPECT_EQ(node.Run({"put", "-", "--id", "a", "--ca-file", certificate}, bytes).exit_code, 0);
  EXPECT_EQ(node.Run({"get", "a", "--ca-file", certificate}).out, bytes);
}

TEST_F(HttpTest, BenchMeasuresOverHttp) {
  StartedNode node(Flags({"--impl", "fs", "--data", dir_ / "data"}));
  const Outcome outcome =
      node.Run({"bench", "--sizes", "4KiB", "--clients", "1,3", "--duration", "0.05", "--warmup",
                "0", "--read-share", "0", "--objects", "5"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, ContainsRegex("put +4.0 KiB +1 +1 "));
  EXPECT_THAT(outcome.out, ContainsRegex("put +4.0 KiB +3 +1 "));
  EXPECT_EQ(node.Run({"ls", "--ids"}).out, "");
}

class OlderNodeTest : public HttpTest {
 protected:
  Outcome Run(const std::vector<std::string>& arguments,
              const std::vector<std::string>& environment = {}) const {
    return Process(arguments, environment, "", "packice-node").Wait();
  }
};

TEST_F(OlderNodeTest, AdaptersChooseTheNode) {
  const std::vector<std::string> environment = {"PACKICE_DATA=" + (dir_ / "data"),
                                                "PACKICE_SOCKET=" + (dir_ / "node.sock"),
                                                "PACKICE_PORT=0"};
  StartedNode http({}, environment, "packice-node");
  EXPECT_THAT(http.ready_line(), MatchesRegex("packice serving fs on http://127.0.0.1:[0-9]+"));
  EXPECT_TRUE(std::filesystem::exists(dir_ / "data/attachments"));
  std::vector<std::string> adapter = environment;
  adapter.push_back("PACKICE_ADAPTER=uds-memfd");
  StartedNode uds({}, adapter, "packice-node");
  EXPECT_EQ(uds.ready_line(), "packice serving mem on unix:" + (dir_ / "node.sock"));
  StartedNode flag({"--adapter=http", "--data", dir_ / "other"}, adapter, "packice-node");
  EXPECT_THAT(flag.ready_line(), StartsWith("packice serving fs on http://"));
  EXPECT_TRUE(std::filesystem::exists(dir_ / "other/attachments"));
}

TEST_F(OlderNodeTest, HelpSaysWhatIsDifferent) {
  const Outcome help = Run({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("stays on loopback"));
  EXPECT_THAT(Run({"--version"}).out, StartsWith("packice "));
}

TEST_F(OlderNodeTest, UnknownAdaptersAreRefused) {
  EXPECT_EQ(Run({"--adapter=carrier-pigeon"}).exit_code, 2);
  EXPECT_EQ(Run({}, {"PACKICE_ADAPTER=carrier-pigeon"}).exit_code, 2);
  EXPECT_EQ(Run({"--impl", "mem"}).exit_code, 2);
}

}  // namespace
}  // namespace packice
