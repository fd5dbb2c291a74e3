#include "child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "raw_client.h"

namespace packice {
namespace {

constexpr char kRoleFlag[] = "--role";

std::map<std::string, Role::Run>& Roles() {
  static std::map<std::string, Role::Run>& roles = *new std::map<std::string, Role::Run>;
  return roles;
}

struct Pipe {
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
    read.Reset(ends[0]);
    write.Reset(ends[1]);
  }
  UniqueFd read;
  UniqueFd write;
};

}  // namespace

Role::Role(const char* name, Run run) { Roles()[name] = run; }

ChildProcess ChildProcess::Start(const std::string& role,
                                 const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {"/proc/self/exe", kRoleFlag, role};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return StartProgram(command);
}

ChildProcess ChildProcess::StartProgram(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const std::string& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  Pipe out;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDOUT_FILENO);
  ChildProcess child;
  EXPECT_EQ(posix_spawn(&child.pid_, argv[0], &actions, nullptr, argv.data(), environ), 0)
      << command[0];
  posix_spawn_file_actions_destroy(&actions);
  child.output_ = std::move(out.read);
  return child;
}

ChildProcess ChildProcess::Fork(const std::function<void()>& body) {
  Pipe out;
  const pid_t parent = getpid();
  ChildProcess child;
  child.pid_ = fork();
  if (child.pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    dup2(out.write.get(), STDOUT_FILENO);
    close_range(STDERR_FILENO + 1, ~0u, 0);
    body();
    const bool failed = testing::Test::HasFailure();
    dprintf(STDOUT_FILENO, failed ? "failed\n" : "ready\n");
    while (true) pause();
  }
  child.output_ = std::move(out.read);
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), output_(std::move(other.output_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(output_, other.output_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) Kill();
}

std::string ChildProcess::ReadLine() {
  std::string line;
  pollfd poller = {output_.get(), POLLIN, 0};
  while (poll(&poller, 1, static_cast<int>(absl::ToInt64Milliseconds(kPatience))) > 0) {
    char c;
    if (read(output_.get(), &c, 1) != 1 || c == '\n') break;
    line.push_back(c);
  }
  return line;
}

// Of one that was waited for there is none: -1 would be every process there is.
void ChildProcess::Signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

void ChildProcess::Kill() {
  Signal(SIGKILL);
  Wait();
}

int ChildProcess::Wait() {
  // Its output may be what it waits to get rid of; its end is the end of that.
  char dropped[4096];
  pollfd poller = {output_.get(), POLLIN, 0};
  ssize_t n = 1;
  while (n > 0) {
    const int patience = static_cast<int>(absl::ToInt64Milliseconds(kPatience));
    if (poll(&poller, 1, patience) <= 0) {
      ADD_FAILURE() << "process " << pid_ << " does not end";
      Signal(SIGKILL);
      break;
    }
    n = read(output_.get(), dropped, sizeof(dropped));
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace packice

int main(int argc, char** argv) {
  if (argc > 2 && std::string(argv[1]) == packice::kRoleFlag) {
    // The test is this process's parent, and need not live to end it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const auto role = packice::Roles().find(argv[2]);
    if (role == packice::Roles().end()) return 127;
    return role->second(std::vector<std::string>(argv + 3, argv + argc));
  }
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
