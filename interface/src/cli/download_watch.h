// A line on stderr while a node copies an object from others, for somebody who waits for it: the
// node is asked again and again, over a connection of its own.
#pragma once

#include <cstdint>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "cli/target.h"
#include "packice/core/mutex.h"

namespace packice::cli {

// As `transfers` tells of one download.
struct DownloadState {
  uint64_t size = 0;  // bytes; 0: not known yet
  uint64_t bytes_done = 0;
  uint64_t sources = 0;
  double rate = 0;  // bytes a second, of late
  bool from_origin = false;
};

// "copying  42% [====    ] 1.2 GiB of 2.9 GiB  310.0 MiB/s from 4 nodes  0:05 left", at most
// `width` columns.
std::string FormatDownload(const DownloadState& state, size_t width);

// Shows nothing where stderr is no terminal, for an object that is there in a moment, and of a node
// that is in no swarm. For one thread.
class DownloadWatch {
 public:
  DownloadWatch(const Target& target, const std::string& id);
  // Takes the line away.
  ~DownloadWatch();

 private:
  void Watch(const Target& target, const std::string& id);
  // False when it is time to end.
  bool Rest(absl::Duration pause);

  Mutex mutex_;
  CondVar changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace packice::cli
