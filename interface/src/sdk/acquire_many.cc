#include "sdk/acquire_many.h"

#include <atomic>
#include <utility>

#include "packice/core/latch.h"

namespace packice::sdk {
namespace {

struct Call {
  AcquireRequest request;
  Quota::Share descriptor;
  absl::StatusOr<Grant> grant;  // set by the answer
};

// Calls that cannot be made are failures, and stay.
void MakeCalls(Peer& peer, std::vector<absl::StatusOr<Call>>& calls) {
  Latch all;
  std::atomic<size_t> missing{1};  // one for this function, until every call is made
  const auto count_down = [&] {
    if (missing.fetch_sub(1) == 1) all.Set();
  };
  const auto ask = [&] {
    for (absl::StatusOr<Call>& call : calls) {
      if (!call.ok()) continue;
      missing.fetch_add(1);
      peer.Acquire(std::move(call->request), [&call, &count_down](absl::StatusOr<Grant> grant) {
        call->grant = std::move(grant);
        count_down();
      });
    }
    count_down();
  };
  peer.Await([&] { peer.Gather(ask); }, all);
}

absl::StatusOr<Call> Prepare(Connection& connection, absl::StatusOr<AcquireRequest> request) {
  if (!request.ok()) return request.status();
  if (absl::Status status = connection.Check(); !status.ok()) return status;
  absl::StatusOr<Quota::Share> descriptor = TakeDescriptor(connection);
  if (!descriptor.ok()) return descriptor.status();
  return Call{*std::move(request), *std::move(descriptor), absl::StatusOr<Grant>()};
}

}  // namespace

std::vector<absl::StatusOr<Granted>> AcquireMany(
    const std::shared_ptr<Connection>& connection,
    std::vector<absl::StatusOr<AcquireRequest>> requests) {
  std::vector<absl::StatusOr<Call>> calls;
  calls.reserve(requests.size());
  for (auto& request : requests) calls.push_back(Prepare(*connection, std::move(request)));
  const auto asked_by = connection->node_connection();
  if (connection->Check().ok()) MakeCalls(connection->peer(), calls);

  std::vector<absl::StatusOr<Granted>> granted;
  granted.reserve(calls.size());
  for (absl::StatusOr<Call>& call : calls) {
    if (call.ok()) {
      granted.push_back(
          Accept(connection, std::move(call->descriptor), asked_by, std::move(call->grant)));
    } else {
      granted.push_back(call.status());
    }
  }
  return granted;
}

}  // namespace packice::sdk
