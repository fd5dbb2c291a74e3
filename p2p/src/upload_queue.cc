#include "upload_queue.h"

#include <algorithm>
#include <utility>

namespace packice {

void UploadQueue::AddObject(ObjectKey object, uint32_t pieces) {
  objects_.push_back(std::make_unique<Object>(Object{object, std::vector<uint32_t>(pieces), {}}));
}

void UploadQueue::RemoveObject(ObjectKey object) {
  const auto it = std::find_if(objects_.begin(), objects_.end(),
                               [&](const auto& each) { return each->key == object; });
  if (it == objects_.end()) return;
  for (const auto& reader : (*it)->readers) {
    size_ -= reader->waiting.size();
    readers_.erase(reader->key);
  }
  objects_.erase(it);
}

void UploadQueue::AddReader(ObjectKey object, ReaderKey reader) {
  Object* const found = FindObject(object);
  if (found == nullptr) return;
  found->readers.push_back(std::make_unique<Reader>(Reader{reader, found, 0, {}, {}}));
  readers_[reader] = found->readers.back().get();
}

void UploadQueue::RemoveReader(ReaderKey reader) {
  Reader* const found = FindReader(reader);
  if (found == nullptr) return;
  size_ -= found->waiting.size();
  readers_.erase(reader);
  auto& readers = found->object->readers;
  readers.erase(std::find_if(readers.begin(), readers.end(),
                             [&](const auto& each) { return each.get() == found; }));
}

bool UploadQueue::Push(ReaderKey reader, uint32_t piece) {
  Reader* const found = FindReader(reader);
  if (found == nullptr || found->asked.contains(piece)) return true;
  if (found->waiting.size() >= kMaxOfReader) return false;
  found->waiting.push_back(piece);
  found->asked.insert(piece);
  ++size_;
  return true;
}

void UploadQueue::Cancel(ReaderKey reader, uint32_t piece) {
  Reader* const found = FindReader(reader);
  if (found == nullptr || found->asked.erase(piece) == 0) return;
  found->waiting.erase(std::find(found->waiting.begin(), found->waiting.end(), piece));
  --size_;
}

size_t UploadQueue::Waiting(ReaderKey reader) const {
  const Reader* const found = FindReader(reader);
  return found == nullptr ? 0 : found->waiting.size();
}

absl::optional<UploadQueue::Choice> UploadQueue::Next(Skip skip) {
  if (size_ == 0) return absl::nullopt;
  for (size_t i = 0; i < objects_.size(); ++i) {
    turn_ = (turn_ + 1) % objects_.size();
    if (absl::optional<Choice> choice = NextOf(*objects_[turn_], skip)) return choice;
  }
  return absl::nullopt;
}

absl::optional<UploadQueue::Choice> UploadQueue::NextOf(Object& object, Skip skip) {
  using Cost = std::pair<uint32_t, uint64_t>;
  Reader* best = nullptr;
  size_t best_at = 0;
  Cost least;
  uint64_t equals = 0;
  for (const auto& reader : object.readers) {
    if (reader->waiting.empty() || skip(reader->key)) continue;
    for (size_t at = 0; at < reader->waiting.size(); ++at) {
      const Cost cost(object.sent[reader->waiting[at]], reader->got);
      if (best != nullptr && cost > least) continue;
      if (best == nullptr || cost < least) equals = 0;
      least = cost;
      if (random_.Below(++equals) != 0) continue;
      best = reader.get();
      best_at = at;
    }
  }
  if (best == nullptr) return absl::nullopt;
  const Choice choice{best->key, best->waiting[best_at]};
  best->waiting.erase(best->waiting.begin() + static_cast<std::ptrdiff_t>(best_at));
  best->asked.erase(choice.piece);
  --size_;
  ++best->got;
  ++object.sent[choice.piece];
  return choice;
}

UploadQueue::Object* UploadQueue::FindObject(ObjectKey object) {
  for (const auto& each : objects_) {
    if (each->key == object) return each.get();
  }
  return nullptr;
}

UploadQueue::Reader* UploadQueue::FindReader(ReaderKey reader) const {
  const auto it = readers_.find(reader);
  return it == readers_.end() ? nullptr : it->second;
}

}  // namespace packice
