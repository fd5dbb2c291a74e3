#include "packice/p2p/directory_chain.h"

#include <utility>

#include "packice/core/error.h"
#include "packice/core/mutex.h"

namespace packice {
namespace {

// Asks one directory after another, until one knows a holder.
struct Question : std::enable_shared_from_this<Question> {
  const std::vector<Directory*>* directories = nullptr;
  LocateRequest request;
  Done<absl::StatusOr<Location>> done;
  size_t asked = 0;
  // The best answer so far: of those that could tell, one with a digest before one without.
  absl::optional<Location> best;
  Directory* granted_by = nullptr;  // an origin
  absl::Status failure;

  void Ask() {
    Directory& directory = *(*directories)[asked++];
    LocateRequest copy = request;
    directory.Locate(std::move(copy),
                     [self = shared_from_this(), &directory](absl::StatusOr<Location> location) {
                       self->Answered(directory, std::move(location));
                     });
  }

  void Answered(Directory& directory, absl::StatusOr<Location> location) {
    if (location.ok()) {
      // Whoever could tell was asked for the origin; the others would let it to more.
      request.has_origin = false;
      if (location->origin_grant) granted_by = &directory;
      if (!location->holders.empty()) return Found(directory, *std::move(location));
      if (!best || (best->digest.empty() && !location->digest.empty())) {
        KeepRight(*location);
        best = *std::move(location);
      }
    } else {
      failure = location.status();
    }
    if (asked < directories->size()) return Ask();
    if (best) return std::move(done)(*std::move(best));
    std::move(done)(failure);
  }

  void Found(Directory& directory, Location location) {
    // A right that is not needed goes back.
    if (granted_by != nullptr && granted_by != &directory) {
      granted_by->Report(request.object_id, "", HolderFault::kOrigin);
    }
    std::move(done)(std::move(location));
  }

  // The better answer takes over what the first one said of the origin.
  void KeepRight(Location& location) const {
    if (!best || location.origin_grant || location.retry_after) return;
    location.origin_grant = best->origin_grant;
    location.retry_after = best->retry_after;
  }
};

class WatchOfAll final : public Directory::Watch {
 public:
  // Shared by the watches of all directories, which may tell at the same time.
  struct Told {
    Mutex mutex;
    Directory::OnChange on_change ABSL_GUARDED_BY(mutex);
  };
  std::vector<std::unique_ptr<Directory::Watch>> watches;
};

// The lists of all that can list, one after another, until one does.
struct Listing : std::enable_shared_from_this<Listing> {
  const std::vector<Directory*>* directories = nullptr;
  std::string prefix;
  std::string after;
  size_t limit = 0;
  Done<absl::StatusOr<std::vector<ObjectId>>> done;
  size_t asked = 0;
  absl::Status failure;

  void Ask() {
    Directory& directory = *(*directories)[asked++];
    directory.List(prefix, after, limit,
                   [self = shared_from_this()](absl::StatusOr<std::vector<ObjectId>> ids) {
                     self->Answered(std::move(ids));
                   });
  }
  void Answered(absl::StatusOr<std::vector<ObjectId>> ids) {
    if (ids.ok()) return std::move(done)(std::move(ids));
    // That the one who could list is out of reach says more than that the other cannot.
    if (failure.ok() || KindOf(failure) == ErrorKind::kUnsupported) failure = ids.status();
    if (asked < directories->size()) return Ask();
    std::move(done)(failure);
  }
};

}  // namespace

DirectoryChain::DirectoryChain(std::vector<Directory*> directories)
    : directories_(std::move(directories)) {}

void DirectoryChain::Locate(LocateRequest request, Done<absl::StatusOr<Location>> done) {
  auto question = std::make_shared<Question>();
  question->directories = &directories_;
  question->request = std::move(request);
  question->done = std::move(done);
  question->Ask();
}

void DirectoryChain::Announce(const Holding& holding) {
  for (Directory* directory : directories_) directory->Announce(holding);
}

void DirectoryChain::Withdraw(const ObjectId& object_id) {
  for (Directory* directory : directories_) directory->Withdraw(object_id);
}

void DirectoryChain::Report(const ObjectId& object_id, const std::string& holder,
                            HolderFault fault) {
  for (Directory* directory : directories_) directory->Report(object_id, holder, fault);
}

std::unique_ptr<Directory::Watch> DirectoryChain::WatchPrefix(const std::string& prefix,
                                                              OnChange on_change) {
  auto told = std::make_shared<WatchOfAll::Told>();
  {
    MutexLock lock(told->mutex);
    told->on_change = std::move(on_change);
  }
  auto watch = std::make_unique<WatchOfAll>();
  for (Directory* directory : directories_) {
    watch->watches.push_back(directory->WatchPrefix(prefix, [told](const DirectoryChange& change) {
      MutexLock lock(told->mutex);
      told->on_change(change);
    }));
  }
  return watch;
}

void DirectoryChain::List(const std::string& prefix, const std::string& after, size_t limit,
                          Done<absl::StatusOr<std::vector<ObjectId>>> done) {
  auto listing = std::make_shared<Listing>();
  listing->directories = &directories_;
  listing->prefix = prefix;
  listing->after = after;
  listing->limit = limit;
  listing->done = std::move(done);
  listing->Ask();
}

}  // namespace packice
