#include "asio_network.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "link.h"
#include "node_address.h"
#include "packice/core/error.h"
#include "packice/core/mutex.h"

namespace packice {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;

// Room for frames that are read; what a link's last piece leaves over is copied out of it.
constexpr size_t kScratchBytes = 16 << 10;
constexpr size_t kDiscardBytes = 256 << 10;
// Deadlines of links are held to within this.
constexpr absl::Duration kSweepInterval = absl::Milliseconds(250);
// Links over the limit that are told so; more are cut off without a word.
constexpr size_t kMaxRefusals = 64;

absl::Status Unavailable(absl::string_view why) { return MakeError(ErrorKind::kUnavailable, why); }

// sendfile(2) and TLS know no MSG_NOSIGNAL.
void BlockSigpipe() {
  sigset_t sigpipe;
  sigemptyset(&sigpipe);
  sigaddset(&sigpipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &sigpipe, nullptr);
}

absl::StatusOr<Tcp::endpoint> ListenEndpoint(const std::string& listen) {
  const absl::StatusOr<NodeAddress> address = NodeAddress::Parse(listen);
  if (!address.ok()) return address.status();
  if (address->host == "localhost") {
    return Tcp::endpoint(asio::ip::address_v4::loopback(), address->port);
  }
  ErrorCode error;
  const asio::ip::address host = asio::ip::make_address(address->host, error);
  if (!error) return Tcp::endpoint(host, address->port);
  return MakeError(ErrorKind::kInvalidArgument,
                   absl::StrCat("\"", absl::CEscape(address->host),
                                "\" is no IP address; give the address to listen on, or "
                                "\"localhost\""));
}

std::string TextOf(const Tcp::endpoint& endpoint) {
  return NodeAddress{endpoint.address().to_string(), endpoint.port()}.ToText();
}

}  // namespace

class AsioNetwork::Impl {
 public:
  explicit Impl(AsioNetworkOptions options)
      : options_(std::move(options)),
        scratch_(kScratchBytes),
        discard_(kDiscardBytes),
        context_{options_,
                 nullptr,
                 nullptr,
                 {},
                 absl::MakeSpan(scratch_),
                 absl::MakeSpan(discard_),
                 [this](LinkId link) { Forget(link); }},
        io_(std::make_unique<asio::io_context>(1)),
        work_(io_->get_executor()),
        acceptor_(*io_),
        resolver_(*io_) {}

  absl::StatusOr<std::string> Start(const std::string& listen);
  void Attach(TransferEvents& events);
  void Post(absl::AnyInvocable<void()> call);
  void Stop();
  size_t links() const { return link_count_.load(std::memory_order_relaxed); }

  LinkId Dial(const std::string& address);
  Link* Find(LinkId link) {
    const auto it = links_.find(link);
    return it == links_.end() ? nullptr : it->second.get();
  }

 private:
  absl::Status Listen(const Tcp::endpoint& endpoint);
  absl::Status Identify(const std::string& bound);
  void Accept();
  void LetIn(Tcp::socket socket);
  void Resolve(LinkId id, const NodeAddress& address);
  std::shared_ptr<Link> Add(LinkSide side, Tcp::socket socket);
  void Forget(LinkId link);

  void Run();
  void RunPosted();
  void CloseAll();
  void Sweep(Instant now);

  const AsioNetworkOptions options_;
  std::vector<char> scratch_;
  std::vector<char> discard_;
  LinkContext context_;
  std::unique_ptr<asio::io_context> io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  Tcp::acceptor acceptor_;
  Tcp::resolver resolver_;
  bool accepts_ = false;  // an accept is under way

  absl::btree_map<LinkId, std::shared_ptr<Link>> links_;
  std::atomic<size_t> link_count_{0};
  uint64_t last_link_ = 0;
  Instant next_sweep_ = absl::ZeroDuration();

  Mutex mutex_;
  std::vector<absl::AnyInvocable<void()>> posted_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// --- its life ---

absl::StatusOr<std::string> AsioNetwork::Impl::Start(const std::string& listen) {
  std::string bound;
  if (!listen.empty()) {
    const absl::StatusOr<Tcp::endpoint> endpoint = ListenEndpoint(listen);
    if (!endpoint.ok()) return endpoint.status();
    if (absl::Status status = Listen(*endpoint); !status.ok()) return status;
    bound = TextOf(acceptor_.local_endpoint());
  }
  if (absl::Status status = Identify(bound); !status.ok()) return status;
  thread_ = std::thread([this] { Run(); });
  return bound;
}

absl::Status AsioNetwork::Impl::Listen(const Tcp::endpoint& endpoint) {
  ErrorCode error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (!error) return absl::OkStatus();
  const std::string what = absl::StrCat("cannot listen at ", TextOf(endpoint));
  if (error == asio::error::address_in_use) {
    return MakeError(ErrorKind::kBusy, what + ": the address is taken; choose another port");
  }
  return ErrnoError(error.value(), what);
}

absl::Status AsioNetwork::Impl::Identify(const std::string& bound) {
  Hello& hello = context_.hello;
  hello.cluster = options_.cluster;
  hello.address = options_.advertise.empty() ? bound : options_.advertise;
  if (hello.cluster.size() > Handshake::kMaxClusterBytes) {
    return MakeError(ErrorKind::kInvalidArgument, "the name of a cluster has at most 255 bytes");
  }
  if (!hello.address.empty() && !NodeAddress::Parse(hello.address).ok()) {
    return NodeAddress::Parse(hello.address).status();
  }
  options_.random->Fill(
      absl::MakeSpan(reinterpret_cast<uint8_t*>(&hello.epoch), sizeof(hello.epoch)));
  const TlsFiles& files = options_.tls;
  if (files.certificate.empty() && files.key.empty() && files.authority.empty()) {
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<LinkTls>> tls = LinkTls::Load(files);
  if (!tls.ok()) return tls.status();
  context_.tls = *std::move(tls);
  return absl::OkStatus();
}

void AsioNetwork::Impl::Attach(TransferEvents& events) {
  Post([this, &events] {
    context_.events = &events;
    Accept();
  });
}

void AsioNetwork::Impl::Post(absl::AnyInvocable<void()> call) {
  MutexLock lock(mutex_);
  if (stopped_) return;
  posted_.push_back(std::move(call));
  if (posted_.size() == 1) asio::post(*io_, [this] { RunPosted(); });
}

void AsioNetwork::Impl::RunPosted() {
  std::vector<absl::AnyInvocable<void()>> calls;
  {
    MutexLock lock(mutex_);
    calls.swap(posted_);
  }
  for (absl::AnyInvocable<void()>& call : calls) call();
}

void AsioNetwork::Impl::Stop() {
  stopping_.store(true);
  std::vector<absl::AnyInvocable<void()>> dropped;
  {
    MutexLock lock(mutex_);
    if (std::exchange(stopped_, true)) return;
    dropped.swap(posted_);
    io_->stop();
  }
  if (thread_.joinable()) thread_.join();
}

void AsioNetwork::Impl::Run() {
  BlockSigpipe();
  while (!stopping_.load(std::memory_order_relaxed)) {
    const Instant now = options_.clock->Now();
    if (now >= next_sweep_) Sweep(now);
    Instant next = next_sweep_;
    if (context_.events != nullptr) {
      if (context_.events->NextTick() <= now) context_.events->Tick();
      next = std::min(next, context_.events->NextTick());
    }
    if (next > now) {
      io_->run_one_for(absl::ToChronoNanoseconds(next - now));
    } else {
      io_->poll_one();
    }
  }
  CloseAll();
}

void AsioNetwork::Impl::CloseAll() {
  ErrorCode ignored;
  acceptor_.close(ignored);
  resolver_.cancel();
  while (!links_.empty()) links_.begin()->second->HangUp();
}

void AsioNetwork::Impl::Sweep(Instant now) {
  next_sweep_ = now + kSweepInterval;
  std::vector<std::shared_ptr<Link>> links;
  links.reserve(links_.size());
  for (const auto& [id, link] : links_) links.push_back(link);
  for (const std::shared_ptr<Link>& link : links) link->CheckDeadlines(now);
  if (context_.events != nullptr) Accept();
}

// --- its links ---

std::shared_ptr<Link> AsioNetwork::Impl::Add(LinkSide side, Tcp::socket socket) {
  const LinkId id{++last_link_};
  auto link = std::make_shared<Link>(id, side, std::move(socket), context_);
  links_.emplace(id, link);
  link_count_.store(links_.size(), std::memory_order_relaxed);
  return link;
}

void AsioNetwork::Impl::Forget(LinkId link) {
  links_.erase(link);
  link_count_.store(links_.size(), std::memory_order_relaxed);
}

void AsioNetwork::Impl::Accept() {
  if (accepts_ || !acceptor_.is_open()) return;
  accepts_ = true;
  acceptor_.async_accept([this](ErrorCode error, Tcp::socket socket) {
    accepts_ = false;
    // Without a free descriptor there is nothing to do but to wait: the sweep tries again.
    if (error && error != asio::error::connection_aborted) return;
    if (!error) LetIn(std::move(socket));
    Accept();
  });
}

void AsioNetwork::Impl::LetIn(Tcp::socket socket) {
  absl::Status turn_away;
  if (links_.size() >= options_.max_links) {
    if (links_.size() >= options_.max_links + kMaxRefusals) return;
    turn_away = MakeError(ErrorKind::kBusy,
                          absl::StrCat("the node has its ", options_.max_links, " links already"));
  }
  Add(LinkSide::kAccepted, std::move(socket))->Accepted(std::move(turn_away));
}

LinkId AsioNetwork::Impl::Dial(const std::string& address) {
  const std::shared_ptr<Link> link = Add(LinkSide::kDialled, Tcp::socket(*io_));
  const LinkId id{last_link_};
  const absl::StatusOr<NodeAddress> parsed = NodeAddress::Parse(address);
  absl::Status failure = parsed.status();
  if (links_.size() > options_.max_links) {
    failure = Unavailable(absl::StrCat("this node has its ", options_.max_links, " links already"));
  }
  if (!failure.ok()) {
    asio::post(*io_, [link, failure] { link->Fail(failure); });
    return id;
  }
  ErrorCode error;
  const asio::ip::address host = asio::ip::make_address(parsed->host, error);
  if (!error) {
    link->Connect({Tcp::endpoint(host, parsed->port)});
  } else {
    Resolve(id, *parsed);
  }
  return id;
}

void AsioNetwork::Impl::Resolve(LinkId id, const NodeAddress& address) {
  resolver_.async_resolve(
      address.host, absl::StrCat(address.port),
      [this, id, address](ErrorCode error, const Tcp::resolver::results_type& results) {
        Link* const link = Find(id);
        if (link == nullptr) return;
        if (!error) return link->Connect({results.begin(), results.end()});
        link->Fail(Unavailable(absl::StrCat("nobody knows the host of the node at ",
                                            address.ToText(), ": ", error.message())));
      });
}

// --- the network ---

AsioNetwork::AsioNetwork(AsioNetworkOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
AsioNetwork::~AsioNetwork() { impl_->Stop(); }

absl::StatusOr<std::string> AsioNetwork::Start(const std::string& listen) {
  return impl_->Start(listen);
}
void AsioNetwork::Attach(TransferEvents& events) { impl_->Attach(events); }
void AsioNetwork::Post(absl::AnyInvocable<void()> call) { impl_->Post(std::move(call)); }
void AsioNetwork::Stop() { impl_->Stop(); }
size_t AsioNetwork::links() const { return impl_->links(); }

LinkId AsioNetwork::Dial(const std::string& address) { return impl_->Dial(address); }
void AsioNetwork::Send(LinkId link, Frame frame) {
  if (Link* const found = impl_->Find(link)) found->Send(frame);
}
void AsioNetwork::HangUp(LinkId link) {
  if (Link* const found = impl_->Find(link)) found->HangUp();
}
void AsioNetwork::SendPiece(LinkId link, uint32_t channel, uint32_t piece,
                            std::shared_ptr<PieceStore> store) {
  if (Link* const found = impl_->Find(link)) {
    found->SendPiece(channel, piece, std::move(store));
  }
}
void AsioNetwork::ReceiveInto(LinkId link, uint32_t channel, std::shared_ptr<PieceStore> store) {
  if (Link* const found = impl_->Find(link)) found->ReceiveInto(channel, std::move(store));
}

Instant AsioNetwork::Heard(LinkId link) const {
  const Link* const found = impl_->Find(link);
  return found == nullptr ? absl::ZeroDuration() : found->heard();
}

}  // namespace packice
