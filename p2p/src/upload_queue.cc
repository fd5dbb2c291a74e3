#include "upload_queue.h"

#include <algorithm>
#include <utility>

namespace packice {

void UploadQueue::AddObject(ObjectKey object, uint32_t pieces) {
  objects_.push_back({object, std::vector<uint32_t>(pieces), {}});
}

void UploadQueue::RemoveObject(ObjectKey object) {
  const auto it = std::find_if(objects_.begin(), objects_.end(),
                               [&](const Object& each) { return each.key == object; });
  if (it == objects_.end()) return;
  for (const Reader& reader : it->readers) {
    size_ -= reader.waiting.size();
    object_of_.erase(reader.key);
  }
  objects_.erase(it);
}

void UploadQueue::AddReader(ObjectKey object, ReaderKey reader) {
  Object* const found = FindObject(object);
  if (found == nullptr) return;
  found->readers.push_back({reader, 0, {}});
  object_of_[reader] = object;
}

void UploadQueue::RemoveReader(ReaderKey reader) {
  const auto it = object_of_.find(reader);
  if (it == object_of_.end()) return;
  std::vector<Reader>& readers = FindObject(it->second)->readers;
  const auto at = std::find_if(readers.begin(), readers.end(),
                               [&](const Reader& each) { return each.key == reader; });
  size_ -= at->waiting.size();
  readers.erase(at);
  object_of_.erase(it);
}

bool UploadQueue::Push(ReaderKey reader, uint32_t piece) {
  Reader* const found = FindReader(reader);
  if (found == nullptr) return true;
  std::vector<uint32_t>& waiting = found->waiting;
  if (std::find(waiting.begin(), waiting.end(), piece) != waiting.end()) return true;
  if (waiting.size() >= kMaxOfReader) return false;
  waiting.push_back(piece);
  ++size_;
  return true;
}

void UploadQueue::Cancel(ReaderKey reader, uint32_t piece) {
  Reader* const found = FindReader(reader);
  if (found == nullptr) return;
  const auto it = std::find(found->waiting.begin(), found->waiting.end(), piece);
  if (it == found->waiting.end()) return;
  found->waiting.erase(it);
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
    if (absl::optional<Choice> choice = NextOf(objects_[turn_], skip)) return choice;
  }
  return absl::nullopt;
}

absl::optional<UploadQueue::Choice> UploadQueue::NextOf(Object& object, Skip skip) {
  using Cost = std::pair<uint32_t, uint64_t>;
  Reader* best = nullptr;
  size_t best_at = 0;
  Cost least;
  uint64_t equals = 0;
  for (Reader& reader : object.readers) {
    if (reader.waiting.empty() || skip(reader.key)) continue;
    for (size_t at = 0; at < reader.waiting.size(); ++at) {
      const Cost cost(object.sent[reader.waiting[at]], reader.got);
      if (best != nullptr && cost > least) continue;
      if (best == nullptr || cost < least) equals = 0;
      least = cost;
      if (random_.Below(++equals) != 0) continue;
      best = &reader;
      best_at = at;
    }
  }
  if (best == nullptr) return absl::nullopt;
  const Choice choice{best->key, best->waiting[best_at]};
  best->waiting.erase(best->waiting.begin() + static_cast<std::ptrdiff_t>(best_at));
  --size_;
  ++best->got;
  ++object.sent[choice.piece];
  return choice;
}

UploadQueue::Object* UploadQueue::FindObject(ObjectKey object) {
  for (Object& each : objects_) {
    if (each.key == object) return &each;
  }
  return nullptr;
}

const UploadQueue::Reader* UploadQueue::FindReader(ReaderKey reader) const {
  return const_cast<UploadQueue*>(this)->FindReader(reader);
}

UploadQueue::Reader* UploadQueue::FindReader(ReaderKey reader) {
  const auto it = object_of_.find(reader);
  if (it == object_of_.end()) return nullptr;
  for (Reader& each : FindObject(it->second)->readers) {
    if (each.key == reader) return &each;
  }
  return nullptr;
}

}  // namespace packice
