#include "tiered_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "child_process.h"
#include "packice/core/blocking.h"
#include "packice/core/error.h"
#include "packice/core/unique_fd.h"
#include "packice/transport/uds_peer.h"
#include "short_digest.h"

namespace packice {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr size_t kBufferBytes = 1 << 20;
constexpr SessionId kSession{1};

std::vector<TieredFile> AllFiles() {
  std::vector<TieredFile> files;
  for (const char* directory : {"/usr/lib", "/usr/share", "/usr/bin"}) {
    std::error_code error;
    fs::recursive_directory_iterator it(directory, fs::directory_options::skip_permission_denied,
                                        error);
    for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
      std::error_code failed;
      const std::string path = it->path().string();
      if (it->is_symlink(failed) || !it->is_regular_file(failed)) continue;
      const uint64_t size = it->file_size(failed);
      if (failed || access(path.c_str(), R_OK) != 0 || absl::StrContains(path, '\n')) continue;
      files.push_back({path, size});
    }
  }
  std::sort(files.begin(), files.end(),
            [](const TieredFile& a, const TieredFile& b) { return a.path < b.path; });
  return files;
}

std::vector<TieredFile> ReadFileList(const std::string& list) {
  std::vector<TieredFile> files;
  std::ifstream in(list);
  TieredFile file;
  while (in >> file.size && in.get() == ' ' && std::getline(in, file.path)) files.push_back(file);
  return files;
}

class TieredClient {
 public:
  // The first three arguments of every role.
  explicit TieredClient(const std::vector<std::string>& arguments)
      : files_(ReadFileList(arguments[1])), output_(arguments[2]) {
    UdsPeerOptions options;
    options.path = arguments[0];
    peer_ = *UdsPeer::Connect(options);
  }

  const std::vector<TieredFile>& files() const { return files_; }

  void Note(size_t index, const absl::StatusOr<uint64_t>& digest) {
    output_ << index << ' '
            << (digest.ok() ? absl::StrCat(*digest)
                            : absl::StrCat(InfoOf(KindOf(digest.status())).name, " ",
                                           digest.status().message()))
            << '\n';
  }
  int Close() { return output_.flush() ? 0 : 1; }

  absl::StatusOr<uint64_t> Put(size_t index) {
    const UniqueFd file(open(files_[index].path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return ErrnoError(errno, "open");
    AcquireRequest request;
    request.access = Access::kCreate;
    request.object_id = TieredIdOf(index);
    request.blob_sizes = {files_[index].size};
    request.session = kSession;
    absl::StatusOr<Grant> grant = blocking::Acquire(*peer_, request);
    if (!grant.ok()) return grant.status();
    ShortDigest digest;
    std::vector<char> buffer(std::min<uint64_t>(kBufferBytes, files_[index].size));
    for (uint64_t done = 0; done < files_[index].size;) {
      const ssize_t n = read(file.get(), buffer.data(), buffer.size());
      if (n <= 0) return ErrnoError(errno, "read");
      const absl::string_view bytes(buffer.data(), static_cast<size_t>(n));
      absl::Status status = grant->object->blobs()[0]->Write(done, bytes);
      if (!status.ok()) return status;
      digest.Add(bytes);
      done += bytes.size();
    }
    SealRequest seal;
    seal.lease_id = grant->lease.id;
    seal.session = kSession;
    const LeaseId lease = grant->lease.id;
    grant->object.reset();  // and with it every descriptor that can write
    const absl::StatusOr<Sealed> sealed = blocking::Await<absl::StatusOr<Sealed>>(
        *peer_,
        [&](Done<absl::StatusOr<Sealed>> done) { peer_->Seal(std::move(seal), std::move(done)); });
    peer_->Release({lease, kSession, OperationId::kNone}, nullptr);
    if (!sealed.ok()) return sealed.status();
    return digest.Value();
  }

  absl::StatusOr<uint64_t> Get(size_t index) {
    AcquireRequest request;
    request.object_id = TieredIdOf(index);
    request.session = kSession;
    absl::StatusOr<Grant> grant = blocking::Acquire(*peer_, request);
    if (!grant.ok()) return grant.status();
    absl::StatusOr<Mapping> mapping = grant->object->blobs()[0]->Map(MapAccess::kReadOnly);
    if (!mapping.ok()) return mapping.status();
    ShortDigest digest;
    const absl::string_view bytes = mapping->view();
    for (size_t at = 0; at < bytes.size(); at += kBufferBytes) {
      digest.Add(bytes.substr(at, kBufferBytes));
    }
    peer_->Release({grant->lease.id, kSession, OperationId::kNone}, nullptr);
    return digest.Value();
  }

 private:
  std::unique_ptr<UdsPeer> peer_;
  std::vector<TieredFile> files_;
  std::ofstream output_;
};

int Each(const std::vector<std::string>& arguments,
         absl::StatusOr<uint64_t> (TieredClient::*handle)(size_t)) {
  TieredClient client(arguments);
  const size_t part = std::strtoul(arguments[3].c_str(), nullptr, 10);
  const size_t parts = std::strtoul(arguments[4].c_str(), nullptr, 10);
  for (size_t i = part; i < client.files().size(); i += parts) client.Note(i, (client.*handle)(i));
  return client.Close();
}

int Mix(const std::vector<std::string>& arguments) {
  TieredClient client(arguments);
  std::mt19937 random(static_cast<uint32_t>(std::strtoul(arguments[3].c_str(), nullptr, 10)));
  const size_t reads = std::strtoul(arguments[4].c_str(), nullptr, 10);
  std::uniform_real_distribution<double> uniform(0, 1);
  const size_t count = client.files().size();
  for (size_t i = 0; i < reads; ++i) {
    // The n-th most popular file is read about 1/n as often as the first; which ones are popular
    // has nothing to do with their paths.
    const double rank = std::pow(static_cast<double>(count), uniform(random)) - 1;
    const size_t index = static_cast<size_t>(rank) * 7919 % count;
    client.Note(index, client.Get(index));
    if (i == reads / 2) {
      std::printf("half\n");
      std::fflush(stdout);
    }
  }
  return client.Close();
}

const Role kPutRole(kTieredPut, [](const std::vector<std::string>& arguments) {
  return Each(arguments, &TieredClient::Put);
});
const Role kGetRole(kTieredGet, [](const std::vector<std::string>& arguments) {
  return Each(arguments, &TieredClient::Get);
});
const Role kMixRole(kTieredMix, Mix);

}  // namespace

std::vector<TieredFile> ChooseFiles(uint64_t bytes) {
  const struct {
    uint64_t least, most;
  } kClasses[] = {{kKiB, 64 * kKiB}, {64 * kKiB, kMiB}, {kMiB, 16 * kMiB}};
  constexpr size_t kMostOfAClass = 1000;
  const std::vector<TieredFile> all = AllFiles();
  std::vector<TieredFile> chosen;
  uint64_t left = bytes;
  for (size_t c = 0; c < std::size(kClasses); ++c) {
    uint64_t room = left / (std::size(kClasses) - c);
    size_t count = 0;
    for (const TieredFile& file : all) {
      if (file.size < kClasses[c].least || file.size > kClasses[c].most || file.size > room ||
          count == kMostOfAClass) {
        continue;
      }
      room -= file.size;
      left -= file.size;
      ++count;
      chosen.push_back(file);
    }
  }
  // Large and small ones mixed, as a directory has them.
  std::sort(chosen.begin(), chosen.end(),
            [](const TieredFile& a, const TieredFile& b) { return a.path < b.path; });
  return chosen;
}

uint64_t BytesOf(const std::vector<TieredFile>& files) {
  uint64_t bytes = 0;
  for (const TieredFile& file : files) bytes += file.size;
  return bytes;
}

void WriteFileList(const std::string& list, const std::vector<TieredFile>& files) {
  std::ofstream out(list);
  for (const TieredFile& file : files) out << file.size << ' ' << file.path << '\n';
}

ObjectId TieredIdOf(size_t index) { return *ObjectId::Parse(absl::StrCat("file/", index)); }

}  // namespace packice
