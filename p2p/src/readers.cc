#include "readers.h"

#include <algorithm>
#include <utility>

#include "frame_channel.h"
#include "packice/core/error.h"

namespace packice {
namespace {

constexpr absl::Duration kRetryAfter = absl::Seconds(1);
constexpr absl::Duration kBeat = absl::Seconds(1);
constexpr size_t kMaxAlternatives = 12;
constexpr size_t kMaxAddress = 255;

}  // namespace

void ServedObject::NoteAsker(const std::string& address, RandomStream& random) {
  if (address.empty() || std::find(askers.begin(), askers.end(), address) != askers.end()) return;
  ++asked;
  if (askers.size() < kAskers) {
    askers.push_back(address);
  } else if (random.Below(std::min(asked, kMemory)) < kAskers) {
    askers[random.Below(kAskers)] = address;
  }
}

Readers::Readers(std::shared_ptr<EngineContext> context, Fetches& fetches)
    : context_(std::move(context)), fetches_(fetches), queue_(context_->random) {}

void Readers::OnAccepted(LinkId link, const std::string& peer) { links_[link] = Link{peer, {}}; }

void Readers::OnDown(LinkId link) {
  const auto it = links_.find(link);
  if (it == links_.end()) return;
  const std::map<uint32_t, uint64_t> channels = std::move(it->second.readers);
  links_.erase(it);
  uplink_.Drop(link, context_->Now());
  for (const auto& [channel, key] : channels) RemoveReader(*readers_[key]);
  Pump();
}

void Readers::OnFrame(LinkId link, const Frame& frame) {
  bool good = false;
  if (const auto* request = absl::get_if<RequestFrame>(&frame)) {
    good = OnRequest(link, *request);
  } else if (const auto* cancel = absl::get_if<CancelFrame>(&frame)) {
    good = OnCancel(link, *cancel);
  } else if (const auto* open = absl::get_if<OpenFrame>(&frame)) {
    good = OnOpen(link, *open);
  } else if (const auto* close = absl::get_if<CloseFrame>(&frame)) {
    OnClose(link, close->channel);
    good = true;
  } else if (const auto* discard = absl::get_if<DiscardFrame>(&frame)) {
    good = OnDiscard(link, *discard);
  }
  if (good) return;
  context_->network.HangUp(link);
  OnDown(link);
}

bool Readers::OnOpen(LinkId link, const OpenFrame& open) {
  Link& from = links_[link];
  if (open.channel == 0 || from.readers.count(open.channel) != 0) return false;
  if (open.object_id.empty() || open.digest.empty()) return false;
  if (open.reader_address.size() > kMaxAddress) return false;
  ServedObject* served = FindObject(open.object_id);
  if (context_->shutting_down) {
    Refuse(link, open.channel, RefusalReason::kShuttingDown, served, open.reader_address);
    return true;
  }
  const bool busy = Busy(served);
  if (busy) Refuse(link, open.channel, RefusalReason::kBusy, served, open.reader_address);
  if (served != nullptr) served->NoteAsker(open.reader_address, context_->random);
  if (!open.reader_address.empty()) fetches_.OnReader(open.object_id, open.reader_address);
  if (busy) return true;

  const bool borrow = served == nullptr;
  if (borrow) served = &AddObject(open.object_id, ServedObject::State::kBorrowing);
  auto reader = std::make_unique<ReaderChannel>();
  reader->key = next_key_++;
  reader->served = served->key;
  reader->link = link;
  reader->channel = open.channel;
  reader->address = open.reader_address;
  reader->digest = open.digest;
  reader->want_manifest = open.want_manifest;
  reader->eager_bytes = open.eager_bytes;
  from.readers[open.channel] = reader->key;
  served->readers.push_back(reader.get());
  ReaderChannel& added = *(readers_[reader->key] = std::move(reader));
  if (borrow) {
    served->NoteAsker(open.reader_address, context_->random);
    Borrow(*served);
  } else if (served->store != nullptr) {
    Answer(added);
    Pump();
  }
  return true;
}

void Readers::Answer(ReaderChannel& reader) {
  ServedObject& served = *served_[reader.served];
  if (served.digest != reader.digest) return RefuseReader(reader, RefusalReason::kOtherContent);
  const Manifest& manifest = *served.store->manifest();
  const uint32_t pieces = manifest.pieces();
  OpenedFrame opened;
  opened.channel = reader.channel;
  if (reader.want_manifest) opened.manifest = manifest.Encode();
  const bool whole = served.store->pieces_held() == pieces;
  if (!whole) {
    opened.held.resize(pieces);
    for (uint32_t piece = 0; piece < pieces; ++piece) {
      opened.held[piece] = served.store->Held(piece);
    }
  }
  opened.alternatives = Alternatives(&served, reader.address);
  context_->network.Send(reader.link, std::move(opened));
  reader.open = true;
  reader.last_asked = context_->Now();
  context_->WakeBy(reader.last_asked + kBeat);
  ++context_->counters.opens_served;
  queue_.AddReader(served.key, reader.key);
  if (whole && reader.eager_bytes > 0 && manifest.size() <= reader.eager_bytes) {
    for (uint32_t piece = 0; piece < pieces; ++piece) queue_.Push(reader.key, piece);
  }
}

bool Readers::OnRequest(LinkId link, const RequestFrame& request) {
  ReaderChannel* const reader = FindReader(link, request.channel);
  if (reader == nullptr) return true;  // it may have been closed here meanwhile
  if (!reader->open) return false;
  const PieceStore& store = *served_[reader->served]->store;
  const uint32_t pieces = store.manifest()->pieces();
  reader->last_asked = context_->Now();
  for (uint32_t piece : request.pieces) {
    if (piece >= pieces || !store.Held(piece)) return false;
    if (!queue_.Push(reader->key, piece)) return false;
  }
  Pump();
  return true;
}

bool Readers::OnCancel(LinkId link, const CancelFrame& cancel) {
  ReaderChannel* const reader = FindReader(link, cancel.channel);
  if (reader == nullptr) return true;
  if (!reader->open) return false;
  for (uint32_t piece : cancel.pieces) queue_.Cancel(reader->key, piece);
  return true;
}

void Readers::OnClose(LinkId link, uint32_t channel) {
  if (ReaderChannel* const reader = FindReader(link, channel)) RemoveReader(*reader);
}

bool Readers::OnDiscard(LinkId link, const DiscardFrame& discard) {
  if (discard.object_id.empty()) return false;
  context_->objects.Discard(discard.object_id,
                            [weak = std::weak_ptr<EngineContext>(context_), this, link,
                             channel = discard.channel](absl::Status result) {
                              const std::shared_ptr<EngineContext> context = weak.lock();
                              if (context == nullptr) return;
                              const CallScope scope(context);
                              if (!Owns(link)) return;
                              DiscardedFrame discarded;
                              discarded.channel = channel;
                              discarded.ok = result.ok();
                              if (!result.ok()) discarded.kind = KindOf(result);
                              context_->network.Send(link, discarded);
                            });
  return true;
}

void Readers::OnPieceSent(LinkId link, uint32_t channel, uint32_t piece) {
  const Instant now = context_->Now();
  const uint64_t bytes = uplink_.End(link, channel, piece, now);
  context_->counters.sent_bytes += bytes;
  if (ReaderChannel* const reader = FindReader(link, channel)) {
    reader->bytes += bytes;
    reader->rate.Add(static_cast<double>(bytes), now);
  }
  Pump();
}

void Readers::Pump() {
  const Instant now = context_->Now();
  while (queue_.size() > 0) {
    if (!uplink_.HasRoom(now)) return context_->WakeBy(uplink_.RoomBy(now));
    if (!context_->up.Ready(now)) return context_->WakeBy(context_->up.ReadyAt(now));
    // Who does not take what is sent to him has few places only, or soon nobody would get anything.
    const absl::optional<UploadQueue::Choice> choice =
        queue_.Next([&](uint64_t reader) { return uplink_.SendsMost(readers_[reader]->link); });
    if (!choice) return;
    ReaderChannel& reader = *readers_[choice->reader];
    const std::shared_ptr<PieceStore>& store = served_[reader.served]->store;
    const uint64_t bytes = store->manifest()->PieceBytes(choice->piece);
    uplink_.Begin({reader.link, reader.channel, choice->piece, bytes, now});
    context_->up.Take(bytes, now);
    context_->network.SendPiece(reader.link, reader.channel, choice->piece, store);
  }
}

void Readers::Tick(Instant now) {
  std::vector<ReaderChannel*> idle;
  for (const auto& [key, served] : served_) {
    if (served->news) TellNews(*served);
    if (served->state != ServedObject::State::kWhole) continue;
    for (ReaderChannel* reader : served->readers) {
      const bool asks =
          queue_.Waiting(reader->key) > 0 || uplink_.Sends(reader->link, reader->channel);
      if (asks) reader->last_asked = now;
      if (reader->open && now - reader->last_asked >= context_->options.idle_link) {
        idle.push_back(reader);
      }
    }
  }
  for (ReaderChannel* reader : idle) {
    context_->network.Send(reader->link, CloseFrame{reader->channel});
    RemoveReader(*reader);
  }
  if (!readers_.empty()) context_->WakeBy(now + kBeat);
  Pump();
}

void Readers::ShutDown() {
  std::vector<ReaderChannel*> waiting;  // with the last of them its object goes
  for (const auto& [key, served] : served_) {
    for (ReaderChannel* reader : served->readers) {
      if (!reader->open) waiting.push_back(reader);
    }
  }
  for (ReaderChannel* reader : waiting) RefuseReader(*reader, RefusalReason::kShuttingDown);
}

bool Readers::Busy(const ServedObject* served) const {
  if (readers_.size() >= context_->options.max_readers) return true;
  return served != nullptr && served->readers.size() >= context_->options.max_readers_per_object;
}

ReaderChannel* Readers::FindReader(LinkId link, uint32_t channel) {
  const auto it = links_.find(link);
  if (it == links_.end()) return nullptr;
  const auto reader = it->second.readers.find(channel);
  return reader == it->second.readers.end() ? nullptr : readers_[reader->second].get();
}

void Readers::Refuse(LinkId link, uint32_t channel, RefusalReason reason,
                     const ServedObject* served, const std::string& reader_address) {
  ++context_->counters.opens_refused;
  RefusedFrame refused;
  refused.channel = channel;
  refused.reason = reason;
  if (reason == RefusalReason::kBusy) refused.retry_after = kRetryAfter;
  refused.alternatives = Alternatives(served, reader_address);
  context_->network.Send(link, std::move(refused));
}

void Readers::RefuseReader(ReaderChannel& reader, RefusalReason reason) {
  Refuse(reader.link, reader.channel, reason, served_[reader.served].get(), reader.address);
  RemoveReader(reader);
}

void Readers::RemoveReader(ReaderChannel& reader) {
  const uint64_t served_key = reader.served;
  std::vector<ReaderChannel*>& readers = served_[served_key]->readers;
  readers.erase(std::find(readers.begin(), readers.end(), &reader));
  queue_.RemoveReader(reader.key);
  const auto link = links_.find(reader.link);
  if (link != links_.end()) link->second.readers.erase(reader.channel);
  readers_.erase(reader.key);
  EndIfUnread(served_key);
}

std::vector<std::string> Readers::Alternatives(const ServedObject* served,
                                               const std::string& reader) {
  if (served == nullptr) return {};
  std::vector<std::string> all = served->askers;
  fetches_.AddHolders(served->object_id, all);
  all.erase(std::remove(all.begin(), all.end(), reader), all.end());
  context_->random.Shuffle(all);
  if (all.size() > kMaxAlternatives) all.resize(kMaxAlternatives);
  return all;
}

void Readers::AddTransfers(const absl::optional<ObjectId>& object_id,
                           std::vector<TransferInfo>& transfers) const {
  for (const auto& [key, reader] : readers_) {
    const ServedObject& served = *served_.at(reader->served);
    if (!reader->open || (object_id && served.object_id != *object_id)) continue;
    TransferInfo info;
    info.object_id = served.object_id;
    const auto link = links_.find(reader->link);
    info.peer =
        reader->address.empty() && link != links_.end() ? link->second.peer : reader->address;
    info.upload = true;
    info.bytes = reader->bytes;
    info.rate = reader->rate.Rate(context_->Now());
    info.in_flight = static_cast<uint32_t>(queue_.Waiting(key));
    transfers.push_back(std::move(info));
  }
}

}  // namespace packice
