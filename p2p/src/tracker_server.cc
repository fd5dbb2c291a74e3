#include "packice/p2p/tracker_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc_credentials.h"
#include "packice/core/error.h"
#include "packice/core/mutex.h"
#include "tracker_metrics.h"
#include "tracker_service.h"

namespace packice {
namespace {

// What clients may send at once. They keep to 1 MiB.
constexpr int kMaxMessage = (1 << 20) + 4096;
constexpr int kMaxCallsOfAConnection = 1000;
constexpr absl::Duration kSweepEvery = absl::Milliseconds(200);

absl::Status CheckOptions(const TrackerOptions& options) {
  if (options.interval < absl::Milliseconds(1) || options.origin_grant <= absl::ZeroDuration()) {
    return MakeError(ErrorKind::kInvalidArgument,
                     "the interval of announces and the time of origin grants must be positive");
  }
  return CheckListen(options.listen, options.insecure, options.token, options.tls);
}

std::string WithPort(const std::string& listen, int port) {
  return absl::StrCat(listen.substr(0, listen.rfind(':')), ":", port);
}

}  // namespace

class TrackerServer::Impl {
 public:
  explicit Impl(const TrackerOptions& options) : log_(options.log), service_(options) {
    // For the whole process: every server has the health service, which says SERVING until Drain.
    grpc::EnableDefaultHealthCheckService(true);
    static const bool reflection = [] {
      grpc::reflection::InitProtoReflectionServerBuilderPlugin();
      return true;
    }();
    static_cast<void>(reflection);
  }

  ~Impl() { Drain(absl::ZeroDuration()); }

  absl::Status Listen(const TrackerOptions& options) {
    auto credentials = ServerCredentialsOf(options.tls);
    if (!credentials.ok()) return credentials.status();
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(options.listen, *credentials, &port);
    builder.RegisterService(&service_);
    builder.SetMaxReceiveMessageSize(kMaxMessage);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxCallsOfAConnection);
    // Otherwise two trackers could listen at one address, each with half of the connections.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return MakeError(ErrorKind::kBusy,
                       absl::StrCat("cannot listen on ", options.listen,
                                    ": another process does, or it is no address of this host"));
    }
    address_ = WithPort(options.listen, port);
    sweeper_ = std::thread([this] { RunSweeper(); });
    log_(absl::StrCat("tracker listens on ", address_));
    return absl::OkStatus();
  }

  void Drain(absl::Duration grace) {
    {
      MutexLock lock(mutex_);
      if (std::exchange(stopping_, true)) return;
      wake_.NotifyAll();
    }
    if (sweeper_.joinable()) sweeper_.join();
    if (server_ == nullptr) return;
    if (auto* health = server_->GetHealthCheckService()) health->SetServingStatus(false);
    service_.EndWatches();
    server_->Shutdown(absl::ToChronoTime(absl::Now() + grace));
    server_->Wait();
  }

  const std::string& address() const { return address_; }
  TrackerStats Stats() const { return service_.Count(); }

 private:
  void RunSweeper() {
    MutexLock lock(mutex_);
    while (!stopping_) {
      wake_.WaitFor(mutex_, kSweepEvery);
      if (stopping_) return;
      mutex_.Unlock();
      service_.Sweep();
      mutex_.Lock();
    }
  }

  const std::function<void(absl::string_view)> log_;
  TrackerService service_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;

  Mutex mutex_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread sweeper_;
};

absl::StatusOr<std::unique_ptr<TrackerServer>> TrackerServer::Start(TrackerOptions options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  auto impl = std::make_unique<Impl>(options);
  if (absl::Status status = impl->Listen(options); !status.ok()) return status;
  return std::unique_ptr<TrackerServer>(new TrackerServer(std::move(impl)));
}

TrackerServer::TrackerServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TrackerServer::~TrackerServer() = default;

const std::string& TrackerServer::address() const { return impl_->address(); }
TrackerStats TrackerServer::Stats() const { return impl_->Stats(); }
std::string TrackerServer::MetricsText() const { return TrackerMetricsText(impl_->Stats()); }
void TrackerServer::Drain(absl::Duration grace) { impl_->Drain(grace); }

}  // namespace packice
