// What lets the clients of a Unix socket read without a message: an index of the node's shared
// memory, and for each of them a page where it says what it has read.
//
// Owned by the node; outlives its servers. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "packice/core/unique_fd.h"

namespace packice {

class SharedReads {
 public:
  // One connection's. Goes with it, and takes then what is left.
  class Session {
   public:
    virtual ~Session() = default;

    // A descriptor of the page, which the client may write.
    virtual std::shared_ptr<const UniqueFd> page() const = 0;
    // Takes what the client has written since. Trusts none of it. Costs nearly nothing where there
    // is nothing.
    virtual void Collect() = 0;
  };

  virtual ~SharedReads() = default;

  // The index as it is now; nobody but the node can write it.
  virtual std::shared_ptr<const UniqueFd> index() const = 0;
  // The id of the segment that the index calls 0; the others follow.
  virtual uint64_t first_segment() const = 0;
  // `capacity`.
  virtual absl::StatusOr<std::unique_ptr<Session>> Open() = 0;
};

}  // namespace packice
