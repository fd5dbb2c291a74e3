#include "link_pool.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "frame_channel.h"
#include "packice/core/error.h"

namespace packice {

LinkPool::Channel LinkPool::Open(const std::string& address, User& user) {
  const LinkId id = LinkTo(address);
  Link& link = *links_[id];
  const uint32_t number = link.next_channel++;
  link.users[number] = &user;
  link.idle_since = absl::InfiniteDuration();
  return {id, number};
}

void LinkPool::Send(Channel channel, Frame frame) {
  const auto it = links_.find(channel.link);
  if (it == links_.end()) return;
  if (it->second->up) {
    context_.network.Send(channel.link, std::move(frame));
  } else {
    it->second->waiting.push_back(std::move(frame));
  }
}

void LinkPool::Close(Channel channel) {
  const auto it = links_.find(channel.link);
  if (it == links_.end()) return;
  Link& link = *it->second;
  if (link.users.erase(channel.number) == 0) return;
  if (link.up) {
    context_.network.Send(channel.link, CloseFrame{channel.number});
  } else {
    std::vector<Frame>& waiting = link.waiting;
    waiting.erase(
        std::remove_if(waiting.begin(), waiting.end(),
                       [&](const Frame& frame) { return ChannelOf(frame) == channel.number; }),
        waiting.end());
  }
  if (link.users.empty()) {
    link.idle_since = context_.Now();
    context_.WakeBy(link.idle_since + context_.options.idle_link);
  }
}

void LinkPool::OnUp(LinkId id) {
  Link& link = *links_[id];
  link.up = true;
  link.heard = context_.Now();
  for (Frame& frame : std::exchange(link.waiting, {})) context_.network.Send(id, std::move(frame));
}

void LinkPool::OnDown(LinkId id, const absl::Status& why) {
  const auto it = links_.find(id);
  if (it == links_.end()) return;
  Link& link = *it->second;
  link.up = false;
  by_address_.erase(link.address);  // who wants to go there from now on dials anew
  // Whoever is told may close other channels of this link.
  while (!link.users.empty()) {
    const auto first = link.users.begin();
    User* const user = first->second;
    link.users.erase(first);
    user->OnLost(why);
  }
  links_.erase(id);
}

void LinkPool::OnFrame(LinkId id, uint32_t channel, const Frame& frame) {
  const auto it = links_.find(id);
  if (it == links_.end()) return;
  Link& link = *it->second;
  link.heard = context_.Now();
  const auto user = link.users.find(channel);
  if (user != link.users.end()) {
    if (!user->second->OnFrame(frame)) {
      HangUp(id, MakeError(ErrorKind::kUnavailable, "the holder breaks the protocol"));
    }
  } else if (channel == 0 || channel >= link.next_channel) {
    // What comes late for a channel that was closed is no offence; this one never was.
    HangUp(id, MakeError(ErrorKind::kUnavailable, "the holder answers what was not asked"));
  }
}

void LinkPool::OnPieceBegins(LinkId id, uint32_t channel, uint32_t piece) {
  const auto it = links_.find(id);
  if (it == links_.end()) return;
  it->second->heard = context_.Now();
  const auto user = it->second->users.find(channel);
  if (user != it->second->users.end()) user->second->OnPieceBegins(piece);
}

void LinkPool::OnPiece(LinkId id, uint32_t channel, uint32_t piece,
                       TransferEngine::PieceResult result) {
  const auto it = links_.find(id);
  if (it == links_.end()) return;
  it->second->heard = context_.Now();
  const auto user = it->second->users.find(channel);
  if (user != it->second->users.end()) user->second->OnPiece(piece, result);
}

void LinkPool::HangUp(LinkId id, const absl::Status& why) {
  if (!Owns(id)) return;
  context_.network.HangUp(id);
  OnDown(id, why);
}

void LinkPool::HangUpIfSilent(LinkId id, absl::Duration patience) {
  const auto it = links_.find(id);
  if (it == links_.end() || !it->second->up) return;
  if (context_.Now() - it->second->heard < patience) return;
  HangUp(id, MakeError(ErrorKind::kUnavailable, "nothing comes from the holder any more"));
}

void LinkPool::Tick(Instant now) {
  std::vector<LinkId> idle;
  for (const auto& [address, id] : by_address_) {
    const Link& link = *links_[id];
    if (!link.users.empty()) continue;
    const Instant until = link.idle_since + context_.options.idle_link;
    if (until <= now) {
      idle.push_back(id);
    } else {
      context_.WakeBy(until);
    }
  }
  for (LinkId id : idle) HangUp(id, absl::OkStatus());
}

LinkId LinkPool::LinkTo(const std::string& address) {
  const auto known = by_address_.find(address);
  if (known != by_address_.end()) return known->second;
  const LinkId id = context_.network.Dial(address);
  links_[id] = std::make_unique<Link>();
  links_[id]->address = address;
  by_address_[address] = id;
  return id;
}

}  // namespace packice
