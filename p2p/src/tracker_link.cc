#include "tracker_link.h"

#include "absl/strings/str_cat.h"
#include "grpc_credentials.h"
#include "grpc_error.h"
#include "packice/core/error.h"

namespace packice {
namespace {

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           std::shared_ptr<grpc::ChannelCredentials> credentials) {
  grpc::ChannelArguments arguments;
  // A tracker that comes back must be told of everything within one interval.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  // Finds out that a tracker's host is gone though no connection was closed.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  // Every directory of a process has its own connection, and does not wait for another's backoff.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

}  // namespace

absl::Status StatusOfCall(const grpc::Status& status, const grpc::ClientContext& context,
                          const std::string& tracker) {
  return FromGrpc(status, context, absl::StrCat("tracker ", tracker));
}

// Reads a stream to its end. Keeps itself alive until gRPC has done with it.
class TrackerLink::Reader final : public Stream,
                                  public grpc::ClientReadReactor<tracker::v1::WatchResponse> {
 public:
  Reader(TrackerLink& link, std::shared_ptr<grpc::ClientContext> context,
         tracker::v1::WatchRequest request, OnRead on_read, OnEnd on_end)
      : link_(link),
        context_(std::move(context)),
        request_(std::move(request)),
        on_read_(std::move(on_read)),
        on_end_(std::move(on_end)) {}

  void Start(std::shared_ptr<Reader> self) {
    self_ = std::move(self);
    {
      MutexLock lock(mutex_);
      link_.stub_->async()->Watch(context_.get(), &request_, this);
    }
    StartRead(&response_);
    StartCall();
  }
  void Cancel() override {
    MutexLock lock(mutex_);
    if (context_ != nullptr) context_->TryCancel();
  }

  void OnReadInitialMetadataDone(bool ok) override {
    if (ok) link_.Heard(absl::OkStatus());
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    on_read_(response_);
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override {
    std::shared_ptr<grpc::ClientContext> context;
    {
      MutexLock lock(mutex_);
      context = std::move(context_);
    }
    const absl::Status told = StatusOfCall(status, *context, link_.address_);
    if (!told.ok()) link_.Heard(told);
    std::move(on_end_)(told);
    TrackerLink& link = link_;
    self_.reset();
    link.Ended(std::move(context));
  }

 private:
  TrackerLink& link_;
  Mutex mutex_;
  std::shared_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mutex_);  // null at the end
  const tracker::v1::WatchRequest request_;
  OnRead on_read_;
  OnEnd on_end_;
  tracker::v1::WatchResponse response_;
  std::shared_ptr<Reader> self_;
};

TrackerLink::TrackerLink(std::string address, std::shared_ptr<grpc::ChannelCredentials> credentials,
                         std::string token, Clock& clock)
    : address_(std::move(address)),
      token_(std::move(token)),
      clock_(clock),
      stub_(tracker::v1::Tracker::NewStub(MakeChannel(address_, std::move(credentials)))) {}

std::shared_ptr<grpc::ClientContext> TrackerLink::Begin(absl::Duration timeout) {
  auto context = std::make_shared<grpc::ClientContext>();
  if (!token_.empty()) context->AddMetadata(kTokenKey, TokenValue(token_));
  if (timeout != absl::InfiniteDuration()) {
    context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  }
  MutexLock lock(mutex_);
  if (closed_) return nullptr;
  ++calls_under_way_;
  calls_.insert(context);
  return context;
}

void TrackerLink::Heard(const absl::Status& status) {
  MutexLock lock(mutex_);
  // A refusal is an answer too.
  const bool answered = status.ok() || KindOf(status) != ErrorKind::kUnavailable;
  state_.reachable = answered;
  state_.failure = status.ok() ? "" : std::string(status.message());
  if (answered) state_.last_answer = clock_.Now();
}

void TrackerLink::Ended(std::shared_ptr<grpc::ClientContext> context) {
  {
    MutexLock lock(mutex_);
    calls_.erase(context);
  }
  // It holds the channel, and who drops a channel last waits for gRPC's threads: this is one.
  context.reset();
  MutexLock lock(mutex_);
  --calls_under_way_;
  ended_.NotifyAll();
}

absl::Status TrackerLink::Closed() const {
  return MakeError(ErrorKind::kUnavailable, "this node no longer asks trackers: it ends");
}

std::shared_ptr<TrackerLink::Stream> TrackerLink::Watch(tracker::v1::WatchRequest request,
                                                        absl::Duration timeout, OnRead on_read,
                                                        OnEnd on_end) {
  auto context = Begin(timeout);
  if (context == nullptr) {
    std::move(on_end)(Closed());
    return nullptr;
  }
  auto reader = std::make_shared<Reader>(*this, std::move(context), std::move(request),
                                         std::move(on_read), std::move(on_end));
  reader->Start(reader);
  return reader;
}

void TrackerLink::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  for (const auto& context : calls_) context->TryCancel();
  while (calls_under_way_ > 0) ended_.Wait(mutex_);
}

TrackerLink::State TrackerLink::state() const {
  MutexLock lock(mutex_);
  return state_;
}

}  // namespace packice
