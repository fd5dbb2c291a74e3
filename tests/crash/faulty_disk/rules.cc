#include "rules.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

namespace packice::faulty_disk {
namespace {

constexpr const char* kCallNames[] = {"open", "create", "write", "truncate", "allocate", "rename",
                                      "link", "unlink", "mkdir", "rmdir",    "sync",     "syncdir"};

constexpr std::pair<const char*, Verdict> kActions[] = {
    {"kill-before", {Action::kKillBefore, 0}},
    {"kill-after", {Action::kKillAfter, 0}},
    {"skip", {Action::kSkip, 0}},
    {"short", {Action::kShort, 0}},
    {"ENOSPC", {Action::kFail, ENOSPC}},
    {"EIO", {Action::kFail, EIO}},
    {"EINTR", {Action::kFail, EINTR}},
    {"EROFS", {Action::kFail, EROFS}},
    {"EDQUOT", {Action::kFail, EDQUOT}},
    {"EACCES", {Action::kFail, EACCES}},
    {"EMFILE", {Action::kFail, EMFILE}},
};

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

}  // namespace

bool Rules::Rule::Matches(Call call, const std::string& path) const {
  if (!calls.empty() && std::find(calls.begin(), calls.end(), call) == calls.end()) return false;
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), path.c_str(), 0) == 0;
  });
}

bool Rules::Parse(const std::string& line, Rule& rule) {
  std::istringstream words(line);
  std::string calls, patterns, which;
  words >> rule.name >> calls >> patterns >> which;
  bool known = false;
  for (const auto& [name, verdict] : kActions) {
    if (rule.name == name) rule.verdict = verdict, known = true;
  }
  if (!known || patterns.empty()) return false;
  rule.patterns = Split(patterns, '|');
  for (const std::string& call : Split(calls == "*" ? "" : calls, ',')) {
    const auto* const name = std::find(std::begin(kCallNames), std::end(kCallNames), call);
    if (name == std::end(kCallNames)) return false;
    rule.calls.push_back(static_cast<Call>(name - std::begin(kCallNames)));
  }
  if (which.empty()) return true;
  const size_t dash = which.find('-');
  rule.first = std::strtoull(which.c_str(), nullptr, 10);
  if (dash == std::string::npos) {
    rule.last = rule.first;
  } else if (dash + 1 < which.size()) {
    rule.last = std::strtoull(which.c_str() + dash + 1, nullptr, 10);
  }
  return rule.first > 0;
}

void Rules::ReadIfChanged() {
  struct stat now = {};
  if (stat(path_.c_str(), &now) != 0) now = {};
  if (now.st_ino == read_.st_ino && now.st_mtim.tv_sec == read_.st_mtim.tv_sec &&
      now.st_mtim.tv_nsec == read_.st_mtim.tv_nsec) {
    return;
  }
  read_ = now;
  rules_.clear();
  std::ifstream file(path_);
  for (std::string line; std::getline(file, line);) {
    Rule rule;
    if (!Parse(line, rule)) {
      // A test whose rule does nothing would pass for nothing.
      std::fprintf(stderr, "faulty disk: not a rule: %s\n", line.c_str());
      std::abort();
    }
    rules_.push_back(std::move(rule));
  }
}

Verdict Rules::Judge(Call call, const std::string& path) {
  if (path_.empty()) return {};
  const std::lock_guard<std::mutex> lock(mutex_);
  ReadIfChanged();
  const Rule* judge = nullptr;
  for (Rule& rule : rules_) {
    if (!rule.Matches(call, path)) continue;
    ++rule.matched;
    const bool due = rule.matched >= rule.first && rule.matched <= rule.last;
    if (due && judge == nullptr) judge = &rule;
  }
  if (judge == nullptr) return {};
  Log(*judge, call, path);
  return judge->verdict;
}

void Rules::Log(const Rule& rule, Call call, const std::string& path) const {
  const std::string line =
      rule.name + ' ' + kCallNames[static_cast<size_t>(call)] + ' ' + path + '\n';
  const long fd = syscall(SYS_openat, AT_FDCWD, (path_ + ".fired").c_str(),
                          O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || syscall(SYS_write, fd, line.data(), line.size()) < 0) std::abort();
  syscall(SYS_close, fd);
}

}  // namespace packice::faulty_disk
