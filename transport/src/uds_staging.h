// A client's side of its connection's staging area: which parts of it are in use. The other side is
// staging.h. Shared by the puts that use it; thread-safe. Belongs to the process that mapped it: a
// forked child does not have it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packice/core/mapping.h"
#include "packice/core/mutex.h"
#include "packice/core/unique_fd.h"

namespace packice {

class UdsStaging : public std::enable_shared_from_this<UdsStaging> {
 public:
  // A run of bytes for one request, until it goes. Move-only.
  class Piece {
   public:
    Piece(Piece&& other) noexcept
        : area_(std::move(other.area_)), units_(other.units_), bytes_(other.bytes_) {}
    Piece& operator=(Piece&&) = delete;
    ~Piece() {
      if (area_ != nullptr) area_->Free(units_);
    }

    absl::Span<char> bytes() const { return bytes_; }
    uint64_t offset() const;  // in the area

   private:
    friend class UdsStaging;
    Piece(std::shared_ptr<UdsStaging> area, uint64_t units, absl::Span<char> bytes)
        : area_(std::move(area)), units_(units), bytes_(bytes) {}

    std::shared_ptr<UdsStaging> area_;
    uint64_t units_;
    absl::Span<char> bytes_;
  };

  // `corrupt` when the descriptor is not one whose size is fixed, and `size` bytes.
  static absl::StatusOr<std::shared_ptr<UdsStaging>> Map(UniqueFd memory, uint64_t size);

  // The first room for so many bytes, over 0. Nothing: there is none at the moment.
  absl::optional<Piece> Take(size_t bytes);

 private:
  static constexpr unsigned kUnits = 64;  // that the area is divided into

  explicit UdsStaging(Mapping mapping) : mapping_(std::move(mapping)) {}
  size_t unit() const { return mapping_.bytes().size() / kUnits; }
  void Free(uint64_t units);

  const Mapping mapping_;
  Mutex mutex_;
  uint64_t used_ ABSL_GUARDED_BY(mutex_) = 0;  // a bit for each unit
};

}  // namespace packice
