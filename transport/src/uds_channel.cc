#include "uds_channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cpu_pause.h"
#include "packice/core/error.h"
#include "packice/transport/codec.h"
#include "unix_socket.h"

namespace packice {
namespace {

// How often a reader that hears nothing looks at the clock and at what it waits for.
constexpr absl::Duration kTick = absl::Milliseconds(500);
constexpr size_t kReadBytes = 64 * 1024;
// Answers that nobody wants are read once there are this many, so that the node never waits for
// this client.
constexpr size_t kMaxUnread = 32;
// How long a release waits for a request that takes it along, and how many of them do.
constexpr absl::Duration kReleasePatience = absl::Milliseconds(2);
constexpr size_t kMaxReleases = 64;

absl::Status Unavailable(absl::string_view why) {
  return MakeError(ErrorKind::kUnavailable,
                   absl::StrCat("the connection to the node is gone: ", why));
}

// How many descriptors a reply's handles name.
size_t DescriptorsOf(const Reply& reply) {
  size_t count = 0;
  if (const auto* grant = absl::get_if<GrantReply>(&reply)) {
    for (const Handle& handle : grant->handles) {
      if (const size_t* index = DescriptorIndex(handle)) count = std::max(count, *index + 1);
    }
  } else if (const auto* index = absl::get_if<IndexReply>(&reply)) {
    count = std::max(index->index, index->hints) + 1;
  } else if (const auto* stage = absl::get_if<StageReply>(&reply)) {
    count = stage->index + 1;
  } else if (const auto* batch = absl::get_if<std::unique_ptr<BatchReply>>(&reply)) {
    for (const Reply& part : (*batch)->responses) count = std::max(count, DescriptorsOf(part));
  }
  return count;
}

Request ReleaseOf(const LeaseRequest& lease) {
  Request request;
  request.op = Op::kRelease;
  request.body = lease;
  return request;
}

}  // namespace

thread_local UdsChannel::Delivery* UdsChannel::delivering_ = nullptr;

UdsChannel::UdsChannel(UniqueFd socket, absl::Duration call_timeout, absl::Duration spin)
    : connection_(std::make_shared<NodeConnection>(std::move(socket))),
      socket_(connection_, &connection_->socket),
      segments_(std::make_unique<SegmentViews>(socket_)),
      call_timeout_(call_timeout),
      spin_(spin) {
  const timeval tick = absl::ToTimeval(kTick);
  setsockopt(socket_->get(), SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick));
}

UdsChannel::~UdsChannel() {
  End();
  MutexLock lock(mutex_);
  for (std::thread* thread : {&background_, &releaser_}) {
    // It has let go of the last reference itself, and touches nothing any more.
    if (thread->joinable()) thread->detach();
  }
}

void UdsChannel::End() {
  Farewell();
  Break(Unavailable("it was closed"));
  for (Delivery* delivery = delivering_; delivery != nullptr; delivery = delivery->outer) {
    if (delivery->channel == this) delivery->Run();
  }
  std::thread threads[2];
  {
    MutexLock lock(mutex_);
    stop_ = true;
    changed_.NotifyAll();
    release_.NotifyAll();
    // A callback on that very thread cannot wait for it.
    const auto own = std::this_thread::get_id();
    if (background_.get_id() != own) threads[0] = std::move(background_);
    if (releaser_.get_id() != own) threads[1] = std::move(releaser_);
  }
  for (std::thread& thread : threads) {
    if (thread.joinable()) thread.join();
  }
}

// What the socket takes at once: leases with a TTL would outlive the connection.
void UdsChannel::Farewell() {
  if (!send_mutex_.TryLock()) return;  // somebody cannot get rid of what came earlier
  SendAndQueue({}, Clock::System().Now());
  send_mutex_.Unlock();
}

bool UdsChannel::Send(absl::Span<Call> calls) {
  // Callbacks run once send_mutex_ is free: they may send in their turn.
  std::vector<Ready> ready;
  absl::Status failure;
  bool untouched = false;
  bool reader = false;
  {
    MutexLock send_lock(send_mutex_);
    const Instant now = Clock::System().Now();
    const ssize_t sent = SendAndQueue(calls, now);
    if (sent < 0) {
      untouched = true;
      failure = Unavailable(std::strerror(static_cast<int>(-sent)));
    } else if (static_cast<size_t>(sent) < output_.size()) {
      failure = SendRest(absl::string_view(output_).substr(static_cast<size_t>(sent)),
                         now + call_timeout_, ready, reader);
    }
  }
  Deliver(std::move(ready));
  if (reader) StopReading();
  // What the node said before it hung up tells more than errno; and what nobody wants to hear must
  // be taken off the socket now and then, or the node would wait for this client.
  if (untouched || TooMuchUnread()) DrainIfNobodyReads();
  if (!failure.ok()) Break(std::move(failure));
  return !untouched;
}

// How many bytes went, 0 if the socket takes none at the moment; -errno when the connection is
// broken, and nothing is queued then.
ssize_t UdsChannel::SendAndQueue(absl::Span<Call> calls, Instant now) {
  // Nobody can take an answer off the socket before its request is queued here: the reader needs
  // this lock.
  MutexLock lock(mutex_);
  if (broken()) return -EPIPE;
  output_.clear();
  for (const LeaseRequest& lease : releases_) EncodeRequest(ReleaseOf(lease), output_);
  for (Call& call : calls) {
    if (call.wait > absl::ZeroDuration()) call.request.seq = absl::StrCat(++last_seq_);
    EncodeRequest(call.request, output_);
    for (const absl::string_view bytes : call.payload) output_.append(bytes.data(), bytes.size());
  }
  if (output_.empty()) return 0;
  const ssize_t sent = SendWithDescriptors(socket_->get(), output_, {}, MSG_DONTWAIT);
  if (sent < 0 && sent != -EAGAIN) return sent;
  for (const LeaseRequest& lease : releases_) {
    in_order_.push_back(Unanswered{ReleaseOf(lease), nullptr, now + call_timeout_});
  }
  releases_.clear();
  for (Call& call : calls) {
    if (call.answered && ++wanted_ > 0 && awaiting_ == 0) NeedReader();
    std::string seq = call.request.seq;
    Unanswered unanswered{std::move(call.request), std::move(call.answered),
                          now + call.wait + call_timeout_};
    if (seq.empty()) {
      in_order_.push_back(std::move(unanswered));
    } else {
      overtaken_.emplace(std::move(seq), std::move(unanswered));
    }
  }
  return std::max<ssize_t>(sent, 0);
}

void UdsChannel::ReleaseSoon(LeaseRequest lease) {
  bool many;
  {
    MutexLock lock(mutex_);
    releases_.push_back(std::move(lease));
    many = releases_.size() >= kMaxReleases;
    if (!many && !stop_) {
      if (!releaser_.joinable()) releaser_ = std::thread([this] { ReleaseInTime(); });
      if (releaser_idle_) release_.NotifyOne();
    }
  }
  if (many) Send({});
}

// Looks every now and then while releases come, rather than at each of them, and sleeps while none
// do.
void UdsChannel::ReleaseInTime() {
  while (true) {
    {
      MutexLock lock(mutex_);
      releaser_idle_ = true;
      while (!stop_ && (releases_.empty() || broken())) release_.Wait(mutex_);
      releaser_idle_ = false;
      const Instant due = Clock::System().Now() + kReleasePatience;
      while (!stop_ && Clock::System().Now() < due) {
        release_.WaitFor(mutex_, due - Clock::System().Now());
      }
      if (stop_) return;
      if (releases_.empty()) continue;
    }
    // What it delivers may be the last that shares the channel.
    std::shared_ptr<UdsChannel> self = weak_from_this().lock();
    if (self == nullptr) return;
    Send({});
    const std::weak_ptr<UdsChannel> weak = std::exchange(self, nullptr);
    if (weak.expired()) return;
  }
}

std::vector<LeaseRequest> UdsChannel::TakeReleases() {
  MutexLock lock(mutex_);
  return std::exchange(releases_, {});
}

absl::Status UdsChannel::SendRest(absl::string_view bytes, Instant deadline,
                                  std::vector<Ready>& ready, bool& reader) {
  while (!bytes.empty() && !broken()) {
    const ssize_t n = SendWithDescriptors(socket_->get(), bytes, {}, MSG_DONTWAIT);
    if (n > 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
      continue;
    }
    if (n != -EAGAIN) return Unavailable(std::strerror(static_cast<int>(-n)));
    // The node may be waiting for us to read before it reads on.
    reader = reader || BecomeReader();
    if (reader) {
      if (absl::Status status = Receive(MSG_DONTWAIT, ready); !status.ok()) return status;
    }
    if (Clock::System().Now() > deadline) {
      return MakeError(ErrorKind::kTimeout, "the node takes no more requests");
    }
    pollfd poller = {socket_->get(), POLLIN | POLLOUT, 0};
    poll(&poller, 1, static_cast<int>(absl::ToInt64Milliseconds(kTick)));
  }
  return absl::OkStatus();
}

bool UdsChannel::TooMuchUnread() const {
  MutexLock lock(mutex_);
  return wanted_ == 0 && in_order_.size() >= kMaxUnread;
}

void UdsChannel::Await(absl::FunctionRef<void()> calls, Latch& done) {
  {
    MutexLock lock(mutex_);
    ++awaiting_;
  }
  calls();
  const Instant spin_until =
      spin_ > absl::ZeroDuration() ? Clock::System().Now() + spin_ : absl::ZeroDuration();
  while (!done.IsSet()) {
    {
      MutexLock lock(mutex_);
      if (reading_) {
        // Checked again under the lock: the reader sets latches before it takes the lock to tell.
        if (!done.IsSet()) changed_.Wait(mutex_);
        continue;
      }
      if (broken()) break;
      reading_ = true;
    }
    ReadOnce(0, spin_until);
  }
  MutexLock lock(mutex_);
  if (--awaiting_ == 0 && wanted_ > 0) NeedReader();
  if (awaiting_ > 0 && !reading_) changed_.NotifyAll();
}

void UdsChannel::DrainIfNobodyReads() {
  if (BecomeReader()) ReadOnce(MSG_DONTWAIT);
}

bool UdsChannel::BecomeReader() {
  MutexLock lock(mutex_);
  if (reading_ || broken()) return false;
  reading_ = true;
  return true;
}

void UdsChannel::StopReading() {
  MutexLock lock(mutex_);
  reading_ = false;
  changed_.NotifyAll();
}

void UdsChannel::ReadOnce(int flags, Instant spin_until) {
  std::vector<Ready> ready;
  absl::Status failure = Receive(flags, ready, spin_until);
  Deliver(std::move(ready));
  if (!failure.ok()) Break(std::move(failure));
  StopReading();
}

void UdsChannel::Deliver(std::vector<Ready> ready) const {
  if (ready.empty()) return;
  Delivery delivery{this, std::move(ready), 0, delivering_};
  delivering_ = &delivery;
  delivery.Run();
  delivering_ = delivery.outer;
}

void UdsChannel::Delivery::Run() {
  while (next < ready.size()) {
    Ready& call = ready[next++];
    std::move(call.answered)(std::move(call.reply), call.attached);
  }
}

absl::Status UdsChannel::Receive(int flags, std::vector<Ready>& ready, Instant spin_until) {
  std::vector<UniqueFd> descriptors;
  const auto receive = [&](int with) {
    return ReceiveWithDescriptors(socket_->get(), input_.Room(kReadBytes), descriptors, with);
  };
  ssize_t n = -EAGAIN;
  if (spin_until > absl::ZeroDuration()) {
    // The clock, and what it waits for, are looked at as often as by one that sleeps.
    const Instant start = Clock::System().Now();
    const Instant until = std::min(spin_until, start + kTick);
    for (Instant now = start; n == -EAGAIN && now < until; now = Clock::System().Now()) {
      n = receive(MSG_DONTWAIT);
      if (n == -EAGAIN) CpuPause();
    }
    if (n == -EAGAIN && until < spin_until) return CheckDeadlines();
  }
  if (n == -EAGAIN) n = receive(flags);
  input_.Filled(static_cast<size_t>(std::max<ssize_t>(n, 0)));
  std::move(descriptors.begin(), descriptors.end(), std::back_inserter(received_));
  if (n > 0) return TakeLines(ready);
  if (n == 0) return Unavailable("the node closed it");
  if (n == -EAGAIN || n == -EWOULDBLOCK) return CheckDeadlines();
  if (n == -EMFILE) {
    return MakeError(ErrorKind::kCapacity, "this process has no room for another descriptor");
  }
  return Unavailable(std::strerror(static_cast<int>(-n)));
}

absl::Status UdsChannel::TakeLines(std::vector<Ready>& ready) {
  MutexLock lock(mutex_);
  while (absl::optional<absl::string_view> line = input_.NextLine()) {
    if (absl::Status status = TakeLine(*line, ready); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status UdsChannel::TakeLine(absl::string_view line, std::vector<Ready>& ready) {
  const std::string seq = overtaken_.empty() ? std::string() : PeekSeq(line);
  Unanswered call;
  if (auto overtaken = overtaken_.find(seq); overtaken != overtaken_.end()) {
    call = std::move(overtaken->second);
    overtaken_.erase(overtaken);
  } else if (!in_order_.empty()) {
    call = std::move(in_order_.front());
    in_order_.pop_front();
  } else {
    // Unasked: the node says why it hangs up.
    DecodedReply reply = DecodeReply(line, Request());
    if (reply.reply.ok()) {
      if (auto* status = absl::get_if<absl::Status>(&*reply.reply)) return *status;
    }
    return MakeError(ErrorKind::kCorrupt, "the node answered what was not asked");
  }
  // Nobody wants to know, and nothing rides with it: only a release is asked for without a
  // callback.
  if (!call.answered) return absl::OkStatus();
  --wanted_;

  DecodedReply decoded = DecodeReply(line, call.request);
  Ready& answer =
      ready.emplace_back(Ready{std::move(call.answered), std::move(decoded.reply), {{}, this}});
  if (!answer.reply.ok()) return answer.reply.status();
  const size_t count = DescriptorsOf(*answer.reply);
  if (count > received_.size()) {
    answer.reply = MakeError(ErrorKind::kCorrupt, "descriptors are missing from the node's answer");
    return answer.reply.status();
  }
  for (size_t i = 0; i < count; ++i) {
    answer.attached.descriptors.push_back(std::move(received_.front()));
    received_.pop_front();
  }
  return segments_->Learn(*answer.reply, answer.attached.descriptors);
}

absl::Status UdsChannel::CheckDeadlines() {
  const Instant now = Clock::System().Now();
  MutexLock lock(mutex_);
  bool late = !in_order_.empty() && in_order_.front().deadline < now;
  for (const auto& [seq, call] : overtaken_) late = late || call.deadline < now;
  if (!late) return absl::OkStatus();
  // Answers come in order, so that without this one no other can be told from it.
  return MakeError(ErrorKind::kTimeout, "the node did not answer in time");
}

void UdsChannel::Break(absl::Status why) {
  std::vector<Ready> unanswered;
  {
    MutexLock lock(mutex_);
    if (broken()) return;
    why_broken_ = why;
    connection_->broken.store(true);
    // Wakes a reader; and the node sees at once that no client holds the connection any more, but
    // where its end would give away bytes that somebody here still looks at.
    shutdown(socket_->get(), segments_->in_use() ? SHUT_RD : SHUT_RDWR);
    const auto answer = [&](Unanswered& call) {
      if (call.answered) unanswered.push_back(Ready{std::move(call.answered), why, {}});
    };
    for (Unanswered& call : in_order_) answer(call);
    for (auto& [seq, call] : overtaken_) answer(call);
    in_order_.clear();
    overtaken_.clear();
    wanted_ = 0;
  }
  Deliver(std::move(unanswered));
  MutexLock lock(mutex_);
  changed_.NotifyAll();
}

absl::Status UdsChannel::why_broken() const {
  MutexLock lock(mutex_);
  return why_broken_;
}

void UdsChannel::NeedReader() {
  if (stop_ || broken()) return;
  if (!background_.joinable()) background_ = std::thread([this] { ReadInBackground(); });
  changed_.NotifyAll();
}

void UdsChannel::ReadInBackground() {
  while (true) {
    {
      MutexLock lock(mutex_);
      while (!stop_ && !broken() && (wanted_ == 0 || awaiting_ > 0 || reading_)) {
        changed_.Wait(mutex_);
      }
      if (stop_ || broken()) return;
      reading_ = true;
    }
    // A callback may drop what is the last reference but for this one.
    std::shared_ptr<UdsChannel> self = weak_from_this().lock();
    if (self == nullptr) return StopReading();
    ReadOnce(0);
    const std::weak_ptr<UdsChannel> weak = std::exchange(self, nullptr);
    if (weak.expired()) return;
  }
}

}  // namespace packice
