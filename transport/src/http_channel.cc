#include "http_channel.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "http_messages.h"
#include "packice/core/error.h"

namespace packice {
namespace {

namespace asio = boost::asio;

// Beside those of calls that wait.
constexpr size_t kMaxConnections = 8;
// Below the time after which nodes close a connection that nobody uses, so that a question never
// meets the end of its connection on the way.
constexpr absl::Duration kMaxIdle = absl::Seconds(20);
constexpr absl::Duration kConnectTimeout = absl::Seconds(10);
// What nobody waits for must not hold up others for long.
constexpr absl::Duration kUnwantedTimeout = absl::Seconds(5);

}  // namespace

struct HttpChannel::Pending {
  CallId id = 0;
  Exchange exchange;
  HttpLine* connection = nullptr;  // that it is on
  bool aborted = false;

  bool waits() const { return exchange.wait > absl::ZeroDuration(); }
};

// All of it but the posting runs on the channel's thread.
class HttpChannel::Loop {
 public:
  explicit Loop(std::shared_ptr<const HttpWire> wire)
      : wire_(std::move(wire)), work_(context_.get_executor()), timer_(context_) {}

  asio::io_context& context() { return context_; }
  CallId NewId() { return ++last_id_; }

  void Add(std::shared_ptr<Pending> pending) {
    unanswered_.emplace(pending->id, pending);
    if (stopped_) return;
    queue_.push_back(std::move(pending));
    Pump();
  }

  void Abort(CallId id) {
    const auto it = unanswered_.find(id);
    if (it == unanswered_.end()) return;
    const std::shared_ptr<Pending> pending = it->second;
    pending->aborted = true;
    if (pending->connection != nullptr) return pending->connection->Abort();
    const auto queued = std::find(queue_.begin(), queue_.end(), pending);
    if (queued == queue_.end()) return;  // between two connections: it finds out
    queue_.erase(queued);
    Answer(*pending, HungUp());
    Pump();
  }

  asio::awaitable<void> Tick(absl::Duration period, std::function<void()> tick) {
    while (true) {
      boost::system::error_code ignored;
      timer_.expires_after(absl::ToChronoNanoseconds(period));
      co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      tick();
    }
  }

  // Once the thread has stopped, or on it.
  void AnswerAll(bool on_own_thread) {
    stopped_ = true;
    queue_.clear();
    if (!on_own_thread) {
      context_.restart();
      context_.poll();  // what was sent and has not arrived
    }
    while (!unanswered_.empty()) Answer(*unanswered_.begin()->second, HungUp());
  }

 private:
  static absl::Status HungUp() {
    return MakeError(ErrorKind::kUnavailable, "the client has hung up on the node");
  }

  void Pump() {
    while (!queue_.empty()) {
      const std::shared_ptr<Pending> next = queue_.front();
      if (barriers_ > 0 && !next->exchange.barrier) return;
      if (!next->waits() && active_ >= kMaxConnections) return;
      queue_.pop_front();
      if (next->exchange.barrier) ++barriers_;
      if (!next->waits()) ++active_;
      asio::co_spawn(context_, Run(next), asio::detached);
    }
  }

  asio::awaitable<void> Run(std::shared_ptr<Pending> pending) {
    absl::StatusOr<HttpAnswer> answer = co_await AskFor(*pending);
    if (pending->exchange.barrier) --barriers_;
    if (!pending->waits()) --active_;
    Answer(*pending, std::move(answer));
    Pump();
  }

  void Answer(Pending& pending, absl::StatusOr<HttpAnswer> answer) {
    auto answered = std::exchange(pending.exchange.answered, nullptr);
    const CallId id = pending.id;
    unanswered_.erase(id);  // the pending may go with it
    if (answered) std::move(answered)(std::move(answer));
  }

  asio::awaitable<absl::StatusOr<HttpAnswer>> AskFor(Pending& pending) {
    const Exchange& exchange = pending.exchange;
    HttpQuestion question;
    question.method = exchange.method;
    question.target = exchange.target;
    question.headers = exchange.headers;
    question.body = exchange.body;
    question.max_body = exchange.max_body;
    const absl::Duration patience =
        exchange.barrier ? std::min(wire_->call_timeout, kUnwantedTimeout) : wire_->call_timeout;

    for (bool again = true; again && !pending.aborted;) {
      std::unique_ptr<HttpLine> connection = TakeIdle();
      const bool used = connection != nullptr;
      absl::Status status;
      if (!used) connection = std::make_unique<HttpLine>(context_, wire_);
      pending.connection = connection.get();
      if (!used) status = co_await connection->Open(std::min(patience, kConnectTimeout));
      HttpAnswer answer;
      if (status.ok())
        status = co_await connection->Ask(question, patience + exchange.wait, answer);
      pending.connection = nullptr;
      if (status.ok()) {
        KeepIdle(std::move(connection));
        co_return std::move(answer);
      }
      // A used connection may have ended unnoticed, with the node that it led to.
      again = used && !connection->was_answered() && exchange.repeatable &&
              KindOf(status) == ErrorKind::kUnavailable;
      if (!again && !pending.aborted) co_return status;
      idle_.clear();
    }
    co_return HungUp();
  }

  std::unique_ptr<HttpLine> TakeIdle() {
    while (!idle_.empty()) {
      std::unique_ptr<HttpLine> connection = std::move(idle_.back());
      idle_.pop_back();
      const absl::Duration idle = Clock::System().Now() - connection->idle_since();
      if (idle < kMaxIdle && connection->reusable()) return connection;
    }
    return nullptr;
  }
  void KeepIdle(std::unique_ptr<HttpLine> connection) {
    if (connection->reusable() && idle_.size() < kMaxConnections) {
      idle_.push_back(std::move(connection));
    }
  }

  const std::shared_ptr<const HttpWire> wire_;
  std::atomic<CallId> last_id_{0};
  std::deque<std::shared_ptr<Pending>> queue_;             // not sent yet
  std::map<CallId, std::shared_ptr<Pending>> unanswered_;  // those, and those that were
  bool stopped_ = false;
  size_t barriers_ = 0;  // sent and unanswered
  size_t active_ = 0;    // sent, unanswered, and not waiting
  // Last: what it runs uses the above, and connections use it.
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer timer_;
  std::vector<std::unique_ptr<HttpLine>> idle_;  // most recently used last
};

HttpChannel::HttpChannel(std::shared_ptr<const HttpWire> wire, absl::Duration period,
                         std::function<void()> tick)
    : loop_(std::make_shared<Loop>(std::move(wire))) {
  asio::co_spawn(loop_->context(), loop_->Tick(period, std::move(tick)), asio::detached);
  thread_ = std::thread([loop = loop_] { loop->context().run(); });
}

HttpChannel::HttpChannel(std::shared_ptr<const HttpWire> wire)
    : loop_(std::make_shared<Loop>(std::move(wire))) {
  thread_ = std::thread([loop = loop_] { loop->context().run(); });
}

HttpChannel::~HttpChannel() {
  loop_->context().stop();
  // A callback on that very thread may be what destroys this.
  const bool on_own_thread = IsThisThread();
  if (on_own_thread) {
    thread_.detach();
  } else {
    thread_.join();
  }
  loop_->AnswerAll(on_own_thread);
}

HttpChannel::CallId HttpChannel::Send(Call call) {
  HttpMessage message = ToHttp(call.request);
  Exchange exchange;
  exchange.method = message.method;
  exchange.target = std::move(message.target);
  exchange.body = std::move(message.body);
  if (message.method == "POST") exchange.headers = "Content-Type: application/json\r\n";
  exchange.repeatable = IsRepeatable(call.request);
  exchange.wait = call.wait;
  exchange.barrier = call.barrier;
  if (call.answered) {
    exchange.answered = [request = std::move(call.request), answered = std::move(call.answered)](
                            absl::StatusOr<HttpAnswer> answer) mutable {
      if (!answer.ok()) return std::move(answered)(answer.status());
      std::move(answered)(FromHttp(answer->status, answer->body, request));
    };
  }
  return Ask(std::move(exchange));
}

HttpChannel::CallId HttpChannel::Ask(Exchange exchange) {
  auto pending = std::make_shared<Pending>();
  pending->id = loop_->NewId();
  pending->exchange = std::move(exchange);
  const CallId id = pending->id;
  asio::post(loop_->context(), [loop = loop_.get(), pending = std::move(pending)]() mutable {
    loop->Add(std::move(pending));
  });
  return id;
}

void HttpChannel::Abort(CallId id) {
  asio::post(loop_->context(), [loop = loop_.get(), id] { loop->Abort(id); });
}

}  // namespace packice
