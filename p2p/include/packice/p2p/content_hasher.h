// The two hash functions of the swarm, fed as bytes arrive. Thread-compatible.
#pragma once

#include <memory>

#include "absl/strings/string_view.h"
#include "packice/p2p/content_digest.h"

namespace packice {

class ContentHasher {
 public:
  virtual ~ContentHasher() = default;

  static std::unique_ptr<ContentHasher> Make(HashKind kind);

  virtual void Update(absl::string_view bytes) = 0;
  // The digest of all since the start or the last Finish; then it starts anew.
  virtual ContentDigest Finish() = 0;
};

// Of bytes that are all there.
ContentDigest HashOf(HashKind kind, absl::string_view bytes);

}  // namespace packice
