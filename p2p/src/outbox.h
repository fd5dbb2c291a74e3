// What waits to be sent on one link: frames first, pieces behind them, one after another. Pieces
// are sent from where their store has them. Owned by its link; thread-compatible.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "link_stream.h"
#include "packice/p2p/frame.h"
#include "packice/p2p/piece_store.h"

namespace packice {

class Outbox {
 public:
  struct Sent {
    uint32_t channel;
    uint32_t piece;
  };

  explicit Outbox(SendPath path) : path_(path) {}

  // Bytes that go before any piece that has not begun.
  void Add(std::string bytes);
  // A frame that ends a channel stays behind the pieces that were to be sent before.
  void Add(const Frame& frame);
  // Where the store cannot read the piece, REFUSED goes out in its place.
  void AddPiece(uint32_t channel, uint32_t piece, std::shared_ptr<PieceStore> store);

  bool empty() const { return first_.empty() && items_.empty(); }
  // Of frames, in bytes.
  size_t frame_bytes() const { return frame_bytes_; }

  // Sends once, at most about `max` bytes. Appends the pieces whose last byte has gone.
  LinkStream::Moved Send(LinkStream& stream, size_t max, std::vector<Sent>& sent);

 private:
  using Parts = absl::InlinedVector<iovec, 16>;

  // What to write next.
  struct Plan {
    Parts parts;
    bool item_first = false;  // the front item comes before the frames
    bool more = false;        // and a file after all of it
  };
  // A piece with its header, or a frame that goes behind pieces.
  struct Item {
    std::string header;
    std::shared_ptr<PieceStore> store;  // null: only a frame
    Sent piece = {};
    PieceStore::Bytes bytes;
    PieceStore::FileRanges files;  // instead of bytes
    size_t size = 0;               // with the header
    size_t gone = 0;
    bool begun = false;  // no frame may come before it any more
  };

  Plan Gather(size_t max) const;
  static void GatherItem(const Item& item, size_t max, Parts& parts);
  void GatherFrames(Parts& parts) const;
  bool FileIsNext() const;
  LinkStream::Moved SendFile(LinkStream& stream, size_t max);
  void Advance(size_t bytes, bool item_first, std::vector<Sent>& sent);
  void AdvanceItem(size_t& bytes, std::vector<Sent>& sent);

  SendPath path_;
  // Lists, because most links are idle, and an empty one has no memory.
  std::list<std::string> first_;
  size_t first_gone_ = 0;  // of first_.front()
  std::list<Item> items_;
  size_t frame_bytes_ = 0;
};

}  // namespace packice
