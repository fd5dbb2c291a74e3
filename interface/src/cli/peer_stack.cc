#include "cli/peer_stack.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/variant.h"
#include "cli/room.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/token.h"
#include "packice/client.h"
#include "packice/core/error.h"
#include "packice/peers/file_system_peer.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/uds_server.h"
#include "sdk/node_peer.h"

namespace packice::cli {
namespace {

using Kind = TierSpec::Kind;

// "hot", then "cold/hot" and so on; the coldest is "cold", or "cold/cold" under two others.
std::string TierName(size_t index, size_t count) {
  std::string name;
  const size_t depth = std::min(index, count - 2);
  for (size_t i = 0; i < depth; ++i) name += "cold/";
  return name + (index + 1 < count ? "hot" : "cold");
}

absl::StatusOr<std::string> Describe(const TierSpec& tier, absl::string_view noun) {
  if (tier.kind == Kind::kRemote) return absl::StrCat("node ", tier.target.address);
  const absl::StatusOr<Room> room = RoomOf(tier);
  if (!room.ok()) return room.status();
  return absl::StrCat(tier.kind == Kind::kMemory ? "mem" : "fs", noun, " of ",
                      SizeText(room->bytes), room->reason);
}

absl::Status MakeDirectoryOf(const std::string& file) {
  const std::filesystem::path directory = std::filesystem::path(file).parent_path();
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (!error) return absl::OkStatus();
  return ErrnoError(error.value(), absl::StrCat("cannot make the directory ", directory.string(),
                                                ", which remembers discards"));
}

TieredPeerOptions OptionsOf(const TierSpec& tier) {
  TieredPeerOptions options;
  options.write_policy = tier.moves.write_policy;
  options.flush_after = tier.moves.flush_after;
  options.high_water = tier.moves.high_water;
  options.low_water = tier.moves.low_water;
  options.moves = tier.moves.moves;
  options.promote_hits = tier.moves.promote_hits;
  options.promote_window = tier.moves.promote_window;
  options.promote_max = tier.moves.promote_max;
  options.discard_log = tier.discard_log;
  return options;
}

}  // namespace

absl::StatusOr<std::string> DescribeTiers(const std::vector<TierSpec>& tiers) {
  const size_t count = tiers.size();
  std::string description = count == 1 ? "a " : "a tiered node: ";
  for (size_t i = 0; i < count; ++i) {
    if (count > 1) absl::StrAppend(&description, i == 0 ? "" : "; ", TierName(i, count), ": ");
    const absl::StatusOr<std::string> text = Describe(tiers[i], count == 1 ? " node" : "");
    if (!text.ok()) return text.status();
    absl::StrAppend(&description, *text);
  }
  return description;
}

PeerStack::~PeerStack() = default;

absl::StatusOr<std::unique_ptr<PeerStack>> PeerStack::Open(const std::vector<TierSpec>& tiers,
                                                           EventSink& sink, Log log) {
  std::unique_ptr<PeerStack> stack(new PeerStack(std::move(log)));
  if (absl::Status status = stack->Build(tiers, sink); !status.ok()) return status;
  return stack;
}

absl::Status PeerStack::Build(const std::vector<TierSpec>& tiers, EventSink& sink) {
  const size_t count = tiers.size();
  // around[i] is told what happens in tier i and colder; of the tiers, the sinks name only their
  // own step: "cold" around "hot" makes "cold/hot".
  std::vector<EventSink*> around = {&sink};
  const auto named = [&](absl::string_view name, EventSink& outer) -> EventSink& {
    // Reads from cold are told by whoever sends them there: a remote tier could not.
    return *sinks_.emplace_back(std::make_unique<TierEvents>(name, outer, name != "cold"));
  };
  for (size_t i = 1; i + 1 < count; ++i) around.push_back(&named("cold", *around.back()));

  for (size_t i = count; i-- > 0;) {
    const bool coldest = i + 1 == count;
    EventSink& own = count == 1 ? sink
                     : coldest  ? named("cold", *around[i - 1])
                                : named("hot", *around[i]);
    absl::StatusOr<std::unique_ptr<Peer>> tier = OpenTier(tiers[i], i == 0, own);
    if (!tier.ok()) {
      return count == 1
                 ? tier.status()
                 : Annotate(tier.status(), absl::StrCat("the ", TierName(i, count), " tier"));
    }
    if (coldest) {
      peer_ = *std::move(tier);
      continue;
    }
    absl::Status status = Join(tiers[i], TierName(i, count), *std::move(tier), *around[i]);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Peer>> PeerStack::OpenTier(const TierSpec& tier, bool hottest,
                                                          EventSink& sink) {
  if (tier.kind == Kind::kRemote) return OpenRemote(tier);
  const absl::StatusOr<Room> room = RoomOf(tier);
  if (!room.ok()) return room.status();
  if (tier.kind == Kind::kMemory) {
    LocalPeerOptions options;
    options.capacity = room->bytes;
    options.eviction = tier.eviction;
    options.events = &sink;
    options.log = log_;
    options.describe_session = UdsServer::Describe;
    return OpenMemory(tier, hottest, std::move(options));
  }
  FileSystemPeerOptions options;
  options.directory = tier.data;
  options.capacity = room->bytes;
  options.eviction = tier.eviction;
  options.verify_reads = tier.verify_reads;
  options.events = &sink;
  options.log = log_;
  options.describe_session = UdsServer::Describe;
  return FileSystemPeer::Open(std::move(options));
}

std::unique_ptr<Peer> PeerStack::OpenMemory(const TierSpec& tier, bool hottest,
                                            LocalPeerOptions options) {
  if (hottest) {
    absl::StatusOr<std::unique_ptr<NodeReads>> reads = NodeReads::Create();
    if (reads.ok()) {
      reads_ = *std::move(reads);
      options.index = &reads_->objects();
    } else {
      log_(absl::StrCat("clients cannot read without messages: ", reads.status().message()));
    }
  }
  std::unique_ptr<LocalPeer> peer = MakeMemoryPeer(std::move(options), tier.memory);
  if (hottest && reads_ != nullptr) reads_->CountAt(*peer);
  return peer;
}

absl::StatusOr<std::unique_ptr<Peer>> PeerStack::OpenRemote(const TierSpec& tier) {
  ConnectOptions options;
  options.ca_file = tier.target.ca_file;
  if (!tier.target.token_file.empty()) {
    absl::StatusOr<std::string> token = ReadToken(tier.target.token_file);
    if (!token.ok()) return token.status();
    options.token = *std::move(token);
  }
  absl::StatusOr<sdk::NodePeer> peer = sdk::ConnectToNode(tier.target.address, options);
  if (!peer.ok()) {
    return Annotate(peer.status(), absl::StrCat("start the node at ", tier.target.address,
                                                " first, so that it can be the cold tier"));
  }
  return absl::visit([](auto& remote) { return std::unique_ptr<Peer>(std::move(remote)); }, *peer);
}

absl::Status PeerStack::Join(const TierSpec& tier, const std::string& name,
                             std::unique_ptr<Peer> hot, EventSink& sink) {
  if (tier.discard_log.empty()) {
    log_(absl::StrCat("what is discarded in the ", name,
                      " tier while the next colder one is out of reach is forgotten when this "
                      "process ends, and may come back; --data DIR gives a place to remember it"));
  } else if (absl::Status made = MakeDirectoryOf(tier.discard_log); !made.ok()) {
    return made;
  }
  TieredPeerOptions options = OptionsOf(tier);
  options.events = &sink;
  options.log = log_;
  auto joined = TieredPeer::Open(std::move(hot), std::move(peer_), std::move(options));
  if (!joined.ok()) return joined.status();
  boundaries_.push_back({joined->get(), name, tier.kind == Kind::kFiles});
  peer_ = *std::move(joined);
  return absl::OkStatus();
}

absl::Status PeerStack::Flush(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  absl::Status lost;
  for (auto it = boundaries_.rbegin(); it != boundaries_.rend(); ++it) {
    const absl::Status status =
        it->peer->Flush(std::max(deadline - absl::Now(), absl::ZeroDuration()));
    if (status.ok()) continue;
    log_(absl::StrCat("the ", it->hotter, " tier was not flushed",
                      it->durable ? "; its files keep what the colder one does not have: " : ": ",
                      status.message()));
    if (!it->durable) lost.Update(status);
  }
  return lost;
}

}  // namespace packice::cli
