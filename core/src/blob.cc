#include "packice/core/blob.h"

#include "packice/core/error.h"

namespace packice {

absl::StatusOr<PieceSums> Blob::Sums() const {
  return MakeError(ErrorKind::kUnsupported, "no checksums are kept for bytes in this medium");
}

}  // namespace packice
