#include "outbox.h"

#include <algorithm>
#include <utility>

#include "frame_codec.h"

namespace packice {
namespace {

// Few enough for one call.
constexpr size_t kMaxFrames = 32;

bool EndsChannel(const Frame& frame) {
  return absl::holds_alternative<CloseFrame>(frame) || absl::holds_alternative<RefusedFrame>(frame);
}

iovec Part(const char* bytes, size_t size) {
  return {const_cast<char*>(bytes), size};  // never written to
}

}  // namespace

void Outbox::Add(std::string bytes) {
  frame_bytes_ += bytes.size();
  first_.push_back(std::move(bytes));
}

void Outbox::Add(const Frame& frame) {
  std::string bytes;
  EncodeFrame(frame, bytes);
  if (items_.empty() || !EndsChannel(frame)) return Add(std::move(bytes));
  frame_bytes_ += bytes.size();
  Item item;
  item.size = bytes.size();
  item.header = std::move(bytes);
  items_.push_back(std::move(item));
}

void Outbox::AddPiece(uint32_t channel, uint32_t piece, std::shared_ptr<PieceStore> store) {
  Item item;
  item.piece = {channel, piece};
  uint64_t size = 0;
  if (path_ == SendPath::kSendfile) item.files = store->Files(piece);
  for (const PieceStore::FileRange& file : item.files) size += file.bytes;
  if (item.files.empty()) {
    absl::StatusOr<PieceStore::Bytes> bytes = store->Read(piece);
    if (bytes.ok()) item.bytes = *std::move(bytes);
    for (const auto& part : item.bytes) size += part.size();
  }
  if (size > 0) {
    EncodeFrame(PieceFrame{channel, piece, static_cast<uint32_t>(size)}, item.header);
  } else {
    EncodeFrame(RefusedFrame{channel, RefusalReason::kFailing, absl::ZeroDuration(), {}},
                item.header);
  }
  item.size = item.header.size() + size;
  item.store = std::move(store);
  items_.push_back(std::move(item));
}

void Outbox::GatherItem(const Item& item, size_t max, Parts& parts) {
  size_t skip = item.gone;
  const auto add = [&](const char* bytes, size_t size) {
    const size_t skipped = std::min(skip, size);
    skip -= skipped;
    const size_t n = std::min(size - skipped, max);
    if (n > 0) parts.push_back(Part(bytes + skipped, n));
    max -= n;
  };
  add(item.header.data(), item.header.size());
  for (const absl::Span<const char> part : item.bytes) add(part.data(), part.size());
}

void Outbox::GatherFrames(Parts& parts) const {
  size_t skip = first_gone_;
  size_t frames = 0;
  for (const std::string& frame : first_) {
    if (++frames > kMaxFrames) return;
    parts.push_back(Part(frame.data() + skip, frame.size() - skip));
    skip = 0;
  }
}

bool Outbox::FileIsNext() const {
  return !items_.empty() && !items_.front().files.empty() &&
         items_.front().gone >= items_.front().header.size();
}

LinkStream::Moved Outbox::SendFile(LinkStream& stream, size_t max) {
  const Item& item = items_.front();
  uint64_t at = item.gone - item.header.size();
  auto file = item.files.begin();
  for (; at >= file->bytes; ++file) at -= file->bytes;
  return stream.SendFile(file->fd, static_cast<off_t>(file->offset + at),
                         std::min<uint64_t>(max, file->bytes - at));
}

LinkStream::Moved Outbox::Send(LinkStream& stream, size_t max, std::vector<Sent>& sent) {
  const size_t items = items_.size();
  Plan plan;
  LinkStream::Moved moved;
  if (FileIsNext()) {
    plan.item_first = true;
    moved = SendFile(stream, max);
  } else {
    plan = Gather(max);
    moved = stream.Write(plan.parts, plan.more);
  }
  Advance(moved.bytes, plan.item_first, sent);
  // It has begun even where nothing of it has gone: TLS wants to be given the same bytes again.
  if (first_.empty() && !items_.empty() && items_.size() == items) items_.front().begun = true;
  return moved;
}

Outbox::Plan Outbox::Gather(size_t max) const {
  Plan plan;
  const Item* const item = items_.empty() ? nullptr : &items_.front();
  plan.item_first = item != nullptr && item->begun;
  plan.more = item != nullptr && !item->files.empty();
  if (plan.item_first) {
    GatherItem(*item, max, plan.parts);
    // Nothing comes between the parts of a piece.
    if (plan.more || item->gone + max < item->size) return plan;
  }
  GatherFrames(plan.parts);
  if (plan.item_first || item == nullptr || first_.size() > kMaxFrames) {
    plan.more = false;
  } else {
    GatherItem(*item, max, plan.parts);
  }
  return plan;
}

void Outbox::AdvanceItem(size_t& bytes, std::vector<Sent>& sent) {
  Item& item = items_.front();
  const size_t n = std::min(bytes, item.size - item.gone);
  item.gone += n;
  bytes -= n;
  if (item.gone < item.size) return;
  if (item.store != nullptr) {
    sent.push_back(item.piece);
  } else {
    frame_bytes_ -= item.size;
  }
  items_.pop_front();
}

void Outbox::Advance(size_t bytes, bool item_first, std::vector<Sent>& sent) {
  if (item_first) AdvanceItem(bytes, sent);
  while (bytes > 0 && !first_.empty()) {
    const size_t n = std::min(bytes, first_.front().size() - first_gone_);
    first_gone_ += n;
    bytes -= n;
    if (first_gone_ < first_.front().size()) return;
    frame_bytes_ -= first_gone_;
    first_gone_ = 0;
    first_.pop_front();
  }
  while (bytes > 0) AdvanceItem(bytes, sent);
}

}  // namespace packice
