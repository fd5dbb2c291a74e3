// Real input: the files of this machine, put by several processes, read back by others.
//
// PACKICE_REAL_FILES names other directories than the usual ones (separated by colons) and
// PACKICE_REAL_BYTES another bound than 3 GiB, for smaller runs.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "node_test.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/transport/uds_peer.h"
#include "short_digest.h"

namespace packice {
namespace {

namespace fs = std::filesystem;

constexpr size_t kClients = 4;
constexpr size_t kBufferBytes = 1 << 20;
constexpr SessionId kSession{1};

struct File {
  std::string path;
  uint64_t size;
};

uint64_t MostBytes() {
  const char* const most = std::getenv("PACKICE_REAL_BYTES");
  return most != nullptr ? std::strtoull(most, nullptr, 10) : uint64_t{3} << 30;
}

// The regular files that can be read.
std::vector<File> FindAllFiles() {
  const char* const named = std::getenv("PACKICE_REAL_FILES");
  const std::vector<std::string> directories =
      absl::StrSplit(named != nullptr ? named : "/usr/lib:/usr/share", ':');
  std::vector<File> files;
  for (const std::string& directory : directories) {
    std::error_code error;
    fs::recursive_directory_iterator it(directory, fs::directory_options::skip_permission_denied,
                                        error);
    for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
      std::error_code failed;
      const std::string path = it->path().string();
      if (it->is_symlink(failed) || !it->is_regular_file(failed)) continue;
      const uint64_t size = it->file_size(failed);
      // The list of files has one a line.
      if (failed || access(path.c_str(), R_OK) != 0 || absl::StrContains(path, '\n')) continue;
      files.push_back({path, size});
    }
  }
  return files;
}

// Those that are put: all, where MostBytes() allows that. Otherwise as many as possible and, in the
// last third of the bytes, the largest ones.
std::vector<File> FindFiles() {
  std::vector<File> files = FindAllFiles();
  std::sort(files.begin(), files.end(),
            [](const File& a, const File& b) { return a.size < b.size; });
  uint64_t left = MostBytes();
  const uint64_t for_large = left / 3;
  auto small_end = files.begin();
  while (small_end != files.end() && left >= for_large + small_end->size) {
    left -= small_end++->size;
  }
  const auto large_begin =
      std::remove_if(std::make_reverse_iterator(files.end()), std::make_reverse_iterator(small_end),
                     [&](const File& file) {
                       if (file.size > left) return true;
                       left -= file.size;
                       return false;
                     })
          .base();
  files.erase(small_end, large_begin);
  // Small and large ones mixed, as a directory has them.
  std::sort(files.begin(), files.end(),
            [](const File& a, const File& b) { return a.path < b.path; });
  return files;
}

ObjectId IdOf(size_t index) { return *ObjectId::Parse(absl::StrCat("file/", index)); }

std::vector<File> ReadFiles(const std::string& list) {
  std::vector<File> files;
  std::ifstream in(list);
  File file;
  while (in >> file.size && in.get() == ' ' && std::getline(in, file.path)) files.push_back(file);
  return files;
}

// ---- What the client processes do ----

struct Client {
  std::unique_ptr<UdsPeer> peer;
  std::vector<File> files;
  std::ofstream digests;  // a line for each file: its index, and a digest or what went wrong
  size_t part;

  // Arguments: the socket, the list of files, where to write digests, which part of the files.
  explicit Client(const std::vector<std::string>& arguments)
      : files(ReadFiles(arguments[1])), digests(arguments[2]) {
    UdsPeerOptions options;
    options.path = arguments[0];
    peer = *UdsPeer::Connect(options);
    part = std::strtoul(arguments[3].c_str(), nullptr, 10);
  }

  int ForEachFile(absl::StatusOr<uint64_t> (Client::*handle)(size_t)) {
    for (size_t i = part; i < files.size(); i += kClients) {
      absl::StatusOr<uint64_t> digest = (this->*handle)(i);
      digests << i << ' ' << (digest.ok() ? absl::StrCat(*digest) : digest.status().ToString())
              << '\n';
    }
    return digests.flush() ? 0 : 1;
  }

  absl::StatusOr<uint64_t> Put(size_t index) {
    const UniqueFd file(open(files[index].path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return ErrnoError(errno, "open");
    AcquireRequest request;
    request.access = Access::kCreate;
    request.object_id = IdOf(index);
    request.blob_sizes = {files[index].size};
    request.session = kSession;
    absl::StatusOr<Grant> grant = blocking::Acquire(*peer, request);
    if (!grant.ok()) return grant.status();
    ShortDigest digest;
    std::vector<char> buffer(std::min<uint64_t>(kBufferBytes, files[index].size));
    for (uint64_t done = 0; done < files[index].size;) {
      const ssize_t n = read(file.get(), buffer.data(), buffer.size());
      if (n <= 0) return ErrnoError(errno, "read");
      const absl::string_view bytes(buffer.data(), static_cast<size_t>(n));
      absl::Status status = grant->object->blobs()[0]->Write(done, bytes);
      if (!status.ok()) return status;
      digest.Add(bytes);
      done += bytes.size();
    }
    absl::Status status = SealAndRelease(grant->lease.id);
    if (!status.ok()) return status;
    return digest.Value();
  }

  // In one message.
  absl::Status SealAndRelease(const LeaseId& lease) {
    const auto sealed =
        blocking::Await<absl::StatusOr<Sealed>>(*peer, [&](Done<absl::StatusOr<Sealed>> done) {
          peer->Gather([&] {
            SealRequest seal;
            seal.lease_id = lease;
            seal.session = kSession;
            peer->Seal(std::move(seal), std::move(done));
            peer->Release({lease, kSession, OperationId::kNone}, nullptr);
          });
        });
    return sealed.status();
  }

  absl::StatusOr<uint64_t> Get(size_t index) {
    AcquireRequest request;
    request.object_id = IdOf(index);
    request.session = kSession;
    absl::StatusOr<Grant> grant = blocking::Acquire(*peer, request);
    if (!grant.ok()) return grant.status();
    absl::StatusOr<Mapping> mapping = grant->object->blobs()[0]->Map(MapAccess::kReadOnly);
    if (!mapping.ok()) return mapping.status();
    // In the pieces in which it was put.
    ShortDigest digest;
    const absl::string_view bytes = mapping->view();
    for (size_t at = 0; at < bytes.size(); at += kBufferBytes) {
      digest.Add(bytes.substr(at, kBufferBytes));
    }
    peer->Release({grant->lease.id, kSession, OperationId::kNone}, nullptr);
    return digest.Value();
  }
};

const Role kPut("put", [](const std::vector<std::string>& arguments) {
  return Client(arguments).ForEachFile(&Client::Put);
});
const Role kGet("get", [](const std::vector<std::string>& arguments) {
  return Client(arguments).ForEachFile(&Client::Get);
});

// ---- The test ----

class RealFiles : public NodeTest {
 protected:
  void SetUp() override { StartNode(); }

  // Lets four processes handle a quarter of the files each; answers the digest, or the failure, of
  // every file.
  std::vector<std::string> RunClients(const std::string& role, size_t files) {
    const absl::Time start = absl::Now();
    std::vector<ChildProcess> clients;
    const auto output = [&](size_t i) { return directory_ / absl::StrCat(role, i); };
    for (size_t i = 0; i < kClients; ++i) {
      clients.push_back(
          ChildProcess::Start(role, {path(), directory_ / "files", output(i), absl::StrCat(i)}));
    }
    std::vector<std::string> digests(files);
    for (size_t i = 0; i < kClients; ++i) {
      EXPECT_EQ(clients[i].Wait(), 0) << role;
      std::ifstream in(output(i));
      size_t index;
      std::string digest;
      while (in >> index && in.get() == ' ' && std::getline(in, digest)) digests[index] = digest;
    }
    std::printf("%s: %.1f s\n", role.c_str(), absl::ToDoubleSeconds(absl::Now() - start));
    return digests;
  }

  void PrintFigures() {
    const Figures figures = FiguresOf(watcher());
    std::printf(
        "the node has %lld objects of %.0f MiB with %lld descriptors, and %.1f MiB of its "
        "own\n",
        static_cast<long long>(figures.objects), static_cast<double>(figures.bytes) / (1 << 20),
        static_cast<long long>(figures.descriptors),
        static_cast<double>(node().PrivateBytes()) / (1 << 20));
  }
};

TEST_F(RealFiles, ArePutByFourProcessesAndReadBackByFourOthers) {
  const std::vector<File> files = FindFiles();
  ASSERT_FALSE(files.empty());
  uint64_t bytes = 0;
  std::ofstream list(directory_ / "files");
  for (const File& file : files) {
    list << file.size << ' ' << file.path << '\n';
    bytes += file.size;
  }
  list.close();
  std::printf("%zu files of %.0f MiB\n", files.size(), static_cast<double>(bytes) / (1 << 20));

  const std::vector<std::string> put = RunClients("put", files.size());
  PrintFigures();
  const Figures full = FiguresOf(watcher());
  EXPECT_EQ(full.objects, static_cast<int64_t>(files.size()));
  EXPECT_EQ(full.bytes, static_cast<int64_t>(bytes));
  EXPECT_EQ(full.reads + full.creates, 0);

  const std::vector<std::string> got = RunClients("get", files.size());
  size_t lost = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    uint64_t digest;
    const bool same = absl::SimpleAtoi(put[i], &digest) && got[i] == put[i];
    if (!same && ++lost <= 10) ADD_FAILURE() << files[i].path << ": " << put[i] << " / " << got[i];
  }
  EXPECT_EQ(lost, 0u);

  const absl::Time start = absl::Now();
  RemoveAll(watcher());
  std::printf("delete: %.1f s\n", absl::ToDoubleSeconds(absl::Now() - start));
  PrintFigures();
  EXPECT_TRUE(IsAsBefore());
}

}  // namespace
}  // namespace packice
