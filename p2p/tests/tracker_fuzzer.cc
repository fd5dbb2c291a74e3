// Bytes of clients against a tracker's table: whatever they say, no rule of the table breaks.
//
// The input is a list of messages: a byte that says which, two for the length, then the message in
// Protocol Buffers' encoding. The time passes between them.
#include <google/protobuf/stubs/logging.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "tracker_request.h"
#include "tracker_table.h"

namespace packice {
namespace {

void Require(bool rule) {
  if (!rule) std::abort();
}

class Fuzzed {
 public:
  Fuzzed() { table_.KeepChanges(true); }

  void Say(uint8_t which, absl::string_view bytes) {
    switch (which % 6) {
      case 0:
        return Announce(bytes);
      case 1:
        return Locate(bytes);
      case 2: {
        tracker::v1::ReportRequest request;
        if (Parse(bytes, request)) static_cast<void>(table_.Report(request, now_));
        return;
      }
      case 3: {
        tracker::v1::WithdrawRequest request;
        if (Parse(bytes, request)) static_cast<void>(table_.Withdraw(request, now_));
        return;
      }
      case 4:
        return List(bytes);
      default:
        now_ += absl::Milliseconds(bytes.size() * 100);
        table_.Sweep(now_, 1 + bytes.size());
    }
  }

  void End() {
    now_ += absl::Hours(1);
    while (table_.Sweep(now_, 100)) {
    }
    Require(table_.counts().nodes == 0 && table_.counts().holdings == 0);
    Require(table_.counts().objects == 0 && table_.counts().origin_grants == 0);
  }

 private:
  template <typename Message>
  static bool Parse(absl::string_view bytes, Message& message) {
    return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  }

  static TrackerTableOptions Options() {
    TrackerTableOptions options;
    options.max_holdings = 50;
    options.max_holdings_of_node = 20;
    return options;
  }

  void Announce(absl::string_view bytes) {
    tracker::v1::AnnounceRequest request;
    if (!Parse(bytes, request)) return;
    const auto response = table_.Announce(request, now_);
    if (!response.ok()) return;
    Require(response->refused() <= static_cast<uint64_t>(request.holdings_size()));
    Require(table_.counts().holdings <= 50);
    Require(table_.counts().objects <= table_.counts().holdings);
    table_.TakeChanges();
  }

  void Locate(absl::string_view bytes) {
    tracker::v1::LocateRequest request;
    if (!Parse(bytes, request)) return;
    const auto response = table_.Locate(request, now_);
    if (!response.ok()) return;
    Require(response->holders_size() <= 256);
    Require(response->holders().empty() || !response->digest().empty());
    Require(!response->has_origin_grant_ms() || request.has_origin());
    for (const auto& holder : response->holders()) {
      Require(holder.address() != request.address());
      Require(holder.complete() == (holder.pieces_held() == response->pieces()));
      for (const std::string& excluded : request.exclude()) Require(holder.address() != excluded);
    }
  }

  void List(absl::string_view bytes) {
    tracker::v1::WatchRequest request;
    if (!Parse(bytes, request) || !Check(request).ok()) return;
    std::string last = request.after();
    for (const auto& id : table_.List(request.prefix(), last, 10, 20, now_).object_ids) {
      Require(id > last);
      last = id;
    }
  }

  Instant now_ = absl::Hours(1);
  TrackerTable table_{Options()};
};

}  // namespace
}  // namespace packice

// Protobuf tells of each string that is none: here that is every other input.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view input(reinterpret_cast<const char*>(data), size);
  packice::Fuzzed fuzzed;
  while (input.size() >= 3) {
    const auto which = static_cast<uint8_t>(input[0]);
    const size_t length = static_cast<uint8_t>(input[1]) | static_cast<uint8_t>(input[2]) << 8;
    input.remove_prefix(3);
    const absl::string_view message = input.substr(0, length);
    input.remove_prefix(message.size());
    fuzzed.Say(which, message);
  }
  fuzzed.End();
  return 0;
}
