// What a node of a swarm does beyond a peer, for its servers: members, locate, transfers, prefetch,
// remove (docs/protocol.md). Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/swarm_view.h"
#include "packice/core/mutex.h"
#include "packice/transport/json_value.h"
#include "packice/transport/node_extension.h"

namespace packice::cli {

class SwarmExtension final : public NodeExtension {
 public:
  // Of a node that is in no swarm: every operation is `unsupported` and says so.
  SwarmExtension();
  // The view outlives the extension, or Stop was called before it goes.
  explicit SwarmExtension(SwarmView& view);
  ~SwarmExtension() override;

  const std::vector<std::string>& Ops() const override;
  const std::vector<Route>& Routes() const override;
  void Call(ExtensionRequest request, OperationId operation,
            Done<absl::StatusOr<std::string>> done) override;
  void Cancel(OperationId operation) override;
  std::string StatsJson() const override;
  std::string MetricsText() const override;

  // Begins nothing more; calls that go on with several objects end with what they have.
  void Stop();

 private:
  using Answered = Done<absl::StatusOr<std::string>>;
  struct Jobs;

  void Members(Answered done);
  void Locate(const JsonValue& request, Answered done);
  void Transfers(const JsonValue& request, Answered done);
  void Prefetch(const JsonValue& request, absl::Duration wait, OperationId operation,
                Answered done);
  void Remove(const JsonValue& request, Answered done);

  SwarmView* const view_;  // may be null
  const std::shared_ptr<Jobs> jobs_;
};

}  // namespace packice::cli
