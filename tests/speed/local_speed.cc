// What a client on the node's machine gets: the program `packice serve` beside bare system calls,
// memcpy and redis, in one run, as tables for docs/performance.md.
//
//   local_speed PACKICE [one-core|two-cores] [ROUNDS] [ONLY]    ONLY: part of a line's name
//   local_speed PACKICE threshold [ROUNDS]                      segments beside memfds
//   local_speed PACKICE many [OBJECTS]                          memory: 1.8 KiB for each
//   local_speed PACKICE smoke                                   all of it, a little of each
//
// PACKICE is the program. one-core: client and node on core 0; two-cores: the node on core 1.
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "local_rows.h"
#include "pinning.h"

namespace packice {

std::string SizeName(uint64_t size) {
  if (size >= 1 << 20) return absl::StrCat(size >> 20, " MiB");
  return absl::StrCat(size >> 10, " KiB");
}

std::vector<std::string> Ids(absl::string_view prefix, int count) {
  std::vector<std::string> ids;
  for (int i = 0; i < count; ++i) ids.push_back(absl::StrCat(prefix, "/", i));
  return ids;
}

void PutAll(Client& client, absl::Span<const std::string> ids, absl::string_view bytes) {
  std::vector<PutItem> items;
  items.reserve(ids.size());
  for (const std::string& id : ids) items.push_back({id, bytes, {}});
  for (absl::StatusOr<ObjectId>& id : client.PutMany(items)) Must(std::move(id));
}

void DeleteAll(Client& client, absl::Span<const std::string> ids) {
  for (const std::string& id : ids) {
    const absl::Status status = client.Delete(id);
    if (status.ok()) continue;
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    std::abort();
  }
}

namespace {

constexpr uint64_t kCapacity = uint64_t{8} << 30;
constexpr double kSmoke = 0.01;
constexpr int kSmokeObjects = 10'000;
constexpr int kManyObjects = 10'000'000;

void MeasureAll(const std::string& packice, const std::string& directory, bool two_cores,
                SpeedTable table) {
  const int node_cpu = two_cores ? 1 : 0;
  const NodeProgram node(packice, absl::StrCat(directory, "/socket"), node_cpu, kCapacity);
  BareNode bare(node_cpu);
  PinTo(0);
  const std::unique_ptr<Client> client = Must(Connect(node.socket()));
  std::printf("client and node on %s, medians of %d rounds\n", two_cores ? "two cores" : "one core",
              table.rounds());
  const LocalSetup setup = {table, node, *client, bare, node_cpu, directory};
  MeasurePuts(setup);
  MeasureLeases(setup);
  MeasureBesideRedis(setup);
  MeasureReads(setup);  // last: the node keeps these objects
}

int Main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr,
                 "usage: local_speed PACKICE [one-core|two-cores|threshold|many|smoke] ...\n");
    return 2;
  }
  const std::string packice = argv[1];
  const std::string mode = argc > 2 ? argv[2] : "one-core";
  std::string directory =
      (std::filesystem::temp_directory_path() / "packice-speed-XXXXXX").string();
  if (mkdtemp(directory.data()) == nullptr) abort();
  if (mode == "many") {
    MeasureManyObjects(packice, directory, argc > 3 ? std::atoi(argv[3]) : kManyObjects);
  } else if (mode == "smoke") {
    MeasureAll(packice, directory, false, SpeedTable(1, kSmoke, ""));
    SpeedTable threshold(1, kSmoke, "");
    MeasureThreshold(packice, directory, threshold);
    MeasureManyObjects(packice, directory, kSmokeObjects);
  } else {
    const int rounds = argc > 3 ? std::max(1, std::atoi(argv[3])) : 9;
    if (mode == "threshold") {
      SpeedTable threshold(rounds, 1, "");
      MeasureThreshold(packice, directory, threshold);
    } else {
      MeasureAll(packice, directory, mode == "two-cores",
                 SpeedTable(rounds, 1, argc > 4 ? argv[4] : ""));
    }
  }
  std::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace packice

int main(int argc, char** argv) { return packice::Main(argc, argv); }
