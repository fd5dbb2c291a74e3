#include "cli/node.h"

#include <glog/logging.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/token.h"

namespace packice::cli {
namespace {

void LogWarning(absl::string_view line) { LOG(WARNING) << line; }

}  // namespace

Node::~Node() = default;

absl::StatusOr<std::unique_ptr<Node>> Node::Start(const ServeArgs& args,
                                                  const std::vector<TierSpec>& tiers,
                                                  EventSink& sink,
                                                  std::shared_ptr<EventRing> events) {
  const absl::StatusOr<std::string> description = DescribeTiers(tiers);
  if (!description.ok()) return description.status();
  LOG(INFO) << "packice " << PACKICE_VERSION << " starts: " << *description;
  const absl::StatusOr<absl::optional<SwarmSpec>> swarm = CompleteSwarm(args.swarm);
  if (!swarm.ok()) return swarm.status();
  std::unique_ptr<Node> node(new Node);
  if (swarm->has_value()) node->changes_ = std::make_unique<ChangeFeed>(sink);
  EventSink& changes = swarm->has_value() ? *node->changes_ : sink;
  absl::StatusOr<std::unique_ptr<PeerStack>> stack = PeerStack::Open(tiers, changes, LogWarning);
  if (!stack.ok()) return stack.status();
  node->stack_ = *std::move(stack);
  node->metrics_ = std::make_shared<NodeMetrics>();
  node->events_ = std::move(events);
  absl::Status status = swarm->has_value() ? node->JoinSwarm(**swarm, sink) : absl::OkStatus();
  if (!status.ok()) return status;
  node->extension_ = node->swarm_ != nullptr ? std::make_unique<SwarmExtension>(*node->swarm_)
                                             : std::make_unique<SwarmExtension>();
  if (status = node->Listen(args); !status.ok()) return status;
  if (node->swarm_ != nullptr) {
    absl::StrAppend(&node->addresses_, " ", node->swarm_->addresses());
  }
  return node;
}

absl::Status Node::JoinSwarm(const SwarmSpec& spec, EventSink& sink) {
  auto swarm = SwarmNode::Start(spec, stack_->TakePeer(), *changes_, sink, LogWarning);
  if (!swarm.ok()) return swarm.status();
  swarm_ = *std::move(swarm);
  return absl::OkStatus();
}

absl::Status Node::Listen(const ServeArgs& args) {
  for (const std::string& transport : args.transports) {
    const bool socket = transport == "uds";
    if (socket ? uds_ != nullptr : http_ != nullptr) continue;  // named twice
    absl::Status status = socket ? ListenOnSocket(args) : ListenOnHttp(args);
    if (!status.ok()) return status;
    const std::string address = socket ? absl::StrCat("unix:", uds_->path()) : http_->url();
    absl::StrAppend(&addresses_, addresses_.empty() ? "" : " ", address);
  }
  return absl::OkStatus();
}

absl::Status Node::ListenOnSocket(const ServeArgs& args) {
  UdsServerOptions options;
  options.path = args.socket;
  options.threads = args.threads;
  options.busy_poll = args.busy_poll;
  options.max_connections = args.max_connections;
  options.version = PACKICE_VERSION;
  options.metrics = metrics_;
  options.events = events_;
  options.extension = extension_.get();
  options.reads = stack_->reads();
  options.log = LogWarning;
  auto server = UdsServer::Start(peer(), options);
  if (!server.ok()) return server.status();
  uds_ = *std::move(server);
  return absl::OkStatus();
}

absl::Status Node::ListenOnHttp(const ServeArgs& args) {
  HttpServerOptions options;
  options.host = args.host;
  options.port = args.port;
  options.insecure = args.insecure;
  if (!args.token_file.empty()) {
    absl::StatusOr<std::string> token = ReadToken(args.token_file);
    if (!token.ok()) return token.status();
    options.token = *std::move(token);
    if (IsOpenToOthers(args.token_file)) {
      LOG(WARNING) << "other users may read the token file " << args.token_file;
    }
  }
  options.tls_cert = args.tls_cert;
  options.tls_key = args.tls_key;
  options.threads = args.threads;
  options.max_connections = args.max_connections;
  options.max_in_flight = args.max_in_flight;
  options.max_header_bytes = args.max_header_bytes;
  options.max_put_bytes = args.max_body;
  options.max_body_bytes = std::min<uint64_t>(args.max_body, options.max_body_bytes);
  options.idle_timeout = args.idle_timeout;
  options.header_timeout = args.header_timeout;
  options.stall_timeout = args.stall_timeout;
  options.version = PACKICE_VERSION;
  options.metrics = metrics_;
  options.events = events_;
  options.extension = extension_.get();
  options.log = LogWarning;
  auto server = HttpServer::Start(peer(), options);
  if (!server.ok()) return server.status();
  http_ = *std::move(server);
  return absl::OkStatus();
}

absl::Status Node::Drain(absl::Duration grace, absl::Duration flush_grace) {
  std::thread http([&] {
    if (http_ != nullptr) http_->Drain(grace);
  });
  if (uds_ != nullptr) uds_->Drain(grace);
  http.join();
  http_.reset();
  uds_.reset();
  if (swarm_ != nullptr) {
    extension_->Stop();
    swarm_->Drain(grace);
  }
  absl::Status flushed;
  if (stack_->tiered()) {
    LOG(INFO) << "flushing, for at most " << absl::FormatDuration(flush_grace);
    flushed = stack_->Flush(flush_grace);
  }
  swarm_.reset();
  stack_.reset();
  return flushed;
}

}  // namespace packice::cli
