// Model weights, put once and mapped by every worker process on the machine: one copy in memory,
// whatever the number of workers.
//
//   share_weights [SOCKET]     without a socket, this program is the node, too
#include <packice/client.h>
#include <packice/peers/memory_peer.h>
#include <packice/transport/uds_server.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

namespace {

constexpr size_t kWeights = 4 << 20;
constexpr int kWorkers = 4;

// Ends the program with what went wrong.
template <typename T>
T OrDie(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::cerr << packice::InfoOf(packice::KindOf(result.status())).name << ": "
            << result.status().message() << "\n";
  std::exit(1);
}

// A node in this process, behind a Unix socket.
struct Node {
  std::unique_ptr<packice::Peer> peer = packice::MakeMemoryPeer();
  std::unique_ptr<packice::UdsServer> server;

  explicit Node(const std::string& socket) {
    packice::UdsServerOptions options;
    options.path = socket;
    server = OrDie(packice::UdsServer::Start(*peer, options));
  }
};

void PutWeights(packice::Client& client) {
  packice::CreateOptions options;
  options.sizes = {kWeights * sizeof(float)};
  options.metadata_json = R"({"dtype": "f32", "shape": [2048, 2048]})";
  packice::Writer writer = OrDie(client.Create("models/demo/w0", options));
  // Computed straight into the object's memory. Bytes that lie in a buffer already go by Write.
  const absl::Span<char> memory = OrDie(writer.Span());
  float* const weights = reinterpret_cast<float*>(memory.data());
  for (size_t i = 0; i < kWeights; ++i) weights[i] = static_cast<float>(i % 1000);
  if (absl::Status status = writer.Seal(); !status.ok()) OrDie<int>(status);
}

// In a worker process. The bytes it looks at are the very pages that the first process wrote.
int Work(packice::Client& client, int number) {
  packice::GetOptions options;
  options.wait = absl::Seconds(30);
  const packice::Reader reader = OrDie(client.Get("models/demo/w0", options));
  const absl::string_view bytes = OrDie(reader.View());
  const float* const weights = reinterpret_cast<const float*>(bytes.data());
  const double sum = std::accumulate(weights, weights + bytes.size() / sizeof(float), 0.0);
  std::printf("worker %d: %zu weights %s, sum %.0f\n", number, bytes.size() / sizeof(float),
              reader.metadata_json().c_str(), sum);
  return sum > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string socket =
      argc > 1 ? argv[1] : "/tmp/share_weights." + std::to_string(getpid()) + ".sock";
  const std::unique_ptr<Node> node = argc > 1 ? nullptr : std::make_unique<Node>(socket);

  const std::unique_ptr<packice::Client> client = OrDie(packice::Connect("unix:" + socket));
  PutWeights(*client);
  std::fflush(stdout);

  std::vector<pid_t> workers;
  for (int i = 0; i < kWorkers; ++i) {
    const pid_t pid = fork();
    // A client may be used in a forked child: it connects anew there.
    if (pid == 0) {
      const int result = Work(*client, i);
      std::fflush(stdout);
      _exit(result);
    }
    workers.push_back(pid);
  }
  bool well = true;
  for (const pid_t worker : workers) {
    int status = 0;
    well = waitpid(worker, &status, 0) == worker && status == 0 && well;
  }
  const packice::NodeStats stats = OrDie(client->Stats());
  std::printf("the node holds %llu object(s), %llu bytes\n",
              static_cast<unsigned long long>(stats.peer.objects),
              static_cast<unsigned long long>(stats.peer.bytes));
  if (absl::Status status = client->Delete("models/demo/w0"); !status.ok()) OrDie<int>(status);
  return well ? 0 : 1;
}
