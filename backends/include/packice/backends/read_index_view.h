// The client's side of the index of small objects (read_index.h): finds an object and copies it out
// of the node's memory, without a message, a lock or a system call.
//
// Owned by the client. Thread-safe: any number of threads read at once. Nothing blocks. A read is
// either right or not made: bytes that were changed meanwhile are told by Validate, and anything
// odd in the shared memory, whatever it holds, comes out as kMissing. Then the client takes a lease
// as if there were no index; kMissing never means that there is no such object.
//
// A node that dies at once (kill -9) cannot say so here. Its memory stays as it was, unchanging, so
// that reads go on to give what the node had until the client sees that its connection is gone and
// drops the view; nothing of it is ever torn. A node that ends in order makes the view kStale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "packice/core/clock.h"

namespace packice {

struct ReadIndexHeader;

class ReadIndexView {
 public:
  enum class Outcome {
    kFound,
    kMissing,   // of Read: also what is not readable
    kStale,     // another table took its place, or the node has ended: get the new one
    kTooSmall,  // of Read only: `size` bytes do not fit into `out`
  };

  struct Found {
    Outcome outcome = Outcome::kMissing;
    // The rest is there for kFound and kTooSmall.
    uint32_t segment = 0;
    uint64_t offset = 0;
    bool readable = false;  // as ReadIndexEntry has it
    uint64_t size = 0;
    uint64_t slot = 0;
    uint64_t version = 0;  // of the slot

    // What ReadIndex::IdAt wants to know besides the slot.
    uint32_t check() const { return static_cast<uint32_t>(version >> 1); }
  };

  // A segment's bytes as mapped here; null when it is not. They stay mapped during the call.
  using SegmentTable = absl::FunctionRef<absl::Span<const char>(uint32_t segment)>;

  // Maps what ReadIndex::descriptor() gave; `fd` may be closed afterwards. `clock` is read for
  // entries that expire, and outlives the view. `corrupt` when it is no index or could shrink under
  // the reader, `unsupported` when it has another layout, and what mapping it may fail with.
  static absl::StatusOr<std::unique_ptr<ReadIndexView>> Open(int fd, const Clock& clock);
  ~ReadIndexView();
  ReadIndexView(const ReadIndexView&) = delete;
  ReadIndexView& operator=(const ReadIndexView&) = delete;

  // The fields of a kFound belong together, but whether they still hold only Validate tells.
  Found Lookup(absl::string_view id) const;

  // Whether all bytes copied between Lookup and now from where `found` says were the object's. What
  // was copied is not to be looked at before. Requires: `found` is this view's, kFound, readable.
  bool Validate(const Found& found) const;

  // All of a read: looks up, copies into the front of `out`, validates; again when it lost a race,
  // but not for ever. `out` may hold anything unless the outcome is kFound.
  Found Read(absl::string_view id, SegmentTable segments, absl::Span<char> out) const;

  // Whether the node has given the index up.
  bool stale() const;
  // Random, another in each table.
  uint64_t generation() const { return generation_; }

 private:
  ReadIndexView(const ReadIndexHeader* header, uint64_t mapped, const Clock& clock);

  const ReadIndexHeader* const header_;  // the mapping's start
  const uint64_t mapped_;
  const Clock& clock_;
  // As they were when checked: what the header says later is not asked.
  const uint64_t generation_;
  const uint64_t seed_;
  const uint64_t buckets_;
  const uint64_t arena_words_;
};

}  // namespace packice
