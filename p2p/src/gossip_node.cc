#include "packice/p2p/gossip_node.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gossip_member.h"
#include "packice/core/error.h"

namespace packice {

class GossipNode::Impl {
 public:
  explicit Impl(GossipOptions options) : member(std::move(options)) {}

  GossipMember member;
};

absl::StatusOr<std::unique_ptr<GossipNode>> GossipNode::Start(GossipOptions options) {
  if (options.probe_interval <= options.probe_timeout ||
      options.probe_timeout <= absl::ZeroDuration() ||
      options.gossip_interval <= absl::ZeroDuration() ||
      options.exchange_interval <= absl::ZeroDuration()) {
    return MakeError(ErrorKind::kInvalidArgument,
                     "gossip needs intervals over 0, and a probe interval over its timeout");
  }
  auto impl = std::make_unique<Impl>(std::move(options));
  if (absl::Status started = impl->member.Start(); !started.ok()) return started;
  return std::unique_ptr<GossipNode>(new GossipNode(std::move(impl)));
}

GossipNode::GossipNode(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GossipNode::~GossipNode() = default;

const std::string& GossipNode::gossip_address() const { return impl_->member.gossip_address(); }

std::vector<Member> GossipNode::Members() const { return impl_->member.Members(); }

GossipCounters GossipNode::counters() const { return impl_->member.counters(); }

std::string GossipNode::MetricsText() const { return impl_->member.MetricsText(); }

Directory& GossipNode::directory() { return impl_->member.directory(); }

void GossipNode::Leave(absl::Duration patience) { impl_->member.Leave(patience); }

}  // namespace packice
