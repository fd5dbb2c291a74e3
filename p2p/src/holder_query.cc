#include "holder_query.h"

#include "absl/algorithm/container.h"

namespace packice {

using gossip::v1::Envelope;

void HolderQuery::Run(const ObjectId& object_id, std::vector<std::string> exclude,
                      MemberFilters::Candidates candidates, AskMember ask, Done<Result> done) {
  std::shared_ptr<HolderQuery>(new HolderQuery(object_id, std::move(exclude), std::move(candidates),
                                               std::move(ask), std::move(done)))
      ->Proceed();
}

HolderQuery::HolderQuery(const ObjectId& object_id, std::vector<std::string> exclude,
                         MemberFilters::Candidates candidates, AskMember ask, Done<Result> done)
    : object_id_(object_id),
      exclude_(std::move(exclude)),
      ask_(std::move(ask)),
      candidates_(std::move(candidates)),
      done_(std::move(done)) {
  MutexLock lock(mutex_);
  if (candidates_.likely.size() > kMaxLikely) candidates_.likely.resize(kMaxLikely);
  if (candidates_.others.size() > kMaxOthers) candidates_.others.resize(kMaxOthers);
}

void HolderQuery::Proceed() {
  std::vector<std::pair<StatementRef, bool>> to_ask;
  {
    MutexLock lock(mutex_);
    while (under_way_ < kAtATime && next_likely_ < candidates_.likely.size()) {
      to_ask.emplace_back(candidates_.likely[next_likely_++], true);
      ++under_way_;
    }
    const bool likely_done = under_way_ == 0 && to_ask.empty();
    while (likely_done && !wanted_ && next_other_ < candidates_.others.size()) {
      to_ask.emplace_back(candidates_.others[next_other_++], false);
      ++under_way_;
    }
  }
  for (const auto& [member, likely] : to_ask) {
    Envelope question;
    question.mutable_describe()->set_object_id(std::string(object_id_.bytes()));
    ask_(member->address(), std::move(question), kTimeout,
         [self = shared_from_this(), member = member,
          likely = likely](absl::StatusOr<Envelope> answer) mutable {
           self->OnAnswer(member, likely, std::move(answer));
         });
  }
  Done<Result> done;
  Result result;
  {
    MutexLock lock(mutex_);
    if (under_way_ > 0 || over_) return;
    over_ = true;
    result_.likely = next_likely_;
    // That the others do not hold it says nothing of the one who seems to.
    const bool likely_silent = result_.holders.empty() && likely_silent_ > 0;
    result_.nobody_answered = likely_silent || (answers_ == 0 && next_likely_ + next_other_ > 0);
    result = std::move(result_);
    done = std::move(done_);
  }
  std::move(done)(std::move(result));
}

void HolderQuery::OnAnswer(const StatementRef& member, bool likely,
                           absl::StatusOr<Envelope> answer) {
  {
    MutexLock lock(mutex_);
    --under_way_;
    if (answer.ok() && answer->has_description()) {
      ++answers_;
      if (answer->description().held()) {
        wanted_ |= !absl::c_linear_search(exclude_, member->metadata().transfer_address);
        result_.holders.push_back(Answer{member, std::move(*answer->mutable_description())});
      } else if (likely) {
        ++result_.not_held;
      }
    } else if (likely) {
      ++likely_silent_;
    }
  }
  Proceed();
}

}  // namespace packice
