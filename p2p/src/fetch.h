// The life of one object's way here: locate, open channels, download, seal; or the origin; and who
// waits for it.
//
// Kept in a shared_ptr, so that late answers find out that it has ended. Thread-compatible.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "download.h"
#include "engine_context.h"
#include "link_pool.h"
#include "readers.h"
#include "source_set.h"

namespace packice {

class Fetch final : public SourceSet::Reader, public std::enable_shared_from_this<Fetch> {
 public:
  // All outlive the fetch, `context` while it runs. `on_end` is called once.
  Fetch(std::shared_ptr<EngineContext> context, LinkPool& pool, Readers& readers,
        ObjectId object_id, std::function<void(Fetch&)> on_end);

  void AddWaiter(FetchRequest request, Done<absl::Status> done);
  // Whether it waited here.
  bool CancelWaiter(OperationId operation);

  void Start();
  bool started() const { return ran_; }
  void Tick(Instant now);
  void Fail(absl::Status why);

  // The object is sealed here, and not by this.
  void OnHeld();

  // Somebody reads or has the object.
  void Hint(const std::string& address);
  const SourceSet& sources() const { return sources_; }

  const ObjectId& object_id() const { return object_id_; }
  DownloadInfo Info() const;
  void AddTransfers(std::vector<TransferInfo>& transfers) const;

  OpenFrame OpenRequest() const override;
  bool OnOpened(Source& source, const OpenedFrame& opened) override;
  bool OnHave(Source& source, const HaveFrame& have) override;
  void OnPieceBegins(Source& source, uint32_t piece) override;
  void OnPiece(Source& source, uint32_t piece, TransferEngine::PieceResult result) override;
  void OnGone(Source& source) override;

 private:
  static constexpr absl::Duration kBeat = absl::Milliseconds(100);  // of Tick

  enum class Phase {
    kQueued,
    kLocating,
    kOrigin,
    kConnecting,
    kCreating,
    kDownloading,
    kSealing,
    kEnded
  };
  struct Waiter {
    FetchRequest request;
    Done<absl::Status> done;
  };

  void Locate();
  void OnLocation(absl::StatusOr<Location> location);
  bool OnlyHere(const Location& location) const;
  void OnUnlocated(absl::Status why);
  void OnNobody(const Location& location);
  void OnHolders(const Location& location);
  void LocateBy(Instant at);
  void StartOrigin();
  void TellStarted();
  bool OnManifest(Source& source, const OpenedFrame& opened);
  void Create();
  void OnCreated(absl::StatusOr<std::shared_ptr<PieceStore>> store);
  void Seal();
  void Announce();
  void GiveUpIfHopeless(Instant now);
  void ExpireWaiters(Instant now);
  void Publish(EventKind kind, absl::string_view detail);
  absl::Status OutOfHolders() const;
  void End(absl::Status status);

  const std::shared_ptr<EngineContext> context_;
  LinkPool& pool_;
  Readers& readers_;
  const ObjectId object_id_;
  std::function<void(Fetch&)> on_end_;

  Phase phase_ = Phase::kQueued;
  bool ran_ = false;
  std::vector<Waiter> waiters_;
  ContentDigest digest_;  // that the directory told
  uint64_t size_ = 0;
  std::shared_ptr<const Manifest> manifest_;
  SourceSet sources_;
  // Channels that were open before the store was there, with what was held behind them.
  std::vector<std::pair<Source*, std::vector<bool>>> early_;
  std::unique_ptr<Download> download_;

  bool crowd_ = false;  // few holders were known when it began
  bool locating_ = false;
  Instant locate_at_ = absl::InfiniteDuration();
  absl::Duration locate_interval_;
  int fruitless_ = 0;  // answers of the directory that led nowhere, one after another
  Instant started_at_ = absl::ZeroDuration();
  Instant announce_at_ = absl::InfiniteDuration();
  bool told_started_ = false;
  bool announced_ = false;
};

}  // namespace packice
