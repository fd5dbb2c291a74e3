// Lists of a directory without trackers: every member is asked for the ids that it holds.
#include <algorithm>
#include <iterator>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gossip_directory.h"
#include "packice/core/error.h"

namespace packice {
namespace {

using gossip::v1::Envelope;

constexpr absl::Duration kTimeout = absl::Seconds(2);

// Gathers the answers; each callback keeps it. Thread-safe.
class Listing {
 public:
  using Result = absl::StatusOr<std::vector<ObjectId>>;

  Listing(std::vector<ObjectId> own, size_t limit, Done<Result> done)
      : limit_(limit), done_(std::move(done)), ids_(own.begin(), own.end()) {}

  // When the last that keeps it has gone, all have answered.
  ~Listing() {
    if (asked_ > 0 && answered_ == 0) {
      std::move(done_)(MakeError(ErrorKind::kUnavailable,
                                 "cannot list what the fleet holds: no member has answered"));
      return;
    }
    std::vector<ObjectId> ids;
    for (const ObjectId& id : ids_) {
      if (ids.size() == limit_) break;
      ids.push_back(id);
    }
    std::move(done_)(std::move(ids));
  }

  void Ask() {
    MutexLock lock(mutex_);
    ++asked_;
  }
  void Add(const absl::StatusOr<Envelope>& answer) {
    if (!answer.ok() || !answer->has_list()) return;
    MutexLock lock(mutex_);
    ++answered_;
    for (const std::string& bytes : answer->list().object_ids()) {
      if (auto id = ObjectId::Parse(bytes); id.ok()) ids_.insert(*std::move(id));
    }
    // The others' first ones may come before these, but none of them after all of these.
    while (ids_.size() > limit_) ids_.erase(std::prev(ids_.end()));
  }

 private:
  const size_t limit_;
  Done<Result> done_;
  Mutex mutex_;
  size_t asked_ = 0;
  size_t answered_ = 0;
  std::set<ObjectId> ids_;
};

}  // namespace

void GossipDirectory::List(const std::string& prefix, const std::string& after, size_t limit,
                           Done<absl::StatusOr<std::vector<ObjectId>>> done) {
  std::vector<StatementRef> members;
  std::vector<ObjectId> own;
  // What all of them cut short at the same length has no gaps up to there.
  limit = std::min(limit, kMaxListed);
  {
    MutexLock lock(mutex_);
    members = others_.All();
    own = own_.List(prefix, after, limit, options_.clock->WallTime());
  }
  if (members.size() > kMaxMembersToList) {
    std::move(done)(MakeError(ErrorKind::kUnsupported,
                              absl::StrCat("cannot list what ", members.size(),
                                           " members hold by asking each, as at "
                                           "most ",
                                           kMaxMembersToList, " are asked: run a tracker")));
    return;
  }
  const auto listing = std::make_shared<Listing>(std::move(own), limit, std::move(done));
  for (const StatementRef& member : members) {
    Envelope question;
    gossip::v1::ListRequest& request = *question.mutable_list_request();
    request.set_prefix(prefix);
    request.set_after(after);
    request.set_limit(static_cast<uint32_t>(limit));
    listing->Ask();
    fleet_.ask(member->address(), std::move(question), kTimeout,
               [listing](absl::StatusOr<Envelope> answer) { listing->Add(answer); });
  }
}

}  // namespace packice
