// What a durable blob costs, beside the bare system calls for the same; and how fast files are
// summed. On the disk of the working directory.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/backends/file_blob_store.h"
#include "packice/backends/piece_hash.h"

namespace packice {
namespace {

class Directory {
 public:
  Directory() : path_("file-blob-bench-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) std::abort();
    path_ = std::filesystem::canonical(path_);
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void BM_Seal(benchmark::State& state) {
  Directory directory;
  FileBlobStore store(*DataDirectory::Open(directory.path()), FileBlobHooks(), 1);
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    auto blob = store.CreateFor(*ObjectId::Parse("bench"), bytes.size());
    for (size_t at = 0; at < bytes.size(); at += 1 << 20) {
      const absl::string_view chunk = absl::string_view(bytes).substr(at, 1 << 20);
      if (!(*blob)->Write(at, chunk).ok()) state.SkipWithError("a write failed");
    }
    if (!(*blob)->Seal(absl::nullopt).ok()) state.SkipWithError("a seal failed");
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Seal)->Arg(4 << 10)->Arg(1 << 20)->Arg(256 << 20)->UseRealTime();

// write, fsync, rename, fsync of the directory.
void BM_Bare(benchmark::State& state) {
  Directory directory;
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  const UniqueFd at(open(directory.path().c_str(), O_RDONLY | O_DIRECTORY));
  int i = 0;
  for (auto _ : state) {
    const std::string name = std::to_string(i++);
    const UniqueFd fd(openat(at.get(), "new", O_RDWR | O_CREAT | O_EXCL, 0600));
    if (!WriteAt(fd.get(), 0, bytes).ok() || fsync(fd.get()) != 0 ||
        renameat(at.get(), "new", at.get(), name.c_str()) != 0 || fsync(at.get()) != 0) {
      state.SkipWithError("a call failed");
    }
    state.PauseTiming();
    unlinkat(at.get(), name.c_str(), 0);
    state.ResumeTiming();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Bare)->Arg(4 << 10)->Arg(1 << 20)->Arg(256 << 20)->UseRealTime();

void BM_SumFile(benchmark::State& state) {
  Directory directory;
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  const UniqueFd fd(open((directory.path() + "/f").c_str(), O_RDWR | O_CREAT, 0600));
  if (!WriteAt(fd.get(), 0, bytes).ok()) state.SkipWithError("a write failed");
  for (auto _ : state) benchmark::DoNotOptimize(SumFile(fd.get(), bytes.size()));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_SumFile)->Arg(4 << 10)->Arg(64 << 20);

}  // namespace
}  // namespace packice
