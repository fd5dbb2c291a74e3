// The links of a node over TCP, and the thread on which its engine lives. Owns both.
//
// Thread-safe: Start, Attach, Post, Stop and links(). All else is for the engine, on its thread;
// that is where events are told, never from within a call of the engine's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "packice/core/clock.h"
#include "packice/core/random.h"
#include "packice/p2p/swarm_peer.h"
#include "packice/p2p/transfer_engine.h"

namespace packice {

struct AsioNetworkOptions {
  // What it tells others of where it gives pieces; empty: where it listens.
  std::string advertise;
  std::string cluster = "packice";  // nodes of other clusters are refused
  std::string token;                // as are nodes with another one
  TlsFiles tls;                     // empty: plain text
  SendPath send_path = SendPath::kWrite;
  size_t max_links = 20000;  // further ones are refused as `busy`
  absl::Duration connect_timeout = absl::Seconds(3);
  absl::Duration greeting_timeout = absl::Seconds(5);
  // A link that takes none of our bytes for so long is closed.
  absl::Duration stall_timeout = absl::Seconds(30);
  Clock* clock = &Clock::System();
  RandomSource* random = &RandomSource::System();
  std::function<void(absl::string_view)> log = [](absl::string_view) {};
};

class AsioNetwork final : public TransferNetwork {
 public:
  explicit AsioNetwork(AsioNetworkOptions options);
  ~AsioNetwork() override;  // stops

  // Listens at "host:port", port 0 for any, and begins to run what is posted. Returns the address
  // with its port. Empty: it only dials. `invalid_argument`, `busy` when the address is taken,
  // `permission_denied`; of TLS also `not_found`.
  absl::StatusOr<std::string> Start(const std::string& listen);

  // Whom to tell from now on; outlives Stop. Nobody is let in before. Once, after Start.
  void Attach(TransferEvents& events);

  // Runs it on the engine's thread, in the order of calls; drops it after Stop.
  void Post(absl::AnyInvocable<void()> call);

  // Ends the thread and closes all links without telling of it. What was posted and has not run
  // is dropped. Blocks for what runs just now. Not on the engine's thread. Idempotent.
  void Stop();

  size_t links() const;  // open or under way

  LinkId Dial(const std::string& address) override;
  void Send(LinkId link, Frame frame) override;
  void HangUp(LinkId link) override;
  void SendPiece(LinkId link, uint32_t channel, uint32_t piece,
                 std::shared_ptr<PieceStore> store) override;
  void ReceiveInto(LinkId link, uint32_t channel, std::shared_ptr<PieceStore> store) override;
  Instant Heard(LinkId link) const override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace packice
