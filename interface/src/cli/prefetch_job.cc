#include "cli/prefetch_job.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice::cli {
namespace {

// The engine makes further ones wait anyhow; this bounds what it has to remember.
constexpr size_t kMaxUnderWay = 64;
constexpr size_t kPage = 1000;

}  // namespace

void PrefetchJob::Fetch(std::vector<ObjectId> ids) {
  {
    MutexLock lock(mutex_);
    ids_ = std::move(ids);
    outcome_.objects = ids_.size();
  }
  Start();
}

void PrefetchJob::FetchPrefix(const std::string& prefix) { ListAfter(prefix, ""); }

void PrefetchJob::ListAfter(const std::string& prefix, const std::string& after) {
  view_.List(prefix, after, kPage,
             [self = shared_from_this(), prefix](absl::StatusOr<std::vector<ObjectId>> page) {
               self->Listed(prefix, std::move(page));
             });
}

void PrefetchJob::Listed(const std::string& prefix, absl::StatusOr<std::vector<ObjectId>> page) {
  absl::Status failure = page.status();
  std::vector<ObjectId> all;
  std::string last;
  {
    MutexLock lock(mutex_);
    const bool more = page.ok() && page->size() >= kPage && !stopped_;
    if (more) last = std::string(page->back().bytes());
    if (page.ok()) std::move(page->begin(), page->end(), std::back_inserter(ids_));
    if (!more) all = std::move(ids_);
  }
  if (!last.empty()) return ListAfter(prefix, last);
  if (failure.ok() && all.empty()) {
    failure =
        MakeError(ErrorKind::kNotFound,
                  absl::StrCat("nobody holds an object whose id starts with \"", prefix, "\""));
  }
  if (failure.ok()) return Fetch(std::move(all));
  Answered done;
  {
    MutexLock lock(mutex_);
    done = std::move(done_);
  }
  std::move(done)(std::move(failure));
}

void PrefetchJob::Stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
}

// Begins what may be begun. Whoever finds that nothing is left to do answers.
void PrefetchJob::Start() {
  Answered done;
  Outcome outcome;
  {
    MutexLock lock(mutex_);
    if (starting_) return;
    starting_ = true;
    while (!stopped_ && next_ < ids_.size() && under_way_ < kMaxUnderWay) {
      const size_t index = next_++;
      ++under_way_;
      FetchRequest request{ids_[index], deadline_, operation_};
      mutex_.Unlock();
      view_.Prefetch(std::move(request), [self = shared_from_this(), index](absl::Status status) {
        self->Ended(index, std::move(status));
      });
      mutex_.Lock();
    }
    starting_ = false;
    if (under_way_ > 0 || !done_) return;
    done = std::exchange(done_, nullptr);
    outcome = std::move(outcome_);
  }
  std::move(done)(std::move(outcome));
}

void PrefetchJob::Ended(size_t index, absl::Status status) {
  {
    MutexLock lock(mutex_);
    --under_way_;
    // Another request has brought or made it meanwhile.
    if (status.ok() || KindOf(status) == ErrorKind::kAlreadyExists) {
      ++outcome_.fetched;
    } else {
      outcome_.failures.emplace_back(ids_[index], std::move(status));
    }
  }
  Start();
}

}  // namespace packice::cli
