// What Readers serve: objects that are being fetched, and objects borrowed of this node.
#include <algorithm>
#include <utility>

#include "packice/core/error.h"
#include "readers.h"

namespace packice {
namespace {

// Single pieces of news wait so long for others.
constexpr absl::Duration kNewsInterval = absl::Milliseconds(5);

}  // namespace

void Readers::Expect(const ObjectId& object_id) {
  if (ServedObject* const old = FindObject(object_id)) Detach(*old);
  AddObject(object_id, ServedObject::State::kExpected);
}

void Readers::Publish(const ObjectId& object_id, const ContentDigest& digest,
                      std::shared_ptr<PieceStore> store) {
  ServedObject* const served = FindObject(object_id);
  served->state = ServedObject::State::kDownloading;
  SetStore(*served, digest, std::move(store));
}

void Readers::Verified(const ObjectId& object_id, uint32_t piece) {
  ServedObject& served = *FindObject(object_id);
  for (ReaderChannel* reader : served.readers) {
    if (!reader->open) continue;
    if (!reader->address.empty() && fetches_.Has(object_id, reader->address, piece)) continue;
    reader->news.push_back(piece);
    served.news = true;
  }
  if (!served.news) return;
  const Instant due = served.told_at + kNewsInterval;
  if (due <= context_->Now()) {
    TellNews(served);
  } else {
    context_->WakeBy(due);
  }
}

void Readers::TellNews(ServedObject& served) {
  served.news = false;
  served.told_at = context_->Now();
  for (ReaderChannel* reader : served.readers) {
    if (reader->news.empty()) continue;
    context_->network.Send(reader->link,
                           HaveFrame{reader->channel, std::exchange(reader->news, {})});
  }
}

void Readers::Complete(const ObjectId& object_id) {
  ServedObject* const served = FindObject(object_id);
  if (served == nullptr) return;
  if (served->store == nullptr) {
    // It came from elsewhere: from the origin, or somebody here made it.
    served->state = ServedObject::State::kBorrowing;
    if (!served->readers.empty()) return Borrow(*served);
  } else {
    served->state = ServedObject::State::kWhole;
    if (served->news) TellNews(*served);
    for (ReaderChannel* reader : served->readers) reader->last_asked = context_->Now();
  }
  EndIfUnread(served->key);
}

void Readers::Withdraw(const ObjectId& object_id) {
  if (ServedObject* const served = FindObject(object_id)) {
    EndObject(*served, RefusalReason::kNotHeld);
  }
}

ServedObject* Readers::FindObject(const ObjectId& object_id) {
  const auto it = by_object_.find(object_id);
  return it == by_object_.end() ? nullptr : served_[it->second].get();
}

ServedObject& Readers::AddObject(const ObjectId& object_id, ServedObject::State state) {
  auto served = std::make_unique<ServedObject>();
  served->key = next_key_++;
  served->object_id = object_id;
  served->state = state;
  by_object_[object_id] = served->key;
  return *(served_[served->key] = std::move(served));
}

void Readers::SetStore(ServedObject& served, const ContentDigest& digest,
                       std::shared_ptr<PieceStore> store) {
  served.digest = digest;
  served.store = std::move(store);
  queue_.AddObject(served.key, served.store->manifest()->pieces());
  const uint64_t key = served.key;
  const std::vector<ReaderChannel*> waiting = served.readers;
  for (ReaderChannel* reader : waiting) Answer(*reader);
  EndIfUnread(key);
  Pump();
}

void Readers::Borrow(ServedObject& served) {
  served.state = ServedObject::State::kBorrowing;
  context_->objects.Borrow(served.object_id,
                           [weak = std::weak_ptr<EngineContext>(context_), this,
                            key = served.key](absl::StatusOr<std::shared_ptr<PieceStore>> store) {
                             const std::shared_ptr<EngineContext> context = weak.lock();
                             if (context == nullptr) return;
                             const CallScope scope(context);
                             OnBorrowed(key, std::move(store));
                           });
}

void Readers::OnBorrowed(uint64_t key, absl::StatusOr<std::shared_ptr<PieceStore>> store) {
  const auto it = served_.find(key);
  if (it == served_.end()) return;
  ServedObject& served = *it->second;
  if (!store.ok()) {
    const ErrorKind kind = KindOf(store.status());
    const bool failing = kind == ErrorKind::kIo || kind == ErrorKind::kCorrupt;
    return EndObject(served, failing ? RefusalReason::kFailing : RefusalReason::kNotHeld);
  }
  served.state = ServedObject::State::kWhole;
  const ContentDigest digest = (*store)->manifest()->Digest();
  SetStore(served, digest, *std::move(store));
}

void Readers::Detach(ServedObject& served) {
  const auto it = by_object_.find(served.object_id);
  if (it != by_object_.end() && it->second == served.key) by_object_.erase(it);
}

void Readers::EndObject(ServedObject& served, RefusalReason reason) {
  Detach(served);
  const uint64_t key = served.key;
  const std::vector<ReaderChannel*> readers = served.readers;
  for (ReaderChannel* reader : readers) {
    if (reader->open) {
      context_->network.Send(reader->link, CloseFrame{reader->channel});
      RemoveReader(*reader);
    } else {
      RefuseReader(*reader, reason);
    }
  }
  // The last reader took it along, unless there was none, or it is being fetched.
  if (served_.count(key) == 0) return;
  queue_.RemoveObject(key);
  served_.erase(key);
}

void Readers::EndIfUnread(uint64_t key) {
  const auto it = served_.find(key);
  if (it == served_.end() || !it->second->readers.empty()) return;
  ServedObject& served = *it->second;
  const auto named = by_object_.find(served.object_id);
  const bool current = named != by_object_.end() && named->second == key;
  const bool fetched = served.state == ServedObject::State::kExpected ||
                       served.state == ServedObject::State::kDownloading;
  if (current && fetched) return;
  Detach(served);
  queue_.RemoveObject(key);
  served_.erase(it);
}

}  // namespace packice
