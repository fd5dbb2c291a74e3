// What was asked of this node, and which of it to send next.
//
// Objects take turns. Within one: the piece that this node has sent least often, so that each piece
// leaves the only source once before any leaves it twice; of equal ones, the reader that has got
// least. One piece after another: a reader that has the whole of a piece can give it to others,
// one that has two halves can give nothing.
//
// Of one node; thread-compatible. Objects, readers and pieces are known to the caller.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/types/optional.h"
#include "random_stream.h"

namespace packice {

class UploadQueue {
 public:
  using ObjectKey = uint64_t;
  using ReaderKey = uint64_t;

  // More than any honest reader asks for at a time.
  static constexpr size_t kMaxOfReader = 1024;

  struct Choice {
    ReaderKey reader;
    uint32_t piece;
  };

  // `random` outlives the queue.
  explicit UploadQueue(RandomStream& random) : random_(random) {}

  void AddObject(ObjectKey object, uint32_t pieces);
  // With its readers.
  void RemoveObject(ObjectKey object);
  void AddReader(ObjectKey object, ReaderKey reader);
  void RemoveReader(ReaderKey reader);

  // What is asked already is asked once. False: the reader asks for too much.
  bool Push(ReaderKey reader, uint32_t piece);
  void Cancel(ReaderKey reader, uint32_t piece);
  size_t Waiting(ReaderKey reader) const;

  // Takes out what to send next, and counts it as sent. Readers that `skip` is true of are passed
  // over.
  using Skip = absl::FunctionRef<bool(ReaderKey)>;
  absl::optional<Choice> Next(Skip skip = [](ReaderKey) { return false; });

  size_t size() const { return size_; }

 private:
  struct Object;
  struct Reader {
    ReaderKey key;
    Object* object;
    uint64_t got = 0;  // pieces
    std::vector<uint32_t> waiting;
    absl::flat_hash_set<uint32_t> asked;  // the same, to find them: a hostile reader asks for much
  };
  struct Object {
    ObjectKey key;
    std::vector<uint32_t> sent;  // how often each piece was
    std::vector<std::unique_ptr<Reader>> readers;
  };

  Object* FindObject(ObjectKey object);
  Reader* FindReader(ReaderKey reader) const;
  absl::optional<Choice> NextOf(Object& object, Skip skip);

  RandomStream& random_;
  std::vector<std::unique_ptr<Object>> objects_;
  size_t turn_ = 0;
  absl::flat_hash_map<ReaderKey, Reader*> readers_;
  size_t size_ = 0;
};

}  // namespace packice
