#include "web_probe.h"

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "packice/transport/web_peer.h"

namespace packice {
namespace {

constexpr uint64_t kWhole = WebPeer::kMaxWholeBytes;

// One question after another; each answer decides on the next.
class Probe : public std::enable_shared_from_this<Probe> {
 public:
  Probe(HttpChannel& channel, const std::string& target, ProbePurpose purpose, Probed probed)
      : channel_(channel), target_(target), purpose_(purpose), probed_(std::move(probed)) {}

  void AskForHead() { Ask("HEAD", "", &Probe::OnHead); }

 private:
  void Ask(absl::string_view method, absl::string_view headers,
           void (Probe::*next)(const HttpAnswer&)) {
    HttpChannel::Exchange exchange;
    exchange.method = method;
    exchange.target = target_;
    exchange.headers = absl::StrCat(headers, "Accept-Encoding: identity\r\n");
    exchange.max_body = kWhole;
    exchange.answered = [self = shared_from_this(), next](absl::StatusOr<HttpAnswer> answer) {
      if (!answer.ok()) return self->Fail(answer.status());
      (*self.*next)(*answer);
    };
    channel_.Ask(std::move(exchange));
  }
  void AskForFirstByte() { Ask("GET", "Range: bytes=0-0\r\n", &Probe::OnFirstByte); }
  void AskForAll() { Ask("GET", "", &Probe::OnAll); }

  void OnHead(const HttpAnswer& answer) {
    if (answer.status == 405 || answer.status == 501) return AskForFirstByte();
    if (answer.status != 200) return Fail(FailureOfFile(answer, target_));
    if (!answer.content_length) return AskForFirstByte();
    KeepVersion(answer, *answer.content_length);
    if (purpose_ == ProbePurpose::kStat) return Succeed();
    // Many servers have ranges without saying so.
    const absl::string_view ranges = absl::StripAsciiWhitespace(answer.accept_ranges);
    if (ranges.empty()) return AskForFirstByte();
    DecideOnRanges(absl::EqualsIgnoreCase(ranges, "bytes"));
  }

  void OnFirstByte(const HttpAnswer& answer) {
    const absl::string_view range = answer.content_range;
    if (answer.status == 416 && absl::EndsWith(range, "/0")) return SucceedWith("", answer);
    if (answer.status == 200) return OnAll(answer);
    if (answer.status != 206) return Fail(FailureOfFile(answer, target_));
    const absl::optional<uint64_t> total = TotalOf(range);
    if (!total) {
      return Fail(MakeError(ErrorKind::kUnsupported,
                            absl::StrCat("the server does not tell the size of ", target_)));
    }
    KeepVersion(answer, *total);
    if (purpose_ == ProbePurpose::kStat) return Succeed();
    DecideOnRanges(true);
  }

  void OnAll(const HttpAnswer& answer) {
    if (answer.status != 200) return Fail(FailureOfFile(answer, target_));
    if (!answer.too_long) return SucceedWith(answer.body, answer);
    if (purpose_ == ProbePurpose::kStat && answer.content_length) {
      KeepVersion(answer, *answer.content_length);
      return Succeed();
    }
    FailAsTooLong("does not answer with ranges");
  }

  void DecideOnRanges(bool has_ranges) {
    if (has_ranges && file_.version.telling()) return Succeed();
    if (file_.version.size <= kWhole) return AskForAll();
    FailAsTooLong(has_ranges ? "tells neither a strong ETag nor Last-Modified"
                             : "does not answer with ranges");
  }

  void KeepVersion(const HttpAnswer& answer, uint64_t size) {
    file_.version = {size, answer.etag, answer.last_modified};
  }
  void SucceedWith(const std::string& bytes, const HttpAnswer& answer) {
    KeepVersion(answer, bytes.size());
    file_.bytes = bytes;
    Succeed();
  }
  void Succeed() { std::move(probed_)(std::move(file_)); }
  void Fail(absl::Status why) { std::move(probed_)(std::move(why)); }
  void FailAsTooLong(absl::string_view why) {
    Fail(MakeError(ErrorKind::kUnsupported,
                   absl::StrCat("the server ", why, " for ", target_, ", which has more than ",
                                kWhole, " bytes")));
  }

  HttpChannel& channel_;
  const std::string target_;
  const ProbePurpose purpose_;
  Probed probed_;
  WebFile file_;
};

}  // namespace

void ProbeFile(HttpChannel& channel, const std::string& target, ProbePurpose purpose,
               Probed probed) {
  std::make_shared<Probe>(channel, target, purpose, std::move(probed))->AskForHead();
}

}  // namespace packice
