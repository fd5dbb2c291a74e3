// How long a node on disk takes to be ready again, and what it holds in memory of each object:
// fills a catalog, starts a FileSystemPeer over it, and looks at the clock and the heap. The
// objects' files are not there: a start does not look for them.
//
//   recovery_speed [OBJECTS] [DIRECTORY]
//
// The directory, "." by default, is where the data directory is made; it goes at the end.
#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "packice/backends/catalog.h"
#include "packice/backends/piece_hash.h"
#include "packice/core/blocking.h"
#include "packice/peers/file_system_peer.h"

namespace packice {
namespace {

constexpr int kWriters = 64;  // whose commits are one

double HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

// What this process has had of the processors, which tells more than a clock where others want
// them, too.
double ProcessorSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

template <typename T>
T Need(absl::StatusOr<T> got) {
  if (got.ok()) return *std::move(got);
  std::fprintf(stderr, "%s\n", got.status().ToString().c_str());
  std::exit(1);
}

// Ids of 32 bytes, in no order.
std::string IdOf(uint64_t i) {
  return absl::StrFormat("%016x%016x", i * 0x9e3779b97f4a7c15u, i * 0xc2b2ae3d27d4eb4fu);
}

void Fill(const std::string& path, uint64_t objects) {
  const auto directory = Need(DataDirectory::Open(path));
  const auto catalog = Need(Catalog::Open(*directory, Clock::System()));
  const PieceSums sums{{HashPiece("recovery")}};
  std::atomic<uint64_t> next{0};
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([&] {
      for (uint64_t n = next.fetch_add(1); n < objects; n = next.fetch_add(1)) {
        const std::string id = IdOf(n);
        const uint64_t serial = catalog->FirstSerial() + 2 * n;
        const CatalogBlob blob{{serial + 1, BlobName::ShardOf(*ObjectId::Parse(id))}, 4000, 4096};
        CatalogEntry entry;
        entry.serial = serial;
        entry.id = id;
        entry.metadata = "{}";
        entry.created_at = absl::Now();
        entry.sealed_at = entry.created_at + absl::Milliseconds(1);
        entry.blobs = absl::MakeConstSpan(&blob, 1);
        if (absl::Status added = catalog->Add(entry, absl::MakeConstSpan(&sums, 1)); !added.ok()) {
          std::fprintf(stderr, "%s\n", added.ToString().c_str());
          std::exit(1);
        }
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  if (!catalog->CloseCleanly().ok()) std::exit(1);
}

int Main(int argc, char** argv) {
  const uint64_t objects = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000000;
  std::string path = absl::StrCat(argc > 2 ? argv[2] : ".", "/recovery-XXXXXX");
  if (mkdtemp(path.data()) == nullptr) return 1;
  const absl::Time begin = absl::Now();
  Fill(path, objects);
  std::printf("%llu objects with ids of 32 bytes; filled in %.1f s\n",
              static_cast<unsigned long long>(objects), absl::ToDoubleSeconds(absl::Now() - begin));

  malloc_trim(0);
  const double heap = HeapBytes();
  const double processor = ProcessorSeconds();
  const absl::Time start = absl::Now();
  FileSystemPeerOptions options;
  options.directory = path;
  auto peer = Need(FileSystemPeer::Open(options));
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  const double ready_processor = ProcessorSeconds() - processor;
  const PeerStats stats = Need(blocking::Stats(*peer));
  if (stats.objects != objects) {
    std::fprintf(stderr, "only %llu came back\n", static_cast<unsigned long long>(stats.objects));
    return 1;
  }
  std::printf("ready after %.2f s, of which %.2f s of processor time\n", seconds, ready_processor);
  std::printf("heap of the node for each object: %.0f bytes\n",
              (HeapBytes() - heap) / static_cast<double>(objects));
  const absl::Time listed = absl::Now();
  ListRequest request;
  request.after = "8";
  Need(blocking::List(*peer, request));
  std::printf("a page of 1000 in %.2f ms\n", absl::ToDoubleMilliseconds(absl::Now() - listed));
  peer.reset();
  std::filesystem::remove_all(path);
  return 0;
}

}  // namespace
}  // namespace packice

int main(int argc, char** argv) { return packice::Main(argc, argv); }
