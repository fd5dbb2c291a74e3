#include "packice/p2p/swarm_peer.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "discard_everywhere.h"
#include "packice/core/error.h"
#include "swarm_peer_impl.h"

namespace packice {
namespace {

constexpr absl::Duration kUpkeep = absl::Seconds(5);
// A look takes microseconds.
constexpr int kMostTries = 100;
constexpr absl::Duration kDrainPoll = absl::Milliseconds(10);

uint64_t SeedFrom(RandomSource& random) {
  uint64_t seed = 0;
  random.Fill(absl::MakeSpan(reinterpret_cast<uint8_t*>(&seed), sizeof(seed)));
  return seed;
}

AsioNetworkOptions NetworkOptions(const SwarmOptions& options) {
  AsioNetworkOptions network;
  network.advertise = options.advertise;
  network.cluster = options.cluster;
  network.token = options.token;
  network.tls = options.tls;
  network.send_path = options.send_path;
  network.max_links = options.max_links;
  network.clock = options.clock;
  network.random = options.random;
  network.log = options.log;
  return network;
}

}  // namespace

SwarmPeer::Impl::Impl(std::unique_ptr<Peer> local_peer, ChangeFeed& change_feed,
                      std::unique_ptr<Peer> origin_node, SwarmOptions swarm_options)
    : local(std::move(local_peer)),
      changes(change_feed),
      origin_peer(std::move(origin_node)),
      options(std::move(swarm_options)),
      timers(*options.clock),
      manifests(*local, options.digest),
      network(NetworkOptions(options)),
      objects(*local, manifests, hashing, post(), *options.clock, options.keep_partial) {}

// What calls others stops before what they use goes.
SwarmPeer::Impl::~Impl() {
  if (keeper != nullptr) keeper->Stop();
  if (reads != nullptr) reads->Stop();
  manifests.Stop();
  timers.Stop();
  hashing.Stop();
  copying.Stop();
  network.Stop();
  engine.reset();
  if (reads != nullptr) reads->Close();
  directory.reset();
}

absl::Status SwarmPeer::Impl::Start(const MakeDirectory& make_directory) {
  absl::StatusOr<std::string> bound = network.Start(options.listen);
  if (!bound.ok()) return bound.status();
  address = options.advertise.empty() ? *bound : options.advertise;
  absl::StatusOr<std::unique_ptr<Directory>> made = make_directory(address);
  if (!made.ok()) return made.status();
  directory = *std::move(made);
  posted_directory = std::make_unique<PostedDirectory>(*directory, post());
  if (origin_peer != nullptr) {
    origin = std::make_unique<PeerOrigin>(*origin_peer, *local, objects, copying, post());
  }
  TransferOptions transfer = options.transfer;
  transfer.address = address;
  engine = std::make_unique<TransferEngine>(std::move(transfer), network, objects,
                                            *posted_directory, origin.get(), *options.clock,
                                            SeedFrom(*options.random), *options.events);
  reads = std::make_shared<SwarmReads>(*local, objects, *engine, *directory, timers, post(),
                                       *options.clock);
  keeper = std::make_unique<HoldingsKeeper>(
      *local, changes, *directory, manifests, hashing,
      [this](const ObjectId& id) {
        if (reads->waiting() == 0) return;
        reads->Wake(id);
        network.Post([this, id] { engine->OnHeld(id); });
      },
      options.log);
  network.Attach(*engine);
  keeper->Start();
  Upkeep();
  return absl::OkStatus();
}

Post SwarmPeer::Impl::post() {
  return [this](absl::AnyInvocable<void()> task) { network.Post(std::move(task)); };
}

void SwarmPeer::Impl::Upkeep() {
  objects.DropOld();
  if (keeper != nullptr) keeper->LookAgain();
  timers.RunAt(options.clock->Now() + kUpkeep, [this] { Upkeep(); });
}

void SwarmPeer::Impl::Relocate(const ObjectId& from, RelocateRequest request, bool again,
                               Done<absl::Status> done) {
  RelocateRequest same = request;
  local->Relocate(std::move(request), [this, from, same = std::move(same), again,
                                       done = std::move(done)](absl::Status status) mutable {
    if (status.ok() && !from.empty()) changes.Add(from);
    const bool busy = !status.ok() && KindOf(status) == ErrorKind::kBusy;
    if (!busy || !again) return std::move(done)(std::move(status));
    // It may have been the keeper that looked at it.
    hashing.Run([this, from, same = std::move(same), done = std::move(done)]() mutable {
      keeper->AwaitLook();
      Relocate(from, std::move(same), /*again=*/false, std::move(done));
    });
  });
}

template <typename Answer>
void SwarmPeer::Impl::AskUndisturbed(std::function<void(Done<Answer>)> ask, Done<Answer> done,
                                     int tries) {
  const uint64_t before = keeper->looks();
  ask([this, ask, before, tries, done = std::move(done)](Answer answer) mutable {
    const bool disturbed = before % 2 == 1 || keeper->looks() != before;
    if (!disturbed || tries == kMostTries) return std::move(done)(std::move(answer));
    std::this_thread::yield();
    AskUndisturbed(std::move(ask), std::move(done), tries + 1);
  });
}

template <typename T>
void SwarmPeer::Impl::Ask(std::function<T(TransferEngine&)> use, Done<absl::StatusOr<T>> done) {
  network.Post([this, use = std::move(use), done = std::move(done)]() mutable {
    std::move(done)(use(*engine));
  });
}

SwarmPeer::SwarmPeer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SwarmPeer::~SwarmPeer() = default;

absl::StatusOr<std::unique_ptr<SwarmPeer>> SwarmPeer::Open(std::unique_ptr<Peer> local,
                                                           ChangeFeed& changes,
                                                           const MakeDirectory& directory,
                                                           std::unique_ptr<Peer> origin,
                                                           SwarmOptions options) {
  auto impl =
      std::make_unique<Impl>(std::move(local), changes, std::move(origin), std::move(options));
  if (absl::Status status = impl->Start(directory); !status.ok()) return status;
  return std::unique_ptr<SwarmPeer>(new SwarmPeer(std::move(impl)));
}

const std::string& SwarmPeer::address() const { return impl_->address; }
Peer& SwarmPeer::local() { return *impl_->local; }

void SwarmPeer::Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  if (request.access == Access::kRead) {
    return impl_->reads->Acquire(std::move(request), std::move(done));
  }
  // What a download left here is in nobody's way.
  impl_->objects.Drop(request.object_id);
  if (request.access == Access::kWrite) {
    return impl_->local->Acquire(std::move(request), std::move(done));
  }
  AcquireRequest again = request;
  impl_->local->Acquire(
      std::move(request), [impl = impl_.get(), again = std::move(again),
                           done = std::move(done)](absl::StatusOr<Grant> grant) mutable {
        const bool full = !grant.ok() && KindOf(grant.status()) == ErrorKind::kCapacity;
        if (!full || !impl->objects.DropAll()) return std::move(done)(std::move(grant));
        impl->local->Acquire(std::move(again), std::move(done));
      });
}

void SwarmPeer::Cancel(OperationId operation) {
  impl_->reads->Cancel(operation);
  impl_->local->Cancel(operation);
}

void SwarmPeer::Lookup(LeaseRequest request, Done<absl::StatusOr<Grant>> done) {
  impl_->local->Lookup(std::move(request), std::move(done));
}
void SwarmPeer::Seal(SealRequest request, Done<absl::StatusOr<Sealed>> done) {
  impl_->local->Seal(std::move(request), std::move(done));
}
void SwarmPeer::Discard(LeaseRequest request, Done<absl::Status> done) {
  impl_->local->Discard(std::move(request), std::move(done));
}
void SwarmPeer::Release(LeaseRequest request, Done<absl::Status> done) {
  impl_->local->Release(std::move(request), std::move(done));
}
void SwarmPeer::Relocate(RelocateRequest request, Done<absl::Status> done) {
  impl_->objects.Drop(request.to);
  // The event of it tells the new id only.
  LeaseRequest lease;
  lease.lease_id = request.lease_id;
  lease.session = request.session;
  impl_->local->Lookup(std::move(lease),
                       [impl = impl_.get(), request = std::move(request),
                        done = std::move(done)](absl::StatusOr<Grant> grant) mutable {
                         const ObjectId from = grant.ok() ? grant->object->id() : ObjectId();
                         impl->Relocate(from, std::move(request), /*again=*/true, std::move(done));
                       });
}

void SwarmPeer::Renew(RenewRequest request, Done<absl::StatusOr<absl::Duration>> done) {
  impl_->local->Renew(std::move(request), std::move(done));
}
void SwarmPeer::Stat(const ObjectId& object_id, Done<absl::StatusOr<ObjectInfo>> done) {
  impl_->AskUndisturbed<absl::StatusOr<ObjectInfo>>(
      [impl = impl_.get(), object_id](Done<absl::StatusOr<ObjectInfo>> each) {
        impl->local->Stat(object_id, std::move(each));
      },
      std::move(done));
}
void SwarmPeer::List(ListRequest request, Done<absl::StatusOr<ListPage>> done) {
  impl_->AskUndisturbed<absl::StatusOr<ListPage>>(
      [impl = impl_.get(), request = std::move(request)](Done<absl::StatusOr<ListPage>> each) {
        impl->local->List(request, std::move(each));
      },
      std::move(done));
}
void SwarmPeer::Stats(Done<absl::StatusOr<PeerStats>> done) {
  impl_->AskUndisturbed<absl::StatusOr<PeerStats>>(
      [impl = impl_.get()](Done<absl::StatusOr<PeerStats>> each) {
        impl->local->Stats(std::move(each));
      },
      [impl = impl_.get(), done = std::move(done)](absl::StatusOr<PeerStats> stats) mutable {
        if (stats.ok()) stats->waiting += impl->reads->waiting();
        std::move(done)(std::move(stats));
      });
}
void SwarmPeer::EndSession(SessionId session) {
  impl_->reads->EndSession(session);
  impl_->local->EndSession(session);
}

void SwarmPeer::Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) {
  impl_->directory->Locate(std::move(request), std::move(done));
}

void SwarmPeer::ListEverywhere(const std::string& prefix, const std::string& after, size_t limit,
                               Done<absl::StatusOr<std::vector<ObjectId>>> done) {
  impl_->directory->List(prefix, after, limit, std::move(done));
}

void SwarmPeer::Prefetch(FetchRequest request, Done<absl::Status> done) {
  AcquireRequest read;
  read.object_id = request.object_id;
  read.operation = request.operation;
  read.quiet = true;
  const Instant left = request.deadline - impl_->options.clock->Now();
  if (left < absl::InfiniteDuration()) read.wait = std::max(left, absl::Nanoseconds(1));
  Acquire(std::move(read),
          [impl = impl_.get(), done = std::move(done)](absl::StatusOr<Grant> grant) mutable {
            const absl::Status status = grant.status();
            if (grant.ok()) SwarmLease(*impl->local, *std::move(grant)).Release();
            std::move(done)(status);
          });
}

void SwarmPeer::DiscardEverywhere(const ObjectId& object_id,
                                  Done<absl::StatusOr<std::vector<Removal>>> done) {
  impl_->network.Post([impl = impl_.get(), object_id, done = std::move(done)]() mutable {
    std::make_shared<class DiscardEverywhere>(object_id, impl->objects, *impl->engine,
                                              *impl->posted_directory, impl->timers, impl->post(),
                                              *impl->options.clock, std::move(done))
        ->Start();
  });
}

void SwarmPeer::Transfers(const absl::optional<ObjectId>& object_id,
                          Done<absl::StatusOr<std::vector<TransferInfo>>> done) {
  impl_->Ask<std::vector<TransferInfo>>(
      [object_id](TransferEngine& engine) { return engine.Transfers(object_id); }, std::move(done));
}

void SwarmPeer::Downloads(Done<absl::StatusOr<std::vector<DownloadInfo>>> done) {
  impl_->Ask<std::vector<DownloadInfo>>([](TransferEngine& engine) { return engine.Downloads(); },
                                        std::move(done));
}

TransferCounters SwarmPeer::counters() const {
  Latch latch;
  TransferCounters counters;
  impl_->network.Post([&] {
    counters = impl_->engine->counters();
    latch.Set();
  });
  latch.Wait();
  return counters;
}

size_t SwarmPeer::links() const { return impl_->network.links(); }

double SwarmPeer::load() const {
  impl_->network.Post([impl = impl_.get()] { impl->load = impl->engine->load(); });
  return impl_->load;
}

void SwarmPeer::RunDue() {
  impl_->timers.Nudge();
  impl_->network.Post([impl = impl_.get()] { impl->engine->Tick(); });
}

void SwarmPeer::Drain(absl::Duration grace) {
  const Instant deadline = impl_->options.clock->Now() + grace;
  impl_->reads->Stop();
  impl_->keeper->Stop();
  Latch stopped;
  impl_->network.Post([&] {
    impl_->engine->ShutDown();
    stopped.Set();
  });
  stopped.Wait();
  while (impl_->options.clock->Now() < deadline) {
    struct Answer {
      Latch latch;
      bool drained = false;
    } answer;
    impl_->network.Post([&] {
      answer.drained = impl_->engine->Drained();
      answer.latch.Set();
    });
    answer.latch.Wait();
    if (answer.drained) return;
    absl::SleepFor(kDrainPoll);
  }
}

}  // namespace packice
