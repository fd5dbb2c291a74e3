// Whom this node serves: the channels that others opened here, what they may have, and in which
// order it goes out.
//
// An object that is just being fetched is served as far as it is verified; one that is here is
// borrowed for as long as somebody reads it. Channels that were opened here and those that this
// node opened elsewhere know nothing of each other's limits.
//
// Of one engine; thread-compatible.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engine_context.h"
#include "served_object.h"
#include "uplink.h"
#include "upload_queue.h"

namespace packice {

class Readers {
 public:
  // What the fetches know.
  class Fetches {
   public:
    virtual ~Fetches() = default;
    // A node reads an object here, and will have it.
    virtual void OnReader(const ObjectId& object_id, const std::string& address) = 0;
    // Adds holders of an object that is being fetched.
    virtual void AddHolders(const ObjectId& object_id, std::vector<std::string>& addresses) = 0;
    // Whether that node said that it has the piece.
    virtual bool Has(const ObjectId& object_id, const std::string& address, uint32_t piece) = 0;
  };

  Readers(std::shared_ptr<EngineContext> context, Fetches& fetches);

  // Links that others dialled.
  void OnAccepted(LinkId link, const std::string& peer);
  bool Owns(LinkId link) const { return links_.contains(link); }
  void OnDown(LinkId link);
  void OnFrame(LinkId link, const Frame& frame);
  void OnPieceSent(LinkId link, uint32_t channel, uint32_t piece);

  // The life of an object that is fetched: opened channels wait, read what is verified, read it
  // all; or it has failed.
  void Expect(const ObjectId& object_id);
  void Publish(const ObjectId& object_id, const ContentDigest& digest,
               std::shared_ptr<PieceStore> store);
  void Verified(const ObjectId& object_id, uint32_t piece);
  void Complete(const ObjectId& object_id);
  void Withdraw(const ObjectId& object_id);

  void Tick(Instant now);
  // Refuses those who wait.
  void ShutDown();
  bool Drained() const { return queue_.size() == 0 && uplink_.sending() == 0; }
  double Load(Instant now) const { return uplink_.Load(now); }
  void AddTransfers(const absl::optional<ObjectId>& object_id,
                    std::vector<TransferInfo>& transfers) const;

 private:
  struct Link {
    std::string peer;
    std::map<uint32_t, uint64_t> readers;  // by channel
  };

  // Each: false where the protocol is broken.
  bool OnOpen(LinkId link, const OpenFrame& open);
  bool OnRequest(LinkId link, const RequestFrame& request);
  bool OnCancel(LinkId link, const CancelFrame& cancel);
  bool OnDiscard(LinkId link, const DiscardFrame& discard);
  void OnClose(LinkId link, uint32_t channel);

  ServedObject* FindObject(const ObjectId& object_id);
  ServedObject& AddObject(const ObjectId& object_id, ServedObject::State state);
  void SetStore(ServedObject& served, const ContentDigest& digest,
                std::shared_ptr<PieceStore> store);
  void Borrow(ServedObject& served);
  void OnBorrowed(uint64_t served, absl::StatusOr<std::shared_ptr<PieceStore>> store);
  // Of an id that means something else from now on; who reads it goes on.
  void Detach(ServedObject& served);
  void EndObject(ServedObject& served, RefusalReason reason);
  void EndIfUnread(uint64_t served);

  bool Busy(const ServedObject* served) const;
  ReaderChannel* FindReader(LinkId link, uint32_t channel);
  void Answer(ReaderChannel& reader);
  void Refuse(LinkId link, uint32_t channel, RefusalReason reason, const ServedObject* served,
              const std::string& reader_address);
  void RefuseReader(ReaderChannel& reader, RefusalReason reason);
  void RemoveReader(ReaderChannel& reader);
  std::vector<std::string> Alternatives(const ServedObject* served, const std::string& reader);
  void TellNews(ServedObject& served);
  // Sends what there is room for.
  void Pump();

  const std::shared_ptr<EngineContext> context_;
  Fetches& fetches_;
  uint64_t next_key_ = 1;
  absl::flat_hash_map<LinkId, Link> links_;
  std::map<uint64_t, std::unique_ptr<ReaderChannel>> readers_;
  std::map<uint64_t, std::unique_ptr<ServedObject>> served_;
  absl::flat_hash_map<ObjectId, uint64_t> by_object_;
  UploadQueue queue_;
  Uplink uplink_;
};

}  // namespace packice
