#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "absl/strings/str_cat.h"
#include "cli/bench_load.h"
#include "cli/bench_report.h"
#include "cli/commands.h"
#include "cli/session.h"

namespace packice::cli {
namespace {

std::atomic<bool> interrupted{false};

// The first interrupt ends the measurement and takes the objects away, the next one ends the
// process.
void StopOnInterrupt() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = true; };
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

BenchLoad LoadOf(const BenchArgs& args, uint64_t size, uint64_t clients, double read_share) {
  BenchLoad load;
  load.target = args.target;
  load.prefix = absl::StrCat("bench/", getpid(), "/");
  load.size = size;
  load.clients = clients;
  load.batch = args.batch;
  load.objects = args.objects;
  load.read_share = read_share;
  load.copy = args.copy;
  load.warmup = args.warmup;
  load.duration = args.duration;
  return load;
}

}  // namespace

absl::Status Bench(const BenchArgs& args) {
  StopOnInterrupt();
  std::vector<double> read_shares = {1.0, 0.0};
  if (args.read_share.has_value()) read_shares = {*args.read_share};

  std::vector<BenchRow> rows;
  for (const uint64_t size : args.sizes) {
    for (const uint64_t clients : args.clients) {
      for (const double read_share : read_shares) {
        if (interrupted) break;
        absl::StatusOr<std::vector<BenchRow>> found =
            RunLoad(LoadOf(args, size, clients, read_share), interrupted);
        if (!found.ok()) return found.status();
        for (BenchRow& row : *found) rows.push_back(std::move(row));
      }
    }
  }
  return Print(args.json ? FormatBenchJson(rows) : FormatBenchTable(rows));
}

}  // namespace packice::cli
