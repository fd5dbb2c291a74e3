// What a node's memory holds beyond the payload: puts many small objects into a MemoryPeer of this
// process and prints what grew, by object.
//
//   memory_per_object [OBJECTS] [BYTES]
#include <malloc.h>
#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "packice/core/blocking.h"
#include "packice/peers/memory_peer.h"

namespace packice {
namespace {

// A line of /proc/meminfo, in bytes.
double MemInfo(const std::string& name) {
  std::ifstream file("/proc/meminfo");
  std::string key;
  double kib;
  std::string rest;
  while (file >> key >> kib && std::getline(file, rest)) {
    if (key == name + ":") return kib * 1024;
  }
  return 0;
}

double HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

size_t Descriptors() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    (void)entry;
    ++count;
  }
  return count;
}

void Put(Peer& peer, const std::string& id, absl::string_view bytes) {
  AcquireRequest request;
  request.access = Access::kCreate;
  request.object_id = *ObjectId::Parse(id);
  request.blob_sizes = {bytes.size()};
  absl::StatusOr<Grant> grant = blocking::Acquire(peer, std::move(request));
  if (!grant.ok() || !grant->object->blobs()[0]->Write(0, bytes).ok() ||
      !blocking::Seal(peer, {grant->lease.id, {}, {}, {}, {}, {}}).ok() ||
      !blocking::Release(peer, {grant->lease.id, {}, {}}).ok()) {
    std::fprintf(stderr, "put %s: %s\n", id.c_str(), grant.status().ToString().c_str());
    std::exit(1);
  }
}

int Main(int argc, char** argv) {
  const int objects = argc > 1 ? std::atoi(argv[1]) : 100000;
  const size_t size = argc > 2 ? static_cast<size_t>(std::atoi(argv[2])) : 1024;
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);

  auto peer = MakeMemoryPeer();
  const std::string bytes(size, 'x');
  const double heap = HeapBytes();
  const double shmem = MemInfo("Shmem");
  const double slab = MemInfo("Slab");
  const size_t descriptors = Descriptors();
  for (int i = 0; i < objects; ++i) Put(*peer, absl::StrCat("objects/", i), bytes);

  const auto each = [objects](double before, double after) { return (after - before) / objects; };
  std::printf("%d objects of %zu bytes, bytes for each:\n", objects, size);
  std::printf("  heap of the node      %8.0f\n", each(heap, HeapBytes()));
  std::printf("  pages of memfds       %8.0f  (the whole machine's shared memory)\n",
              each(shmem, MemInfo("Shmem")));
  std::printf("  kernel's own (slab)   %8.0f  (the whole machine's)\n",
              each(slab, MemInfo("Slab")));
  std::printf("descriptors: %zu of at most %llu\n", Descriptors() - descriptors,
              static_cast<unsigned long long>(limit.rlim_cur));
  return 0;
}

}  // namespace
}  // namespace packice

int main(int argc, char** argv) { return packice::Main(argc, argv); }
