#include "cli/node_reads.h"

#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "packice/backends/read_hints.h"
#include "packice/core/clock.h"

namespace packice::cli {

class NodeReads::OneSession final : public SharedReads::Session {
 public:
  OneSession(NodeReads& reads, std::unique_ptr<ReadHints> hints)
      : reads_(reads), hints_(std::move(hints)) {}
  ~OneSession() override { Collect(); }

  std::shared_ptr<const UniqueFd> page() const override { return hints_->descriptor(); }

  void Collect() override {
    const ReadHints::Taken taken = hints_->Take();
    LocalPeer* const peer = reads_.peer_.load(std::memory_order_acquire);
    if (peer == nullptr || (taken.reads == 0 && taken.bytes == 0)) return;
    // Use is use: an object that was read a thousand times since counts once, like one that was
    // leased for as long.
    absl::flat_hash_set<uint64_t> seen;
    std::vector<ObjectId> objects;
    for (const ReadHint hint : taken.hints) {
      if (!seen.insert(uint64_t{hint.check} << 32 | hint.slot).second) continue;
      absl::optional<ObjectId> id = reads_.objects_.index().IdAt(hint.slot, hint.check);
      if (id.has_value()) objects.push_back(*std::move(id));
    }
    peer->CountReads(objects, taken.reads, taken.bytes);
  }

 private:
  NodeReads& reads_;
  const std::unique_ptr<ReadHints> hints_;
};

absl::StatusOr<std::unique_ptr<NodeReads>> NodeReads::Create() {
  absl::StatusOr<std::unique_ptr<ReadIndex>> index = ReadIndex::Create();
  if (!index.ok()) return index.status();
  return std::unique_ptr<NodeReads>(new NodeReads(*std::move(index)));
}

absl::StatusOr<std::unique_ptr<SharedReads::Session>> NodeReads::Open() {
  absl::StatusOr<std::unique_ptr<ReadHints>> hints = ReadHints::Create(Clock::System());
  if (!hints.ok()) return hints.status();
  return std::make_unique<OneSession>(*this, *std::move(hints));
}

}  // namespace packice::cli
