#include "packice/transport/uds_server.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "log_limiter.h"
#include "packice/core/error.h"
#include "packice/core/latch.h"
#include "packice/transport/codec.h"
#include "session_pids.h"
#include "uds_connection.h"
#include "unix_socket.h"
#include "worker_pool.h"

namespace packice {
namespace {

namespace asio = boost::asio;

using Workers = WorkerPool<UdsConnection>;
using Acceptor = asio::local::stream_protocol::acceptor;

// How long the acceptor rests when the system has no descriptors left.
constexpr auto kAcceptPause = std::chrono::milliseconds(20);

UniqueFd SpareDescriptor() { return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

// How many connections it refuses before it rests.
constexpr int kMaxRefusals = 256;

}  // namespace

class UdsServer::Impl {
 public:
  Impl(Peer& peer, UdsServerOptions options)
      : options_(std::move(options)),
        metrics_(options_.metrics != nullptr ? options_.metrics : std::make_shared<NodeMetrics>()),
        log_(options_.log),
        dispatcher_(peer, options_.version, *metrics_, options_.events, options_.extension,
                    options_.reads),
        workers_(options_.threads, options_.busy_poll) {}

  ~Impl() {
    StopAccepting();
    workers_.Stop();
    RemoveSocketFile();
  }

  absl::Status Start() {
    bool replaced = false;
    absl::StatusOr<UniqueFd> listener = ListenUnix(options_.path, &replaced);
    if (!listener.ok()) return listener.status();
    struct stat info;
    if (stat(options_.path.c_str(), &info) == 0) file_ = {info.st_dev, info.st_ino};
    if (replaced) log_.Log("stale", absl::StrCat("replaced the stale socket ", options_.path));

    boost::system::error_code error;
    acceptor_ = std::make_unique<Acceptor>(workers_.first().context);
    acceptor_->assign(asio::local::stream_protocol(), listener->Release(), error);
    if (error) return MakeError(ErrorKind::kIo, error.message());
    asio::co_spawn(
        workers_.first().context, [this] { return Accept(); }, asio::detached);
    workers_.Run();
    return absl::OkStatus();
  }

  void Drain(absl::Duration grace) {
    StopAccepting();
    RemoveSocketFile();
    // All waits end before any session does: a wait must not be told that what it waited for is
    // gone, only because its creator's connection was closed first.
    workers_.OnEach([](UdsConnection& connection) { connection.EndWaits(); });
    workers_.OnEach([](UdsConnection& connection) { connection.Drain(); });
    workers_.WaitUntilServed(grace);
  }

  StatsReply Stats(const PeerStats& peer) const { return metrics_->Stats(peer); }

  const UdsServerOptions& options() const { return options_; }

 private:
  void StopAccepting() {
    if (acceptor_ == nullptr || !workers_.first().thread.joinable()) return;
    Latch closed;
    asio::post(workers_.first().context, [&] {
      boost::system::error_code ignored;
      acceptor_->close(ignored);
      closed.Set();
    });
    closed.Wait();
  }

  asio::awaitable<void> Accept() {
    asio::steady_timer pause(workers_.first().context);
    while (acceptor_->is_open()) {
      Workers::Worker& worker = workers_.LeastLoaded();
      boost::system::error_code error;
      UdsConnection::Socket socket = co_await acceptor_->async_accept(
          worker.context, asio::redirect_error(asio::use_awaitable, error));
      if (!error) {
        Admit(worker, std::move(socket));
      } else if (error == asio::error::no_descriptors || error.value() == ENFILE ||
                 error.value() == ENOMEM || error.value() == ENOBUFS) {
        RefuseWaiting();
        pause.expires_after(kAcceptPause);
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      }
    }
  }

  void Admit(Workers::Worker& worker, UdsConnection::Socket socket) {
    const absl::StatusOr<unsigned> uid = PeerUid(socket.native_handle());
    if (!uid.ok() || !IsServedUid(*uid, geteuid())) {
      log_.Log("uid", "refused a connection of another user");
      return Refuse(socket.native_handle(),
                    MakeError(ErrorKind::kPermissionDenied, "this node serves its own user only"));
    }
    if (workers_.size() >= options_.max_connections) {
      log_.Log("connections", absl::StrCat("refused a connection: ", options_.max_connections,
                                           " are open (--max-connections)"));
      return Refuse(
          socket.native_handle(),
          MakeError(ErrorKind::kCapacity, "the node has as many connections as it takes"));
    }
    metrics_->Opened(Transport::kUds);
    workers_.Add(worker, std::make_shared<UdsConnection>(std::move(socket), dispatcher_, *metrics_,
                                                         options_.send_timeout, worker.requests,
                                                         OwnerOn(worker)));
  }

  UdsConnection::Owner OwnerOn(Workers::Worker& worker) {
    return {[this] { workers_.Lingers(); },
            [this, &worker](UdsConnection* closed) {
              metrics_->Closed(Transport::kUds);
              workers_.Remove(worker, closed, closed->lingers());
            }};
  }

  void Refuse(int socket, const absl::Status& why) {
    metrics_->Refused(Transport::kUds);
    std::string line;
    EncodeReply(why, "", line);
    SendWithDescriptors(socket, line, {}, MSG_DONTWAIT);
  }

  // The process has no descriptor left to accept with: the spare one makes way, so that clients
  // learn why, one after another.
  void RefuseWaiting() {
    log_.Log("descriptors",
             "out of descriptors: refusing connections (raise the limit of open files)");
    for (int i = 0; i < kMaxRefusals; ++i) {
      spare_.Reset();
      UniqueFd socket(
          accept4(acceptor_->native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      spare_ = SpareDescriptor();
      if (!socket) return;
      if (spare_) return Admit(socket);  // meanwhile some have become free
      Refuse(socket.get(), MakeError(ErrorKind::kCapacity, "the node is out of descriptors"));
    }
    spare_ = SpareDescriptor();
  }

  void Admit(UniqueFd& socket) {
    Workers::Worker& worker = workers_.LeastLoaded();
    Admit(worker,
          UdsConnection::Socket(worker.context, asio::local::stream_protocol(), socket.Release()));
  }

  void RemoveSocketFile() {
    struct stat info;
    if (std::exchange(removed_, true) || stat(options_.path.c_str(), &info) != 0) return;
    // Another node may have taken the name over.
    if (std::make_pair(info.st_dev, info.st_ino) == file_) unlink(options_.path.c_str());
  }

  const UdsServerOptions options_;
  const std::shared_ptr<NodeMetrics> metrics_;
  LogLimiter log_;
  Dispatcher dispatcher_;
  Workers workers_;
  std::pair<dev_t, ino_t> file_;
  bool removed_ = false;
  std::unique_ptr<Acceptor> acceptor_;
  UniqueFd spare_ = SpareDescriptor();
};

absl::StatusOr<std::unique_ptr<UdsServer>> UdsServer::Start(Peer& peer, UdsServerOptions options) {
  auto impl = std::make_unique<Impl>(peer, std::move(options));
  if (absl::Status status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<UdsServer>(new UdsServer(std::move(impl)));
}

UdsServer::UdsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UdsServer::~UdsServer() = default;

std::string UdsServer::Describe(SessionId session) {
  if (const absl::optional<int> pid = SessionPids::Of(session)) return absl::StrCat("pid ", *pid);
  return absl::StrCat("connection ", static_cast<uint64_t>(session));
}

const std::string& UdsServer::path() const { return impl_->options().path; }
void UdsServer::Drain(absl::Duration grace) { impl_->Drain(grace); }
StatsReply UdsServer::Stats(const PeerStats& peer) const { return impl_->Stats(peer); }

}  // namespace packice
