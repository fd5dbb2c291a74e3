#include "http_transfer.h"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "http_messages.h"
#include "packice/core/clock.h"
#include "packice/core/error.h"

namespace packice {
namespace {

namespace asio = boost::asio;

constexpr size_t kMaxIdleLines = 4;
constexpr absl::Duration kMaxIdle = absl::Seconds(20);
constexpr absl::Duration kConnectTimeout = absl::Seconds(10);
// One PUT sends at most this much: what a broken connection makes to send anew.
constexpr size_t kStoreBytes = size_t{64} << 20;

// Of the body of a failure that is not read.
constexpr uint64_t kMaxFailureBody = 64 * 1024;
constexpr absl::string_view kAsItIs = "Accept-Encoding: identity\r\n";

// When to try again, after failures that another connection may not have. The first time at once,
// then after 50, 100 and 200 ms; a transfer that got on in between begins to count anew.
class Retries {
 public:
  bool Again(const absl::Status& failure, uint64_t progress) {
    constexpr uint64_t kProgress = 64 * 1024;
    if (progress >= kProgress) failures_ = 0;
    const ErrorKind kind = KindOf(failure);
    // A node that said nothing for so long has had its chance.
    const bool may_pass =
        kind == ErrorKind::kUnavailable || (kind == ErrorKind::kTimeout && progress > 0);
    if (!may_pass || ++failures_ > 4) return false;
    if (failures_ > 1)
      std::this_thread::sleep_for(std::chrono::milliseconds(25 << (failures_ - 1)));
    return true;
  }

 private:
  int failures_ = 0;
};

}  // namespace

struct HttpTransfer::OwnLine {
  explicit OwnLine(std::shared_ptr<const HttpWire> wire) : connection(context, std::move(wire)) {}

  asio::io_context context{1};
  HttpLine connection;
};

HttpTransfer::HttpTransfer(std::shared_ptr<const HttpWire> wire)
    : wire_(std::move(wire)), process_(getpid()) {}

HttpTransfer::~HttpTransfer() {
  if (getpid() == process_) return;
  // The sockets are the parent's, and were closed by the fork.
  MutexLock lock(mutex_);
  for (auto& line : idle_) static_cast<void>(line.release());
}

std::unique_ptr<HttpTransfer::OwnLine> HttpTransfer::TakeIdle() {
  MutexLock lock(mutex_);
  while (!idle_.empty()) {
    std::unique_ptr<OwnLine> line = std::move(idle_.back());
    idle_.pop_back();
    const absl::Duration idle = Clock::System().Now() - line->connection.idle_since();
    if (idle < kMaxIdle && line->connection.reusable()) return line;
  }
  return nullptr;
}

void HttpTransfer::KeepIdle(std::unique_ptr<OwnLine> line) {
  if (!line->connection.reusable()) return;
  MutexLock lock(mutex_);
  if (idle_.size() < kMaxIdleLines) idle_.push_back(std::move(line));
}

absl::Status HttpTransfer::Ask(const HttpQuestion& question, HttpAnswer& answer) {
  if (getpid() != process_) {
    return MakeError(ErrorKind::kUnavailable,
                     "the blob belongs to the process that forked this one; acquire it anew");
  }
  while (true) {
    std::unique_ptr<OwnLine> line = TakeIdle();
    const bool used = line != nullptr;
    if (!used) line = std::make_unique<OwnLine>(wire_);
    absl::Status status;
    const auto exchange = [&]() -> asio::awaitable<void> {
      if (!used)
        status = co_await line->connection.Open(std::min(wire_->call_timeout, kConnectTimeout));
      if (status.ok())
        status = co_await line->connection.Ask(question, wire_->call_timeout, answer);
    };
    asio::co_spawn(line->context, exchange(), asio::detached);
    line->context.restart();
    line->context.run();
    const bool unseen = !line->connection.was_answered();
    if (status.ok()) KeepIdle(std::move(line));
    if (!status.ok() && used && unseen && KindOf(status) == ErrorKind::kUnavailable) continue;
    return status;
  }
}

absl::Status HttpTransfer::Fetch(const std::string& target, uint64_t offset, absl::Span<char> out,
                                 const HttpVersion* version) {
  Retries retries;
  while (!out.empty()) {
    const uint64_t last = offset + out.size() - 1;
    HttpQuestion question;
    question.target = target;
    question.headers = absl::StrCat("Range: bytes=", offset, "-", last, "\r\n");
    question.into = out;
    if (version != nullptr) {
      absl::StrAppend(&question.headers, version->Conditions(), kAsItIs);
      question.max_body = kMaxFailureBody;
    }
    HttpAnswer answer;
    absl::Status status = Ask(question, answer);
    // Before all else: another state of the file is as long as it likes.
    if (version != nullptr && answer.status != 0) {
      absl::Status same = version->Check(answer, target);
      if (!same.ok()) status = std::move(same);
    }
    if (status.ok()) {
      if (answer.status == 206) {
        const std::string expected = absl::StrCat("bytes ", offset, "-", last, "/");
        if (answer.content_range.compare(0, expected.size(), expected) == 0) return status;
        return MakeError(
            ErrorKind::kCorrupt,
            absl::StrCat("asked for ", expected, " the node answered with ", answer.content_range));
      }
      status = answer.status < 300
                   ? MakeError(ErrorKind::kUnsupported, "the node does not answer with ranges")
                   : FailureFromHttp(answer.status, answer.body);
    }
    if (!retries.Again(status, answer.received)) return status;
    offset += answer.received;
    out.remove_prefix(answer.received);
  }
  return absl::OkStatus();
}

absl::Status HttpTransfer::Store(const std::string& target, uint64_t offset,
                                 absl::string_view bytes) {
  Retries retries;
  while (!bytes.empty()) {
    HttpQuestion question;
    question.method = "PUT";
    question.target = target;
    question.body = bytes.substr(0, kStoreBytes);
    question.headers = absl::StrCat("Content-Range: bytes ", offset, "-",
                                    offset + question.body.size() - 1, "/*\r\n");
    HttpAnswer answer;
    absl::Status status = Ask(question, answer);
    if (status.ok() && answer.status >= 200 && answer.status < 300) {
      offset += question.body.size();
      bytes.remove_prefix(question.body.size());
      continue;
    }
    if (status.ok()) status = FailureFromHttp(answer.status, answer.body);
    if (!retries.Again(status, 0)) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> HttpTransfer::Get(const std::string& target) {
  Retries retries;
  while (true) {
    HttpQuestion question;
    question.target = target;
    HttpAnswer answer;
    absl::Status status = Ask(question, answer);
    if (status.ok() && answer.status == 200) return std::move(answer.body);
    if (status.ok()) status = FailureFromHttp(answer.status, answer.body);
    if (!retries.Again(status, 0)) return status;
  }
}

}  // namespace packice
