// A MemoryPeer, and a peer with an archive, against PlainPeer, the peer that is right by
// inspection: the same random requests at the same times, and everything that can be seen must be
// the same, call by call.
//
// A seed that fails prints what it did. PACKICE_MODEL_SEED=<seed> runs that one alone.
//
// Where the rules leave the order open (which of several leases that end at the same instant ended
// first) the test does not go: each TTL has a fraction of its own, and time stops at each deadline.
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "fake_disk.h"
#include "gtest/gtest.h"
#include "packice/backends/memory_lease_table.h"
#include "packice/core/blocking.h"
#include "packice/core/testing/fake_clock.h"
#include "packice/core/testing/fake_random.h"
#include "packice/core/testing/heap_blob_store.h"
#include "packice/core/testing/pending.h"
#include "packice/core/testing/plain_peer.h"
#include "packice/peers/memory_peer.h"
#include "tell.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PACKICE_SANITIZED
#endif
#endif

namespace packice {
namespace {

constexpr uint64_t kCapacity = 1000;

class Comparison {
 public:
  Comparison(uint64_t seed, bool limited, bool archived)
      : random_(seed), limited_(limited), plain_(MakePlain()) {
    LocalPeerOptions options;
    if (limited_) options.capacity = kCapacity;
    options.eviction.kind = EvictionKind::kLru;
    options.background_reaper = false;
    // Every other one closes each object as soon as nobody uses it.
    if (seed % 2 == 0) options.open_at_rest = 0;
    options.clock = &clock_;
    options.random = &local_random_;
    local_ = archived ? MakeArchived(options) : MakeMemoryPeer(options);
    ids_ = 4 + Below(5);
  }

  // Makes `steps` random steps. False as soon as the two differ.
  bool Run(int steps) {
    for (int i = 0; i < steps && same_; ++i) {
      Step();
      Compare();
    }
    return same_;
  }

  // A line for each step and answer.
  std::string log() const { return absl::StrJoin(log_, "\n  "); }

  // How many of the answers were of each kind, to see that nothing is left out.
  const std::map<std::string, int>& answers() const { return answers_; }
  PeerStats stats() { return *blocking::Stats(*local_); }

 private:
  // A lease that both granted, whether it lives or not.
  struct Pair {
    LeaseId plain;
    LeaseId local;
    SessionId session;
    bool growing;
    absl::optional<absl::Duration> object_ttl;
    std::string name;
  };
  struct Acquiring {
    AcquireRequest request;
    Pending<absl::StatusOr<Grant>> plain;
    Pending<absl::StatusOr<Grant>> local;
    std::string name;
  };

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(uint64_t percent) { return Below(100) < percent; }

  std::unique_ptr<PlainPeer> MakePlain() {
    PlainPeerOptions options;
    if (limited_) options.capacity = kCapacity;
    return std::make_unique<PlainPeer>(store_, clock_, plain_random_, EventSink::Null(), options);
  }

  std::unique_ptr<LocalPeer> MakeArchived(const LocalPeerOptions& options) {
    return std::make_unique<LocalPeer>(disk_.MakeStore(),
                                       std::make_unique<MemoryLeaseTable>(clock_),
                                       /*policy=*/nullptr, options, disk_.MakeArchive());
  }

  // --- Random parts of requests.

  ObjectId AnyId() {
    // Some share a prefix, for List.
    const uint64_t i = Below(ids_);
    return *ObjectId::Parse(absl::StrCat(i % 2 == 0 ? "even/" : "odd/", i));
  }
  SessionId AnySession() { return SessionId{1 + Below(3)}; }
  absl::Duration AnyTime() {
    return absl::Seconds(1 + Below(20)) + absl::Nanoseconds(Below(1'000'000'000));
  }
  Metadata AnyMetadata() {
    Metadata metadata;
    if (Chance(30)) metadata.Set(absl::StrCat("k", Below(3)), absl::StrCat(Below(100)));
    if (Chance(1)) metadata.Set("large", std::string(Metadata::kMaxBytes, '1'));
    return metadata;
  }
  absl::InlinedVector<uint64_t, 1> AnySizes() {
    const uint64_t choice = Below(20);
    if (choice < 3) return {};
    if (choice < 5) return {0};
    if (choice == 5) return {kCapacity + Below(2)};
    if (choice == 6) return {Below(300), Below(300), Below(300)};
    return {Below(kCapacity / 2)};
  }

  // --- Steps.

  void Step() {
    const uint64_t choice = Below(100);
    if (choice < 40) return Acquire();
    if (choice < 52) return Seal();
    if (choice < 67) return Release();
    if (choice < 73) return Discard();
    if (choice < 75) return Renew();
    if (choice < 77) return Relocate();
    if (choice < 80) return Cancel();
    if (choice < 83) return EndSession();
    if (choice < 86) return List();
    if (choice < 88) return Stat();
    return Advance();
  }

  void Acquire() {
    AcquireRequest request;
    const uint64_t choice = Below(10);
    request.access = choice < 4 ? Access::kCreate : choice < 8 ? Access::kRead : Access::kWrite;
    request.object_id = AnyId();
    request.session = AnySession();
    request.operation = OperationId{++operations_};
    if (request.access == Access::kCreate) {
      request.blob_sizes = AnySizes();
      request.metadata = AnyMetadata();
      if (Chance(30)) request.object_ttl = AnyTime();
      if (Chance(1)) request.object_ttl = -absl::Seconds(1);
    }
    if (Chance(40)) request.ttl = AnyTime();
    if (Chance(40)) request.wait = AnyTime();
    if (Chance(1)) request.ttl = absl::ZeroDuration();
    request.quiet = Chance(20);

    Acquiring acquiring;
    acquiring.name = absl::StrCat("#", operations_);
    Log(absl::StrCat(acquiring.name, " acquire ", AccessName(request.access), " ",
                     request.object_id.bytes(), " session ", static_cast<uint64_t>(request.session),
                     " sizes ", absl::StrJoin(request.blob_sizes, "+"), " object_ttl ",
                     absl::FormatDuration(request.object_ttl.value_or(absl::ZeroDuration())),
                     " ttl ", absl::FormatDuration(request.ttl.value_or(absl::ZeroDuration())),
                     " wait ", absl::FormatDuration(request.wait), request.quiet ? " quiet" : ""));
    if (request.wait > absl::ZeroDuration()) deadlines_.insert(clock_.Now() + request.wait);
    acquiring.request = request;
    plain_->Acquire(request, acquiring.plain.Callback());
    local_->Acquire(request, acquiring.local.Callback());
    acquiring_.push_back(std::move(acquiring));
    Collect();
  }

  void Seal() {
    const Pair* pair = AnyPair();
    if (pair == nullptr) return;
    SealRequest request;
    if (pair->growing && Chance(70)) request.size = Below(kCapacity / 2);
    if (Chance(5)) request.size = Below(2 * kCapacity);
    request.metadata = AnyMetadata();
    request.session = SessionOf(*pair);
    absl::optional<absl::Duration> life = pair->object_ttl;
    if (Chance(10)) {
      life = Chance(20) ? -AnyTime() : AnyTime();
      request.expires_at = clock_.WallTime() + *life;
    }
    Log(absl::StrCat("seal ", pair->name, " size ",
                     request.size ? absl::StrCat(*request.size) : "-", " life ",
                     absl::FormatDuration(life.value_or(absl::ZeroDuration()))));
    request.lease_id = pair->plain;
    const absl::StatusOr<Sealed> plain = blocking::Seal(*plain_, request);
    request.lease_id = pair->local;
    const absl::StatusOr<Sealed> local = blocking::Seal(*local_, request);
    Same("seal", Tell(plain), Tell(local));
    if (plain.ok() && local.ok()) {
      Same("sealed", absl::StrCat(plain->object_id.bytes(), plain->size),
           absl::StrCat(local->object_id.bytes(), local->size));
    }
    if (plain.ok() && life) deadlines_.insert(clock_.Now() + std::max(absl::ZeroDuration(), *life));
    Collect();
  }

  void Release() {
    const Pair* pair = AnyPair();
    if (pair != nullptr) Release(*pair);
  }
  void Release(const Pair& pair) {
    Log(absl::StrCat("release ", pair.name));
    LeaseRequest request;
    request.session = SessionOf(pair);
    request.lease_id = pair.plain;
    const absl::Status plain = blocking::Release(*plain_, request);
    request.lease_id = pair.local;
    Same("release", Tell(plain), Tell(blocking::Release(*local_, request)));
    Collect();
  }

  void Discard() {
    const Pair* pair = AnyPair();
    if (pair == nullptr) return;
    Log(absl::StrCat("discard ", pair->name));
    LeaseRequest request;
    request.session = SessionOf(*pair);
    request.lease_id = pair->plain;
    const absl::Status plain = blocking::Discard(*plain_, request);
    request.lease_id = pair->local;
    Same("discard", Tell(plain), Tell(blocking::Discard(*local_, request)));
    Collect();
  }

  void Relocate() {
    const Pair* pair = AnyPair();
    if (pair == nullptr) return;
    RelocateRequest request;
    request.to = AnyId();
    request.session = SessionOf(*pair);
    Log(absl::StrCat("relocate ", pair->name, " to ", request.to.bytes()));
    request.lease_id = pair->plain;
    const absl::Status plain = blocking::Relocate(*plain_, request);
    request.lease_id = pair->local;
    Same("relocate", Tell(plain), Tell(blocking::Relocate(*local_, request)));
    if (plain.ok()) ++answers_["relocated"];
    Collect();
  }

  void Renew() {
    const Pair* pair = AnyPair();
    if (pair == nullptr) return;
    RenewRequest request;
    request.ttl = Chance(5) ? absl::ZeroDuration() : AnyTime();
    request.session = SessionOf(*pair);
    Log(absl::StrCat("renew ", pair->name, " ", absl::FormatDuration(request.ttl)));
    request.lease_id = pair->plain;
    const absl::StatusOr<absl::Duration> plain = blocking::Renew(*plain_, request);
    request.lease_id = pair->local;
    Same("renew", Tell(plain), Tell(blocking::Renew(*local_, request)));
    deadlines_.insert(clock_.Now() + request.ttl);
  }

  void Cancel() {
    if (operations_ == 0) return;
    const OperationId operation = !acquiring_.empty() && Chance(80)
                                      ? acquiring_[Below(acquiring_.size())].request.operation
                                      : OperationId{1 + Below(operations_)};
    Log(absl::StrCat("cancel #", static_cast<uint64_t>(operation)));
    plain_->Cancel(operation);
    local_->Cancel(operation);
    Collect();
  }

  void EndSession() {
    const SessionId session = AnySession();
    if (limited_) {
      // Which of its leases ends first decides what is evicted first. So at most one is left.
      std::vector<Pair> held;
      for (const Pair& pair : pairs_) {
        if (pair.session == session) held.push_back(pair);
      }
      for (size_t i = 1; i < held.size(); ++i) Release(held[i]);
    }
    Log(absl::StrCat("end session ", static_cast<uint64_t>(session)));
    plain_->EndSession(session);
    local_->EndSession(session);
    Collect();
  }

  void List() {
    ListRequest request;
    if (Chance(50)) request.prefix = Chance(50) ? "even/" : "odd/";
    if (Chance(50)) request.after = std::string(AnyId().bytes());
    request.limit = Below(5);
    Log(absl::StrCat("list ", request.prefix, "* after ", request.after, " limit ", request.limit));
    const absl::StatusOr<ListPage> plain = blocking::List(*plain_, request);
    const absl::StatusOr<ListPage> local = blocking::List(*local_, request);
    Same("list", Tell(plain), Tell(local));
    if (plain.ok() && local.ok()) Same("page", Tell(*plain), Tell(*local));
  }

  void Stat() {
    const ObjectId id = AnyId();
    Log(absl::StrCat("stat ", id.bytes()));
    const absl::StatusOr<ObjectInfo> plain = blocking::Stat(*plain_, id);
    const absl::StatusOr<ObjectInfo> local = blocking::Stat(*local_, id);
    Same("stat", Tell(plain), Tell(local));
    if (plain.ok() && local.ok()) Same("info", Tell(*plain), Tell(*local));
  }

  void Advance() {
    // Whole nanoseconds, as clocks have them.
    const Instant target =
        clock_.Now() + absl::Floor(AnyTime() / (1 + Below(8)), absl::Nanoseconds(1));
    while (!deadlines_.empty() && *deadlines_.begin() <= target) {
      const Instant deadline = *deadlines_.begin();
      deadlines_.erase(deadlines_.begin());
      if (deadline > clock_.Now()) AdvanceTo(deadline);
      // A late timer: the next call has to notice by itself. Where others wait, or want room, the
      // order in which it does that and its own work shows; nobody is promised one.
      if (!limited_ && acquiring_.empty() && Chance(30)) return LateTimer();
    }
    AdvanceTo(target);
  }
  void AdvanceTo(Instant instant) {
    clock_.Advance(instant - clock_.Now());
    Log(absl::StrCat("now ", absl::FormatDuration(clock_.Now())));
    plain_->RunDue();
    local_->RunDue();
    Collect();
  }
  void LateTimer() {
    if (deadlines_.empty()) return;
    const Instant deadline = *deadlines_.begin();
    deadlines_.erase(deadlines_.begin());
    clock_.Advance(deadline - clock_.Now());
    Log(absl::StrCat("now, without timers, ", absl::FormatDuration(clock_.Now())));
    const uint64_t choice = Below(4);
    if (choice == 0) return Stat();
    if (choice == 1) return Release();
    if (choice == 2) return Seal();
    return Acquire();
  }

  const Pair* AnyPair() {
    if (pairs_.size() > 12) {
      Release(pairs_.front());
      pairs_.erase(pairs_.begin());
    }
    if (pairs_.empty()) return nullptr;
    // Mostly a late one, which is more likely to live.
    const size_t late = pairs_.size() > 5 && Chance(60) ? pairs_.size() - 5 : 0;
    return &pairs_[late + Below(pairs_.size() - late)];
  }
  SessionId SessionOf(const Pair& pair) { return Chance(95) ? pair.session : AnySession(); }

  // --- Comparing.

  // What was answered meanwhile must have been answered by both, and alike.
  void Collect() {
    for (size_t i = 0; i < acquiring_.size();) {
      Acquiring& acquiring = acquiring_[i];
      const bool done = acquiring.plain.IsDone();
      Same(absl::StrCat(acquiring.name, " waits"), done ? "no" : "yes",
           acquiring.local.IsDone() ? "no" : "yes");
      if (!same_) return;
      if (!done) {
        ++i;
        continue;
      }
      const absl::StatusOr<Grant> plain = acquiring.plain.Wait();
      const absl::StatusOr<Grant> local = acquiring.local.Wait();
      Same(acquiring.name, Tell(plain), Tell(local));
      if (!same_) return;
      if (plain.ok()) {
        Same("granted", TellGrant(*plain), TellGrant(*local));
        deadlines_.insert(plain->lease.deadline);
        pairs_.push_back({plain->lease.id, local->lease.id, acquiring.request.session,
                          acquiring.request.blob_sizes.empty(), acquiring.request.object_ttl,
                          acquiring.name});
      }
      acquiring_.erase(acquiring_.begin() + static_cast<ptrdiff_t>(i));
    }
    // Never is no deadline.
    deadlines_.erase(absl::InfiniteDuration());
  }

  static std::string TellGrant(const Grant& grant) {
    return absl::StrCat(AccessName(grant.lease.access), " ", grant.lease.object_id.bytes(),
                        " session ", static_cast<uint64_t>(grant.lease.session), " ttl ",
                        absl::FormatDuration(grant.lease.ttl), " until ",
                        absl::FormatDuration(grant.lease.deadline), " of ", grant.object->size(),
                        " bytes");
  }

  void Compare() {
    Same("stats", Tell(*blocking::Stats(*plain_)), Tell(*blocking::Stats(*local_)));
    Same("objects", Tell(*blocking::List(*plain_, {})), Tell(*blocking::List(*local_, {})));
    Collect();
  }

  void Log(std::string line) { log_.push_back(std::move(line)); }
  void Same(absl::string_view what, const std::string& plain, const std::string& local) {
    if (what != "stats" && what != "objects" && what != "page" && what != "info") {
      if (!absl::EndsWith(what, "waits") && what != "granted" && what != "sealed")
        ++answers_[plain];
    }
    if (plain == local) return;
    same_ = false;
    Log(absl::StrCat("DIFFERENT ", what, ":\n  plain: ", plain, "\n  local: ", local));
  }

  std::mt19937_64 random_;
  const bool limited_;
  FakeClock clock_;
  FakeRandom plain_random_{1};
  FakeRandom local_random_{2};
  HeapBlobStore store_;
  FakeDisk disk_;
  std::unique_ptr<PlainPeer> plain_;
  std::unique_ptr<LocalPeer> local_;

  uint64_t ids_ = 0;
  uint64_t operations_ = 0;
  std::set<Instant> deadlines_;  // of all there is, or once was
  std::vector<Pair> pairs_;
  std::vector<Acquiring> acquiring_;
  bool same_ = true;
  std::vector<std::string> log_;
  std::map<std::string, int> answers_;
};

#ifdef PACKICE_SANITIZED
constexpr uint64_t kSeeds = 5;
#else
constexpr uint64_t kSeeds = 200;
#endif
constexpr int kSteps = 2000;

void CompareAll(bool limited, bool archived) {
  uint64_t first = 1;
  uint64_t last = kSeeds;
  if (const char* seed = std::getenv("PACKICE_MODEL_SEED")) {
    ASSERT_TRUE(absl::SimpleAtoi(seed, &first));
    last = first;
  }
  std::map<std::string, int> answers;
  uint64_t evictions = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    Comparison comparison(seed, limited, archived);
    ASSERT_TRUE(comparison.Run(kSteps))
        << "PACKICE_MODEL_SEED=" << seed << "\n  " << comparison.log();
    for (const auto& [kind, count] : comparison.answers()) answers[kind] += count;
    evictions += comparison.stats().evictions;
  }
  // The walk went everywhere.
  for (const char* kind :
       {"ok", "not_found", "already_exists", "busy", "not_sealed", "timeout", "unavailable",
        "lease_expired", "permission_denied", "invalid_argument", "relocated"}) {
    EXPECT_GT(answers[kind], 0) << kind;
  }
  EXPECT_EQ(answers["capacity"] > 0, limited);
  EXPECT_EQ(evictions > 0, limited);
}

TEST(ModelTest, AMemoryPeerDoesWhatThePlainPeerDoes) { CompareAll(false, false); }

TEST(ModelTest, AMemoryPeerEvictsWhatThePlainPeerEvicts) { CompareAll(true, false); }

TEST(ModelTest, APeerWithAnArchiveDoesWhatThePlainPeerDoes) { CompareAll(false, true); }

TEST(ModelTest, APeerWithAnArchiveEvictsWhatThePlainPeerEvicts) { CompareAll(true, true); }

}  // namespace
}  // namespace packice
