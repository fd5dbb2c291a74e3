// Several directories as one: told of everything, and asked one after another, the next one when
// one cannot tell or knows nobody. "Ask the tracker, then gossip." Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "packice/p2p/directory.h"

namespace packice {

class DirectoryChain final : public Directory {
 public:
  // Requires: at least one. They outlive the chain.
  explicit DirectoryChain(std::vector<Directory*> directories);

  void Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) override;
  void Announce(const Holding& holding) override;
  void Withdraw(const ObjectId& object_id) override;
  void Report(const ObjectId& object_id, const std::string& holder, HolderFault fault) override;
  std::unique_ptr<Watch> WatchPrefix(const std::string& prefix, OnChange on_change) override;
  void List(const std::string& prefix, const std::string& after, size_t limit,
            Done<absl::StatusOr<std::vector<ObjectId>>> done) override;

 private:
  const std::vector<Directory*> directories_;
};

}  // namespace packice
