// What a member tells others: gossip, digests, probes.
#include <algorithm>
#include <cmath>
#include <utility>

#include "membership.h"

namespace packice {
namespace {

constexpr size_t kSeedsAtOnce = 3;

}  // namespace

void Membership::Send(const std::string& address, MembershipMessage message) {
  const MemberTable::Index index = members_.Find(address);
  if (index != MemberTable::kNone && members_[index].state != MemberState::kAlive) {
    // Whoever is suspected hears of it first, and can refute it at once.
    message.updates.push_back(
        MemberUpdate{members_[index].statement, members_[index].state, self_hash_});
  }
  const size_t bytes = WireBytes(message);
  if (bytes < options_.max_message_bytes) {
    queue_.Fill(message, options_.max_message_bytes - bytes, RetransmitLimit());
  }
  network_.Send(address, std::move(message));
}

void Membership::AddSelf(MembershipMessage& message) const {
  if (!leaving_) message.updates.push_back(MemberUpdate{self_, MemberState::kAlive});
}

void Membership::SendDigest(const std::string& address) {
  DigestMessage digest;
  digest.sums = DigestSums(members_, self_, DigestBuckets(fleet_size()));
  MembershipMessage message(std::move(digest));
  AddSelf(message);
  Send(address, std::move(message));
}

void Membership::AskLater(const std::string& address) {
  next_gossip_ = std::max(next_gossip_, now_);
  ask_next_ = address;
}

void Membership::Tell(const MemberUpdate& update, UpdateQueue::Lane lane) {
  next_gossip_ = std::max(next_gossip_, now_);
  queue_.Put(update, lane);
}

void Membership::Gossip() {
  if (!ask_next_.empty()) {
    SendDigest(std::exchange(ask_next_, ""));
    next_gossip_ = now_ + options_.gossip_interval;
  }
  if (queue_.empty() || alone()) return;
  next_gossip_ = now_ + options_.gossip_interval;
  const auto present = [](const MemberRecord& record) { return record.present(); };
  for (MemberTable::Index index : members_.Sample(options_.gossip_fanout, present)) {
    if (queue_.empty()) break;
    const std::string address = members_[index].statement->address();
    Send(address, MembershipMessage());
  }
}

void Membership::AskSeeds() {
  next_join_ = now_ + join_backoff_ * (0.5 + random_.Unit());
  join_backoff_ = std::min(2 * join_backoff_, options_.exchange_interval);
  random_.Shuffle(seeds_);
  for (size_t i = 0; i < std::min(kSeedsAtOnce, seeds_.size()); ++i) SendDigest(seeds_[i]);
}

void Membership::Exchange() {
  next_exchange_ = now_ + options_.exchange_interval * (0.75 + 0.5 * random_.Unit());
  ForgetDead();
  const auto alive = [](const MemberRecord& record) { return record.state == MemberState::kAlive; };
  for (MemberTable::Index index : members_.Sample(1, alive)) {
    SendDigest(std::string(members_[index].statement->address()));
  }
}

void Membership::SeekLost() {
  next_seek_ = now_ + options_.exchange_interval * (0.75 + 0.5 * random_.Unit());
  // The dead, and seeds that have not been heard of: partitions heal from both sides, and a fleet
  // that was started anew finds together.
  std::vector<std::string> lost;
  const auto dead = [](const MemberRecord& record) { return record.state == MemberState::kDead; };
  for (MemberTable::Index index : members_.Sample(1, dead)) {
    lost.push_back(members_[index].statement->address());
  }
  for (const std::string& seed : seeds_) {
    const MemberTable::Index index = members_.Find(seed);
    if (index == MemberTable::kNone || !members_[index].present()) lost.push_back(seed);
  }
  if (!lost.empty()) SendDigest(lost[random_.Below(lost.size())]);
}

void Membership::PublishMetadata() {
  if (metadata_ == self_->metadata() || metadata_allowed_ > now_) return;
  metadata_allowed_ = now_ + MetadataInterval();
  Restate(self_->incarnation() + 1, metadata_, UpdateQueue::Lane::kMetadata);
}

uint32_t Membership::RetransmitLimit() const {
  const double members = static_cast<double>(fleet_size());
  return options_.retransmit_factor * static_cast<uint32_t>(std::ceil(std::log10(members + 1)));
}

absl::Duration Membership::MetadataInterval() const {
  return std::max(options_.metadata_interval,
                  options_.metadata_interval_per_member * static_cast<int64_t>(fleet_size()));
}

// What the prober needs.

void Membership::Ping(const std::string& address, PingMessage ping) {
  Send(address, MembershipMessage(std::move(ping)));
}

void Membership::AskToPing(const std::string& helper, PingRequestMessage request) {
  Send(helper, MembershipMessage(std::move(request)));
}

void Membership::Acknowledge(const std::string& address, AckMessage ack) {
  Send(address, MembershipMessage(ack));
}

void Membership::Refuse(const std::string& address, NackMessage nack) {
  Send(address, MembershipMessage(nack));
}

StatementRef Membership::NextTarget() {
  const MemberTable::Index index = members_.NextInTurn();
  return index == MemberTable::kNone ? StatementRef() : members_[index].statement;
}

std::vector<std::string> Membership::Helpers(const MemberStatement& target, size_t count) {
  const auto other = [&](const MemberRecord& record) {
    return record.state == MemberState::kAlive &&
           record.statement->address_hash() != target.address_hash();
  };
  std::vector<std::string> helpers;
  for (MemberTable::Index index : members_.Sample(count, other)) {
    helpers.push_back(members_[index].statement->address());
  }
  return helpers;
}

void Membership::OnProbeFailed(const StatementRef& target) {
  const MemberTable::Index index = members_.Find(target->address());
  if (index == MemberTable::kNone || !members_[index].present()) return;
  Apply(MemberUpdate{members_[index].statement, MemberState::kSuspect, self_hash_});
}

}  // namespace packice
