// An object that others read here, and the channels that read it. Plain state, kept by Readers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "packice/core/clock.h"
#include "packice/core/object_id.h"
#include "packice/p2p/content_digest.h"
#include "packice/p2p/piece_store.h"
#include "packice/p2p/transfer_engine.h"
#include "random_stream.h"
#include "rate_meter.h"

namespace packice {

struct ReaderChannel {
  uint64_t key;
  uint64_t served;  // key of the object
  LinkId link;
  uint32_t channel;
  std::string address;  // where the reader serves; may be empty
  ContentDigest digest;
  bool want_manifest = true;
  uint32_t eager_bytes = 0;

  bool open = false;           // OPENED was sent
  std::vector<uint32_t> news;  // for the next HAVE
  Instant last_asked = absl::ZeroDuration();
  uint64_t bytes = 0;  // sent
  RateMeter rate;
};

struct ServedObject {
  enum class State {
    kBorrowing,    // of the local objects
    kExpected,     // a fetch has begun, and has nowhere to put pieces yet
    kDownloading,  // what is verified is served
    kWhole,
  };

  static constexpr uint64_t kAskers = 64;
  static constexpr uint64_t kMemory = 4096;

  // For others to turn to: any of the last kMemory that asked is as likely to be remembered as any
  // other. If it were the very last, a crowd that comes at once would be a chain of neighbours, and
  // a piece would go along it step by step.
  void NoteAsker(const std::string& address, RandomStream& random);

  uint64_t key;
  ObjectId object_id;
  State state;
  std::shared_ptr<PieceStore> store;
  ContentDigest digest;
  std::vector<ReaderChannel*> readers;
  std::vector<std::string> askers;
  uint64_t asked = 0;
  Instant told_at = absl::ZeroDuration();  // the last HAVE
  bool news = false;                       // there is some to tell
};

}  // namespace packice
