// A table of a tracker under test, the members that announce to it and the time that passes.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "packice/core/testing/status_matchers.h"
#include "packice/p2p/content_digest.h"
#include "tracker_table.h"

namespace packice {

using tracker::v1::AnnounceRequest;
using tracker::v1::AnnounceResponse;
using tracker::v1::LocateResponse;
using tracker::v1::ReportRequest;

inline std::string Digest(char fill) {
  return ContentDigest(HashKind::kXxh3, std::string(16, fill)).Encode();
}

// A node as the table hears of it, that counts its messages itself.
class Member {
 public:
  Member(TrackerTable& table, std::string address, std::string zone = "east", uint64_t epoch = 1)
      : table_(table), address_(std::move(address)), zone_(std::move(zone)), epoch_(epoch) {}

  Member& Holds(absl::string_view id, char content = 'c', uint32_t held = 4, int64_t sealed = 100) {
    tracker::v1::Holding& holding = *next_.add_holdings();
    holding.set_object_id(std::string(id));
    holding.set_digest(Digest(content));
    holding.set_size(4000);
    holding.set_pieces(4);
    holding.set_pieces_held(held);
    holding.set_sealed_at_ms(sealed);
    return *this;
  }
  Member& For(absl::Duration ttl) {
    next_.mutable_holdings()->rbegin()->set_ttl_ms(
        static_cast<uint64_t>(absl::ToInt64Milliseconds(ttl)));
    return *this;
  }
  Member& LetsGo(absl::string_view id) {
    next_.add_withdrawn(std::string(id));
    return *this;
  }
  Member& Load(float load) {
    load_ = load;
    return *this;
  }
  Member& Begin() {
    next_.set_full_begin(true);
    return *this;
  }
  Member& End() {
    next_.set_full_end(true);
    return *this;
  }
  Member& Skip(uint64_t messages) {
    sequence_ += messages;
    return *this;
  }
  AnnounceResponse Say(Instant now) {
    last_ = std::exchange(next_, {});
    last_.mutable_node()->set_address(address_);
    last_.mutable_node()->set_zone(zone_);
    last_.mutable_node()->set_load(load_);
    last_.mutable_node()->set_epoch(epoch_);
    last_.set_sequence(++sequence_);
    return SayAgain(now);
  }
  AnnounceResponse SayAgain(Instant now) {
    auto response = table_.Announce(last_, now);
    EXPECT_THAT(response, IsOk());
    return response.value_or(AnnounceResponse());
  }
  void Leave(Instant now) {
    tracker::v1::WithdrawRequest request;
    request.set_address(address_);
    request.set_epoch(epoch_);
    request.set_node(true);
    EXPECT_THAT(table_.Withdraw(request, now), IsOk());
  }
  void Reports(absl::string_view id, const std::string& holder, ReportRequest::Fault fault,
               Instant now) {
    ReportRequest request;
    request.set_object_id(std::string(id));
    request.set_holder(holder);
    request.set_fault(fault);
    request.set_address(address_);
    EXPECT_THAT(table_.Report(request, now), IsOk());
  }
  const std::string& address() const { return address_; }

 private:
  TrackerTable& table_;
  const std::string address_;
  const std::string zone_;
  const uint64_t epoch_;
  uint64_t sequence_ = 0;
  float load_ = 0;
  AnnounceRequest next_;
  AnnounceRequest last_;
};

class TrackerTableTest : public testing::Test {
 protected:
  static constexpr absl::Duration kInterval = absl::Seconds(15);

  static TrackerTableOptions Options() {
    TrackerTableOptions options;
    options.interval = kInterval;
    return options;
  }
  tracker::v1::LocateRequest Request(absl::string_view id) const {
    tracker::v1::LocateRequest request;
    request.set_object_id(std::string(id));
    request.set_zone("east");
    request.set_address("asker:1");
    return request;
  }
  LocateResponse Locate(const tracker::v1::LocateRequest& request) {
    auto response = table_.Locate(request, now_);
    EXPECT_THAT(response, IsOk());
    return response.value_or(LocateResponse());
  }
  std::vector<std::string> Holders(const tracker::v1::LocateRequest& request) {
    std::vector<std::string> addresses;
    const LocateResponse response = Locate(request);
    for (const auto& holder : response.holders()) addresses.push_back(holder.address());
    return addresses;
  }
  std::vector<std::string> Holders(absl::string_view id) { return Holders(Request(id)); }
  bool LetToOrigin(const std::string& address, absl::string_view id = "a") {
    tracker::v1::LocateRequest request = Request(id);
    request.set_address(address);
    request.set_has_origin(true);
    const LocateResponse response = Locate(request);
    EXPECT_NE(response.has_origin_grant_ms(), response.has_retry_after_ms());
    return response.has_origin_grant_ms();
  }
  void SweepAll() {
    while (table_.Sweep(now_, 1000)) {
    }
  }

  Instant now_ = absl::Hours(1);
  TrackerTable table_{Options()};
  Member x_{table_, "x:1"};
  Member y_{table_, "y:1"};
  Member z_{table_, "z:1", "west"};
};

}  // namespace packice
