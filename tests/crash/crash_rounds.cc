#include "crash_rounds.h"

#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace packice {
namespace {

// After which many answers a node that did not come by its step is killed anyway.
constexpr uint64_t kLongEnough = 150;

}  // namespace

CrashRounds::CrashRounds(CrashPlan plan, uint64_t seed)
    : plan_(std::move(plan)),
      random_(seed),
      disk_(plan_.real_disk ? nullptr
                            : std::make_unique<FaultyDisk>(FaultyDisk::Memory::kForgetful)),
      node_(disk_.get(), plan_.tiered) {}

std::vector<std::string> CrashRounds::Run(int rounds) {
  for (int i = 0; i < rounds && complaints_.empty(); ++i) Round();
  node_.Kill();
  return std::move(complaints_);
}

void CrashRounds::Complain(const std::string& complaint) {
  std::string whole = absl::StrCat("round ", round_, ", ", what_happened_, ": ", complaint);
  complaints_.push_back(std::move(whole));
}

void CrashRounds::Complain(const std::vector<std::string>& complaints) {
  for (const std::string& complaint : complaints) Complain(complaint);
}

void CrashRounds::SetRules(std::vector<std::string> rules) {
  if (disk_ == nullptr) return;
  rules.insert(rules.begin(), plan_.rules.begin(), plan_.rules.end());
  disk_->SetRules(rules);
}

bool CrashRounds::StartNode() {
  evictions_ = 0;
  if (node_.Start()) return true;
  Complain(absl::StrCat("the node does not start; its log ends: ", node_.Log()));
  return false;
}

void CrashRounds::Round() {
  ++round_;
  if (OneIn(4)) DieWhileStarting();
  SetRules({});
  if (!StartNode()) return;
  const bool soon = OneIn(4);
  if (soon) {
    // At once, so that what recovery does while the node serves is left for later.
    if (const int code = node_.Stop(); code != 0) Complain(absl::StrCat("exits with ", code));
    absl::StrAppend(&what_happened_, ", and soon stopped");
    if (!StartNode()) return;
  }
  CheckObjects();
  if (complaints_.empty() && (soon || OneIn(4))) StopAndCheck();
  if (!complaints_.empty()) return;
  if (!plan_.fault.empty()) WorkWithAFault();
  if (!complaints_.empty()) return;
  WorkUntilDeath();
  LosePowerMaybe();
}

void CrashRounds::DieWhileStarting() {
  if (disk_ == nullptr) {
    // Somewhere between its first system call and being ready.
    node_.StartOnly();
    absl::SleepFor(absl::Microseconds(random_() % 20'000));
  } else {
    SetRules({absl::StrCat("kill-before ", kAnyStep.selector, " ", 1 + random_() % 60)});
    node_.Start();
  }
  node_.Kill();
  absl::StrAppend(&what_happened_, ", and again while starting");
  LosePowerMaybe();
}

void CrashRounds::CheckObjects() {
  RawClient client = node_.Connect();
  Response stats;
  // What clients left half done goes when the node has noticed that they have gone.
  const absl::Time deadline = absl::Now() + kPatience;
  do {
    stats = client.Ask(R"({"op":"stats"})");
  } while (stats.Kind() == "ok" && stats.Number("creating") > 0 && absl::Now() < deadline);
  const std::vector<Sighting> sightings = LookAt(client, ledger_);
  const int64_t evictions = stats.Kind() == "ok" ? stats.Number("evictions") : 0;
  // Those of an earlier look are accounted for.
  Complain(ledger_.Settle(sightings, evictions - std::exchange(evictions_, evictions)));
  if (stats.Kind() != "ok" || stats.Number("quarantined") != 0) {
    Complain(absl::StrCat("has set objects aside: ", stats.line));
  }
}

void CrashRounds::StopAndCheck() {
  std::vector<std::string> before;
  {
    RawClient client = node_.Connect();
    before = Listed(client);
  }
  if (const int code = node_.Stop(); code != 0) Complain(absl::StrCat("exits with ", code));
  // After a crash a node may stop before it has looked at every file; the next one goes on.
  std::string finding = node_.Fsck();
  for (int i = 0; i < 10 && !finding.empty() && StartNode(); ++i) {
    CheckObjects();
    node_.Stop();
    finding = node_.Fsck();
  }
  if (!finding.empty()) Complain(finding);
  if (!StartNode()) return;
  RawClient client = node_.Connect();
  const std::vector<std::string> after = Listed(client);
  // Objects may expire meanwhile, but none may come or change.
  for (const std::string& object : after) {
    if (std::find(before.begin(), before.end(), object) == before.end()) {
      Complain(absl::StrCat("a further start brings or changes ", object));
    }
  }
  CheckObjects();
}

void CrashRounds::WorkUntilDeath() {
  Writers writers(node_, ledger_, plan_.writers, random_());
  const uint64_t before = ledger_.answered();
  uint64_t enough = before + random_() % 60;
  what_happened_ = "killed at some time";
  if (!plan_.steps.empty() && OneIn(2)) {
    const Step& step = plan_.steps[random_() % plan_.steps.size()];
    const char* const when = OneIn(2) ? "before" : "after";
    SetRules({absl::StrCat("kill-", when, " ", step.selector, " ", 1 + random_() % 20)});
    what_happened_ = absl::StrCat("killed ", when, " ", step.name);
    enough = before + kLongEnough;
  }
  writers.Start();
  while (!writers.Ended() && ledger_.answered() < enough) {
    absl::SleepFor(absl::Microseconds(100));
  }
  if (writers.Ended()) {
    ++deaths_[what_happened_];
  } else {
    absl::SleepFor(absl::Microseconds(random_() % 3'000));
  }
  node_.Kill();
  writers.Join();
  Complain(writers.Complaints());
}

void CrashRounds::WorkWithAFault() {
  const uint64_t first = 1 + random_() % 60;
  const uint64_t last = OneIn(2) ? first : first + random_() % 10;
  const std::string rule = absl::StrCat(plan_.fault, " ", kAnyStep.selector, " ", first, "-", last);
  what_happened_ = absl::StrCat("after ", rule);
  Writers::Options options = plan_.writers;
  options.faults = {"io", "capacity"};
  options.faults_are_open = first != last;
  options.evictions = plan_.fault == "ENOSPC";
  {
    Writers writers(node_, ledger_, options, random_());
    SetRules({rule});
    writers.Start();
    const uint64_t enough = ledger_.answered() + 60;
    while (!writers.Ended() && ledger_.answered() < enough) {
      absl::SleepFor(absl::Microseconds(100));
    }
    if (writers.Ended()) Complain("the node has gone");
    writers.Stop();
    writers.Join();
    Complain(writers.Complaints());
  }
  if (!complaints_.empty()) return;
  SetRules({});
  CheckObjects();
}

void CrashRounds::LosePowerMaybe() {
  switch (plan_.crashes[random_() % plan_.crashes.size()]) {
    case Crash::kKill:
      return;
    case Crash::kPowerLoss:
      absl::StrAppend(&what_happened_, ", power lost");
      return disk_->LosePower();
    case Crash::kPowerLossWithSurvivors:
      absl::StrAppend(&what_happened_, ", power lost with survivors");
      return disk_->LosePower(&random_);
  }
}

uint64_t CrashSeed() {
  const char* const text = std::getenv("PACKICE_CRASH_SEED");
  const uint64_t seed = text == nullptr ? std::random_device()() : std::strtoull(text, nullptr, 10);
  std::printf("PACKICE_CRASH_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

int CrashRoundCount(int usual) {
  const char* const text = std::getenv("PACKICE_CRASH_ROUNDS");
  return text == nullptr ? usual : std::atoi(text);
}

}  // namespace packice
