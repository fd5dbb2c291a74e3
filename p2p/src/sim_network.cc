#include "sim_network.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "sim_node.h"
#include "sim_tracker.h"

namespace packice {
namespace {

constexpr int64_t kUnreachableAfter = 1'000'000'000;  // nanoseconds

absl::Status Down(absl::string_view why) { return MakeError(ErrorKind::kUnavailable, why); }

int64_t TimeOf(uint64_t bytes, double rate) {
  return static_cast<int64_t>(std::ceil(static_cast<double>(bytes) / rate * 1e9));
}

}  // namespace

LinkId SimNetwork::Dial(SimNode& from, const std::string& address) {
  const uint64_t id = links_.size();
  links_.push_back(std::make_unique<Link>());
  Link& link = *links_.back();
  const uint32_t to = SimNodeAt(address);
  link.ends[0] = &from;
  link.ends[1] = to < nodes_.size() ? nodes_[to] : nullptr;
  const bool lost = link.ends[1] == nullptr || world_.Cut(from.index(), to);
  if (lost) {
    link.alive[1] = false;
    world_.queue.After(kUnreachableAfter, [this, id] { End(id, 0, Down("no answer")); });
    return LinkId{id};
  }
  world_.queue.After(world_.Latency(), [this, id] {
    Link* const at = links_[id].get();
    if (at == nullptr || !at->alive[1]) return;
    const bool heard = at->alive[0] && at->ends[1]->running();
    if (heard) {
      at->counted = true;
      max_up_ = std::max(max_up_, ++up_);
      at->ends[1]->Tell(
          [&](TransferEngine& engine) { engine.OnAccepted(LinkId{id}, at->ends[0]->address()); });
    } else {
      at->alive[1] = false;
    }
    world_.queue.After(world_.Latency(), [this, id, heard] {
      if (!heard) return End(id, 0, Down("refused"));
      Link* const up = links_[id].get();
      if (up == nullptr || !up->alive[0]) return;
      up->ends[0]->Tell([&](TransferEngine& engine) { engine.OnLinkUp(LinkId{id}); });
    });
  });
  return LinkId{id};
}

void SimNetwork::Send(SimNode& from, LinkId id, Frame frame) {
  const auto number = static_cast<uint64_t>(id);
  Link* const link = links_[number].get();
  if (link == nullptr) return;
  const int end = EndOf(*link, from);
  if (!link->alive[end]) return;
  CheckFrame(*link, from, frame);
  int64_t leaves = world_.queue.nanoseconds();
  if (end == 1) leaves = std::max(leaves, link->clear_at);  // not before pieces that went ahead
  world_.queue.At(leaves + world_.Latency(), [this, number, end, frame = std::move(frame)] {
    Deliver(number, 1 - end, frame);
  });
}

void SimNetwork::Deliver(uint64_t id, int end, const Frame& frame) {
  Link* const link = links_[id].get();
  if (link == nullptr || !link->alive[end]) return;
  link->ends[end]->Tell([&](TransferEngine& engine) { engine.OnFrame(LinkId{id}, frame); });
}

void SimNetwork::HangUp(SimNode& from, LinkId id) {
  const auto number = static_cast<uint64_t>(id);
  Link* const link = links_[number].get();
  if (link == nullptr) return;
  const int end = EndOf(*link, from);
  if (!link->alive[end]) return;
  link->alive[end] = false;
  Uncount(*link);
  if (!link->alive[1 - end]) {
    links_[number].reset();
    return;
  }
  world_.queue.After(world_.Latency(),
                     [this, number, end] { End(number, 1 - end, Down("hung up")); });
}

void SimNetwork::SendPiece(SimNode& from, LinkId id, uint32_t channel, uint32_t piece) {
  const auto number = static_cast<uint64_t>(id);
  Link* const link = links_[number].get();
  if (link == nullptr || !link->alive[1]) return;
  const uint64_t bytes = world_.manifest->PieceBytes(piece);
  const int64_t begin = std::max(world_.queue.nanoseconds(), from.up_free);
  const int64_t end = begin + TimeOf(bytes, from.up_rate());
  from.up_free = end;
  link->clear_at = std::max(link->clear_at, end);
  world_.queue.At(end, [this, number, channel, piece] {
    Link* const at = links_[number].get();
    if (at == nullptr || !at->alive[1]) return;
    at->ends[1]->Tell(
        [&](TransferEngine& engine) { engine.OnPieceSent(LinkId{number}, channel, piece); });
  });
  if (from.role() == SimNode::Role::kSilent) return;
  const bool wrong = from.role() == SimNode::Role::kWrongBytes;
  world_.queue.At(begin + world_.Latency(),
                  [this, number, channel, piece, wrong, last = end + world_.Latency()] {
                    Arrive(number, channel, piece, wrong, last);
                  });
}

// The first byte of a piece is at its reader's downlink; the last comes at `last_byte` at best.
void SimNetwork::Arrive(uint64_t id, uint32_t channel, uint32_t piece, bool wrong,
                        int64_t last_byte) {
  Link* const link = links_[id].get();
  if (link == nullptr || !link->alive[0] || !link->alive[1]) return;
  SimNode& reader = *link->ends[0];
  link->heard = world_.queue.Now();
  if (ChannelOf(*link, channel).store != nullptr) {
    reader.Tell([&](TransferEngine& engine) { engine.OnPieceBegins(LinkId{id}, channel, piece); });
    if (links_[id] == nullptr || !link->alive[0]) return;
  }
  const int64_t takes = TimeOf(world_.manifest->PieceBytes(piece), reader.down_rate());
  reader.down_free = std::max(reader.down_free, world_.queue.nanoseconds()) + takes;
  world_.queue.At(std::max(reader.down_free, last_byte),
                  [this, id, channel, piece, wrong] { Land(id, channel, piece, wrong); });
}

void SimNetwork::Land(uint64_t id, uint32_t number, uint32_t piece, bool wrong) {
  using Result = TransferEngine::PieceResult;
  Link* const link = links_[id].get();
  if (link == nullptr || !link->alive[0]) return;
  Channel& channel = ChannelOf(*link, number);
  if (channel.store == nullptr) {
    channel.early.push_back(piece);
    return;
  }
  const auto asked = std::find(channel.asked.begin(), channel.asked.end(), piece);
  if (asked != channel.asked.end()) channel.asked.erase(asked);
  Result result = Result::kUnwanted;
  PieceSet& held = static_cast<SimStore&>(*channel.store).held();
  if (!held.Has(piece)) {
    result = wrong ? Result::kCorrupt : Result::kVerified;
    if (!wrong) held.Insert(piece);
  }
  world_.Trace(3, link->ends[0]->index(), piece);
  link->ends[0]->Tell(
      [&](TransferEngine& engine) { engine.OnPiece(LinkId{id}, number, piece, result); });
}

Instant SimNetwork::Heard(LinkId id) const {
  const Link* const link = links_[static_cast<uint64_t>(id)].get();
  return link == nullptr ? absl::ZeroDuration() : link->heard;
}

void SimNetwork::ReceiveInto(SimNode&, LinkId id, uint32_t number,
                             std::shared_ptr<PieceStore> store) {
  Link* const link = links_[static_cast<uint64_t>(id)].get();
  if (link == nullptr || !link->alive[0]) return;
  Channel& channel = ChannelOf(*link, number);
  channel.store = std::move(store);
  for (uint32_t piece : std::exchange(channel.early, {})) {
    const bool wrong = link->ends[1]->role() == SimNode::Role::kWrongBytes;
    world_.queue.After(0, [this, id, number, piece, wrong] {
      Land(static_cast<uint64_t>(id), number, piece, wrong);
    });
  }
}

void SimNetwork::CheckTold(const SimNode& from, const Frame& frame) {
  if (from.role() != SimNode::Role::kHonest) return;
  std::vector<uint32_t> told;
  if (const auto* have = absl::get_if<HaveFrame>(&frame)) told = have->pieces;
  if (const auto* opened = absl::get_if<OpenedFrame>(&frame)) {
    for (uint32_t piece = 0; piece < opened->held.size(); ++piece) {
      if (opened->held[piece]) told.push_back(piece);
    }
  }
  for (uint32_t piece : told) {
    if (from.Verified(piece)) continue;
    world_.Violation(absl::StrCat(from.address(), " tells of what it has not verified"));
  }
}

void SimNetwork::CheckFrame(Link& link, SimNode& from, const Frame& frame) {
  CheckTold(from, frame);
  if (const auto* request = absl::get_if<RequestFrame>(&frame)) {
    std::vector<uint32_t>& asked = ChannelOf(link, request->channel).asked;
    asked.insert(asked.end(), request->pieces.begin(), request->pieces.end());
    const uint64_t most = world_.options.transfer.max_in_flight / world_.manifest->piece_size;
    if (asked.size() > std::max<uint64_t>(1, most)) {
      world_.Violation(absl::StrCat(from.address(), " asks one holder for too much"));
    }
  } else if (const auto* cancel = absl::get_if<CancelFrame>(&frame)) {
    std::vector<uint32_t>& asked = ChannelOf(link, cancel->channel).asked;
    for (uint32_t piece : cancel->pieces) {
      asked.erase(std::remove(asked.begin(), asked.end(), piece), asked.end());
    }
  } else if (const auto* close = absl::get_if<CloseFrame>(&frame)) {
    // Either end's word is enough for the reader's side to forget the channel.
    link.channels.erase(
        std::remove_if(link.channels.begin(), link.channels.end(),
                       [&](const Channel& channel) { return channel.number == close->channel; }),
        link.channels.end());
  }
}

SimNetwork::Channel& SimNetwork::ChannelOf(Link& link, uint32_t number) {
  for (Channel& channel : link.channels) {
    if (channel.number == number) return channel;
  }
  link.channels.push_back({number, nullptr, {}, {}});
  return link.channels.back();
}

void SimNetwork::DropAll(const SimNode& node) {
  for (uint64_t id = 0; id < links_.size(); ++id) {
    Link* const link = links_[id].get();
    if (link == nullptr || (link->ends[0] != &node && link->ends[1] != &node)) continue;
    HangUp(link->ends[0] == &node ? *link->ends[0] : *link->ends[1], LinkId{id});
  }
}

void SimNetwork::BreakOne() {
  std::vector<uint64_t> up;
  for (uint64_t id = 0; id < links_.size(); ++id) {
    if (links_[id] != nullptr && links_[id]->counted) up.push_back(id);
  }
  if (!up.empty()) Break(up[world_.random.Below(up.size())]);
}

void SimNetwork::BreakCut() {
  for (uint64_t id = 0; id < links_.size(); ++id) {
    Link* const link = links_[id].get();
    if (link == nullptr || link->ends[1] == nullptr) continue;
    if (world_.Cut(link->ends[0]->index(), link->ends[1]->index())) Break(id);
  }
}

void SimNetwork::Break(uint64_t id) {
  for (const int end : {0, 1}) {
    world_.queue.After(world_.Latency(), [this, id, end] { End(id, end, Down("broken")); });
  }
}

void SimNetwork::End(uint64_t id, int end, const absl::Status& why) {
  Link* const link = links_[id].get();
  if (link == nullptr || !link->alive[end]) return;
  link->alive[end] = false;
  Uncount(*link);
  SimNode& node = *link->ends[end];
  if (!link->alive[1 - end]) links_[id].reset();
  node.Tell([&](TransferEngine& engine) { engine.OnLinkDown(LinkId{id}, why); });
}

void SimNetwork::Uncount(Link& link) {
  link.channels.clear();
  if (link.counted) --up_;
  link.counted = false;
}

}  // namespace packice
