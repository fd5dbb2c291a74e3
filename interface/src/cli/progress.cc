#include "cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/text.h"

namespace packice::cli {
namespace {

constexpr absl::Duration kFirst = absl::Milliseconds(500);
constexpr absl::Duration kInterval = absl::Milliseconds(100);

std::string Bar(double fraction, size_t width) {
  const size_t full = static_cast<size_t>(fraction * static_cast<double>(width));
  return absl::StrCat("[", std::string(full, '='), std::string(width - full, ' '), "]");
}

}  // namespace

size_t TerminalWidth() {
  winsize size = {};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string FormatBar(absl::string_view label, uint64_t done, absl::optional<uint64_t> total,
                      absl::string_view tail, size_t width) {
  std::string line;
  if (!total.has_value() || *total == 0) {
    line = absl::StrCat(label, "  ", SizeText(done), tail);
  } else {
    const double fraction = std::min(1.0, static_cast<double>(done) / static_cast<double>(*total));
    const std::string head = absl::StrFormat("%s %3d%% ", label, static_cast<int>(fraction * 100));
    const std::string rest = absl::StrCat(" ", SizeText(done), " of ", SizeText(*total), tail);
    const size_t used = head.size() + rest.size() + 2;
    line = absl::StrCat(head, used < width ? Bar(fraction, std::min<size_t>(40, width - used)) : "",
                        rest);
  }
  return line.substr(0, width);
}

std::string FormatProgress(absl::string_view label, uint64_t done, absl::optional<uint64_t> total,
                           absl::Duration elapsed, size_t width) {
  const double seconds = std::max(absl::ToDoubleSeconds(elapsed), 1e-3);
  const double rate = static_cast<double>(done) / seconds;
  std::string tail = absl::StrCat("  ", SizeText(static_cast<uint64_t>(rate)), "/s");
  if (total.has_value() && *total > 0) {
    const absl::Duration left =
        rate > 0 ? absl::Seconds(static_cast<double>(*total - std::min(done, *total)) / rate)
                 : absl::ZeroDuration();
    absl::StrAppend(&tail, "  ", DurationText(left), " left");
  }
  return FormatBar(label, done, total, tail, width);
}

Progress::Progress(absl::string_view label, absl::optional<uint64_t> total)
    : label_(label),
      total_(total),
      terminal_(isatty(STDERR_FILENO) != 0),
      start_(Clock::System().Now()),
      next_(start_ + kFirst) {}

Progress::~Progress() {
  MutexLock lock(mutex_);
  if (drawn_) std::fputs("\r\033[K", stderr);
}

void Progress::Add(uint64_t bytes) {
  done_.fetch_add(bytes, std::memory_order_relaxed);
  if (!terminal_ || !mutex_.TryLock()) return;
  if (Clock::System().Now() >= next_) Draw();
  mutex_.Unlock();
}

void Progress::Draw() {
  const Instant now = Clock::System().Now();
  next_ = now + kInterval;
  drawn_ = true;
  const std::string line = FormatProgress(label_, done_.load(std::memory_order_relaxed), total_,
                                          now - start_, TerminalWidth() - 1);
  std::fputs(absl::StrCat("\r", line, "\033[K").c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace packice::cli
