// How fast bytes move between memory and the disk of the working directory: beside the bare system
// calls, and beside dd. The page cache holds what is read.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "copy_blob.h"
#include "packice/backends/file_blob_store.h"
#include "packice/backends/memory_blob_store.h"
#include "packice/core/fd_blob.h"

namespace packice {
namespace {

// A pair of blobs at a time: a sealed one, and an empty one of the same size.
class Media {
 public:
  explicit Media(uint64_t size) : size_(size), directory_("copy-blob-bench-XXXXXX") {
    if (mkdtemp(directory_.data()) == nullptr) std::abort();
    directory_ = std::filesystem::canonical(directory_);
    disk_ = std::make_unique<FileBlobStore>(*DataDirectory::Open(directory_), FileBlobHooks(), 1);
  }
  ~Media() {
    disk_.reset();
    std::filesystem::remove_all(directory_);
  }

  std::shared_ptr<Blob> New(bool on_disk) {
    if (on_disk) return *disk_->CreateFor(*ObjectId::Parse("bench"), size_);
    return *memory_.Create(size_);
  }
  std::shared_ptr<Blob> Sealed(bool on_disk) {
    std::shared_ptr<Blob> blob = New(on_disk);
    const std::string bytes(1 << 20, 'x');
    for (uint64_t at = 0; at < size_; at += bytes.size()) {
      if (!blob->Write(at, bytes).ok()) std::abort();
    }
    if (!blob->Seal(absl::nullopt).ok()) std::abort();
    return blob;
  }

 private:
  const uint64_t size_;
  std::string directory_;
  MemoryBlobStore memory_;
  std::unique_ptr<FileBlobStore> disk_;
};

int OpenOf(const BlobDescriptor& descriptor, int flags) {
  if (const auto* fd = absl::get_if<FdDescriptor>(&descriptor)) return dup(fd->fd->get());
  return open(absl::get<PathDescriptor>(descriptor).path.c_str(), flags);
}

using Copy = std::function<bool(const Blob&, Blob&)>;

bool AsTiersDo(const Blob& from, Blob& to) {
  return CopyBlob(from, to, [] { return true; }).ok();
}

bool Buffer(const Blob& from, Blob& to) {
  const UniqueFd in(OpenOf(from.Describe(), O_RDONLY));
  const UniqueFd out(OpenOf(to.Describe(), O_WRONLY));
  std::vector<char> buffer(1 << 20);
  for (uint64_t at = 0; at < from.size(); at += buffer.size()) {
    const absl::StatusOr<size_t> n = ReadAt(in.get(), at, absl::MakeSpan(buffer));
    if (!n.ok() || !WriteAt(out.get(), at, {buffer.data(), *n}).ok()) return false;
  }
  return true;
}

bool Sendfile(const Blob& from, Blob& to) {
  const UniqueFd in(OpenOf(from.Describe(), O_RDONLY));
  const UniqueFd out(OpenOf(to.Describe(), O_WRONLY));
  lseek(out.get(), 0, SEEK_SET);
  off_t at = 0;
  while (static_cast<uint64_t>(at) < from.size()) {
    if (sendfile(out.get(), in.get(), &at, from.size() - static_cast<uint64_t>(at)) <= 0) {
      return false;
    }
  }
  return true;
}

// What a demotion does: from memory to the disk, and on the disk.
void BM_Demote(benchmark::State& state, const Copy& copy) {
  Media media(static_cast<uint64_t>(state.range(0)));
  const std::shared_ptr<Blob> from = media.Sealed(/*on_disk=*/false);
  for (auto _ : state) {
    state.PauseTiming();
    std::shared_ptr<Blob> to = media.New(/*on_disk=*/true);
    state.ResumeTiming();
    if (!copy(*from, *to)) {
      state.SkipWithError("a copy failed");
      break;
    }
    const UniqueFd fd(OpenOf(to->Describe(), O_RDONLY));
    fdatasync(fd.get());
    state.PauseTiming();
    to.reset();
    state.ResumeTiming();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

// What a promotion does: from the page cache to memory.
void BM_Promote(benchmark::State& state, const Copy& copy) {
  Media media(static_cast<uint64_t>(state.range(0)));
  const std::shared_ptr<Blob> from = media.Sealed(/*on_disk=*/true);
  for (auto _ : state) {
    state.PauseTiming();
    std::shared_ptr<Blob> to = media.New(/*on_disk=*/false);
    state.ResumeTiming();
    if (!copy(*from, *to)) {
      state.SkipWithError("a copy failed");
      break;
    }
    state.PauseTiming();
    to.reset();
    state.ResumeTiming();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

// dd, as a program of its own, from memory to the disk.
void BM_Dd(benchmark::State& state) {
  const std::string source = "/dev/shm/copy-blob-bench";
  const std::string count = std::to_string(state.range(0) >> 20);
  const auto dd = [&](const std::string& arguments) {
    return std::system(("dd status=none bs=1M count=" + count + " " + arguments).c_str()) == 0;
  };
  if (!dd("if=/dev/zero of=" + source)) state.SkipWithError("dd failed");
  for (auto _ : state) {
    if (!dd("if=" + source + " of=copy-blob-bench.dd conv=fdatasync")) {
      state.SkipWithError("dd failed");
    }
    state.PauseTiming();
    unlink("copy-blob-bench.dd");
    state.ResumeTiming();
  }
  unlink(source.c_str());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(16 << 20)->Arg(64 << 20)->Unit(benchmark::kMillisecond)->UseRealTime();
}

BENCHMARK_CAPTURE(BM_Demote, AsTiersDo, AsTiersDo)->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Demote, Sendfile, Sendfile)->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Demote, Buffer, Buffer)->Apply(Sizes);
BENCHMARK(BM_Dd)->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Promote, AsTiersDo, AsTiersDo)->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Promote, Sendfile, Sendfile)->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Promote, Buffer, Buffer)->Apply(Sizes);

}  // namespace
}  // namespace packice
