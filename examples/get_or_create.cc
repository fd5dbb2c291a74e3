// The workers of a data loader, which all go through the same shards. To decode a shard is slow;
// whoever comes first does it, the others wait for that one and then share its memory.
//
//   get_or_create [SOCKET]     without a socket, the node is in this process
#include <packice/client.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int kWorkers = 4;
constexpr int kShards = 16;

std::atomic<int> decoded{0};

// Stands for what takes long: reading, decompressing, tokenizing.
absl::Status Decode(int shard, packice::Writer& writer) {
  ++decoded;
  for (int record = 0; record < 1000; ++record) {
    writer.stream() << "shard " << shard << ", record " << record << "\n";
  }
  return absl::OkStatus();
}

absl::Status Work(const std::string& target, std::atomic<size_t>& bytes) {
  absl::StatusOr<std::unique_ptr<packice::Client>> client = packice::Connect(target);
  if (!client.ok()) return client.status();
  packice::CreateOptions options;
  options.object_ttl = absl::Hours(1);
  for (int shard = 0; shard < kShards; ++shard) {
    const absl::StatusOr<packice::Reader> reader = (*client)->GetOrCreate(
        "example/shard-" + std::to_string(shard),
        [shard](packice::Writer& writer) { return Decode(shard, writer); }, options);
    if (!reader.ok()) return reader.status();
    const absl::StatusOr<absl::string_view> view = reader->View();
    if (!view.ok()) return view.status();
    bytes += view->size();
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string target = argc > 1 ? argv[1] : "memory://dataset";
  // A node with a name lives while somebody is connected to it.
  absl::StatusOr<std::unique_ptr<packice::Client>> client = packice::Connect(target);
  if (!client.ok()) {
    std::cerr << client.status().message() << "\n";
    return 1;
  }
  std::atomic<size_t> bytes{0};
  std::atomic<bool> well{true};
  std::vector<std::thread> workers;
  for (int i = 0; i < kWorkers; ++i) {
    workers.emplace_back([&] {
      if (absl::Status status = Work(target, bytes); !status.ok()) {
        std::cerr << status.message() << "\n";
        well = false;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  std::printf("%d workers read %zu bytes of %d shards; %d were decoded\n", kWorkers, bytes.load(),
              kShards, decoded.load());
  for (int shard = 0; shard < kShards; ++shard) {
    (*client)->Delete("example/shard-" + std::to_string(shard)).IgnoreError();
  }
  return well && decoded == kShards ? 0 : 1;
}
