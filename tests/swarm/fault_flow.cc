#include "fault_flow.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace packice {
namespace {

constexpr size_t kReadBytes = 64 << 10;
// Sent at once under a rate, so that it is even.
constexpr size_t kEvenBytes = 16 << 10;

}  // namespace

FaultFlow::FaultFlow(int from, int to, bool flips, uint64_t seed)
    : from_(from), to_(to), flips_(flips), random_(seed) {}

void FaultFlow::Plan(Strike& strike, uint64_t every) {
  if (strike.every == every) return;
  strike.every = every;
  strike.at = received_;
  Next(strike);
}

void FaultFlow::Next(Strike& strike) {
  // Uniform from 1 to twice the mean.
  strike.at = strike.every == 0 ? UINT64_MAX : strike.at + 1 + random_() % (2 * strike.every);
}

bool FaultFlow::WantsToSend(Instant now) const { return DueNext() <= now; }

Instant FaultFlow::DueNext() const {
  if (!pieces_.empty()) return std::max(pieces_.front().due, free_at_);
  const bool has_news = (ended_ || cut_) && !end_told_;
  return has_news ? behind_ : absl::InfiniteDuration();
}

FaultFlow::Outcome FaultFlow::Receive(const Faults& faults, Instant now, FaultCounts& counts) {
  Piece piece;
  piece.bytes.resize(kReadBytes);
  const ssize_t n = recv(from_, piece.bytes.data(), piece.bytes.size(), MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR ? Outcome::kGoesOn : Outcome::kCut;
  piece.due = std::max(behind_, now + faults.delay);
  if (n == 0) {
    ended_ = true;
    behind_ = piece.due;
    return Outcome::kGoesOn;
  }
  piece.bytes.resize(static_cast<size_t>(n));
  Plan(flip_, flips_ ? faults.flip_every : 0);
  Plan(stall_, faults.stall_every);
  Plan(reset_, faults.reset_every);
  piece.bytes.resize(BeforeCut(faults, piece.bytes.size()));
  Flip(piece.bytes, counts);
  received_ += piece.bytes.size();
  for (; stall_.at < received_; Next(stall_)) {
    piece.due += faults.stall;
    ++counts.stalls;
  }
  behind_ = piece.due;
  queued_ += piece.bytes.size();
  if (!piece.bytes.empty()) pieces_.push_back(std::move(piece));
  return Outcome::kGoesOn;
}

size_t FaultFlow::BeforeCut(const Faults& faults, size_t size) {
  const uint64_t cut_at = std::min(faults.cut_after.value_or(UINT64_MAX), reset_.at);
  if (cut_at >= received_ + size) return size;
  cut_ = ended_ = true;
  return static_cast<size_t>(cut_at - std::min(cut_at, received_));
}

void FaultFlow::Flip(std::string& bytes, FaultCounts& counts) {
  for (; flip_.at < received_ + bytes.size(); Next(flip_)) {
    bytes[flip_.at - received_] ^= static_cast<char>(1 << random_() % 8);
    ++counts.flips;
  }
}

FaultFlow::Outcome FaultFlow::Send(const Faults& faults, Instant now, FaultCounts& counts) {
  while (!pieces_.empty() && std::max(pieces_.front().due, free_at_) <= now) {
    Piece& piece = pieces_.front();
    size_t size = piece.bytes.size() - piece.sent;
    if (faults.bytes_per_second) size = std::min(size, kEvenBytes);
    const ssize_t n = send(to_, piece.bytes.data() + piece.sent, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR ? Outcome::kGoesOn : Outcome::kCut;
    counts.bytes += static_cast<uint64_t>(n);
    queued_ -= static_cast<size_t>(n);
    piece.sent += static_cast<size_t>(n);
    if (faults.bytes_per_second) {
      const double seconds = static_cast<double>(n) / static_cast<double>(*faults.bytes_per_second);
      // A pause of the other side, or a late turn of this thread, is made up for a little.
      free_at_ = std::max(free_at_, now - absl::Milliseconds(20)) + absl::Seconds(seconds);
    }
    if (piece.sent == piece.bytes.size()) pieces_.pop_front();
  }
  if (!pieces_.empty() || !ended_ || end_told_ || behind_ > now) return Outcome::kGoesOn;
  int unsent = 0;
  if (cut_ && ioctl(to_, SIOCOUTQ, &unsent) == 0 && unsent > 0) {
    behind_ = now + absl::Milliseconds(1);  // a reset would take it back
    return Outcome::kGoesOn;
  }
  if (cut_) return Outcome::kCut;
  end_told_ = true;
  shutdown(to_, SHUT_WR);
  return Outcome::kGoesOn;
}

}  // namespace packice
