// A directory on a disk that fails, stops and forgets as a test wants it: programs that are started
// on it run with the library of faulty_disk/ between them and the C library.
//
// One program at a time. Thread-compatible.
#pragma once

#include <string>
#include <vector>

#include "child_process.h"
#include "faulty_disk/shadow_layout.h"
#include "power_loss.h"
#include "temporary_directory.h"

namespace packice {

// A file beside this program, where the build puts it: "../bin/packice".
std::string BesideThisProgram(const std::string& name);

class FaultyDisk {
 public:
  enum class Memory {
    kPlain,      // the disk forgets nothing; syncs are real
    kForgetful,  // keeps a shadow, for LosePower(); syncs are not real, and quick
  };
  explicit FaultyDisk(Memory memory);

  // The directory; empty at first.
  std::string root() const { return directory_ / "tree"; }
  std::string operator/(const std::string& name) const { return root() + "/" + name; }

  // What starts a program, named with its path, on this disk.
  std::vector<std::string> Command(const std::vector<std::string>& program) const;
  ChildProcess StartProgram(const std::vector<std::string>& program) const {
    return ChildProcess::StartProgram(Command(program));
  }
  // This program in a role.
  ChildProcess StartRole(const std::string& role, const std::vector<std::string>& arguments) const;

  // See faulty_disk/rules.h; also while a program runs. Rules are counted anew.
  void SetRules(const std::vector<std::string>& rules);
  // What they did, "ACTION CALL PATH" each, since they were set.
  std::vector<std::string> Fired() const;

  // When no program runs. See power_loss.h.
  void LosePower(Random* survivors = nullptr) { packice::LosePower(root(), shadow_, survivors); }
  void MakeAllDurable() { BeginShadow(root(), shadow_); }

 private:
  TemporaryDirectory directory_;
  const Memory memory_;
  const faulty_disk::ShadowLayout shadow_;
};

}  // namespace packice
