// The pieces of the object at a simulated node: which of them are there, without any bytes.
// Thread-compatible.
#pragma once

#include <memory>
#include <utility>

#include "packice/core/error.h"
#include "packice/p2p/piece_store.h"
#include "piece_set.h"

namespace packice {

class SimStore final : public PieceStore {
 public:
  // `live` counts the stores that there are, and outlives them.
  SimStore(const ObjectId& object_id, std::shared_ptr<const Manifest> manifest, PieceSet held,
           int& live)
      : object_id_(object_id), manifest_(std::move(manifest)), held_(std::move(held)), live_(live) {
    ++live_;
  }
  ~SimStore() override { --live_; }

  const ObjectId& object_id() const override { return object_id_; }
  const std::shared_ptr<const Manifest>& manifest() const override { return manifest_; }
  bool Held(uint32_t piece) const override { return held_.Has(piece); }
  uint32_t pieces_held() const override { return held_.count(); }
  absl::StatusOr<Bytes> Read(uint32_t) override {
    return MakeError(ErrorKind::kIo, "a simulated store has no bytes");
  }
  std::unique_ptr<Arrival> Receive(uint32_t) override { return nullptr; }

  PieceSet& held() { return held_; }

 private:
  const ObjectId object_id_;
  const std::shared_ptr<const Manifest> manifest_;
  PieceSet held_;
  int& live_;
};

}  // namespace packice
