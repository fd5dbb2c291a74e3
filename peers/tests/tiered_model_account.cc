// What a tiered peer has promised, and whether it keeps to that.
#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "packice/core/blocking.h"
#include "tiered_model.h"

namespace packice {
namespace {

std::string Tell(const absl::Status& status) {
  return status.ok() ? "ok" : absl::StrCat(InfoOf(KindOf(status)).name, ": ", status.message());
}

uint64_t StampOf(const Metadata& metadata) {
  uint64_t stamp = 0;
  const auto text = metadata.Find("stamp");
  return text.has_value() && absl::SimpleAtoi(*text, &stamp) ? stamp : 0;
}

bool IsOneOf(const absl::Status& status, std::initializer_list<ErrorKind> kinds) {
  return std::find(kinds.begin(), kinds.end(), KindOf(status)) != kinds.end();
}

}  // namespace

using State = TieredModel::Made::State;

void TieredModel::Collect() {
  const bool watching = std::exchange(watching_, false);
  for (auto it = asked_.begin(); it != asked_.end() && wrong_.empty();) {
    ++now_;
    it = CollectOne(*it) ? asked_.erase(it) : std::next(it);
  }
  watching_ = watching;
}

bool TieredModel::CollectOne(Asked& asked) {
  if (asked.what == Asked::What::kAcquire) {
    if (!asked.granted.IsDone()) return false;
    const absl::StatusOr<Grant> grant = asked.granted.Wait();
    Log(absl::StrCat("  ", asked.name, ": ", Tell(grant.status())));
    Count(absl::StrCat(AccessName(asked.request.access), " ",
                       grant.ok() ? "ok" : InfoOf(KindOf(grant.status())).name));
    if (grant.ok()) {
      asked.made != nullptr ? Created(asked, *grant) : Granted(asked, *grant);
    } else {
      Refused(asked, grant.status());
    }
    return true;
  }
  if (asked.what == Asked::What::kSeal) {
    if (!asked.sealed.IsDone()) return false;
    const absl::StatusOr<Sealed> sealed = asked.sealed.Wait();
    Log(absl::StrCat("  ", asked.name, ": ", Tell(sealed.status())));
    Count(absl::StrCat("seal ", sealed.ok() ? "ok" : InfoOf(KindOf(sealed.status())).name));
    SealAnswered(asked, sealed);
    return true;
  }
  if (!asked.done.IsDone()) return false;
  const absl::Status status = asked.done.Wait();
  Log(absl::StrCat("  ", asked.name, ": ", Tell(status)));
  Answered(asked, status);
  return true;
}

TieredModel::Made* TieredModel::CertainSince(const ObjectId& id, uint64_t at) {
  for (Made& made : made_) {
    if (made.id == id && made.state == State::kCertain && made.doubts == 0 &&
        made.certain_since <= at && clock_.WallTime() < made.ends_earliest) {
      return &made;
    }
  }
  return nullptr;
}

// An Acquire was.
void TieredModel::Refused(Asked& asked, const absl::Status& status) {
  const ObjectId& id = asked.request.object_id;
  if (asked.made != nullptr) SetGone(*asked.made);
  if (IsOneOf(status, {ErrorKind::kInternal, ErrorKind::kInvalidArgument,
                       ErrorKind::kPermissionDenied, ErrorKind::kUnsupported})) {
    return Wrong(absl::StrCat(asked.name, " was answered ", Tell(status)));
  }
  if (asked.request.access != Access::kCreate) {
    const Made* there = CertainSince(id, asked.at);
    // A create that is about to be refused may show in hot for a moment.
    const bool tried = std::any_of(asked_.begin(), asked_.end(), [&](const Asked& other) {
      return other.what == Asked::What::kAcquire && other.made != nullptr &&
             other.request.object_id == id;
    });
    if (tried && KindOf(status) == ErrorKind::kNotSealed) return;
    if (there != nullptr &&
        (KindOf(status) == ErrorKind::kNotFound || (KindOf(status) == ErrorKind::kNotSealed))) {
      return Wrong(absl::StrCat(asked.name, " was answered ", Tell(status), ", and object ",
                                there->stamp, " is there"));
    }
    if (Undisturbed(asked) && !IsOneOf(status, {ErrorKind::kNotFound, ErrorKind::kNotSealed,
                                                ErrorKind::kBusy, ErrorKind::kTimeout})) {
      Wrong(absl::StrCat(asked.name, " was answered ", Tell(status), " without cause"));
    }
    return;
  }
  if (KindOf(status) == ErrorKind::kAlreadyExists) {
    for (const Made& made : made_) {
      if (made.WasOf(id, asked.at) && made.asked &&
          (made.state != State::kGone || made.gone_since >= asked.at)) {
        return;
      }
    }
    return Wrong(absl::StrCat(asked.name, ": already exists, and none does"));
  }
  if (Undisturbed(asked) &&
      !IsOneOf(status, {ErrorKind::kBusy, ErrorKind::kTimeout, ErrorKind::kCapacity})) {
    Wrong(absl::StrCat(asked.name, " was answered ", Tell(status), " without cause"));
  }
}

// A READ or WRITE lease was.
void TieredModel::Granted(Asked& asked, const Grant& grant) {
  const ObjectId& id = asked.request.object_id;
  const uint64_t stamp = StampOf(grant.object->metadata());
  Made* made = nullptr;
  for (Made& candidate : made_) {
    if (candidate.stamp == stamp) made = &candidate;
  }
  if (made == nullptr) return Wrong(absl::StrCat(asked.name, " has no stamp"));
  Log(absl::StrCat("    found ", stamp));
  if (!made->asked) return Wrong(absl::StrCat("object ", stamp, " is there unsealed"));
  if (made->state == State::kGone && made->gone_since < asked.at) {
    return Wrong(absl::StrCat("object ", stamp, " is gone for good, and came back"));
  }
  if (made->state != State::kGone && !made->WasOf(id, asked.at)) {
    return Wrong(absl::StrCat("object ", stamp, " has another id"));
  }
  const Made* there = CertainSince(id, asked.at);
  if (there != nullptr && there != made) {
    return Wrong(absl::StrCat("object ", stamp, " was found, and ", there->stamp, " is there"));
  }
  held_.push_back({grant, made, asked.request.session, true});
  CheckHeld(held_.back());
}

void TieredModel::Created(Asked& asked, const Grant& grant) {
  const ObjectId& id = asked.request.object_id;
  const Made* there = CertainSince(id, asked.at);
  if (there != nullptr && there != asked.made && Undisturbed(asked)) {
    return Wrong(absl::StrCat(asked.name, " was granted, and object ", there->stamp, " is there"));
  }
  for (Made& made : made_) {
    if (&made == asked.made || !made.IsOf(id) || made.state == State::kGone) continue;
    if (Undisturbed(asked) && made.id == id && made.moving_to.empty()) {
      SetGone(made);
    } else if (made.state == State::kCertain) {
      made.state = State::kPossible;  // the new one hides it, while it lasts
    }
  }
  Held held{grant, asked.made, asked.request.session};
  const Object& object = *grant.object;
  const std::string bytes = BytesOf(asked.made->stamp, asked.request.blob_sizes[0]);
  const absl::Status written = object.blobs()[0]->Write(0, bytes);
  if (!written.ok() && Undisturbed(asked)) {
    return Wrong(absl::StrCat(asked.name, " cannot be written: ", Tell(written)));
  }
  held.written = written.ok();
  held_.push_back(std::move(held));
}

void TieredModel::SealAnswered(Asked& asked, const absl::StatusOr<Sealed>& sealed) {
  Made& made = *asked.made;
  if (sealed.ok()) {
    if (made.state == State::kGone) return;
    if (made.ttl && made.ends_latest == absl::InfiniteFuture()) {
      made.ends_latest = clock_.WallTime() + *made.ttl;
    }
    if (made.state != State::kCertain) made.certain_since = now_;
    made.state = State::kCertain;
    if (kind_.policy == WritePolicy::kThrough) made.durable = true;
    return;
  }
  if (IsOneOf(sealed.status(), {ErrorKind::kLeaseExpired, ErrorKind::kBusy})) return;
  if (made.state == State::kGone || made.doubts > 0) return;
  if (KindOf(sealed.status()) == ErrorKind::kAlreadyExists && made.seals > 1) return;
  // Another of its id may have been made while cold was out of reach, or an earlier try to copy it
  // be left in cold.
  const bool met_another =
      IsOneOf(sealed.status(), {ErrorKind::kAlreadyExists, ErrorKind::kNotSealed});
  if (met_another && faults_ > 0) return;
  if (Undisturbed(asked) && !HasEnded(made)) {
    Wrong(absl::StrCat(asked.name, " was answered ", Tell(sealed.status()), " without cause"));
  }
}

// A Discard, Relocate or Release was.
void TieredModel::Answered(Asked& asked, const absl::Status& status) {
  if (asked.what == Asked::What::kRelease) {
    if (!status.ok() && Undisturbed(asked)) {
      Wrong(absl::StrCat(asked.name, " was answered ", Tell(status)));
    }
    return;
  }
  const bool relocate = asked.what == Asked::What::kRelocate;
  Count(absl::StrCat(relocate ? "relocate " : "discard ",
                     status.ok() ? "ok" : InfoOf(KindOf(status)).name));
  const bool unknown =
      !status.ok() && !IsOneOf(status, {ErrorKind::kLeaseExpired, ErrorKind::kBusy,
                                        ErrorKind::kPermissionDenied, ErrorKind::kAlreadyExists});
  if (status.ok() && relocate) {
    Made& made = *asked.made;
    --made.doubts;
    made.left = std::exchange(made.id, std::exchange(made.moving_to, ObjectId()));
    // Where the lease ends in the middle, and somebody waits for one, the hot copy stays for him.
    const bool strays = !Undisturbed(asked) || asked.lease_has_ttl;
    made.left_since = strays ? ~uint64_t{0} : now_;
    if (made.state == State::kCertain) made.certain_since = now_;
    made.durable = true;
    return;
  }
  for (Made* made : asked.doubted) {
    if (status.ok() && (!made->moving_to.empty() || (!relocate && made->id != asked.id))) {
      made->state = State::kPossible;  // it may have moved, and be there under its new id
    } else if (status.ok() && made != asked.made && HasEnded(*asked.made)) {
      made->state = State::kPossible;  // there was nothing left to take away, and nothing hidden
    } else if (status.ok()) {
      SetGone(*made);
    } else if (!unknown) {
      // Of a Discard whose lease ended on its way cold may have heard.
      if (KindOf(status) != ErrorKind::kLeaseExpired) --made->doubts;
      if (relocate) made->moving_to = ObjectId();
    }
  }
}

void TieredModel::Demoted(const ObjectId& id) {
  Made* one = nullptr;
  for (Made& made : made_) {
    if (!made.asked || made.state == State::kGone || !made.IsOf(id)) continue;
    if (one != nullptr) return;  // which one the walk cannot tell
    one = &made;
  }
  if (one != nullptr) one->durable = true;
}

void TieredModel::SetGone(Made& made) {
  if (made.state == State::kGone) return;
  made.state = State::kGone;
  made.gone_since = now_;
  if (made.asked) Log(absl::StrCat("    ", made.stamp, " is gone for good"));
}

bool TieredModel::HasEnded(const Made& made) const {
  return clock_.WallTime() >= made.ends_earliest;
}

void TieredModel::Settle() {
  Collect();
  for (Made& made : made_) {
    if (clock_.WallTime() >= made.ends_latest) SetGone(made);
  }
  if (wrong_things_) {
    calm_ = false;
  } else {
    const absl::StatusOr<PeerStats> stats = blocking::Stats(*tiered_);
    calm_ = stats.ok() && stats->tiers[1].state != TierState::kDown;
  }
  const uint64_t bytes = blocking::Stats(*hot_)->bytes;
  if (bytes > kHotCapacity) Wrong(absl::StrCat("hot has ", bytes, " bytes"));
}

void TieredModel::CheckHeld(const Held& held) {
  const bool watching = std::exchange(watching_, false);
  const Object& object = *held.grant.object;
  if (object.state() == ObjectState::kSealed) {
    const Blob& blob = *object.blobs()[0];
    std::string bytes(blob.size(), '\0');
    const auto got = blob.Read(0, absl::MakeSpan(&bytes[0], bytes.size()));
    if (!got.ok()) {
      if (calm_ && !wrong_things_) {
        Wrong(absl::StrCat("a holder cannot read ", held.made->stamp, ": ", Tell(got.status())));
      }
    } else if (bytes != BytesOf(held.made->stamp, bytes.size())) {
      Wrong(absl::StrCat("object ", held.made->stamp, " has other bytes"));
    }
  }
  watching_ = watching;
}

void TieredModel::CheckTier(Peer& tier, const Made& made, bool& found) {
  AcquireRequest request;
  request.object_id = made.id;
  request.quiet = true;
  request.session = SessionId{kFirstSession - 1};
  const absl::StatusOr<Grant> grant = blocking::Acquire(tier, request);
  if (!grant.ok()) return;
  if (StampOf(grant->object->metadata()) == made.stamp) {
    found = true;
    CheckHeld({*grant, const_cast<Made*>(&made), SessionId{kFirstSession - 1}, true});
  }
  blocking::Release(tier, {grant->lease.id, SessionId{kFirstSession - 1}, OperationId::kNone})
      .IgnoreError();
}

// What is durable is in cold, or in a hot tier that lasts; what is certain is in one of them.
void TieredModel::CheckTiers() {
  for (const Made& made : made_) {
    if (made.state == State::kGone || made.state == State::kCreating || !made.asked) continue;
    if (made.doubts > 0 || HasEnded(made)) continue;
    const bool certain = made.state == State::kCertain;
    if (!certain && !made.durable) continue;
    if (crashed_ && !made.durable && !kind_.durable_hot) continue;
    bool found = false;
    // A hot tier in memory does not last.
    if (kind_.durable_hot || !made.durable) CheckTier(*hot_, made, found);
    if (!found) CheckTier(*cold_, made, found);
    // What was asked of cold, and has not been sealed for sure.
    if (!found && !certain && !(made.durable && made.certain_since > 0)) continue;
    if (!found) {
      return Wrong(absl::StrCat("object ", made.stamp, " of ", made.id.bytes(), " is lost",
                                made.durable ? ", and was durable" : ""));
    }
  }
}

void TieredModel::Look() {
  const bool watching = std::exchange(watching_, false);
  const absl::StatusOr<ListPage> page = blocking::List(*tiered_, {});
  if (!page.ok()) {
    if (calm_ && !wrong_things_) Wrong(absl::StrCat("no list: ", Tell(page.status())));
  } else {
    for (const ObjectInfo& info : page->objects) {
      const uint64_t stamp = StampOf(info.metadata);
      for (const Made& made : made_) {
        if (made.stamp == stamp && made.state == State::kGone && made.asked) {
          Wrong(absl::StrCat("object ", stamp, " is gone, and listed in ",
                             absl::StrJoin(info.tiers, "+")));
        }
      }
    }
    for (const Made& made : made_) {
      if (CertainSince(made.id, now_) != &made) continue;
      const bool listed =
          std::any_of(page->objects.begin(), page->objects.end(), [&](const ObjectInfo& info) {
            return info.object_id == made.id && StampOf(info.metadata) == made.stamp;
          });
      if (!listed) Wrong(absl::StrCat("object ", made.stamp, " is there, and not listed"));
    }
  }
  watching_ = watching;
}

void TieredModel::ComeToRest() {
  Log("to rest");
  Mend();
  cold_faults_->EndSessions();
  while (!held_.empty()) Release(held_.size() - 1);
  for (int i = 0; i < 20 && wrong_.empty(); ++i) {
    Advance(absl::Seconds(10));
    executor_->AwaitIdle();
    Settle();
    CheckTiers();
    while (!held_.empty()) Release(held_.size() - 1);
  }
  if (!wrong_.empty()) return;
  if (!asked_.empty()) return Wrong(absl::StrCat(asked_.front().name, " was never answered"));
  if (!calm_) return Wrong("the cold tier is well, and seems not to be");
  Look();
  const absl::Status flushed = tiered_->Flush(absl::Hours(1));
  const bool conflict = !flushed.ok() && KindOf(flushed) == ErrorKind::kAlreadyExists;
  if (!flushed.ok() && !(conflict && faults_ > 0)) {
    return Wrong(absl::StrCat("it is not flushed: ", Tell(flushed)));
  }
  if (conflict) {
    Count("conflict");
  } else {
    for (Made& made : made_) {
      if (made.state == State::kCertain) made.durable = true;
    }
  }
  const PeerStats stats = *blocking::Stats(*tiered_);
  if (stats.tiers[1].discards_due > 0) Wrong("cold was not told of all discards");
  const uint64_t pins = blocking::Stats(*hot_)->read_leases;
  if (pins != stats.tiers[0].queued) Wrong(absl::StrCat(pins, " leases were left in hot"));
  Crash();
  CheckTiers();
  Restart();
  Settle();
  Look();
}

}  // namespace packice
