#include "uds_channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
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

absl::Status Unavailable(absl::string_view why) {
  return MakeError(ErrorKind::kUnavailable,
                   absl::StrCat("the connection to the node is gone: ", why));
}

// How many descriptors a reply's handles name.
size_t DescriptorsOf(const Reply& reply) {
  size_t count = 0;
  if (const auto* grant = absl::get_if<GrantReply>(&reply)) {
    for (const Handle& handle : grant->handles) {
      if (const auto* fd = absl::get_if<FdHandle>(&handle)) count = std::max(count, fd->index + 1);
    }
  } else if (const auto* batch = absl::get_if<std::unique_ptr<BatchReply>>(&reply)) {
    for (const Reply& part : (*batch)->responses) count = std::max(count, DescriptorsOf(part));
  }
  return count;
}

}  // namespace

UdsChannel::UdsChannel(UniqueFd socket, absl::Duration call_timeout)
    : socket_(std::move(socket)), call_timeout_(call_timeout) {
  const timeval tick = absl::ToTimeval(kTick);
  setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick));
}

UdsChannel::~UdsChannel() {
  Break(Unavailable("it was closed"));
  std::thread background;
  {
    MutexLock lock(mutex_);
    stop_ = true;
    changed_.NotifyAll();
    background = std::move(background_);
  }
  if (!background.joinable()) return;
  // A callback on that very thread may have dropped the last reference.
  if (background.get_id() == std::this_thread::get_id()) {
    background.detach();
  } else {
    background.join();
  }
}

bool UdsChannel::Send(Call& call) {
  const Instant deadline = Clock::System().Now() + call.wait + call_timeout_;
  const bool wanted = static_cast<bool>(call.answered);
  MutexLock send_lock(send_mutex_);
  ssize_t sent = 0;
  bool drain = false;
  {
    // Nobody can take an answer off the socket before its request is queued here: the reader needs
    // this lock.
    MutexLock lock(mutex_);
    if (broken()) return false;
    if (call.wait > absl::ZeroDuration()) call.request.seq = absl::StrCat(++last_seq_);
    output_.clear();
    EncodeRequest(call.request, output_);
    sent = SendWithDescriptors(socket_.get(), output_, {}, MSG_DONTWAIT);
    if (sent >= 0 || sent == -EAGAIN) {
      std::string seq = call.request.seq;
      Unanswered unanswered{std::move(call.request), std::move(call.answered), deadline};
      if (seq.empty()) {
        in_order_.push_back(std::move(unanswered));
      } else {
        overtaken_.emplace(std::move(seq), std::move(unanswered));
      }
      if (wanted && ++wanted_ > 0 && awaiting_ == 0) NeedReader();
      drain = !wanted && in_order_.size() >= kMaxUnread;
    }
  }
  if (sent < 0 && sent != -EAGAIN) {
    // What the node said before it hung up tells more than errno.
    DrainIfNobodyReads();
    Break(Unavailable(std::strerror(static_cast<int>(-sent))));
    return false;
  }
  const size_t begun = static_cast<size_t>(std::max<ssize_t>(sent, 0));
  if (begun < output_.size()) SendRest(absl::string_view(output_).substr(begun), deadline);
  if (drain) DrainIfNobodyReads();
  return true;
}

void UdsChannel::SendRest(absl::string_view bytes, Instant deadline) {
  while (!bytes.empty() && !broken()) {
    const ssize_t n = SendWithDescriptors(socket_.get(), bytes, {}, MSG_DONTWAIT);
    if (n > 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
      continue;
    }
    if (n != -EAGAIN) return Break(Unavailable(std::strerror(static_cast<int>(-n))));
    // The node may be waiting for us to read before it reads on.
    DrainIfNobodyReads();
    if (Clock::System().Now() > deadline) {
      return Break(MakeError(ErrorKind::kTimeout, "the node takes no more requests"));
    }
    pollfd poller = {socket_.get(), POLLIN | POLLOUT, 0};
    poll(&poller, 1, static_cast<int>(absl::ToInt64Milliseconds(kTick)));
  }
}

void UdsChannel::Await(absl::FunctionRef<void()> calls, Latch& done) {
  {
    MutexLock lock(mutex_);
    ++awaiting_;
  }
  calls();
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
    ReadOnce(0);
  }
  MutexLock lock(mutex_);
  if (--awaiting_ == 0 && wanted_ > 0) NeedReader();
  if (awaiting_ > 0 && !reading_) changed_.NotifyAll();
}

void UdsChannel::DrainIfNobodyReads() {
  {
    MutexLock lock(mutex_);
    if (reading_ || broken()) return;
    reading_ = true;
  }
  ReadOnce(MSG_DONTWAIT);
}

void UdsChannel::ReadOnce(int flags) {
  std::vector<UniqueFd> descriptors;
  const ssize_t n =
      ReceiveWithDescriptors(socket_.get(), input_.Room(kReadBytes), descriptors, flags);
  input_.Filled(static_cast<size_t>(std::max<ssize_t>(n, 0)));
  std::move(descriptors.begin(), descriptors.end(), std::back_inserter(received_));

  std::vector<Ready> ready;
  absl::Status failure;
  if (n > 0) {
    failure = TakeLines(ready);
  } else if (n == 0) {
    failure = Unavailable("the node closed it");
  } else if (n == -EAGAIN || n == -EWOULDBLOCK) {
    failure = CheckDeadlines();
  } else if (n == -EMFILE) {
    failure = MakeError(ErrorKind::kCapacity, "this process has no room for another descriptor");
  } else {
    failure = Unavailable(std::strerror(static_cast<int>(-n)));
  }
  for (Ready& call : ready) {
    std::move(call.answered)(std::move(call.reply), call.descriptors);
  }
  if (!failure.ok()) Break(std::move(failure));
  MutexLock lock(mutex_);
  reading_ = false;
  changed_.NotifyAll();
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
  Ready& answer = ready.emplace_back(Ready{std::move(call.answered), std::move(decoded.reply), {}});
  if (!answer.reply.ok()) return answer.reply.status();
  const size_t count = DescriptorsOf(*answer.reply);
  if (count > received_.size()) {
    answer.reply = MakeError(ErrorKind::kCorrupt, "descriptors are missing from the node's answer");
    return answer.reply.status();
  }
  for (size_t i = 0; i < count; ++i) {
    answer.descriptors.push_back(std::move(received_.front()));
    received_.pop_front();
  }
  return absl::OkStatus();
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
  std::vector<Answered> unanswered;
  {
    MutexLock lock(mutex_);
    if (broken()) return;
    why_broken_ = why;
    broken_.store(true, std::memory_order_release);
    // Wakes a reader, and the node sees at once that nobody holds this session any more.
    shutdown(socket_.get(), SHUT_RDWR);
    for (Unanswered& call : in_order_) unanswered.push_back(std::move(call.answered));
    for (auto& [seq, call] : overtaken_) unanswered.push_back(std::move(call.answered));
    in_order_.clear();
    overtaken_.clear();
    wanted_ = 0;
  }
  std::vector<UniqueFd> none;
  for (Answered& answered : unanswered) {
    if (answered) std::move(answered)(why, none);
  }
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
    ReadOnce(0);
  }
}

}  // namespace packice
