// A node that dies again and again while clients work with it, and what is found afterwards.
//
// In each round the node starts on what the last one left, all of its objects are compared with the
// ledger, clients work with it, and it is killed: at a random time or at a named step. Then the
// disk may lose what was not synced. Sometimes the node also dies while it starts, and sometimes it
// is stopped in good order first, to be looked over by fsck and to show that a further start
// changes nothing.
//
// Thread-compatible; to be used on the test's main thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "crash_node.h"
#include "ledger.h"
#include "steps.h"
#include "writers.h"

namespace packice {

enum class Crash {
  kKill,                    // SIGKILL only
  kPowerLoss,               // nothing survives that was not synced
  kPowerLossWithSurvivors,  // any part of it may
};

struct CrashPlan {
  std::vector<Crash> crashes;  // one of these in each round
  // Where the node is killed; none: at a random time. Half of the rounds with any are at a random
  // time, too.
  std::vector<Step> steps;
  // In force all the time; not on a real disk.
  std::vector<std::string> rules;
  // An error, "EIO", that a single call or a few in a row fail with while clients work; they may be
  // told so. Where there are several, what a failed change came to is open until the node is asked.
  std::string fault;
  // The flags of its tiers; none: it has none.
  std::vector<std::string> tiered;
  // No library between the node and its disk: only kKill, and no steps.
  bool real_disk = false;
  Writers::Options writers;
};

class CrashRounds {
 public:
  CrashRounds(CrashPlan plan, uint64_t seed);

  // What is wrong, a line each; ends with the round in which there is something.
  std::vector<std::string> Run(int rounds);

  // How many changes were answered in all.
  uint64_t answered() const { return ledger_.answered(); }
  // How often the node died at each step, "before blob.sync".
  const std::map<std::string, int>& deaths() const { return deaths_; }

 private:
  void Round();
  void DieWhileStarting();
  void CheckObjects();
  void StopAndCheck();
  void WorkUntilDeath();
  void WorkWithAFault();
  void LosePowerMaybe();

  void SetRules(std::vector<std::string> rules);
  bool StartNode();
  void Complain(const std::string& complaint);
  void Complain(const std::vector<std::string>& complaints);
  bool OneIn(uint64_t n) { return random_() % n == 0; }

  const CrashPlan plan_;
  Random random_;
  Ledger ledger_;
  std::unique_ptr<FaultyDisk> disk_;
  CrashNode node_;
  int round_ = 0;
  int64_t evictions_ = 0;      // of the running node, as far as they are accounted for
  std::string what_happened_;  // in the last crash
  std::vector<std::string> complaints_;
  std::map<std::string, int> deaths_;
};

// PACKICE_CRASH_SEED, or another one each time; says which.
uint64_t CrashSeed();
// PACKICE_CRASH_ROUNDS, or `usual`.
int CrashRoundCount(int usual);

}  // namespace packice
