// Certificates of a fleet, made when a test wants them.
#pragma once

#include <memory>
#include <string>

#include "packice/p2p/swarm_peer.h"

namespace packice {

// An authority and what it signs, as files in a directory of its own that goes with it.
class Certificates {
 public:
  Certificates();
  ~Certificates();

  // The files of one more node.
  TlsFiles Issue();
  std::string directory() const { return directory_; }

 private:
  struct Keys;
  std::string directory_;
  std::unique_ptr<Keys> authority_;
  int issued_ = 0;
};

}  // namespace packice
