#include "cli/download_watch.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/text.h"
#include "packice/transport/json_object.h"
#include "packice/transport/json_value.h"

namespace packice::cli {
namespace {

constexpr absl::Duration kFirst = absl::Milliseconds(500);
constexpr absl::Duration kInterval = absl::Milliseconds(250);

// Nothing while it is not being copied, or where nobody can tell.
absl::optional<DownloadState> Ask(Client& client, const std::string& request) {
  const absl::StatusOr<std::string> text = client.Call("transfers", request);
  if (!text.ok()) return absl::nullopt;
  const absl::StatusOr<JsonValue> answer = JsonValue::Parse(*text);
  if (!answer.ok() || (*answer)["downloads"].list().empty()) return absl::nullopt;
  const JsonValue& download = (*answer)["downloads"].list().front();
  DownloadState state;
  state.size = download["size"].integer().value_or(0);
  state.bytes_done = download["bytes_done"].integer().value_or(0);
  state.sources = download["sources"].integer().value_or(0);
  state.rate = download["rate"].number().value_or(0);
  state.from_origin = download["from_origin"].flag();
  return state;
}

}  // namespace

std::string FormatDownload(const DownloadState& state, size_t width) {
  std::string tail = absl::StrCat(
      "  ", SizeText(static_cast<uint64_t>(state.rate)), "/s from ",
      state.from_origin ? "the origin"
                        : absl::StrCat(state.sources, " node", state.sources == 1 ? "" : "s"));
  if (state.size > state.bytes_done && state.rate > 0) {
    const double left = static_cast<double>(state.size - state.bytes_done) / state.rate;
    absl::StrAppend(&tail, "  ", DurationText(absl::Seconds(left)), " left");
  }
  const absl::optional<uint64_t> total =
      state.size > 0 ? absl::optional<uint64_t>(state.size) : absl::nullopt;
  return FormatBar("copying", state.bytes_done, total, tail, width);
}

DownloadWatch::DownloadWatch(const Target& target, const std::string& id) {
  if (isatty(STDERR_FILENO) == 0) return;
  thread_ = std::thread([this, target, id] { Watch(target, id); });
}

DownloadWatch::~DownloadWatch() {
  {
    MutexLock lock(mutex_);
    ended_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void DownloadWatch::Watch(const Target& target, const std::string& id) {
  if (!Rest(kFirst)) return;
  const absl::StatusOr<std::unique_ptr<Client>> client = Dial(target);
  if (!client.ok()) return;
  const std::string request = JsonObject().Text("object_id", id).ToText();
  bool drawn = false;
  do {
    const absl::optional<DownloadState> state = Ask(**client, request);
    if (!state) continue;
    drawn = true;
    std::fputs(absl::StrCat("\r", FormatDownload(*state, TerminalWidth() - 1), "\033[K").c_str(),
               stderr);
    std::fflush(stderr);
  } while (Rest(kInterval));
  if (drawn) std::fputs("\r\033[K", stderr);
}

bool DownloadWatch::Rest(absl::Duration pause) {
  const Instant end = Clock::System().Now() + pause;
  MutexLock lock(mutex_);
  while (!ended_ && Clock::System().Now() < end) {
    changed_.WaitFor(mutex_, end - Clock::System().Now());
  }
  return !ended_;
}

}  // namespace packice::cli
