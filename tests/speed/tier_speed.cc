// What tiers cost beside a tier alone, and how fast creates go on when hot is full, beside the disk
// itself. In turns.
//
//   tier_speed [DIRECTORY] [ROUNDS] [MEBIBYTES CREATED A ROUND]
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "packice/core/blocking.h"
#include "packice/core/unique_fd.h"
#include "packice/peers/file_system_peer.h"
#include "packice/peers/memory_peer.h"
#include "packice/peers/tiered_peer.h"

namespace packice {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr int kObjects = 1000;
constexpr int kPairs = 100'000;
constexpr int kColdHits = 2000;
constexpr uint64_t kLarge = 64 * kMiB;
constexpr uint64_t kCreated = 16 * kMiB;
constexpr uint64_t kHotCapacity = 256 * kMiB;

[[noreturn]] void Fail(absl::string_view what) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

template <typename T>
T Check(absl::StatusOr<T> value) {
  if (!value.ok()) Fail(value.status().ToString());
  return *std::move(value);
}
void Check(const absl::Status& status) {
  if (!status.ok()) Fail(status.ToString());
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

template <typename Work>
double Seconds(Work work) {
  const absl::Time start = absl::Now();
  work();
  return absl::ToDoubleSeconds(absl::Now() - start);
}

void Put(Peer& peer, const std::string& id, absl::string_view bytes) {
  AcquireRequest request;
  request.access = Access::kCreate;
  request.object_id = *ObjectId::Parse(id);
  request.blob_sizes = {bytes.size()};
  Grant grant = Check(blocking::Acquire(peer, std::move(request)));
  Check(grant.object->blobs()[0]->Write(0, bytes));
  grant.object.reset();
  SealRequest seal;
  seal.lease_id = grant.lease.id;
  Check(blocking::Seal(peer, std::move(seal)).status());
  Check(blocking::Release(peer, {grant.lease.id, {}, {}}));
}

void Get(Peer& peer, const ObjectId& id, size_t first_bytes) {
  AcquireRequest request;
  request.object_id = id;
  const Grant grant = Check(blocking::Acquire(peer, std::move(request)));
  char buffer[64];
  if (first_bytes > 0) {
    Check(grant.object->blobs()[0]->Read(0, absl::MakeSpan(buffer, first_bytes)).status());
  }
  Check(blocking::Release(peer, {grant.lease.id, {}, {}}));
}

std::unique_ptr<Peer> Memory(uint64_t capacity) {
  LocalPeerOptions options;
  options.capacity = capacity;
  return MakeMemoryPeer(std::move(options));
}
std::unique_ptr<Peer> Disk(const std::string& directory) {
  FileSystemPeerOptions options;
  options.directory = directory;
  return Check(FileSystemPeer::Open(std::move(options)));
}
std::unique_ptr<TieredPeer> Tiered(std::unique_ptr<Peer> cold, uint64_t capacity) {
  TieredPeerOptions options;
  options.promote_hits = 0;
  return Check(TieredPeer::Open(Memory(capacity), std::move(cold), std::move(options)));
}

std::vector<ObjectId> Fill(Peer& peer) {
  std::vector<ObjectId> ids;
  for (int i = 0; i < kObjects; ++i) {
    const std::string id = absl::StrCat("weights/layer-", i);
    Put(peer, id, std::string(1024, 'x'));
    ids.push_back(*ObjectId::Parse(id));
  }
  return ids;
}

double PairsASecond(Peer& peer, const std::vector<ObjectId>& ids, int threads) {
  const double seconds = Seconds([&] {
    std::vector<std::thread> readers;
    for (int t = 0; t < threads; ++t) {
      readers.emplace_back([&, t] {
        std::minstd_rand random(t + 1);
        for (int i = 0; i < kPairs; ++i) Get(peer, ids[random() % ids.size()], 0);
      });
    }
    for (std::thread& reader : readers) reader.join();
  });
  return threads * kPairs / seconds;
}

void HotHits(int rounds, int threads) {
  const std::unique_ptr<Peer> memory = Memory(kHotCapacity);
  const std::unique_ptr<TieredPeer> tiered = Tiered(Memory(kHotCapacity), kHotCapacity);
  const std::vector<ObjectId> ids = Fill(*memory);
  Fill(*tiered);
  Check(tiered->Flush(absl::Minutes(1)));
  std::vector<double> alone, both, ratios;
  for (int round = 0; round < rounds; ++round) {
    alone.push_back(PairsASecond(*memory, ids, threads));
    both.push_back(PairsASecond(*tiered, ids, threads));
    ratios.push_back(both.back() / alone.back());
  }
  std::printf(
      "hot hit, %d thread%s         %7.3f us a pair; memory alone %.3f us; %.2f of its rate\n",
      threads, threads == 1 ? " " : "s", 1e6 * threads / Median(both),
      1e6 * threads / Median(alone), Median(ratios));
}

void ColdHits(const std::string& directory, int rounds) {
  const std::unique_ptr<Peer> disk = Disk(directory + "/alone");
  const std::unique_ptr<TieredPeer> tiered = Tiered(Disk(directory + "/cold"), kHotCapacity);
  const std::string bytes(kLarge, 'x');
  Put(*disk, "large", bytes);
  Put(*tiered, "large", bytes);
  for (int i = 0; i < 8; ++i) Put(*tiered, absl::StrCat("other", i), bytes);
  Check(tiered->Flush(absl::Minutes(5)));
  const ObjectId id = *ObjectId::Parse("large");
  if (Check(blocking::Stat(*tiered, id)).tiers != std::vector<std::string>{"cold"}) {
    Fail("the object is still in hot");
  }
  const auto hits = [&](Peer& peer) {
    return Seconds([&] {
             for (int i = 0; i < kColdHits; ++i) Get(peer, id, 1);
           }) /
           kColdHits;
  };
  std::vector<double> alone, both, ratios;
  for (int round = 0; round < rounds; ++round) {
    alone.push_back(hits(*disk));
    both.push_back(hits(*tiered));
    ratios.push_back(both.back() / alone.back());
  }
  std::printf("cold hit, first byte of 64 MiB %6.2f us; disk alone %.2f us; %.2f times\n",
              1e6 * Median(both), 1e6 * Median(alone), Median(ratios));
}

// As `dd conv=fdatasync` writes a file.
void WriteBare(const std::string& path, absl::string_view bytes) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  for (size_t done = 0; done < bytes.size(); done += kMiB) {
    if (!file || write(file.get(), bytes.data() + done, kMiB) != ssize_t(kMiB)) Fail(path);
  }
  if (fdatasync(file.get()) != 0) Fail("fdatasync");
}

void Creates(const std::string& directory, int rounds, uint64_t mebibytes) {
  const std::string bytes(kCreated, 'x');
  const int count = std::max<int>(1, mebibytes * kMiB / kCreated);
  const double total = double(count) * kCreated / kMiB;
  std::vector<double> bare, ours, ratios;
  uint64_t most = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::string base = absl::StrCat(directory, "/creates-", round);
    std::filesystem::create_directories(base);
    bare.push_back(total / Seconds([&] {
                     for (int i = 0; i < count; ++i) {
                       WriteBare(absl::StrCat(base, "/", i), bytes);
                     }
                   }));
    std::filesystem::remove_all(base);
    {
      const std::unique_ptr<TieredPeer> tiered = Tiered(Disk(base + "-cold"), kHotCapacity);
      // Hot is full of dirty objects when the clock starts, and at its end.
      for (uint64_t i = 0; i * kCreated < kHotCapacity; ++i) {
        Put(*tiered, absl::StrCat("first", i), bytes);
      }
      ours.push_back(total / Seconds([&] {
                       for (int i = 0; i < count; ++i) {
                         Put(*tiered, absl::StrCat("o", i), bytes);
                         most = std::max(most, Check(blocking::Stats(*tiered)).tiers[0].bytes);
                       }
                     }));
    }
    std::filesystem::remove_all(base + "-cold");
    ratios.push_back(ours.back() / bare.back());
  }
  std::printf(
      "creates of 16 MiB, hot full    %6.0f MiB/s; bare %.0f MiB/s; %.2f of it; hot held at most "
      "%.0f of %.0f MiB\n",
      Median(ours), Median(bare), Median(ratios), double(most) / kMiB, double(kHotCapacity) / kMiB);
}

int Main(int argc, char** argv) {
  const std::string base = argc > 1 ? argv[1] : std::filesystem::temp_directory_path().string();
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
  const uint64_t mebibytes = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1024;
  std::string directory = absl::StrCat(base, "/packice-tier-speed-XXXXXX");
  if (mkdtemp(directory.data()) == nullptr) Fail("cannot make a directory");
  HotHits(rounds, 1);
  HotHits(rounds, 2);
  ColdHits(directory, rounds);
  Creates(directory, std::min(rounds, 3), mebibytes);
  std::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace packice

int main(int argc, char** argv) { return packice::Main(argc, argv); }
