#include "packer.h"

#include <sys/resource.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/backends/temp_file_blob.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// Merging fewer would copy the same bytes too often.
constexpr size_t kThinPacks = 8;

// After a failure, such as full memory, trying at once again would fail again.
constexpr int kRest = 256;

size_t DescriptorLimit() {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  return static_cast<size_t>(limit.rlim_cur);
}

}  // namespace

Packer::Packer(const MemoryBlobStoreOptions& options)
    : packable_size_(options.packable_size),
      pack_bytes_(options.pack_bytes),
      pack_blobs_(options.pack_blobs),
      pack_min_blobs_(std::max<size_t>(options.pack_min_blobs, 1)),
      high_water_(options.high_water.value_or(DescriptorLimit() / 2)),
      max_descriptors_(options.max_descriptors.value_or(DescriptorLimit() / 4 * 3)),
      medium_(options.medium, options.temp_directory.value_or(TempFileBlob::DefaultDirectory())) {
  // Without one, packing makes its own when the time comes.
  if (auto spare = medium_.Make(absl::nullopt); spare.ok()) spare_ = *std::move(spare);
}

absl::StatusOr<std::shared_ptr<Tenant>> Packer::Create(absl::optional<uint64_t> size) {
  if (HoldsAllItMay() && !(MakeRoom() && !HoldsAllItMay())) {
    return MakeError(ErrorKind::kCapacity,
                     absl::StrCat("blobs hold all of the ", max_descriptors_,
                                  " descriptors that they may; release some, or raise the limit "
                                  "(ulimit -n)"));
  }
  absl::StatusOr<std::unique_ptr<Blob>> home = medium_.Make(size);
  if (!home.ok() && KindOf(home.status()) == ErrorKind::kCapacity && !medium_.Make(0).ok()) {
    // Not even an empty one: it is descriptors that are short.
    if (MakeRoom()) home = medium_.Make(size);
  }
  if (!home.ok()) return home.status();
  auto tenant = std::make_shared<Tenant>(*std::move(home));
  Job job;
  bool work;
  {
    MutexLock lock(mutex_);
    ++own_descriptors_;
    work = TakeJob(job);
  }
  if (work) Work(std::move(job));
  return tenant;
}

bool Packer::HoldsAllItMay() const {
  MutexLock lock(mutex_);
  return own_descriptors_ + packs_.size() >= max_descriptors_;
}

void Packer::Sealed(const std::shared_ptr<Tenant>& tenant) {
  const uint64_t size = tenant->home()->size();
  if (size > packable_size_) return;
  Tenants node;  // allocated before the lock
  node.push_back(tenant);
  Job job;
  bool work;
  {
    MutexLock lock(mutex_);
    tenant->record.state = Tenant::State::kQueued;
    tenant->record.room = PackRoom(size);
    tenant->record.at = node.begin();
    queue_.splice(queue_.end(), node);
    queue_bytes_ += tenant->record.room;
    work = TakeJob(job);
  }
  if (work) Work(std::move(job));
}

void Packer::Leave(const std::shared_ptr<Tenant>& tenant) {
  Trash trash;
  Job job;
  bool work;
  {
    MutexLock lock(mutex_);
    Tenant::Record& record = tenant->record;
    if (record.pack == nullptr) {
      --own_descriptors_;
    } else {
      record.pack->Subtract(record.room);
    }
    if (record.state == Tenant::State::kQueued) {
      trash.tenants.splice(trash.tenants.end(), queue_, record.at);
      queue_bytes_ -= record.room;
    } else if (record.state == Tenant::State::kPacked) {
      trash.tenants.splice(trash.tenants.end(), record.pack->tenants, record.at);
      Classify(record.pack);
    }
    // One that moves is left to who moves it.
    record.state = Tenant::State::kGone;
    work = TakeJob(job);
  }
  if (work) Work(std::move(job));
}

MemoryBlobStore::Counters Packer::counters() const {
  MemoryBlobStore::Counters counters;
  MutexLock lock(mutex_);
  counters.own_descriptors = own_descriptors_;
  counters.packs = packs_.size();
  for (const auto& [pack, owner] : packs_) {
    counters.packed_blobs += pack->live_blobs;
    counters.packed_live_bytes += pack->live_bytes;
    counters.packed_total_bytes += pack->total_bytes;
  }
  return counters;
}

// ---- What to do ----

bool Packer::TakeJob(Job& job) {
  if (working_) return false;
  if (rest_ > 0) {
    --rest_;
    return false;
  }
  if (TakePacks(job, poor_, 1) || TakePacks(job, thin_, kThinPacks)) return true;
  if (own_descriptors_ + packs_.size() <= high_water_) return false;
  return TakeQueued(job, queue_bytes_ >= pack_bytes_ / 2 ? 1 : pack_min_blobs_);
}

bool Packer::TakeQueued(Job& job, size_t at_least) {
  if (queue_.empty() || queue_.size() < at_least) return false;
  uint64_t bytes = 0;
  size_t blobs = 0;
  auto end = queue_.begin();
  while (end != queue_.end() && blobs < pack_blobs_) {
    Tenant::Record& record = (*end)->record;
    if (blobs > 0 && bytes + record.room > pack_bytes_) break;
    record.state = Tenant::State::kMoving;
    bytes += record.room;
    ++blobs;
    ++end;
  }
  job.tenants.splice(job.tenants.end(), queue_, queue_.begin(), end);
  queue_bytes_ -= bytes;
  job.memory = std::move(spare_);
  working_ = true;
  return true;
}

bool Packer::TakePacks(Job& job, const absl::flat_hash_set<Pack*>& among, size_t at_least) {
  if (among.size() < at_least) return false;
  uint64_t bytes = 0;
  size_t blobs = 0;
  for (Pack* pack : among) {
    bytes += pack->live_bytes;
    blobs += pack->live_blobs;
    if (!job.sources.empty() && (bytes > pack_bytes_ || blobs > pack_blobs_)) break;
    job.sources.push_back(pack);
  }
  for (Pack* pack : job.sources) {
    for (const std::shared_ptr<Tenant>& tenant : pack->tenants) {
      tenant->record.state = Tenant::State::kMoving;
    }
    job.tenants.splice(job.tenants.end(), pack->tenants);
    poor_.erase(pack);
    thin_.erase(pack);
  }
  job.memory = std::move(spare_);
  working_ = true;
  return true;
}

bool Packer::MakeRoom() {
  Job job;
  {
    MutexLock lock(mutex_);
    if (working_) {
      while (working_) idle_.Wait(mutex_);
      return true;
    }
    // A pack of one would free nothing.
    if (!TakeQueued(job, 2)) return false;
  }
  Work(std::move(job));
  return true;
}

// ---- Doing it ----

void Packer::Work(Job job) {
  for (bool more = true; more;) {
    if (job.memory == nullptr) {
      if (auto memory = medium_.Make(absl::nullopt); memory.ok()) job.memory = *std::move(memory);
    }
    absl::StatusOr<FilledPack> filled =
        job.memory != nullptr
            ? FillPack(std::move(job.memory), job.tenants)
            : absl::StatusOr<FilledPack>(MakeError(ErrorKind::kCapacity, "no memory for a pack"));
    Trash trash;
    {
      MutexLock lock(mutex_);
      if (filled.ok()) {
        MoveIn(job, *std::move(filled), trash);
      } else {
        MoveBack(job, trash);
      }
    }
    // Now that descriptors have been freed.
    trash = Trash();
    absl::StatusOr<std::unique_ptr<Blob>> spare = medium_.Make(absl::nullopt);
    job = Job();
    MutexLock lock(mutex_);
    if (spare.ok()) spare_ = *std::move(spare);
    working_ = false;
    idle_.NotifyAll();
    more = TakeJob(job);
  }
}

void Packer::MoveIn(Job& job, FilledPack filled, Trash& trash) {
  auto owner = std::make_unique<Pack>();
  Pack* const pack = owner.get();
  pack->total_bytes = filled.total_bytes;
  packs_.emplace(pack, std::move(owner));
  trash.homes.reserve(filled.homes.size());
  auto home = filled.homes.begin();
  for (const std::shared_ptr<Tenant>& tenant : job.tenants) {
    Tenant::Record& record = tenant->record;
    if (record.state == Tenant::State::kGone) {
      trash.homes.push_back(std::move(*home));
    } else {
      trash.homes.push_back(tenant->MoveTo(std::move(*home)));
      if (record.pack == nullptr) --own_descriptors_;
      record.pack = pack;
      record.state = Tenant::State::kPacked;
      pack->Add(record.room);
    }
    ++home;
  }
  for (auto at = job.tenants.begin(); at != job.tenants.end();) {
    const auto tenant = at++;
    const bool gone = (*tenant)->record.state == Tenant::State::kGone;
    Tenants& to = gone ? trash.tenants : pack->tenants;
    to.splice(to.end(), job.tenants, tenant);
  }
  for (Pack* source : job.sources) Drop(source);
  Classify(pack);
}

void Packer::MoveBack(Job& job, Trash& trash) {
  rest_ = kRest;
  Tenants queued;
  while (!job.tenants.empty()) {
    const auto tenant = job.tenants.begin();
    Tenant::Record& record = (*tenant)->record;
    if (record.state == Tenant::State::kGone) {
      trash.tenants.splice(trash.tenants.end(), job.tenants, tenant);
    } else if (record.pack != nullptr) {
      record.state = Tenant::State::kPacked;
      record.pack->tenants.splice(record.pack->tenants.end(), job.tenants, tenant);
    } else {
      record.state = Tenant::State::kQueued;
      queue_bytes_ += record.room;
      queued.splice(queued.end(), job.tenants, tenant);
    }
  }
  queue_.splice(queue_.begin(), queued);
  for (Pack* source : job.sources) Classify(source);
}

void Packer::Classify(Pack* pack) {
  poor_.erase(pack);
  thin_.erase(pack);
  if (pack->live_blobs == 0) {
    Drop(pack);
  } else if (pack->live_bytes * 4 < pack->total_bytes) {
    poor_.insert(pack);
  } else if (pack->live_bytes < pack_bytes_ / 4 && pack->live_blobs < pack_blobs_ / 4) {
    thin_.insert(pack);
  }
}

void Packer::Drop(Pack* pack) { packs_.erase(pack); }

}  // namespace packice
