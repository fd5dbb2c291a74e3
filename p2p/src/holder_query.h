// Asks members whether they hold an object, a few at a time, and gathers what they say. Owns
// itself while questions are under way; thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "member_filters.h"
#include "packice/core/mutex.h"
#include "packice/core/peer.h"
#include "packice/proto/gossip.pb.h"

namespace packice {

// Puts a question to the member at a gossip address.
using AskMember =
    std::function<void(const std::string& address, gossip::v1::Envelope question,
                       absl::Duration timeout, Done<absl::StatusOr<gossip::v1::Envelope>> done)>;

class HolderQuery : public std::enable_shared_from_this<HolderQuery> {
 public:
  static constexpr size_t kAtATime = 5;
  static constexpr size_t kMaxLikely = 64;  // that are asked at all
  static constexpr size_t kMaxOthers = 5;   // where none of the likely ones has it
  static constexpr absl::Duration kTimeout = absl::Milliseconds(500);

  struct Answer {
    StatementRef member;
    gossip::v1::Description description;  // held
  };
  struct Result {
    std::vector<Answer> holders;
    size_t likely = 0;    // that were asked
    size_t not_held = 0;  // of these, had it not
    bool nobody_answered = false;
  };

  // Asks the likely ones, and where none has it but whom the asker does not want (`exclude`, by
  // transfer address), some of the others.
  static void Run(const ObjectId& object_id, std::vector<std::string> exclude,
                  MemberFilters::Candidates candidates, AskMember ask, Done<Result> done);

 private:
  HolderQuery(const ObjectId& object_id, std::vector<std::string> exclude,
              MemberFilters::Candidates candidates, AskMember ask, Done<Result> done);

  void Proceed();
  void OnAnswer(const StatementRef& member, bool likely,
                absl::StatusOr<gossip::v1::Envelope> answer);

  const ObjectId object_id_;
  const std::vector<std::string> exclude_;
  const AskMember ask_;
  Mutex mutex_;
  MemberFilters::Candidates candidates_ ABSL_GUARDED_BY(mutex_);
  size_t next_likely_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t next_other_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t answers_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t likely_silent_ ABSL_GUARDED_BY(mutex_) = 0;  // likely ones that have not answered
  bool wanted_ ABSL_GUARDED_BY(mutex_) = false;       // holder has been found
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  Result result_ ABSL_GUARDED_BY(mutex_);
  Done<Result> done_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace packice
