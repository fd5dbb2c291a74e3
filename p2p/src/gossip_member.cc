#include "gossip_member.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gossip_codec.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// Changes of what a member says of itself, in gossip intervals: apart, and apart for each member.
constexpr int kMetadataIntervals = 10;
constexpr absl::Duration kRememberAfter = absl::Seconds(1);
// Load changes of less are not told.
constexpr int kLoadStep = 10;
constexpr size_t kMaxMessages = 64;  // of one envelope
constexpr absl::Duration kLongestSleep = absl::Seconds(1);

uint64_t RandomSeed(RandomSource& random) {
  uint64_t seed = 0;
  random.Fill(absl::MakeSpan(reinterpret_cast<uint8_t*>(&seed), sizeof(seed)));
  return seed;
}

MembershipOptions MembershipOf(const GossipOptions& options, const std::string& address) {
  MembershipOptions membership;
  membership.address = address;
  membership.metadata.transfer_address = options.address;
  membership.metadata.zone = options.zone;
  membership.metadata.role = options.role;
  membership.incarnation = static_cast<uint64_t>(absl::ToUnixMillis(options.clock->WallTime()));
  membership.seed = RandomSeed(*options.random);
  membership.probe.interval = options.probe_interval;
  membership.probe.timeout = options.probe_timeout;
  membership.suspicion.patience *= absl::FDivDuration(options.probe_interval, absl::Seconds(1));
  membership.gossip_interval = options.gossip_interval;
  membership.exchange_interval = options.exchange_interval;
  membership.join_backoff = std::min(membership.join_backoff, options.probe_interval);
  membership.metadata_interval = kMetadataIntervals * options.gossip_interval;
  membership.metadata_interval_per_member = options.gossip_interval;
  return membership;
}

EventKind EventOf(MemberChange change) {
  switch (change) {
    case MemberChange::kSuspected:
      return EventKind::kPeerSuspected;
    case MemberChange::kDied:
    case MemberChange::kLeft:
      return EventKind::kPeerLeft;
    default:
      return EventKind::kPeerJoined;
  }
}

}  // namespace

GossipMember::GossipMember(GossipOptions options)
    : options_(std::move(options)), next_look_(Now()), next_remember_(Now()) {
  if (!options_.seeds_file.empty()) {
    seeds_file_ = std::make_unique<SeedsFile>(options_.seeds_file);
  }
}

GossipMember::~GossipMember() {
  if (thread_.joinable()) {
    {
      MutexLock lock(wake_mutex_);
      stop_ = true;
      awake_.NotifyAll();
    }
    thread_.join();
  }
  if (transport_ != nullptr) transport_->ShutDown();
}

absl::Status GossipMember::Start() {
  if (absl::Status opened = Open(); !opened.ok()) return opened;
  const std::vector<std::string> seeds = FirstSeeds();
  {
    MutexLock lock(mutex_);
    membership_->Join(Now(), seeds);
  }
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

absl::Status GossipMember::Open() {
  const bool everywhere =
      absl::StartsWith(options_.listen, "0.0.0.0:") || absl::StartsWith(options_.listen, "[::]:");
  if (everywhere && options_.advertise.empty()) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("gossip on ", options_.listen,
                                  " needs the address that others dial: give advertise"));
  }
  GossipTransportOptions transport{options_.listen, options_.insecure, options_.token,
                                   options_.tls};
  // Answers nothing before there is a membership, whose address is known only now.
  auto started = GossipTransport::Start(
      std::move(transport), [this](const Envelope& envelope) { return OnEnvelope(envelope); });
  if (!started.ok()) return started.status();
  MutexLock lock(mutex_);
  transport_ = *std::move(started);
  gossip_address_ = options_.advertise.empty() ? transport_->address() : options_.advertise;

  GossipDirectoryOptions directory;
  directory.gossip_address = gossip_address_;
  directory.address = options_.address;
  directory.zone = options_.zone;
  directory.interval = kMetadataIntervals / 2 * options_.gossip_interval;
  directory.seed = RandomSeed(*options_.random);
  directory.clock = options_.clock;
  GossipDirectory::Fleet fleet;
  fleet.ask = [this](const std::string& address, Envelope question, absl::Duration timeout,
                     Done<absl::StatusOr<Envelope>> done) {
    Ask(address, std::move(question), timeout, std::move(done));
  };
  fleet.spread = [this](std::string hint) {
    MutexLock locked(mutex_);
    membership_->Broadcast(Now(), std::move(hint));
    Wake();
  };
  fleet.wake = [this] { Wake(); };
  directory_ = std::make_unique<GossipDirectory>(std::move(directory), std::move(fleet));
  MembershipNetwork& network = *this;
  MembershipObserver& observer = *this;
  membership_ = std::make_unique<Membership>(MembershipOf(options_, gossip_address_), network,
                                             observer, Now());
  if (!membership_->self()->Valid()) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("addresses, zone and role of a member are at most ",
                                  MemberMetadata::kMaxTextBytes, " bytes each"));
  }
  return absl::OkStatus();
}

std::vector<std::string> GossipMember::FirstSeeds() const {
  std::vector<std::string> seeds = options_.join;
  if (seeds_file_ == nullptr) return seeds;
  const absl::StatusOr<std::vector<std::string>> remembered = seeds_file_->Read();
  if (remembered.ok()) {
    seeds.insert(seeds.end(), remembered->begin(), remembered->end());
  } else {
    options_.log(remembered.status().message());
  }
  return seeds;
}

// The network.

void GossipMember::Send(const std::string& address, MembershipMessage message) {
  outbox_.emplace_back(address, std::move(message));
}

absl::Status GossipMember::CheckSender(const Envelope& envelope) const {
  if (envelope.cluster() != options_.cluster) {
    return MakeError(ErrorKind::kPermissionDenied,
                     absl::StrCat("this member belongs to the cluster ", options_.cluster,
                                  " and not to the one that was named"));
  }
  const bool nameless = envelope.from().empty() && envelope.messages_size() > 0;
  if (nameless || envelope.from().size() > MemberStatement::kMaxAddressBytes ||
      envelope.messages_size() > static_cast<int>(kMaxMessages)) {
    return MakeError(ErrorKind::kInvalidArgument, "the envelope is beyond what gossip allows");
  }
  return absl::OkStatus();
}

absl::StatusOr<GossipMember::Envelope> GossipMember::OnEnvelope(const Envelope& envelope) {
  if (absl::Status checked = CheckSender(envelope); !checked.ok()) return checked;
  Envelope answer;
  Outbox outbox;
  {
    MutexLock lock(mutex_);
    if (membership_ == nullptr) return MakeError(ErrorKind::kUnavailable, "the member starts");
    Receive(envelope);
    outbox.swap(outbox_);
  }
  if (envelope.directory_case() != Envelope::DIRECTORY_NOT_SET) {
    absl::StatusOr<Envelope> found = directory_->Answer(envelope);
    if (!found.ok()) return found.status();
    answer = *std::move(found);
  }
  answer.set_cluster(options_.cluster);
  answer.set_from(gossip_address_);
  Outbox elsewhere;
  for (auto& [address, message] : outbox) {
    if (address == envelope.from() && answer.messages_size() < static_cast<int>(kMaxMessages)) {
      Encode(message, *answer.add_messages());
    } else {
      elsewhere.emplace_back(std::move(address), std::move(message));
    }
  }
  Dispatch(std::move(elsewhere));
  Wake();
  return answer;
}

void GossipMember::Receive(const Envelope& envelope) {
  for (const gossip::v1::Message& message : envelope.messages()) {
    if (const auto decoded = Decode(message)) {
      membership_->OnMessage(Now(), envelope.from(), *decoded);
    }
  }
}

void GossipMember::Dispatch(Outbox outbox) {
  std::map<std::string, Envelope> envelopes;
  for (const auto& [address, message] : outbox) {
    Encode(message, *envelopes[address].add_messages());
  }
  for (auto& [address, envelope] : envelopes) {
    // Longer than a probe lasts: a late ack is still news to who relays it.
    Ask(address, std::move(envelope), 2 * options_.probe_interval,
        [](const absl::StatusOr<Envelope>&) {});
  }
}

void GossipMember::Ask(const std::string& address, Envelope question, absl::Duration timeout,
                       Done<absl::StatusOr<Envelope>> done) {
  question.set_cluster(options_.cluster);
  question.set_from(gossip_address_);
  transport_->Call(address, std::move(question), timeout,
                   [this, done = std::move(done)](absl::StatusOr<Envelope> answer) mutable {
                     if (answer.ok() && !CheckSender(*answer).ok()) {
                       answer = MakeError(ErrorKind::kPermissionDenied,
                                          "somebody of another cluster has answered");
                     }
                     if (answer.ok() && answer->messages_size() > 0) {
                       Outbox outbox;
                       {
                         MutexLock lock(mutex_);
                         Receive(*answer);
                         outbox.swap(outbox_);
                       }
                       Dispatch(std::move(outbox));
                       Wake();
                     }
                     std::move(done)(std::move(answer));
                   });
}

// What changes.

void GossipMember::OnMember(MemberChange change, const StatementRef& member) {
  directory_->OnMember(change, member);
  if (change != MemberChange::kUpdated) changes_.emplace_back(change, member);
}

void GossipMember::OnBroadcast(absl::string_view payload) { directory_->OnBroadcast(payload); }

void GossipMember::PublishEvents() {
  std::deque<std::pair<MemberChange, StatementRef>> changes;
  {
    MutexLock lock(mutex_);
    changes.swap(changes_);
  }
  for (const auto& [change, member] : changes) {
    remember_ = true;
    options_.events->Publish(
        Event{EventOf(change), OperationId::kNone, ObjectId(), 0, {}, member->address()});
  }
}

// The thread.

void GossipMember::Wake() {
  MutexLock lock(wake_mutex_);
  woken_ = true;
  awake_.NotifyOne();
}

void GossipMember::Run() {
  for (;;) {
    DoWhatIsDue();
    Instant next = directory_->NextWork();
    {
      MutexLock lock(mutex_);
      next = std::min({next, membership_->NextTick(), next_look_});
      told_.NotifyAll();
    }
    MutexLock lock(wake_mutex_);
    const absl::Duration sleep = std::min(next - Now(), kLongestSleep);
    if (!woken_ && !stop_ && sleep > absl::ZeroDuration()) awake_.WaitFor(wake_mutex_, sleep);
    woken_ = false;
    if (stop_) return;
  }
}

void GossipMember::DoWhatIsDue() {
  Outbox outbox;
  {
    MutexLock lock(mutex_);
    TellOfItself();
    membership_->Tick(Now());
    outbox.swap(outbox_);
  }
  Dispatch(std::move(outbox));
  directory_->Work();
  PublishEvents();
  RememberMembers();
}

void GossipMember::TellOfItself() {
  if (next_look_ <= Now()) {
    next_look_ = Now() + kMetadataIntervals * options_.gossip_interval;
    const double load = std::clamp(options_.load(), 0.0, 1.0);
    const int percent = static_cast<int>(std::lround(100 * load));
    if (std::abs(percent - load_percent_) >= kLoadStep) {
      load_percent_ = static_cast<uint8_t>(percent);
    }
  }
  MemberMetadata metadata = membership_->self()->metadata();
  metadata.load_percent = load_percent_;
  metadata.filter_version = directory_->filter_version();
  membership_->SetMetadata(Now(), std::move(metadata));
}

void GossipMember::RememberMembers() {
  if (!remember_ || seeds_file_ == nullptr || next_remember_ > Now()) return;
  std::vector<std::string> seeds;
  for (const Member& member : Members()) {
    const bool present =
        member.state == MemberState::kAlive || member.state == MemberState::kSuspect;
    if (present && member.gossip_address != gossip_address_) {
      seeds.push_back(member.gossip_address);
    }
  }
  // Who is alone now has all the more need of those that were there.
  remember_ = false;
  if (seeds.empty()) return;
  next_remember_ = Now() + kRememberAfter;
  if (absl::Status written = seeds_file_->Write(seeds); !written.ok()) {
    options_.log(written.message());
  }
}

// For people.

std::vector<Member> GossipMember::Members() const {
  std::vector<Member> members;
  MutexLock lock(mutex_);
  const auto add = [&](const MemberStatement& statement, MemberState state, absl::Duration age) {
    const MemberMetadata& metadata = statement.metadata();
    members.push_back(Member{statement.address(), metadata.transfer_address, state,
                             statement.incarnation(), metadata.zone, metadata.role,
                             metadata.load_percent / 100.0, age});
  };
  add(*membership_->self(), MemberState::kAlive, membership_->OwnAge(Now()));
  const MemberTable& table = membership_->members();
  for (MemberTable::Index i = 0; i < table.size(); ++i) {
    add(*table[i].statement, table[i].state, membership_->Age(Now(), table[i]));
  }
  std::sort(members.begin(), members.end(),
            [](const Member& a, const Member& b) { return a.gossip_address < b.gossip_address; });
  return members;
}

GossipCounters GossipMember::counters() const {
  const GossipDirectory::Figures figures = directory_->figures();
  GossipCounters counters;
  counters.sent_bytes = transport_->sent_bytes();
  counters.received_bytes = transport_->received_bytes();
  counters.hints = figures.hints;
  counters.false_hints = figures.false_hints;
  MutexLock lock(mutex_);
  counters.probes = membership_->probes();
  counters.failed_probes = membership_->failed_probes();
  counters.suspicions = membership_->suspicions();
  counters.refutations = membership_->refutations();
  counters.health = membership_->health();
  return counters;
}

void GossipMember::Leave(absl::Duration patience) {
  const Instant deadline = Now() + patience;
  MutexLock lock(mutex_);
  membership_->Leave(Now());
  Wake();
  while (!membership_->LeaveTold() && Now() < deadline) told_.WaitFor(mutex_, deadline - Now());
}

}  // namespace packice
