// A directory whose answers come on the engine's thread. Thread-compatible.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "packice/p2p/directory.h"
#include "post.h"

namespace packice {

class PostedDirectory final : public Directory {
 public:
  // `directory` outlives it.
  PostedDirectory(Directory& directory, Post post)
      : directory_(directory), post_(std::move(post)) {}

  void Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) override {
    directory_.Locate(std::move(request), OnEngineThread(post_, std::move(done)));
  }
  void Announce(const Holding& holding) override { directory_.Announce(holding); }
  void Withdraw(const ObjectId& object_id) override { directory_.Withdraw(object_id); }
  void Report(const ObjectId& object_id, const std::string& holder, HolderFault fault) override {
    directory_.Report(object_id, holder, fault);
  }
  std::unique_ptr<Watch> WatchPrefix(const std::string& prefix, OnChange on_change) override {
    return directory_.WatchPrefix(prefix, std::move(on_change));
  }
  void List(const std::string& prefix, const std::string& after, size_t limit,
            Done<absl::StatusOr<std::vector<ObjectId>>> done) override {
    directory_.List(prefix, after, limit, OnEngineThread(post_, std::move(done)));
  }

 private:
  Directory& directory_;
  const Post post_;
};

}  // namespace packice
