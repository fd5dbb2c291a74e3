// What a durable seal costs beside the bare system calls that make a file durable, on the same
// disk, in turns.
//
//   disk_speed [DIRECTORY] [ROUNDS]
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "packice/core/blocking.h"
#include "packice/core/unique_fd.h"
#include "packice/peers/file_system_peer.h"

namespace packice {
namespace {

constexpr size_t kBytes = 4096;
constexpr int kSealsARound = 100;
constexpr int kWriters = 32;

[[noreturn]] void Fail(absl::string_view what) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

template <typename T>
T Check(absl::StatusOr<T> value) {
  if (!value.ok()) Fail(value.status().ToString());
  return *std::move(value);
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

template <typename Work>
double Microseconds(Work work) {
  const absl::Time start = absl::Now();
  work();
  return absl::ToDoubleMicroseconds(absl::Now() - start);
}

// A directory that is written to by the bare sequence: write, fsync, rename, fsync of the
// directory.
class BareDisk {
 public:
  explicit BareDisk(const std::string& directory) : directory_(directory) {
    std::filesystem::create_directories(directory + "/sealed");
    sealed_ = UniqueFd(open((directory + "/sealed").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

  void Put(const std::string& name, absl::string_view bytes) {
    const std::string from = absl::StrCat(directory_, "/", name);
    const std::string to = absl::StrCat(directory_, "/sealed/", name);
    const UniqueFd file(open(from.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file || write(file.get(), bytes.data(), bytes.size()) != ssize_t(bytes.size()) ||
        fsync(file.get()) != 0 || rename(from.c_str(), to.c_str()) != 0 ||
        fsync(sealed_.get()) != 0) {
      Fail("the bare sequence failed");
    }
  }

 private:
  const std::string directory_;
  UniqueFd sealed_;
};

void Put(Peer& peer, const std::string& id, absl::string_view bytes) {
  AcquireRequest request;
  request.access = Access::kCreate;
  request.object_id = *ObjectId::Parse(id);
  request.blob_sizes = {bytes.size()};
  const Grant grant = Check(blocking::Acquire(peer, std::move(request)));
  SealRequest seal;
  seal.lease_id = grant.lease.id;
  if (!grant.object->blobs()[0]->Write(0, bytes).ok() ||
      !blocking::Seal(peer, std::move(seal)).ok() ||
      !blocking::Release(peer, {grant.lease.id, {}, {}}).ok()) {
    Fail("a put failed");
  }
}

void OneWriter(Peer& peer, BareDisk& bare, int rounds, absl::string_view bytes) {
  std::vector<double> ours, theirs, ratios;
  for (int round = 0; round < rounds; ++round) {
    theirs.push_back(Microseconds([&] {
                       for (int i = 0; i < kSealsARound; ++i)
                         bare.Put(absl::StrCat(round, "-", i), bytes);
                     }) /
                     kSealsARound);
    ours.push_back(Microseconds([&] {
                     for (int i = 0; i < kSealsARound; ++i)
                       Put(peer, absl::StrCat("one/", round, "/", i), bytes);
                   }) /
                   kSealsARound);
    ratios.push_back(theirs.back() / ours.back());
  }
  std::printf("%-36s %8.0f us; bare %6.0f us; %.2f of the bare rate\n",
              "durable put of 4 KiB, 1 writer", Median(ours), Median(theirs), Median(ratios));
}

double SealsASecond(Peer& peer, int writers, int seals_each, int round, absl::string_view bytes) {
  std::vector<std::thread> threads;
  const absl::Time start = absl::Now();
  for (int w = 0; w < writers; ++w) {
    threads.emplace_back([&, w] {
      for (int i = 0; i < seals_each; ++i) {
        Put(peer, absl::StrCat("many/", writers, "/", round, "/", w, "/", i), bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return writers * seals_each / absl::ToDoubleSeconds(absl::Now() - start);
}

void ManyWriters(Peer& peer, int rounds, absl::string_view bytes) {
  std::vector<double> one, many, ratios;
  for (int round = 0; round < rounds; ++round) {
    one.push_back(SealsASecond(peer, 1, kSealsARound, round, bytes));
    many.push_back(SealsASecond(peer, kWriters, kSealsARound, round, bytes));
    ratios.push_back(many.back() / one.back());
  }
  std::printf("%-36s %8.0f /s; one %7.0f /s; %.1f times\n", "durable puts, 32 writers",
              Median(many), Median(one), Median(ratios));
}

int Main(int argc, char** argv) {
  const std::string base = argc > 1 ? argv[1] : std::filesystem::temp_directory_path().string();
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 11;
  std::string directory = absl::StrCat(base, "/packice-disk-speed-XXXXXX");
  if (mkdtemp(directory.data()) == nullptr) Fail("cannot make a directory");
  {
    FileSystemPeerOptions options;
    options.directory = directory + "/data";
    const auto peer = Check(FileSystemPeer::Open(options));
    BareDisk bare(directory + "/bare");
    const std::string bytes(kBytes, 'x');
    OneWriter(*peer, bare, rounds, bytes);
    ManyWriters(*peer, rounds, bytes);
  }
  std::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace packice

int main(int argc, char** argv) { return packice::Main(argc, argv); }
