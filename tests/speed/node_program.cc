#include "node_program.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pinning.h"

namespace packice {
namespace {

constexpr uint64_t kBlock = 512;  // of stat(2)

uint64_t StatusBytes(pid_t pid, absl::string_view name) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(file, line);) {
    if (!absl::StartsWith(line, name)) continue;
    return std::strtoull(line.c_str() + name.size(), nullptr, 10) * 1024;
  }
  std::fprintf(stderr, "no %s of the node\n", std::string(name).c_str());
  std::abort();
}

}  // namespace

NodeProgram::NodeProgram(const std::string& packice, const std::string& socket, int cpu,
                         uint64_t capacity, std::vector<std::string> flags)
    : socket_(socket) {
  // One thread that serves: where it is pinned to a core, a second one could only take turns.
  std::vector<std::string> words = {
      packice,     "serve",    "--impl", "mem",        "--transport",
      "uds",       "--socket", socket,   "--capacity", absl::StrCat(capacity),
      "--threads", "1"};
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int output[2];
  if (pipe(output) != 0) std::abort();
  child_ = fork();
  if (child_ < 0) std::abort();
  if (child_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    PinTo(cpu);
    dup2(output[1], STDOUT_FILENO);
    close(output[0]);
    close(output[1]);
    execv(packice.c_str(), arguments.data());
    std::perror(packice.c_str());
    _exit(127);
  }
  close(output[1]);
  char ready;
  // It says a line when it listens.
  if (read(output[0], &ready, 1) != 1) {
    std::fprintf(stderr, "the node did not start: %s\n", packice.c_str());
    std::abort();
  }
  close(output[0]);
}

NodeProgram::~NodeProgram() {
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
}

NodeProgram::Memory NodeProgram::memory() const {
  Memory memory;
  memory.own = StatusBytes(child_, "RssAnon:") + StatusBytes(child_, "VmPTE:");
  absl::flat_hash_set<uint64_t> seen;
  for (const auto& entry :
       std::filesystem::directory_iterator(absl::StrCat("/proc/", child_, "/fd"))) {
    ++memory.descriptors;
    std::error_code gone;
    const std::string file = std::filesystem::read_symlink(entry.path(), gone).string();
    if (gone || !absl::StartsWith(file, "/memfd:")) continue;
    struct stat status = {};
    if (stat(entry.path().c_str(), &status) != 0 || !seen.insert(status.st_ino).second) continue;
    memory.shared += static_cast<uint64_t>(status.st_blocks) * kBlock;
  }
  return memory;
}

}  // namespace packice
