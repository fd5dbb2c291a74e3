// What is to go wrong, as a file of rules says, which may change at any time. One rule a line:
//
//   ACTION CALLS PATTERN [WHICH]
//
//   ACTION   kill-before, kill-after  SIGKILL to the own process
//            skip                     a sync is answered 0 and not done
//            short                    half of what was to be written is written
//            ENOSPC, EIO, EINTR, ...  the call fails so, without effect
//   CALLS    a list with commas, of: open create write truncate allocate rename link unlink mkdir
//            rmdir sync syncdir; or * for all. create is an open(2) that makes the file; open any
//            other one; syncdir a sync of a directory.
//   PATTERN  fnmatch(3) patterns with | between them, where * also matches /. The path is relative
//            to the tree, of a rename the new one.
//   WHICH    of the calls that match, counted from when the rule was read: 3, 2-5, 4-; all, when
//            left out
//
// The first rule that matches a call counts. What happens is logged, a line "ACTION CALL PATH"
// each, in the rules' file with .fired behind its name.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace packice::faulty_disk {

enum class Call {
  kOpen,
  kCreate,
  kWrite,
  kTruncate,
  kAllocate,
  kRename,
  kLink,
  kUnlink,
  kMakeDirectory,
  kRemoveDirectory,
  kSync,
  kSyncDirectory,
};

enum class Action { kGoOn, kKillBefore, kKillAfter, kSkip, kShort, kFail };

struct Verdict {
  Action action = Action::kGoOn;
  int error = 0;  // errno of kFail
};

class Rules {
 public:
  // `path` may be empty: no rules.
  explicit Rules(std::string path) : path_(std::move(path)) {}

  Verdict Judge(Call call, const std::string& path);

 private:
  struct Rule {
    std::string name;  // of the action
    Verdict verdict;
    std::vector<Call> calls;  // empty: all
    std::vector<std::string> patterns;
    uint64_t first = 1, last = UINT64_MAX;
    uint64_t matched = 0;

    bool Matches(Call call, const std::string& path) const;
  };

  static bool Parse(const std::string& line, Rule& rule);
  void ReadIfChanged();
  void Log(const Rule& rule, Call call, const std::string& path) const;

  const std::string path_;
  std::mutex mutex_;  // of what follows
  struct stat read_ = {};
  std::vector<Rule> rules_;
};

}  // namespace packice::faulty_disk
