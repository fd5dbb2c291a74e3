// The holders that one fetch reads from: finds out who there is, opens channels to as many as do
// good, and sorts out those that are busy, gone, broken or lie.
//
// Of one fetch; thread-compatible.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine_context.h"
#include "holder_list.h"
#include "link_pool.h"
#include "packice/p2p/directory.h"
#include "source.h"

namespace packice {

class SourceSet {
 public:
  // Told of what comes from the sources. May drop any of them.
  class Reader {
   public:
    virtual ~Reader() = default;
    // What to open a channel with, but for its number.
    virtual OpenFrame OpenRequest() const = 0;
    // These two: false where the protocol is broken.
    virtual bool OnOpened(Source& source, const OpenedFrame& opened) = 0;
    virtual bool OnHave(Source& source, const HaveFrame& have) = 0;
    virtual void OnPieceBegins(Source& source, uint32_t piece) = 0;
    virtual void OnPiece(Source& source, uint32_t piece, TransferEngine::PieceResult result) = 0;
    // It is no longer in the set; whoever owed something owes it no more.
    virtual void OnGone(Source& source) = 0;
  };

  // All outlive the set.
  SourceSet(EngineContext& context, LinkPool& pool, Reader& reader, const ObjectId& object_id);

  // How many sources there may be, opening ones among them.
  void SetLimit(size_t limit) { limit_ = limit; }

  void Learn(const std::string& address, bool near);
  void Learn(const std::vector<std::string>& addresses);
  // Opens channels to whom there is to try.
  void Seek();
  void Tick(Instant now);
  void CloseAll();

  // Leaves a source.
  void Ban(Source& source, absl::string_view why);
  void LeaveSlow(Source& source);

  const std::vector<std::unique_ptr<Source>>& sources() const { return sources_; }
  size_t open() const;
  bool ever_open() const { return ever_open_; }
  size_t bans() const { return bans_; }
  HolderList& holders() { return holders_; }
  const HolderList& holders() const { return holders_; }

  // From Source.
  bool OnFrame(Source& source, const Frame& frame);
  void OnPieceBegins(Source& source, uint32_t piece) {
    source.since = context_.Now();
    reader_.OnPieceBegins(source, piece);
  }
  void OnPiece(Source& source, uint32_t piece, TransferEngine::PieceResult result);
  void OnLost(Source& source);

 private:
  void Open(const std::string& address);
  bool OnOpened(Source& source, const OpenedFrame& opened);
  void OnRefused(Source& source, const RefusedFrame& refused);
  void Remove(Source& source, bool close);

  EngineContext& context_;
  LinkPool& pool_;
  Reader& reader_;
  const ObjectId object_id_;
  HolderList holders_;
  std::vector<std::unique_ptr<Source>> sources_;
  size_t limit_;
  size_t bans_ = 0;
  bool ever_open_ = false;
};

}  // namespace packice
