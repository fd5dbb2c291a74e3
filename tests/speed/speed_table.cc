#include "speed_table.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace packice {
namespace {

// Calls before those that are measured, in each round: what is beside it has used the caches.
constexpr int kWarmShare = 10;
constexpr int kClockCalls = 10000;

double Microseconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

double Percentile(std::vector<double>& values, size_t percent) {
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(values.size() * percent / 100);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

// Three digits that mean something.
std::string Figure(double value) {
  if (value >= 100) return absl::StrFormat("%.0f", value);
  if (value >= 10) return absl::StrFormat("%.1f", value);
  return absl::StrFormat(value >= 1 ? "%.2f" : "%.3f", value);
}

void PrintLine(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

}  // namespace

double Median(std::vector<double> values) { return Percentile(values, 50); }

SpeedTable::SpeedTable(int rounds, double share, std::string only)
    : rounds_(rounds), share_(share), only_(std::move(only)) {
  std::vector<double> samples;
  const Work nothing = [] {};
  for (int i = 0; i < kClockCalls; ++i) samples.push_back(Microseconds(nothing));
  clock_ = Median(std::move(samples));
}

bool SpeedTable::Wanted(absl::string_view name) const { return absl::StrContains(name, only_); }

int SpeedTable::Few(int count) const { return std::max(1, static_cast<int>(count * share_)); }

void SpeedTable::BeginTimes(absl::string_view title) {
  heading_ =
      absl::StrCat("\n", title, "\n\n| work | Packice p50 | p99 | beside it | ratio | target |",
                   "\n|---|---|---|---|---|---|");
}

void SpeedTable::BeginRates(absl::string_view title) {
  heading_ = absl::StrCat("\n", title, "\n\n| work | Packice | beside it | ratio | target |",
                          "\n|---|---|---|---|---|");
}

bool SpeedTable::Begin(const std::string& name) {
  if (!Wanted(name)) return false;
  if (!heading_.empty()) PrintLine(std::exchange(heading_, ""));
  return true;
}

SpeedTable::Figures SpeedTable::Round(const Work& work, const Work& cleanup, int batch) const {
  for (int i = 0; i < batch / kWarmShare; ++i) {
    work();
    cleanup();
  }
  std::vector<double> samples;
  samples.reserve(static_cast<size_t>(batch));
  for (int i = 0; i < batch; ++i) {
    samples.push_back(std::max(0.0, Microseconds(work) - clock_));
    cleanup();
  }
  const double median = Percentile(samples, 50);
  return {median, Percentile(samples, 99)};
}

void SpeedTable::Time(const Line& line) {
  if (!Begin(line.name)) return;
  std::vector<double> medians;
  std::vector<double> p99s;
  std::vector<double> beside;
  for (int i = 0; i < rounds_; ++i) {
    const Figures ours = Round(line.ours, line.cleanup, Few(line.batch));
    medians.push_back(ours.median);
    p99s.push_back(ours.p99);
    if (line.beside) {
      beside.push_back(Round(
                           line.beside, [] {}, Few(line.batch))
                           .median);
    }
  }
  const double median = Median(std::move(medians));
  std::string text = absl::StrCat("| ", line.name, " | ", Figure(median), " | ",
                                  Figure(Median(std::move(p99s))), " | ");
  if (line.beside) {
    const double other = Median(std::move(beside));
    absl::StrAppend(&text, line.beside_name, ": ", Figure(other));
    if (line.difference) {
      absl::StrAppend(&text, ", ", Figure(std::abs(median - other)),
                      median < other ? " less" : " more");
    }
    absl::StrAppend(&text, " | ", Figure(median / other));
  } else {
    absl::StrAppend(&text, " | ");
  }
  PrintLine(absl::StrCat(text, " | ", line.target, " |"));
}

void SpeedTable::Rate(const RateLine& line) {
  if (!Begin(line.name)) return;
  std::vector<double> ours;
  std::vector<double> beside;
  for (int i = 0; i <= rounds_; ++i) {
    ours.push_back(line.ours());
    if (line.beside) beside.push_back(line.beside());
    line.cleanup();
    if (i > 0) continue;
    // That was to map pages and to fill caches.
    ours.clear();
    beside.clear();
  }
  const double median = Median(std::move(ours));
  std::string text = absl::StrCat("| ", line.name, " | ", Figure(median / 1000), " | ");
  if (line.beside) {
    const double other = Median(std::move(beside));
    absl::StrAppend(&text, line.beside_name, ": ", Figure(other / 1000), " | ",
                    Figure(median / other));
  } else {
    absl::StrAppend(&text, " | ");
  }
  PrintLine(absl::StrCat(text, " | ", line.target, " |"));
}

}  // namespace packice
