#include "packice/transport/uds_server.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "packice/core/clock.h"
#include "packice/core/error.h"
#include "packice/core/latch.h"
#include "packice/core/mutex.h"
#include "packice/transport/codec.h"
#include "uds_connection.h"
#include "unix_socket.h"

namespace packice {
namespace {

namespace asio = boost::asio;

using Acceptor = asio::local::stream_protocol::acceptor;

// How long the acceptor rests when the system has no descriptors left.
constexpr auto kAcceptPause = std::chrono::milliseconds(20);

UniqueFd SpareDescriptor() { return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

// How many connections it refuses before it rests.
constexpr int kMaxRefusals = 256;

// Of this process. Since Linux 6.2 the directory's size says so (proc_pid_fd(5)); before, it is
// counted.
uint64_t OpenDescriptors() {
  struct stat info;
  if (stat("/proc/self/fd", &info) == 0 && info.st_size > 0) {
    return static_cast<uint64_t>(info.st_size);
  }
  std::error_code error;
  uint64_t count = 0;
  for (auto it = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    ++count;
  }
  return count == 0 ? 0 : count - 1;  // less the one that lists them
}

}  // namespace

class UdsServer::Impl {
 public:
  Impl(Peer& peer, UdsServerOptions options)
      : options_(std::move(options)),
        dispatcher_(peer, options_.version,
                    [this](const PeerStats& stats) { return Stats(stats); }),
        started_(Clock::System().Now()) {}

  ~Impl() {
    for (auto& worker : workers_) worker->context.stop();
    for (auto& worker : workers_) {
      if (worker->thread.joinable()) worker->thread.join();
    }
    for (auto& worker : workers_) worker->CloseAll();
    RemoveSocketFile();
  }

  absl::Status Start() {
    bool replaced = false;
    absl::StatusOr<UniqueFd> listener = ListenUnix(options_.path, &replaced);
    if (!listener.ok()) return listener.status();
    struct stat info;
    if (stat(options_.path.c_str(), &info) == 0) file_ = {info.st_dev, info.st_ino};
    if (replaced) Log("stale", absl::StrCat("replaced the stale socket ", options_.path));

    const size_t threads = std::max<size_t>(1, options_.threads);
    for (size_t i = 0; i < threads; ++i) workers_.push_back(std::make_unique<Worker>());
    boost::system::error_code error;
    acceptor_ = std::make_unique<Acceptor>(workers_[0]->context);
    acceptor_->assign(asio::local::stream_protocol(), listener->Release(), error);
    if (error) return MakeError(ErrorKind::kIo, error.message());
    asio::co_spawn(
        workers_[0]->context, [this] { return Accept(); }, asio::detached);
    for (auto& worker : workers_) {
      worker->thread = std::thread([&context = worker->context] { context.run(); });
    }
    return absl::OkStatus();
  }

  void Drain(absl::Duration grace) {
    asio::post(workers_[0]->context, [this] {
      boost::system::error_code ignored;
      acceptor_->close(ignored);
    });
    RemoveSocketFile();
    // All waits end before any session does: a wait must not be told that what it waited for is
    // gone, only because its creator's connection was closed first.
    OnEachWorker([](UdsConnection& connection) { connection.EndWaits(); });
    OnEachWorker([](UdsConnection& connection) { connection.Drain(); });
    const Instant deadline = Clock::System().Now() + grace;
    MutexLock lock(mutex_);
    while (connections_ > 0) {
      const absl::Duration left = deadline - Clock::System().Now();
      if (left <= absl::ZeroDuration()) break;
      none_left_.WaitFor(mutex_, left);
    }
  }

  StatsReply Stats(const PeerStats& peer) const {
    StatsReply reply;
    reply.peer = peer;
    reply.connections = connections_;
    reply.refused = refused_;
    reply.descriptors = OpenDescriptors();
    reply.uptime = Clock::System().Now() - started_;
    return reply;
  }

  const UdsServerOptions& options() const { return options_; }

 private:
  struct Worker {
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work =
        asio::make_work_guard(context);
    std::set<std::shared_ptr<UdsConnection>> connections;  // touched on the worker's thread
    std::atomic<size_t> load{0};
    std::thread thread;

    // When no thread runs the context any more: lets every connection come to its end.
    void CloseAll() {
      work.reset();
      context.restart();
      const auto open = connections;
      for (const auto& connection : open) connection->Close();
      context.poll();
    }
  };

  asio::awaitable<void> Accept() {
    asio::steady_timer pause(workers_[0]->context);
    while (acceptor_->is_open()) {
      Worker& worker = LeastLoaded();
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

  // Blocks until every worker has done it.
  void OnEachWorker(void (*action)(UdsConnection&)) {
    for (auto& worker : workers_) {
      Latch done;
      asio::post(worker->context, [worker = worker.get(), action, &done] {
        const auto connections = worker->connections;
        for (const auto& connection : connections) action(*connection);
        done.Set();
      });
      done.Wait();
    }
  }

  Worker& LeastLoaded() {
    Worker* best = workers_[0].get();
    for (auto& worker : workers_) {
      if (worker->load < best->load) best = worker.get();
    }
    return *best;
  }

  void Admit(Worker& worker, UdsConnection::Socket socket) {
    const absl::StatusOr<unsigned> uid = PeerUid(socket.native_handle());
    if (!uid.ok() || !IsServedUid(*uid, geteuid())) {
      Log("uid", "refused a connection of another user");
      return Refuse(socket.native_handle(),
                    MakeError(ErrorKind::kPermissionDenied, "this node serves its own user only"));
    }
    if (connections_ >= options_.max_connections) {
      Log("connections", absl::StrCat("refused a connection: ", options_.max_connections,
                                      " are open (--max-connections)"));
      return Refuse(
          socket.native_handle(),
          MakeError(ErrorKind::kCapacity, "the node has as many connections as it takes"));
    }
    ++connections_;
    ++worker.load;
    auto connection = std::make_shared<UdsConnection>(
        std::move(socket), dispatcher_, options_.send_timeout,
        [this, &worker](UdsConnection* closed) { Closed(worker, closed); });
    asio::post(worker.context, [&worker, connection] {
      worker.connections.insert(connection);
      connection->Start();
    });
  }

  void Closed(Worker& worker, UdsConnection* closed) {
    worker.connections.erase(closed->shared_from_this());
    --worker.load;
    MutexLock lock(mutex_);
    if (--connections_ == 0) none_left_.NotifyAll();
  }

  void Refuse(int socket, const absl::Status& why) {
    ++refused_;
    std::string line;
    EncodeReply(why, "", line);
    SendWithDescriptors(socket, line, {}, MSG_DONTWAIT);
  }

  // The process has no descriptor left to accept with: the spare one makes way, so that clients
  // learn why, one after another.
  void RefuseWaiting() {
    Log("descriptors", "out of descriptors: refusing connections (raise the limit of open files)");
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
    Worker& worker = LeastLoaded();
    Admit(worker,
          UdsConnection::Socket(worker.context, asio::local::stream_protocol(), socket.Release()));
  }

  void RemoveSocketFile() {
    struct stat info;
    if (std::exchange(removed_, true) || stat(options_.path.c_str(), &info) != 0) return;
    // Another node may have taken the name over.
    if (std::make_pair(info.st_dev, info.st_ino) == file_) unlink(options_.path.c_str());
  }

  void Log(const char* topic, absl::string_view message) {
    {
      MutexLock lock(mutex_);
      const Instant now = Clock::System().Now();
      auto [last, first] = logged_.try_emplace(topic, now);
      if (!first && now - last->second < absl::Seconds(1)) return;
      last->second = now;
    }
    options_.log(message);
  }

  const UdsServerOptions options_;
  Dispatcher dispatcher_;
  const Instant started_;
  std::pair<dev_t, ino_t> file_;
  bool removed_ = false;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Acceptor> acceptor_;
  UniqueFd spare_ = SpareDescriptor();
  std::atomic<uint64_t> connections_{0};
  std::atomic<uint64_t> refused_{0};
  Mutex mutex_;
  CondVar none_left_;
  std::map<std::string, Instant> logged_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<std::unique_ptr<UdsServer>> UdsServer::Start(Peer& peer, UdsServerOptions options) {
  auto impl = std::make_unique<Impl>(peer, std::move(options));
  if (absl::Status status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<UdsServer>(new UdsServer(std::move(impl)));
}

UdsServer::UdsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UdsServer::~UdsServer() = default;

const std::string& UdsServer::path() const { return impl_->options().path; }
void UdsServer::Drain(absl::Duration grace) { impl_->Drain(grace); }
StatsReply UdsServer::Stats(const PeerStats& peer) const { return impl_->Stats(peer); }

}  // namespace packice
