// The pieces of one download: what to ask from which source, and when to ask elsewhere.
//
// A source that has all of the object is asked last: for pieces that no partial source has, so that
// the only whole copy goes out little more than once. How many pieces a source owes at a time
// follows from how long they take (Window). At the end, pieces that are owed already are asked of a
// second source, too, and cancelled at whoever comes late.
//
// Of one fetch; thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine_context.h"
#include "link_pool.h"
#include "packice/p2p/piece_store.h"
#include "piece_picker.h"
#include "source_set.h"

namespace packice {

class Download {
 public:
  // All outlive the download.
  Download(EngineContext& context, LinkPool& pool, SourceSet& set,
           std::shared_ptr<PieceStore> store);

  const std::shared_ptr<PieceStore>& store() const { return store_; }
  bool done() const { return picker_.missing() == 0; }
  uint64_t bytes_done() const { return bytes_done_; }
  double Rate(Instant now) const { return rate_.Rate(now); }
  Instant last_piece() const { return last_piece_; }

  // A channel is open. `held` as in OpenedFrame; false: it is not the size of the object.
  bool Add(Source& source, const std::vector<bool>& held);
  void Remove(Source& source);
  bool OnHave(Source& source, const std::vector<uint32_t>& pieces);
  // It is on its way: nobody else need send it.
  void OnPieceBegins(Source& source, uint32_t piece);
  // Whether it is a piece that was not here before.
  bool OnPiece(Source& source, uint32_t piece);
  void Tick(Instant now);

 private:
  static constexpr uint32_t kMaxAskings = 2;

  // For how long a source may owe what it owes.
  absl::Duration Patience(const Source& source, Instant now) const;
  void FillAll();
  void Fill(Source& source);
  absl::optional<uint32_t> Pick(const Source& source);
  size_t Room(const Source& source) const;
  void Ask(Source& source, uint32_t piece);
  void Flush(Source& source);
  // Takes the request back, if there is one; tells the source where it should know.
  bool Withdraw(Source& source, uint32_t piece, bool tell);
  void WithdrawElsewhere(const Source& source, uint32_t piece);
  void LearnWindow(Source& source, absl::Duration latency);
  void TakeFromComplete(uint32_t piece);

  EngineContext& context_;
  LinkPool& pool_;
  SourceSet& set_;
  const std::shared_ptr<PieceStore> store_;
  PiecePicker picker_;
  std::vector<uint32_t> asking_;  // of one source, until Flush
  size_t partial_ = 0;            // sources
  uint64_t bytes_done_ = 0;
  RateMeter rate_;
  Instant last_piece_;
};

}  // namespace packice
