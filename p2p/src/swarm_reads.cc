#include "swarm_reads.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"
#include "swarm_lease.h"

namespace packice {
namespace {

// Of rounds between the local peer and the swarm. More than one are needed only where the object
// goes again between its download and its lease.
constexpr int kMaxRounds = 8;
// Directories may miss a change.
constexpr absl::Duration kLookAgain = absl::Seconds(1);

absl::Status GoneAgain(const ObjectId& id) {
  return MakeError(ErrorKind::kBusy,
                   absl::StrCat("object ", id.ToQuoted(),
                                " was copied here and taken away again, several times; the node "
                                "may be too small for what is read at a time"));
}

absl::Status TooLate(const ObjectId& id) {
  return MakeError(ErrorKind::kTimeout,
                   absl::StrCat("object ", id.ToQuoted(), " was not here within the time to wait"));
}

}  // namespace

struct SwarmReads::Read {
  uint64_t number = 0;
  AcquireRequest request;
  // When it is over; infinite: as long as the download makes progress.
  Instant deadline = absl::InfiniteDuration();
  // Of the fetch: the caller's own, or one made for it.
  OperationId operation = OperationId::kNone;
  std::atomic<int> rounds{0};
  std::atomic<bool> waits_locally{false};  // where the local peer counts it
  Mutex mutex;
  absl::optional<TimerThread::Timer> timer ABSL_GUARDED_BY(mutex);
  // Null: it is answered.
  Done<absl::StatusOr<Grant>> done ABSL_GUARDED_BY(mutex);

  bool waits() const { return request.wait > absl::ZeroDuration(); }
  bool over() {
    MutexLock lock(mutex);
    return done == nullptr;
  }
};

struct SwarmReads::Parked {
  std::vector<ReadRef> reads;
  std::unique_ptr<Directory::Watch> watch;
};

SwarmReads::SwarmReads(Peer& local, NodeObjects& objects, TransferEngine& engine,
                       Directory& directory, TimerThread& timers, Post post, const Clock& clock)
    : local_(local),
      objects_(objects),
      engine_(engine),
      directory_(directory),
      timers_(timers),
      post_(std::move(post)),
      clock_(clock) {}

SwarmReads::~SwarmReads() = default;

void SwarmReads::Acquire(AcquireRequest request, Done<absl::StatusOr<Grant>> done) {
  auto read = std::make_shared<Read>();
  read->operation = request.operation == OperationId::kNone ? NewOperationId() : request.operation;
  request.operation = read->operation;
  if (request.wait > absl::ZeroDuration()) read->deadline = clock_.Now() + request.wait;
  read->request = std::move(request);
  {
    MutexLock lock(read->mutex);
    read->done = std::move(done);
  }
  bool stopped = false;
  {
    MutexLock lock(mutex_);
    stopped = stopped_;
    read->number = next_++;
    if (!stopped) reads_[read->number] = read;
  }
  if (stopped) {
    return Finish(read, MakeError(ErrorKind::kUnavailable, "the node is shutting down"));
  }
  AskLocal(read);
}

void SwarmReads::StartTimer(const ReadRef& read) {
  MutexLock lock(read->mutex);
  if (!read->waits() || read->timer || read->done == nullptr) return;
  read->timer = timers_.RunAt(read->deadline, [this, weak = std::weak_ptr<Read>(read)] {
    const ReadRef late = weak.lock();
    if (late == nullptr) return;
    EndWhere([&late](const Read& other) { return other.number == late->number; },
             TooLate(late->request.object_id));
  });
}

void SwarmReads::AskLocal(const ReadRef& read) {
  if (read->over()) return;
  if (++read->rounds > kMaxRounds) return Finish(read, GoneAgain(read->request.object_id));
  AcquireRequest request = read->request;
  request.wait = absl::ZeroDuration();
  local_.Acquire(std::move(request),
                 [self = shared_from_this(), read](absl::StatusOr<Grant> grant) {
                   self->OnLocal(read, std::move(grant));
                 });
}

void SwarmReads::WaitLocal(const ReadRef& read) {
  AcquireRequest request = read->request;
  request.wait = std::max(read->deadline - clock_.Now(), absl::Nanoseconds(1));
  read->waits_locally = true;
  local_.Acquire(std::move(request),
                 [self = shared_from_this(), read](absl::StatusOr<Grant> grant) {
                   read->waits_locally = false;
                   self->OnLocal(read, std::move(grant));
                 });
  // Whoever ended it meanwhile found nothing to cancel.
  if (read->over()) local_.Cancel(read->operation);
}

void SwarmReads::OnLocal(const ReadRef& read, absl::StatusOr<Grant> grant) {
  if (grant.ok() || read->over()) return Finish(read, std::move(grant));
  StartTimer(read);
  const ErrorKind kind = KindOf(grant.status());
  if (kind == ErrorKind::kNotFound) return AskSwarm(read);
  if (kind == ErrorKind::kNotSealed) {
    if (objects_.Owns(read->request.object_id)) return AskSwarm(read);
    if (read->waits() && clock_.Now() < read->deadline) return WaitLocal(read);
    if (read->waits()) return Finish(read, TooLate(read->request.object_id));
  }
  Finish(read, std::move(grant));
}

void SwarmReads::AskSwarm(const ReadRef& read) {
  if (read->over()) return;
  post_([this, read] {
    if (read->over()) return;
    FetchRequest fetch;
    fetch.object_id = read->request.object_id;
    fetch.deadline = read->deadline;
    fetch.operation = read->operation;
    engine_.Fetch(std::move(fetch), [this, read](absl::Status status) { OnFetched(read, status); });
  });
}

void SwarmReads::OnFetched(const ReadRef& read, const absl::Status& status) {
  if (status.ok()) return AskLocal(read);
  switch (KindOf(status)) {
    case ErrorKind::kAlreadyExists:
    case ErrorKind::kBusy:  // somebody creates it here
      return AskLocal(read);
    case ErrorKind::kNotFound:
      return LookOnceMore(read, status);
    default:
      break;
  }
  Finish(read, status);
}

// Those who wait are parked first, so that whatever is sealed here from now on wakes them; and what
// was sealed while others were asked is seen now.
void SwarmReads::LookOnceMore(const ReadRef& read, absl::Status nobody) {
  // The last look may come after the time is over.
  if (read->waits()) nobody = TooLate(read->request.object_id);
  const bool parked = read->waits() && clock_.Now() < read->deadline;
  if (parked) Park(read);
  AcquireRequest request = read->request;
  request.wait = absl::ZeroDuration();
  request.quiet = true;  // the miss is counted
  local_.Acquire(std::move(request),
                 [self = shared_from_this(), read, nobody, parked](absl::StatusOr<Grant> grant) {
                   if (!grant.ok()) {
                     if (!parked) self->Finish(read, nobody);
                     return;
                   }
                   if (parked) self->Unpark(read);
                   self->Finish(read, std::move(grant));
                 });
}

void SwarmReads::Park(const ReadRef& read) {
  const ObjectId& id = read->request.object_id;
  read->rounds = 0;  // to wait is no failure
  bool first = false;
  {
    MutexLock lock(mutex_);
    if (!stopped_) {
      std::unique_ptr<Parked>& parked = parked_[id];
      first = parked == nullptr;
      if (first) parked = std::make_unique<Parked>();
      parked->reads.push_back(read);
    }
  }
  if (read->over()) return Unpark(read);
  if (!first) return;
  std::unique_ptr<Directory::Watch> watch =
      directory_.WatchPrefix(std::string(id.bytes()), [this, id](const DirectoryChange& change) {
        if (change.held && change.object_id == id) Wake(id);
      });
  {
    MutexLock lock(mutex_);
    if (const auto it = parked_.find(id); it != parked_.end() && it->second->watch == nullptr) {
      it->second->watch = std::move(watch);
    }
  }
  timers_.RunAt(clock_.Now() + kLookAgain, [this, id] { Wake(id); });
}

void SwarmReads::Wake(const ObjectId& object_id) {
  std::unique_ptr<Parked> parked;
  {
    MutexLock lock(mutex_);
    const auto it = parked_.find(object_id);
    if (stopped_ || it == parked_.end()) return;
    parked = std::move(it->second);
    parked_.erase(it);
    ++waking_;
  }
  for (const ReadRef& read : parked->reads) AskLocal(read);
  // The watch may be what called: it ends elsewhere, or with this.
  timers_.RunAt(clock_.Now(), [this] { DropEnded(); });
  MutexLock lock(mutex_);
  ended_.push_back(std::move(parked->watch));
  if (--waking_ == 0) awake_.NotifyAll();
}

void SwarmReads::DropEnded() {
  std::vector<std::unique_ptr<Directory::Watch>> ended;
  MutexLock lock(mutex_);
  ended.swap(ended_);
}

void SwarmReads::Unpark(const ReadRef& read) {
  std::unique_ptr<Parked> empty;
  {
    MutexLock lock(mutex_);
    const auto it = parked_.find(read->request.object_id);
    if (it == parked_.end()) return;
    std::vector<ReadRef>& reads = it->second->reads;
    reads.erase(std::remove(reads.begin(), reads.end(), read), reads.end());
    if (!reads.empty()) return;
    empty = std::move(it->second);
    parked_.erase(it);
  }
}

void SwarmReads::Finish(const ReadRef& read, absl::StatusOr<Grant> grant) {
  Done<absl::StatusOr<Grant>> done;
  {
    MutexLock lock(read->mutex);
    done = std::exchange(read->done, nullptr);
    if (read->timer) timers_.Cancel(*std::exchange(read->timer, absl::nullopt));
  }
  {
    MutexLock lock(mutex_);
    reads_.erase(read->number);
  }
  if (done != nullptr) return std::move(done)(std::move(grant));
  // Nobody wants it any more.
  if (grant.ok()) SwarmLease(local_, *std::move(grant)).Release();
}

template <typename Predicate>
void SwarmReads::EndWhere(Predicate predicate, const absl::Status& why) {
  std::vector<ReadRef> ended;
  {
    MutexLock lock(mutex_);
    for (const auto& [number, read] : reads_) {
      if (predicate(*read)) ended.push_back(read);
    }
  }
  for (const ReadRef& read : ended) {
    Finish(read, why);
    Unpark(read);
    local_.Cancel(read->operation);
    post_([this, operation = read->operation] { engine_.Cancel(operation); });
  }
}

void SwarmReads::Cancel(OperationId operation) {
  EndWhere([operation](const Read& read) { return read.operation == operation; },
           MakeError(ErrorKind::kTimeout, "the wait was cancelled"));
}

void SwarmReads::EndSession(SessionId session) {
  EndWhere([session](const Read& read) { return read.request.session == session; },
           MakeError(ErrorKind::kUnavailable, "the session ended"));
}

void SwarmReads::Stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  EndWhere([](const Read&) { return true; },
           MakeError(ErrorKind::kUnavailable, "the node is shutting down"));
}

void SwarmReads::Close() {
  decltype(parked_) parked;
  {
    MutexLock lock(mutex_);
    while (waking_ > 0) awake_.Wait(mutex_);
    parked.swap(parked_);
  }
  parked.clear();  // waits for what these watches are just telling
  DropEnded();
}

size_t SwarmReads::waiting() const {
  MutexLock lock(mutex_);
  return static_cast<size_t>(std::count_if(reads_.begin(), reads_.end(), [](const auto& entry) {
    return !entry.second->waits_locally;
  }));
}

}  // namespace packice
