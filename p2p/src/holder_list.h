// The holders of one object that a download knows of: whom to turn to next, who is to be left alone
// for a while, and who for good. Bounded.
//
// Of one download; thread-compatible.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "packice/core/clock.h"
#include "random_stream.h"

namespace packice {

class HolderList {
 public:
  static constexpr size_t kMax = 128;
  static constexpr absl::Duration kFirstDelay = absl::Milliseconds(100);
  static constexpr absl::Duration kLastDelay = absl::Seconds(5);

  struct Entry {
    std::string address;
    bool near = false;  // in this node's zone
    bool in_use = false;
    bool banned = false;
    int failures = 0;
    Instant next_try = absl::ZeroDuration();
  };

  // `self` is never listed. `random` outlives the list.
  HolderList(std::string self, RandomStream& random) : self_(std::move(self)), random_(random) {}

  // Somebody says that there is a holder. False: nothing new.
  bool Learn(const std::string& address, bool near, Instant now);
  // Whom to try now: near ones first, then those that failed least, then any. In use from now on.
  const Entry* Take(Instant now);
  // When there is somebody to try; never, when there is nobody.
  Instant NextTry() const;

  // What became of one that was taken.
  void Failed(const std::string& address, Instant now);  // later, and later each time
  void Busy(const std::string& address, Instant until);
  void Worked(const std::string& address);  // and is in use
  void Ban(const std::string& address);

  // Whether there is anybody who is in use or may be tried with some hope.
  bool hopeful() const;
  bool all_banned() const;
  // Whom a directory need not tell of: banned ones, and those that failed several times.
  std::vector<std::string> Useless() const;

 private:
  Entry* Find(const std::string& address);
  void MakeRoom();

  const std::string self_;
  RandomStream& random_;
  std::vector<Entry> entries_;
};

}  // namespace packice
