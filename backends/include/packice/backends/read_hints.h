// A page of memory where one client says what it has read by the index, so that its reads count as
// use and show in the statistics. The client writes it and the node reads it, without a message.
//
// The node made the memory and sealed its size, so that nothing the client does can take it away
// under the node's eyes. What is written there is a hint: the node looks each up in its own index,
// takes a bounded number at a time, and believes of the counts only what is possible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "packice/core/clock.h"
#include "packice/core/mapping.h"
#include "packice/core/unique_fd.h"

namespace packice {

struct ReadHintsPage;

struct ReadHint {
  uint32_t slot = 0;   // of the index
  uint32_t check = 0;  // ReadIndexView::Found::check
};

// The node's side. Thread-compatible.
class ReadHints {
 public:
  // More than so many reads a second, and bytes, nobody makes: the rest is not believed.
  static constexpr uint64_t kMaxReadsPerSecond = 200'000'000;
  static constexpr uint64_t kMaxBytesPerSecond = uint64_t{1} << 40;

  // `capacity`, `unsupported` where the kernel has no memfd. `clock` outlives this.
  static absl::StatusOr<std::unique_ptr<ReadHints>> Create(Clock& clock);

  const std::shared_ptr<const UniqueFd>& descriptor() const { return fd_; }

  struct Taken {
    std::vector<ReadHint> hints;  // of the latest reads
    uint64_t reads = 0;           // all of them
    uint64_t bytes = 0;
  };
  // What came since. Costs two loads where nothing did.
  Taken Take();

 private:
  ReadHints(std::shared_ptr<const UniqueFd> fd, Mapping mapping, Clock& clock);

  const std::shared_ptr<const UniqueFd> fd_;
  const Mapping mapping_;
  Clock& clock_;
  ReadHintsPage& page_;
  Instant taken_at_;
  uint64_t reads_ = 0;  // as the page had them then
  uint64_t bytes_ = 0;
};

// The client's side. Thread-safe; no locks.
class ReadHintsWriter {
 public:
  // `corrupt` for memory of another size, or that could shrink.
  static absl::StatusOr<std::unique_ptr<ReadHintsWriter>> Open(int fd);

  void Add(ReadHint hint, uint64_t bytes);

 private:
  explicit ReadHintsWriter(Mapping mapping);

  const Mapping mapping_;
  ReadHintsPage& page_;
};

}  // namespace packice
