#include "faulty_disk.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace packice {

namespace fs = std::filesystem;

std::string BesideThisProgram(const std::string& name) {
  return (fs::read_symlink("/proc/self/exe").parent_path() / name).lexically_normal();
}

namespace {

// A disk whose syncs are not real may as well be memory, if there is some.
std::string PlaceFor(FaultyDisk::Memory memory) {
  constexpr uintmax_t kEnough = uint64_t{2} << 30;
  const std::string shared_memory = "/dev/shm";
  std::error_code ignored;
  const bool enough = fs::space(shared_memory, ignored).available >= kEnough;
  return memory == FaultyDisk::Memory::kForgetful && !ignored && enough ? shared_memory : "/tmp";
}

}  // namespace

FaultyDisk::FaultyDisk(Memory memory)
    : directory_(PlaceFor(memory)), memory_(memory), shadow_{directory_ / "shadow"} {
  fs::create_directory(root());
  if (memory == Memory::kForgetful) MakeAllDurable();
}

std::vector<std::string> FaultyDisk::Command(const std::vector<std::string>& program) const {
  std::vector<std::string> whole = {
      "/usr/bin/env",
      absl::StrCat("LD_PRELOAD=", BesideThisProgram("libpackice_faulty_disk.so")),
      absl::StrCat(faulty_disk::kTreeVariable, "=", root()),
      absl::StrCat(faulty_disk::kRulesVariable, "=", directory_ / "rules"),
  };
  if (memory_ == Memory::kForgetful) {
    whole.push_back(absl::StrCat(faulty_disk::kShadowVariable, "=", shadow_.root));
  }
  whole.insert(whole.end(), program.begin(), program.end());
  return whole;
}

ChildProcess FaultyDisk::StartRole(const std::string& role,
                                   const std::vector<std::string>& arguments) const {
  std::vector<std::string> command = {fs::read_symlink("/proc/self/exe"), "--role", role};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return StartProgram(command);
}

void FaultyDisk::SetRules(const std::vector<std::string>& rules) {
  const std::string path = directory_ / "rules";
  const std::string unfinished = path + ".new";
  std::ofstream file(unfinished);
  for (const std::string& rule : rules) file << rule << '\n';
  file.close();
  ASSERT_TRUE(file) << unfinished;
  fs::remove(path + ".fired");
  fs::rename(unfinished, path);
}

std::vector<std::string> FaultyDisk::Fired() const {
  std::vector<std::string> lines;
  std::ifstream file(directory_ / "rules.fired");
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

}  // namespace packice
