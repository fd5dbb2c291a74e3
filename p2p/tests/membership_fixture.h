// One member, the messages that it is given, and what it sends and tells.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "membership.h"

namespace packice {

struct Sent {
  std::string to;
  MembershipMessage message;
};

class World final : public MembershipNetwork, public MembershipObserver {
 public:
  void Send(const std::string& address, MembershipMessage message) override {
    largest = std::max(largest, WireBytes(message));
    sent.push_back({address, std::move(message)});
  }
  void OnMember(MemberChange change, const StatementRef& member) override {
    changes.push_back({change, member->address()});
  }
  void OnBroadcast(absl::string_view payload) override { broadcasts.emplace_back(payload); }

  // The messages with such a body that were sent since the last call.
  template <typename Body>
  std::vector<Sent> Take() {
    std::vector<Sent> taken;
    for (Sent& each : sent) {
      if (absl::holds_alternative<Body>(each.message.body)) taken.push_back(each);
    }
    sent.clear();
    return taken;
  }
  bool Changed(MemberChange change, const std::string& address) const {
    const std::pair<MemberChange, std::string> wanted(change, address);
    return std::find(changes.begin(), changes.end(), wanted) != changes.end();
  }

  std::vector<Sent> sent;
  std::vector<std::pair<MemberChange, std::string>> changes;
  std::vector<std::string> broadcasts;
  size_t largest = 0;
};

class MembershipTest : public testing::Test {
 protected:
  static MembershipOptions Options() {
    MembershipOptions options;
    options.address = "self";
    options.incarnation = 100;
    options.suspicion.patience = absl::ZeroDuration();
    return options;
  }

  void SetUp() override { Begin(Options()); }
  void Begin(const MembershipOptions& options) {
    membership_ = std::make_unique<Membership>(options, world_, world_, now_);
  }

  static MemberUpdate Update(const std::string& address, MemberState state,
                             uint64_t incarnation = 1, const std::string& accuser = "") {
    MemberMetadata metadata;
    metadata.transfer_address = address;
    return MemberUpdate{StatementRef::Make(address, incarnation, metadata), state,
                        accuser.empty() ? 0 : AddressHash(accuser)};
  }
  void Hear(const std::vector<MemberUpdate>& updates, const std::string& from = "a") {
    MembershipMessage message;
    message.updates = updates;
    membership_->OnMessage(now_, from, message);
  }
  void Alive(const std::vector<std::string>& addresses) {
    for (const std::string& address : addresses) Hear({Update(address, MemberState::kAlive)});
  }
  template <typename Body>
  void Receive(const std::string& from, Body body) {
    MembershipMessage message;
    message.body = std::move(body);
    membership_->OnMessage(now_, from, message);
  }
  // Lets time pass as the member wants to be woken.
  void Pass(absl::Duration time) {
    const Instant end = now_ + time;
    while (membership_->NextTick() <= end) {
      now_ = std::max(now_, membership_->NextTick());
      membership_->Tick(now_);
    }
    now_ = end;
  }
  MemberState StateOf(const std::string& address) const {
    const MemberTable::Index index = membership_->members().Find(address);
    EXPECT_NE(index, MemberTable::kNone) << address;
    return membership_->members()[index].state;
  }
  bool Knows(const std::string& address) const {
    return membership_->members().Find(address) != MemberTable::kNone;
  }
  // Passes until somebody is pinged, and says who.
  Sent NextPing() {
    for (int i = 0; i < 1000; ++i) {
      const auto pings = world_.Take<PingMessage>();
      if (!pings.empty()) return pings.front();
      Pass(absl::Milliseconds(10));
    }
    ADD_FAILURE() << "nobody is pinged";
    return Sent();
  }
  static uint64_t SequenceOf(const Sent& ping) {
    return absl::get<PingMessage>(ping.message.body).sequence;
  }

  World world_;
  Instant now_ = absl::Hours(1);
  std::unique_ptr<Membership> membership_;
};

}  // namespace packice
