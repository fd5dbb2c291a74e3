// Tables for docs/performance.md: each line sets what Packice takes beside what something else
// takes, done in turns in one run, so that whatever else the machine does meets both alike.
//
// One thread. Prints each line as soon as it is known.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace packice {

using Work = std::function<void()>;

class SpeedTable {
 public:
  // Of `rounds` (1 or more) rounds medians are told. `share` of the work of a round is done, to be
  // quick: 1 is all of it. Only lines whose names contain `only` are made.
  SpeedTable(int rounds, double share, std::string only);

  bool Wanted(absl::string_view name) const;
  // `count` as the share of the work has it, at least 1.
  int Few(int count) const;
  int rounds() const { return rounds_; }

  // To be called before the lines of a table; the heading waits for the first that is wanted.
  void BeginTimes(absl::string_view title);
  void BeginRates(absl::string_view title);

  struct Line {
    std::string name;
    int batch = 0;  // calls of a round
    Work ours;
    std::string beside_name;  // empty: there is nothing beside it
    Work beside;
    std::string target;       // as the table shows it
    Work cleanup = [] {};     // after each call of `ours`, not measured
    bool difference = false;  // tell that of the medians, too
  };
  // Microseconds: the median of the rounds' medians, and of their 99th percentiles.
  void Time(const Line& line);

  struct RateLine {
    std::string name;
    std::function<double()> ours;  // a round, by the second
    std::string beside_name;
    std::function<double()> beside;
    std::string target;    // as the table shows it
    Work cleanup = [] {};  // after each round
  };
  // Thousands a second, medians of the rounds.
  void Rate(const RateLine& line);

 private:
  struct Figures {
    double median = 0;
    double p99 = 0;
  };
  // Prints the heading, once, if `name` is wanted; answers whether it is.
  bool Begin(const std::string& name);
  Figures Round(const Work& work, const Work& cleanup, int batch) const;

  const int rounds_;
  const double share_;
  const std::string only_;
  std::string heading_;
  double clock_ = 0;  // us that measuring itself takes
};

double Median(std::vector<double> values);

}  // namespace packice
