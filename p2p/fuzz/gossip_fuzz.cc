// Whatever comes as an envelope: decoded, given to a membership, and asked of a directory.
#include <google/protobuf/stubs/logging.h>

#include <memory>
#include <string>

#include "gossip_codec.h"
#include "gossip_directory.h"
#include "membership.h"
#include "packice/core/clock.h"

namespace packice {
namespace {

// Checks what goes out, and drops it.
class Nowhere final : public MembershipNetwork, public MembershipObserver {
 public:
  void Send(const std::string&, MembershipMessage message) override {
    gossip::v1::Message encoded;
    Encode(message, encoded);
    if (encoded.ByteSizeLong() > WireBytes(message)) __builtin_trap();
  }
  void OnMember(MemberChange, const StatementRef& member) override {
    if (!member->Valid()) __builtin_trap();
  }
  void OnBroadcast(absl::string_view) override {}
};

void Run(const std::string& bytes) {
  gossip::v1::Envelope envelope;
  if (!envelope.ParseFromString(bytes)) return;

  Nowhere nowhere;
  MembershipOptions options;
  options.address = "self";
  options.max_members = 64;
  Instant now = absl::Seconds(1);
  Membership membership(options, nowhere, nowhere, now);
  for (const gossip::v1::Message& message : envelope.messages()) {
    const auto decoded = Decode(message);
    if (!decoded) continue;
    membership.OnMessage(now, envelope.from(), *decoded);
    now += absl::Milliseconds(300);
    membership.Tick(now);
  }
  for (int i = 0; i < 20; ++i) membership.Tick(now += absl::Seconds(2));
  if (membership.members().size() > 64 * 2 + 2) __builtin_trap();

  GossipDirectoryOptions directory_options;
  directory_options.gossip_address = "self";
  const auto ask = [&](const std::string&, gossip::v1::Envelope, absl::Duration,
                       Done<absl::StatusOr<gossip::v1::Envelope>> done) {
    std::move(done)(envelope);
  };
  GossipDirectory directory(directory_options, {ask, [](std::string) {}, [] {}});
  Holding own;
  own.object_id = *ObjectId::Parse("a");
  own.digest = ContentDigest(HashKind::kXxh3, "0123456789abcdef");
  directory.Announce(own);
  MemberMetadata metadata;
  metadata.transfer_address = "other:1";
  metadata.filter_version = UINT64_MAX;
  directory.OnMember(MemberChange::kJoined, StatementRef::Make("other", 1, metadata));
  const auto watch = directory.WatchPrefix("a", [](const DirectoryChange&) {});
  directory.OnBroadcast(bytes);
  static_cast<void>(directory.Answer(envelope));
  LocateRequest request;
  request.object_id = own.object_id;
  directory.Locate(request, [](absl::StatusOr<Location> location) {
    if (location.ok() && location->digest.empty()) __builtin_trap();  // it holds it itself
  });
  directory.List("", "", 10, [](absl::StatusOr<std::vector<ObjectId>>) {});
  directory.Work();
}

}  // namespace
}  // namespace packice

// Protobuf tells of each string that is none: here that is every other input.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  packice::Run(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
