#include "dispatcher.h"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "file_identity.h"
#include "packice/core/error.h"
#include "private_descriptor.h"
#include "uds_put.h"
#include "unix_socket.h"

namespace packice {

// A completion that counts the answer before it passes it on.
class Dispatcher::Counted {
 public:
  Counted(NodeMetrics& metrics, Op op, Completion done)
      : metrics_(&metrics), op_(op), started_(metrics.Now()), done_(std::move(done)) {}

  void operator()(Answer answer) && {
    const auto* failure = absl::get_if<absl::Status>(&answer.reply);
    metrics_->Count(NodeMetrics::Of(op_), started_, failure ? *failure : absl::OkStatus());
    std::move(done_)(std::move(answer));
  }

  // The reply of a call that answers absl::StatusOr<T>, where T is a reply itself.
  template <typename T>
  static Done<absl::StatusOr<T>> ReplyTo(Counted done) {
    return [done = std::move(done)](absl::StatusOr<T> answer) mutable {
      if (!answer.ok()) return std::move(done)(Answer{std::move(answer).status(), {}});
      std::move(done)(Answer{*std::move(answer), {}});
    };
  }
  template <typename SuccessReply>
  static Done<absl::Status> ReplyTo(Counted done, SuccessReply success) {
    return [done = std::move(done), success = std::move(success)](absl::Status status) mutable {
      if (!status.ok()) return std::move(done)(Answer{std::move(status), {}});
      std::move(done)(Answer{std::move(success), {}});
    };
  }

 private:
  NodeMetrics* metrics_;
  Op op_;
  Instant started_;
  Completion done_;
};

// Runs the requests of a batch one after another, each when the one before has answered: a later
// one may build on an earlier one. Owns itself through the completions it hands out.
class Dispatcher::Batch : public std::enable_shared_from_this<Batch> {
 public:
  Batch(Dispatcher& dispatcher, std::unique_ptr<BatchRequest> batch, Caller& caller,
        OperationId operation, Completion done)
      : dispatcher_(dispatcher),
        requests_(std::move(batch->requests)),
        caller_(caller),
        operation_(operation),
        done_(std::move(done)) {
    replies_->seqs = std::move(batch->seqs);
  }

  void Run() {
    while (next_ < requests_.size()) {
      absl::StatusOr<Request>& request = requests_[next_++];
      if (!request.ok()) {
        replies_->responses.emplace_back(request.status());
        continue;
      }
      // What belongs to the connection is made on its thread, which a batch may leave.
      if (request->op == Op::kIndex || request->op == Op::kStage) {
        replies_->responses.emplace_back(MakeError(
            ErrorKind::kInvalidArgument, "\"index\" and \"stage\" are asked for outside a batch"));
        continue;
      }
      // Without a timer of its own it would wait for ever.
      if (auto* events = absl::get_if<EventsRequest>(&request->body)) {
        events->wait = absl::ZeroDuration();
      }
      turn_.store(kRunning);
      dispatcher_.Dispatch(*std::move(request), caller_, operation_,
                           [self = shared_from_this()](Answer answer) {
                             self->Add(std::move(answer));
                             // Whoever comes second goes on: this, or the loop that called
                             // Dispatch.
                             if (self->turn_.exchange(kAnswered) == kReturned) self->Run();
                           });
      if (turn_.exchange(kReturned) != kAnswered) return;
    }
    answer_.reply = std::move(replies_);
    std::move(done_)(std::move(answer_));
  }

 private:
  enum Turn { kRunning, kAnswered, kReturned };

  void Add(Answer answer) {
    std::vector<size_t> places;
    if (!PlacesOf(answer.descriptors, places)) {
      if (auto* grant = absl::get_if<GrantReply>(&answer.reply)) {
        dispatcher_.peer_.Release({grant->lease_id, caller_.session, operation_}, nullptr);
      }
      replies_->responses.emplace_back(
          MakeError(ErrorKind::kCapacity,
                    absl::StrCat("one response carries at most ", kMaxDescriptorsPerMessage,
                                 " descriptors; ask for fewer objects in a batch")));
      return;
    }
    if (auto* grant = absl::get_if<GrantReply>(&answer.reply)) {
      for (Handle& handle : grant->handles) {
        if (size_t* index = DescriptorIndex(handle)) *index = places[*index];
      }
    }
    for (size_t i = 0; i < places.size(); ++i) {
      if (places[i] < answer_.descriptors.size()) continue;  // a segment that is there
      answer_.descriptors.push_back(std::move(answer.descriptors[i]));
    }
    replies_->responses.push_back(std::move(answer.reply));
  }

  // Where each goes among the descriptors of the whole answer, which name a segment once. False
  // when there is no place for all.
  bool PlacesOf(const std::vector<FdDescriptor>& descriptors, std::vector<size_t>& places) {
    size_t next = answer_.descriptors.size();
    for (const FdDescriptor& descriptor : descriptors) {
      size_t place = next;
      if (descriptor.segment != nullptr) {
        place = segments_.try_emplace(descriptor.segment->id, next).first->second;
      }
      if (place == next) ++next;
      places.push_back(place);
    }
    if (next <= kMaxDescriptorsPerMessage) return true;
    absl::erase_if(segments_,
                   [&](const auto& entry) { return entry.second >= answer_.descriptors.size(); });
    return false;
  }

  Dispatcher& dispatcher_;
  std::vector<absl::StatusOr<Request>> requests_;
  Caller& caller_;
  const OperationId operation_;
  Completion done_;
  size_t next_ = 0;
  absl::flat_hash_map<uint64_t, size_t> segments_;  // by id, among the descriptors
  std::atomic<Turn> turn_{kRunning};
  std::unique_ptr<BatchReply> replies_ = std::make_unique<BatchReply>();
  Answer answer_;
};

void Dispatcher::Dispatch(Request request, Caller& caller, OperationId operation,
                          Completion completion) {
  Counted done(metrics_, request.op, std::move(completion));
  switch (request.op) {
    case Op::kHello:
      return std::move(done)(Hello(absl::get<HelloRequest>(request.body), caller));
    case Op::kAcquire:
      return Acquire(absl::get<AcquireRequest>(std::move(request.body)), caller, operation,
                     std::move(done));
    case Op::kSeal: {
      auto& seal = absl::get<SealRequest>(request.body);
      seal.session = caller.session;
      seal.operation = operation;
      WriterGate::Pass pass = writers_.Enter(seal.lease_id);
      if (!pass) {
        return std::move(done)(Answer{
            MakeError(ErrorKind::kBusy, "another request writes or seals under this lease"), {}});
      }
      return peer_.Seal(std::move(seal), [pass = std::move(pass),
                                          answer = Counted::ReplyTo<Sealed>(std::move(done))](
                                             absl::StatusOr<Sealed> sealed) mutable {
        pass = WriterGate::Pass();
        std::move(answer)(std::move(sealed));
      });
    }
    case Op::kDiscard:
    case Op::kRelease: {
      auto& lease = absl::get<LeaseRequest>(request.body);
      lease.session = caller.session;
      lease.operation = operation;
      const bool discard = request.op == Op::kDiscard;
      auto end = [this, lease, discard, done = std::move(done)](absl::Status pinned) mutable {
        if (!pinned.ok()) return std::move(done)(Answer{std::move(pinned), {}});
        if (!discard)
          return peer_.Release(lease, Counted::ReplyTo(std::move(done), ReleaseReply()));
        peer_.Discard(lease, Counted::ReplyTo(std::move(done), DiscardReply()));
      };
      if (request.keep_bytes) return PinThen(lease, caller, std::move(end));
      caller.Unpin(lease.lease_id);
      return end(absl::OkStatus());
    }
    case Op::kRenew: {
      auto& renew = absl::get<RenewRequest>(request.body);
      renew.session = caller.session;
      return Renew(renew, caller, std::move(done));
    }
    case Op::kRelocate: {
      auto& relocate = absl::get<RelocateRequest>(request.body);
      relocate.session = caller.session;
      relocate.operation = operation;
      const LeaseRequest lease{relocate.lease_id, caller.session, operation};
      const bool keep = request.keep_bytes;
      auto move = [this, relocate = std::move(relocate),
                   done = std::move(done)](absl::Status pinned) mutable {
        if (!pinned.ok()) return std::move(done)(Answer{std::move(pinned), {}});
        RelocateReply reply{relocate.to};
        peer_.Relocate(std::move(relocate), Counted::ReplyTo(std::move(done), std::move(reply)));
      };
      return keep ? PinThen(lease, caller, std::move(move)) : move(absl::OkStatus());
    }
    case Op::kIndex:
      return std::move(done)(Index(caller));
    case Op::kStat:
      return peer_.Stat(absl::get<StatRequest>(request.body).object_id,
                        Counted::ReplyTo<ObjectInfo>(std::move(done)));
    case Op::kList:
      return peer_.List(absl::get<ListRequest>(std::move(request.body)),
                        Counted::ReplyTo<ListPage>(std::move(done)));
    case Op::kStats:
      return peer_.Stats([this, done = std::move(done)](absl::StatusOr<PeerStats> stats) mutable {
        if (!stats.ok()) return std::move(done)(Answer{std::move(stats).status(), {}});
        std::move(done)(Answer{Stats(*stats), {}});
      });
    case Op::kEvents:
      return Events(absl::get<EventsRequest>(request.body), operation, std::move(done));
    case Op::kPut:
      return ServePut(*this, absl::get<PutMessage>(std::move(request.body)), caller, operation,
                      Counted::ReplyTo<Sealed>(std::move(done)));
    case Op::kStage:
      return ServeStage(*this, absl::get<StageRequest>(request.body), caller, std::move(done));
    case Op::kWrite:
      return ServeWrite(*this, absl::get<WriteRequest>(request.body), caller, operation,
                        Counted::ReplyTo(std::move(done), WriteReply()));
    case Op::kExtension:
      return Extension(absl::get<ExtensionRequest>(std::move(request.body)), operation,
                       std::move(done));
    case Op::kBatch:
      return std::make_shared<Batch>(
                 *this, absl::get<std::unique_ptr<BatchRequest>>(std::move(request.body)), caller,
                 operation, std::move(done))
          ->Run();
  }
}

void Dispatcher::Acquire(AcquireRequest request, Caller& caller, OperationId operation,
                         Counted done) {
  request.session = caller.session;
  request.operation = operation;
  // Where there is no write op the client needs handles after all.
  request.written_here = request.written_here && caller.takes_descriptors;
  const bool with_handles = !request.written_here;
  peer_.Acquire(std::move(request), [this, &caller, with_handles,
                                     done = std::move(done)](absl::StatusOr<Grant> grant) mutable {
    if (!grant.ok()) return std::move(done)(Answer{std::move(grant).status(), {}});
    if (auto answer = Granted(*grant, caller, with_handles)) {
      return std::move(done)(*std::move(answer));
    }
    AnswerWithBytes(*std::move(grant), caller, std::move(done));
  });
}

void Dispatcher::AnswerWithBytes(Grant grant, Caller& caller, Counted done) {
  blocking().Run([this, grant = std::move(grant), &caller, done = std::move(done)]() mutable {
    absl::Status status;
    for (const std::shared_ptr<Blob>& blob : grant.object->blobs()) {
      // From then on it has a descriptor, for as long as the object is shared.
      if (absl::holds_alternative<UrlDescriptor>(blob->Describe())) {
        status.Update(blob->Map(MapAccess::kReadOnly).status());
      }
    }
    if (status.ok()) {
      if (absl::optional<Answer> answer = Granted(grant, caller, /*with_handles=*/true, SIZE_MAX)) {
        return std::move(done)(*std::move(answer));
      }
      status = MakeError(ErrorKind::kUnsupported,
                         "the object's bytes are on another host, and cannot be fetched");
    }
    peer_.Release({grant.lease.id, caller.session, OperationId::kNone}, nullptr);
    std::move(done)(Answer{status, {}});
  });
}

BlockingPool& Dispatcher::blocking() {
  constexpr size_t kThreads = 4;
  MutexLock lock(mutex_);
  if (blocking_ == nullptr) blocking_ = std::make_unique<BlockingPool>(kThreads);
  return *blocking_;
}

void Dispatcher::Events(const EventsRequest& request, OperationId operation, Counted done) {
  if (events_ == nullptr) {
    return std::move(done)(
        Answer{MakeError(ErrorKind::kUnsupported,
                         "this node keeps no events; start it with --events of more than 0"),
               {}});
  }
  events_->Read(request, operation, Counted::ReplyTo<EventPage>(std::move(done)));
}

void Dispatcher::Extension(ExtensionRequest request, OperationId operation, Counted done) {
  if (extension_ == nullptr) {
    return std::move(done)(
        Answer{MakeError(ErrorKind::kInvalidArgument,
                         absl::StrCat("this node has no operation \"", request.op, "\"")),
               {}});
  }
  extension_->Call(std::move(request), operation,
                   [done = std::move(done)](absl::StatusOr<std::string> json) mutable {
                     if (!json.ok()) return std::move(done)(Answer{json.status(), {}});
                     std::move(done)(Answer{ExtensionReply{*std::move(json)}, {}});
                   });
}

StatsReply Dispatcher::Stats(const PeerStats& peer) const {
  StatsReply stats = metrics_.Stats(peer);
  if (extension_ != nullptr) stats.more = extension_->StatsJson();
  return stats;
}

std::string Dispatcher::MetricsText(const PeerStats& peer) const {
  return absl::StrCat(metrics_.Text(peer), extension_ != nullptr ? extension_->MetricsText() : "");
}

absl::Span<const std::string> Dispatcher::extension_ops() const {
  return extension_ != nullptr ? absl::MakeConstSpan(extension_->Ops())
                               : absl::Span<const std::string>();
}

void Dispatcher::Cancel(OperationId operation) {
  peer_.Cancel(operation);
  if (events_ != nullptr) events_->Cancel(operation);
  if (extension_ != nullptr) extension_->Cancel(operation);
}

void Dispatcher::Renew(const RenewRequest& renew, Caller& caller, Counted done) {
  auto answer = [done = std::move(done)](absl::StatusOr<absl::Duration> ttl) mutable {
    if (!ttl.ok()) return std::move(done)(Answer{std::move(ttl).status(), {}});
    std::move(done)(Answer{RenewReply{*ttl}, {}});
  };
  PinThen({renew.lease_id, renew.session, OperationId::kNone}, caller,
          [this, renew, answer = std::move(answer)](absl::Status pinned) mutable {
            if (!pinned.ok()) return std::move(answer)(std::move(pinned));
            peer_.Renew(renew, std::move(answer));
          });
}

void Dispatcher::PinThen(const LeaseRequest& lease, Caller& caller,
                         absl::AnyInvocable<void(absl::Status) &&> then) {
  if (!caller.segments) return std::move(then)(absl::OkStatus());
  peer_.Lookup(lease, [&caller, id = lease.lease_id,
                       then = std::move(then)](absl::StatusOr<Grant> grant) mutable {
    // Of a lease that had a TTL before, the client was never told where its bytes lie, or it has
    // been pinned by now.
    absl::Status pinned;
    if (grant.ok() && grant->lease.ttl == absl::InfiniteDuration()) {
      pinned = caller.Pin(id, std::move(grant->object));
    }
    std::move(then)(std::move(pinned));
  });
}

absl::optional<Answer> Dispatcher::Granted(Grant& grant, const Caller& caller, bool with_handles,
                                           size_t to_copy) {
  Answer answer;
  GrantReply reply;
  Lease& lease = grant.lease;
  const Object& object = *grant.object;
  reply.lease_id = lease.id;
  reply.access = lease.access;
  reply.state = object.state();
  reply.metadata = object.metadata();
  reply.older_names = !caller.positioned;
  if (lease.ttl != absl::InfiniteDuration()) reply.ttl = lease.ttl;
  for (size_t i = 0; i < object.blobs().size(); ++i) {
    reply.size += object.blobs()[i]->size();
    if (!with_handles) continue;
    const absl::StatusOr<bool> added = AddHandle(grant, i, caller, to_copy, reply, answer);
    if (!added.ok()) {
      peer_.Release({lease.id, caller.session, OperationId::kNone}, nullptr);
      return Answer{added.status(), {}};
    }
    if (!*added) return absl::nullopt;
  }
  reply.object_id = std::move(lease.object_id);
  answer.reply = std::move(reply);
  return answer;
}

absl::StatusOr<bool> Dispatcher::AddHandle(const Grant& grant, size_t blob, const Caller& caller,
                                           size_t& to_copy, GrantReply& reply, Answer& answer) {
  BlobDescriptor descriptor = grant.object->blobs()[blob]->Describe();
  if (auto* path = absl::get_if<PathDescriptor>(&descriptor)) {
    PathHandle handle{std::move(path->path), path->offset, path->size, absl::nullopt};
    // Over a network the client cannot know whose path it is.
    if (!caller.takes_descriptors) handle.identity = FileIdentity(handle.path);
    if (caller.takes_descriptors && reply.state == ObjectState::kSealed) {
      UniqueFd fd(open(handle.path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
      if (!fd) return ErrnoError(errno, absl::StrCat("cannot open ", handle.path, " for a client"));
      handle.index = answer.descriptors.size();
      answer.descriptors.push_back(
          {std::make_shared<const UniqueFd>(std::move(fd)), handle.offset, handle.size});
    }
    reply.handles.push_back(std::move(handle));
    return true;
  }
  if (!caller.takes_descriptors) {
    reply.handles.push_back(
        UrlDescriptor{absl::StrCat("/leases/", grant.lease.id.ToString(), "/blobs/", blob),
                      grant.object->blobs()[blob]->size()});
    return true;
  }
  if (auto* url = absl::get_if<UrlDescriptor>(&descriptor)) {
    if (reply.state == ObjectState::kSealed) return false;
    reply.handles.push_back(std::move(*url));
    return true;
  }
  auto& fd = absl::get<FdDescriptor>(descriptor);
  // A lease with a TTL may end while its holder looks.
  const bool shared =
      fd.segment != nullptr && caller.segments && grant.lease.ttl == absl::InfiniteDuration();
  if (shared) {
    reply.handles.push_back(SegmentHandle{fd.segment->id, fd.offset, fd.size,
                                          answer.descriptors.size(), fd.segment->size});
    answer.descriptors.push_back(std::move(fd));
    return true;
  }
  if (!caller.positioned || fd.segment != nullptr) {
    const bool writable = grant.lease.access == Access::kCreate;
    if (!writable && fd.size > to_copy) return false;
    if (!writable) to_copy -= fd.size;
    absl::StatusOr<FdDescriptor> own = PrivateDescriptor(fd, writable);
    if (!own.ok()) return own.status();
    fd = *std::move(own);
  }
  reply.handles.push_back(FdHandle{answer.descriptors.size(), fd.offset, fd.size});
  answer.descriptors.push_back(std::move(fd));
  return true;
}

Answer Dispatcher::Index(Caller& caller) const {
  if (reads_ == nullptr || !caller.takes_descriptors || !caller.segments) {
    return Answer{MakeError(ErrorKind::kUnsupported,
                            "there is no index to read by: it wants a node that keeps objects in "
                            "shared memory, a Unix socket, and the feature \"segments\""),
                  {}};
  }
  if (caller.reads == nullptr) {
    absl::StatusOr<std::unique_ptr<SharedReads::Session>> session = reads_->Open();
    if (!session.ok()) return Answer{session.status(), {}};
    caller.reads = *std::move(session);
  }
  Answer answer;
  answer.reply = IndexReply{0, 1, reads_->first_segment()};
  answer.descriptors.push_back(FdDescriptor{reads_->index()});
  answer.descriptors.push_back(FdDescriptor{caller.reads->page()});
  return answer;
}

Answer Dispatcher::Hello(const HelloRequest& request, Caller& caller) const {
  const auto announced = [&](absl::string_view feature) {
    return absl::c_linear_search(request.features, feature);
  };
  caller.positioned = announced(kFeaturePositioned);
  caller.segments = caller.positioned && announced(kFeatureSegments);
  HelloReply reply;
  reply.version = version_;
  reply.features = {"batch", "seq", std::string(kFeaturePositioned)};
  if (caller.takes_descriptors) {
    reply.features.emplace_back(kFeatureSegments);
    reply.features.emplace_back(kFeaturePut);
    if (reads_ != nullptr) reply.features.emplace_back(kFeatureIndex);
  }
  return Answer{std::move(reply), {}};
}

}  // namespace packice
