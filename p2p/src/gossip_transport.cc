#include "gossip_transport.h"

#include <grpcpp/grpcpp.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "grpc_credentials.h"
#include "packice/core/error.h"

namespace packice {
namespace {

using gossip::v1::Envelope;
using gossip::v1::Gossip;

// A member that comes back is to be reached within a probe.
constexpr int kReconnectMs = 500;

absl::StatusOr<Envelope> Answer(const grpc::Status& status, Envelope envelope) {
  if (status.ok()) return envelope;
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  return MakeError(KindOf(absl::Status(code, "")), status.error_message());
}

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(InfoOf(KindOf(status)).grpc),
                      std::string(status.message()));
}

}  // namespace

class GossipTransport::Service final : public Gossip::CallbackService {
 public:
  Service(GossipTransport& transport, Handler handler)
      : transport_(transport), handler_(std::move(handler)) {}

  grpc::ServerUnaryReactor* Exchange(grpc::CallbackServerContext* context, const Envelope* request,
                                     Envelope* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(Handle(*context, *request, *response));
    return reactor;
  }

 private:
  grpc::Status Handle(const grpc::CallbackServerContext& context, const Envelope& request,
                      Envelope& response) {
    if (const std::string& token = transport_.options_.token; !token.empty()) {
      const auto& metadata = context.client_metadata();
      const auto sent = metadata.find(kTokenKey);
      if (sent == metadata.end() ||
          !TokenMatches(absl::string_view(sent->second.data(), sent->second.size()), token)) {
        return ToGrpc(MakeError(ErrorKind::kPermissionDenied, "gossip wants the fleet's token"));
      }
    }
    absl::StatusOr<Envelope> answer = handler_(request);
    if (!answer.ok()) return ToGrpc(answer.status());
    response = *std::move(answer);
    transport_.Count(response.ByteSizeLong(), request.ByteSizeLong());
    return grpc::Status::OK;
  }

  GossipTransport& transport_;
  const Handler handler_;
};

// A call under way.
struct GossipTransport::Exchange {
  grpc::ClientContext context;
  Envelope request;
  Envelope response;
  std::shared_ptr<Stub> stub;
  Done<absl::StatusOr<Envelope>> done;
  std::list<Exchange*>::iterator place;
};

absl::StatusOr<std::unique_ptr<GossipTransport>> GossipTransport::Start(
    GossipTransportOptions options, Handler handler) {
  if (absl::Status checked =
          CheckListen(options.listen, options.insecure, options.token, options.tls);
      !checked.ok()) {
    return checked;
  }
  auto server_credentials = ServerCredentialsOf(options.tls);
  if (!server_credentials.ok()) return server_credentials.status();
  auto channel_credentials = ChannelCredentialsOf(options.tls);
  if (!channel_credentials.ok()) return channel_credentials.status();

  std::unique_ptr<GossipTransport> transport(new GossipTransport(std::move(options)));
  const std::string& listen = transport->options_.listen;
  transport->credentials_ = *std::move(channel_credentials);
  transport->service_ = std::make_unique<Service>(*transport, std::move(handler));
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(listen, *server_credentials, &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.RegisterService(transport->service_.get());
  transport->server_ = builder.BuildAndStart();
  if (transport->server_ == nullptr || port == 0) {
    return MakeError(ErrorKind::kBusy,
                     absl::StrCat("cannot listen on ", listen, " for gossip: it is taken"));
  }
  transport->address_ = absl::StrCat(listen.substr(0, listen.rfind(':')), ":", port);
  return transport;
}

GossipTransport::GossipTransport(GossipTransportOptions options) : options_(std::move(options)) {}

GossipTransport::~GossipTransport() { ShutDown(); }

void GossipTransport::Call(const std::string& address, Envelope envelope, absl::Duration timeout,
                           Done<absl::StatusOr<Envelope>> done) {
  auto exchange = std::make_unique<Exchange>();
  exchange->request = std::move(envelope);
  exchange->done = std::move(done);
  exchange->context.set_deadline(std::chrono::system_clock::now() +
                                 absl::ToChronoMicroseconds(timeout));
  if (!options_.token.empty()) {
    exchange->context.AddMetadata(kTokenKey, TokenValue(options_.token));
  }
  bool shut_down = false;
  {
    MutexLock lock(mutex_);
    shut_down = shut_down_;
    if (!shut_down) {
      sent_bytes_ += exchange->request.ByteSizeLong();
      exchange->stub = StubOf(address);
      exchange->place = exchanges_.insert(exchanges_.end(), exchange.get());
      ++under_way_;
    }
  }
  if (shut_down) {
    std::move(exchange->done)(MakeError(ErrorKind::kUnavailable, "this member shuts down"));
    return;
  }
  const std::shared_ptr<Stub> stub = exchange->stub;
  Exchange* call = exchange.release();  // End deletes it, perhaps before the next line is done
  stub->async()->Exchange(&call->context, &call->request, &call->response,
                          [this, call](const grpc::Status& status) {
                            Count(0, call->response.ByteSizeLong());
                            std::move(call->done)(Answer(status, std::move(call->response)));
                            End(call);
                          });
}

void GossipTransport::End(Exchange* exchange) {
  {
    MutexLock lock(mutex_);
    exchanges_.erase(exchange->place);
  }
  // Before the end is known: it holds a channel, and who drops a channel last waits for gRPC's
  // threads, of which this is one.
  delete exchange;
  // Under the lock: once it is free, ShutDown may have returned and the transport be gone.
  MutexLock lock(mutex_);
  if (--under_way_ == 0) idle_.NotifyAll();
}

void GossipTransport::ShutDown() {
  {
    MutexLock lock(mutex_);
    shut_down_ = true;
    for (Exchange* exchange : exchanges_) exchange->context.TryCancel();
    while (under_way_ > 0) idle_.Wait(mutex_);
  }
  if (server_ != nullptr) {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }
}

std::shared_ptr<GossipTransport::Stub> GossipTransport::StubOf(const std::string& address) {
  const auto found = by_address_.find(address);
  if (found != by_address_.end()) {
    channels_.splice(channels_.begin(), channels_, found->second);
    return found->second->second;
  }
  if (channels_.size() == kMaxChannels) {
    by_address_.erase(channels_.back().first);
    channels_.pop_back();
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs / 5);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  std::shared_ptr<Stub> stub =
      Gossip::NewStub(grpc::CreateCustomChannel(address, credentials_, arguments));
  channels_.emplace_front(address, stub);
  by_address_[address] = channels_.begin();
  return stub;
}

void GossipTransport::Count(size_t sent, size_t received) {
  MutexLock lock(mutex_);
  sent_bytes_ += sent;
  received_bytes_ += received;
}

uint64_t GossipTransport::sent_bytes() const {
  MutexLock lock(mutex_);
  return sent_bytes_;
}

uint64_t GossipTransport::received_bytes() const {
  MutexLock lock(mutex_);
  return received_bytes_;
}

}  // namespace packice
