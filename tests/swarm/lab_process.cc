#include "lab_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// Between fork and exec, where only system calls are allowed.
[[noreturn]] void BecomeProgram(char* const* argv, pid_t parent, int output, int errors) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (dup2(output, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0) _exit(127);
  execv(argv[0], argv);
  _exit(127);
}

int ExitCodeOf(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

absl::StatusOr<LabProcess> LabProcess::Start(const std::vector<std::string>& command,
                                             const std::string& log) {
  if (access(command[0].c_str(), X_OK) != 0) {
    return MakeError(ErrorKind::kNotFound, absl::StrCat("there is no program ", command[0]));
  }
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const UniqueFd errors(open(log.empty() ? "/dev/null" : log.c_str(),
                             O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!errors) return ErrnoError(errno, absl::StrCat("cannot open ", log));
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoError(errno, "cannot make a pipe");
  const UniqueFd writer(ends[1]);
  LabProcess process;
  process.output_.Reset(ends[0]);
  const pid_t parent = getpid();
  process.pid_ = fork();
  if (process.pid_ == 0) BecomeProgram(argv.data(), parent, writer.get(), errors.get());
  if (process.pid_ < 0) return ErrnoError(errno, absl::StrCat("cannot start ", command[0]));
  return process;
}

LabProcess::LabProcess(LabProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), output_(std::move(other.output_)) {}

LabProcess& LabProcess::operator=(LabProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(output_, other.output_);
  return *this;
}

LabProcess::~LabProcess() {
  if (pid_ > 0) Kill();
}

absl::StatusOr<std::string> LabProcess::ReadLine(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  std::string line;
  while (true) {
    const absl::Duration left = std::max(deadline - absl::Now(), absl::ZeroDuration());
    pollfd poller = {output_.get(), POLLIN, 0};
    const int ready = poll(&poller, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      return MakeError(ErrorKind::kTimeout, absl::StrCat("process ", pid_, " says nothing"));
    }
    char c;
    if (read(output_.get(), &c, 1) != 1) {
      return MakeError(ErrorKind::kUnavailable, absl::StrCat("process ", pid_, " says no more"));
    }
    if (c == '\n') return line;
    line.push_back(c);
  }
}

std::string LabProcess::ReadAll() {
  std::string all;
  char bytes[4096];
  ssize_t n;
  while ((n = read(output_.get(), bytes, sizeof(bytes))) > 0) {
    all.append(bytes, static_cast<size_t>(n));
  }
  return all;
}

// Of one that was waited for there is none: -1 would be every process there is.
void LabProcess::Signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

int LabProcess::Wait() {
  if (pid_ <= 0) return -1;
  ReadAll();
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return ExitCodeOf(status);
}

int LabProcess::Kill() {
  Signal(SIGKILL);
  return Wait();
}

absl::Status RunTool(const std::vector<std::string>& command) {
  // What it has to say, it says on either.
  std::vector<std::string> shell = {"/bin/sh", "-c", "exec \"$@\" 2>&1", "sh"};
  shell.insert(shell.end(), command.begin(), command.end());
  absl::StatusOr<LabProcess> process = LabProcess::Start(shell, "");
  if (!process.ok()) return process.status();
  const std::string said = process->ReadAll();
  const int code = process->Wait();
  if (code == 0) return absl::OkStatus();
  return MakeError(ErrorKind::kIo,
                   absl::StrCat(absl::StrJoin(command, " "), " ends with ", code, ": ", said));
}

}  // namespace packice
