#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <thread>

extern char** environ;

namespace packice {
namespace {

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment(const std::vector<std::string>& added) {
  std::vector<std::string> all = added;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (text.rfind("PACKICE_", 0) != 0) all.push_back(text);
  }
  return all;
}

// A file without a name, so that no pipe can fill up.
int InputFile(const std::string& input) {
  const int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  EXPECT_EQ(pwrite(fd, input.data(), input.size(), 0), static_cast<ssize_t>(input.size()));
  return fd;
}

// Reads what is there; closes the descriptor at its end.
void Drain(int& fd, std::string& into) {
  char buffer[65536];
  const ssize_t n = read(fd, buffer, sizeof(buffer));
  if (n > 0) {
    into.append(buffer, static_cast<size_t>(n));
  } else {
    close(fd);
    fd = -1;
  }
}

}  // namespace

Process::Process(const std::vector<std::string>& arguments,
                 const std::vector<std::string>& environment, const std::string& input,
                 const std::string& name) {
  const char* const binary = getenv("PACKICE_BINARY");
  if (binary == nullptr) {
    ADD_FAILURE() << "PACKICE_BINARY names no program";
    return;
  }
  const std::string program = std::filesystem::path(binary).replace_filename(name);
  int out[2];
  int err[2];
  EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(err, O_CLOEXEC), 0);
  const int in = InputFile(input);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  std::vector<std::string> words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = Environment(environment);
  EXPECT_EQ(posix_spawn(&pid_, program.c_str(), &actions, nullptr, Pointers(words).data(),
                        Pointers(variables).data()),
            0);
  posix_spawn_file_actions_destroy(&actions);
  close(in);
  close(out[1]);
  close(err[1]);
  out_ = out[0];
  err_ = err[0];
}

Process::~Process() {
  if (pid_ > 0) {
    Signal(SIGKILL);
    Wait();
  }
}

void Process::ReadMore() {
  pollfd polled[2] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
  if (poll(polled, 2, -1) < 0) return;
  if (polled[0].revents != 0) Drain(out_, outcome_.out);
  if (polled[1].revents != 0) Drain(err_, outcome_.err);
}

std::string Process::FirstLine() {
  while (out_ >= 0 && outcome_.out.find('\n') == std::string::npos) ReadMore();
  return outcome_.out.substr(0, outcome_.out.find('\n'));
}

void Process::Signal(int number) {
  if (pid_ > 0) kill(pid_, number);
}

Outcome Process::Wait() {
  while (out_ >= 0 || err_ >= 0) ReadMore();
  int status = 0;
  if (pid_ > 0 && waitpid(pid_, &status, 0) == pid_) {
    outcome_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  pid_ = -1;
  return outcome_;
}

namespace {

std::vector<std::string> ServeArguments(const std::string& socket,
                                        const std::vector<std::string>& flags) {
  std::vector<std::string> arguments = {"serve", "--socket", socket};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return arguments;
}

}  // namespace

StartedNode::StartedNode(const std::vector<std::string>& flags,
                         const std::vector<std::string>& environment, const std::string& name)
    : process_(flags, environment, "", name), ready_line_(process_.FirstLine()) {}

std::string StartedNode::Address(size_t n) const {
  std::istringstream words(ready_line_);
  std::string word;
  // "packice serving fs on" comes first, or "packice tracker on".
  while (words && word != "on") words >> word;
  for (size_t i = 0; i <= n; ++i) words >> word;
  return words ? word : "";
}

Outcome StartedNode::Stop() {
  process_.Signal(SIGTERM);
  return process_.Wait();
}

ServedNode::ServedNode(const std::vector<std::string>& flags)
    : process_(ServeArguments(socket_, flags)), ready_line_(process_.FirstLine()) {
  EXPECT_EQ(ready_line_, "packice serving mem on unix:" + socket_);
}

}  // namespace packice
