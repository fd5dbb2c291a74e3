#include "gossip_codec.h"

#include <utility>

namespace packice {
namespace {

namespace wire = gossip::v1;

constexpr size_t kMaxUpdates = 4096;
constexpr size_t kMaxBroadcasts = 256;
constexpr uint32_t kMaxCovered = 4096;

void Encode(const MemberUpdate& update, wire::Update& out) {
  const MemberMetadata& metadata = update.statement->metadata();
  out.set_state(static_cast<wire::Update::MemberState>(update.state));
  out.set_address(update.statement->address());
  out.set_incarnation(update.statement->incarnation());
  out.set_transfer_address(metadata.transfer_address);
  out.set_zone(metadata.zone);
  out.set_role(metadata.role);
  out.set_load_percent(metadata.load_percent);
  out.set_filter_version(metadata.filter_version);
  out.set_accuser(update.accuser);
}

absl::optional<MemberUpdate> Decode(const wire::Update& update) {
  if (!wire::Update::MemberState_IsValid(update.state()) || update.load_percent() > 100) {
    return absl::nullopt;
  }
  MemberMetadata metadata;
  metadata.transfer_address = update.transfer_address();
  metadata.zone = update.zone();
  metadata.role = update.role();
  metadata.load_percent = static_cast<uint8_t>(update.load_percent());
  metadata.filter_version = update.filter_version();
  MemberUpdate decoded{
      StatementRef::Make(update.address(), update.incarnation(), std::move(metadata)),
      static_cast<MemberState>(update.state()), update.accuser()};
  if (!decoded.statement->Valid()) return absl::nullopt;
  return decoded;
}

// One bad update spoils no others: a newer version may say what this one cannot read.
template <typename Updates>
std::vector<MemberUpdate> DecodeAll(const Updates& updates) {
  std::vector<MemberUpdate> decoded;
  for (const wire::Update& update : updates) {
    if (decoded.size() == kMaxUpdates) break;
    if (auto one = Decode(update)) decoded.push_back(*std::move(one));
  }
  return decoded;
}

struct EncodeBody {
  wire::Message& out;

  void operator()(const GossipMessage&) const {}
  void operator()(const PingMessage& ping) const {
    out.mutable_ping()->set_sequence(ping.sequence);
    out.mutable_ping()->set_target(ping.target);
  }
  void operator()(const AckMessage& ack) const { out.mutable_ack()->set_sequence(ack.sequence); }
  void operator()(const PingRequestMessage& request) const {
    out.mutable_ping_request()->set_sequence(request.sequence);
    out.mutable_ping_request()->set_target(request.target);
  }
  void operator()(const NackMessage& nack) const {
    out.mutable_nack()->set_sequence(nack.sequence);
  }
  void operator()(const DigestMessage& digest) const {
    for (uint64_t sum : digest.sums) out.mutable_digest()->add_sums(sum);
  }
  void operator()(const StateMessage& state) const {
    wire::State& to = *out.mutable_state();
    to.set_buckets(static_cast<uint32_t>(state.covered.size()));
    std::string covered((state.covered.size() + 7) / 8, '\0');
    for (size_t i = 0; i < state.covered.size(); ++i) {
      if (state.covered[i]) covered[i / 8] = static_cast<char>(covered[i / 8] | 1 << (i % 8));
    }
    to.set_covered(std::move(covered));
    for (const MemberUpdate& member : state.members) Encode(member, *to.add_members());
    to.set_wants_answer(state.wants_answer);
    to.set_more(state.more);
  }
};

absl::optional<StateMessage> Decode(const wire::State& state) {
  StateMessage decoded;
  if (state.buckets() > kMaxCovered || state.covered().size() != (state.buckets() + 7) / 8) {
    return absl::nullopt;
  }
  for (uint32_t i = 0; i < state.buckets(); ++i) {
    decoded.covered.push_back((state.covered()[i / 8] >> (i % 8) & 1) != 0);
  }
  decoded.members = DecodeAll(state.members());
  decoded.wants_answer = state.wants_answer();
  decoded.more = state.more();
  return decoded;
}

}  // namespace

void Encode(const MembershipMessage& message, wire::Message& out) {
  absl::visit(EncodeBody{out}, message.body);
  for (const MemberUpdate& update : message.updates) Encode(update, *out.add_updates());
  for (const std::string& broadcast : message.broadcasts) out.add_broadcasts(broadcast);
}

absl::optional<MembershipMessage> Decode(const wire::Message& message) {
  MembershipMessage decoded;
  switch (message.body_case()) {
    case wire::Message::kPing:
      decoded.body = PingMessage{message.ping().sequence(), message.ping().target()};
      break;
    case wire::Message::kAck:
      decoded.body = AckMessage{message.ack().sequence()};
      break;
    case wire::Message::kPingRequest:
      if (message.ping_request().target().size() > MemberStatement::kMaxAddressBytes) {
        return absl::nullopt;
      }
      decoded.body =
          PingRequestMessage{message.ping_request().sequence(), message.ping_request().target()};
      break;
    case wire::Message::kNack:
      decoded.body = NackMessage{message.nack().sequence()};
      break;
    case wire::Message::kDigest: {
      const auto& sums = message.digest().sums();
      if (sums.size() > static_cast<int>(DigestMessage::kMaxBuckets)) return absl::nullopt;
      decoded.body = DigestMessage{{sums.begin(), sums.end()}};
      break;
    }
    case wire::Message::kState: {
      auto state = Decode(message.state());
      if (!state) return absl::nullopt;
      decoded.body = *std::move(state);
      break;
    }
    case wire::Message::BODY_NOT_SET:
      break;
  }
  decoded.updates = DecodeAll(message.updates());
  for (const std::string& broadcast : message.broadcasts()) {
    if (decoded.broadcasts.size() == kMaxBroadcasts) break;
    decoded.broadcasts.push_back(broadcast);
  }
  return decoded;
}

}  // namespace packice
