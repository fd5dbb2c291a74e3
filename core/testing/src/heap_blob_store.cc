#include "packice/core/testing/heap_blob_store.h"

#include <algorithm>
#include <atomic>
#include <list>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packice/core/mutex.h"

namespace packice {

struct HeapBlobStore::State {
  std::atomic<bool> writable_mapping{false};
  std::atomic<uint64_t> live_blobs{0};
  std::atomic<uint64_t> created{0};
  Mutex mutex;
  absl::optional<ErrorKind> fail_next ABSL_GUARDED_BY(mutex);
  // What blobs that stopped growing hold: at fixed addresses, for mappings to borrow.
  std::list<std::string> bytes ABSL_GUARDED_BY(mutex);

  std::string* Keep(std::string contents) {
    MutexLock lock(mutex);
    bytes.push_back(std::move(contents));
    return &bytes.back();
  }
};

namespace {

absl::Status TooLarge(uint64_t size) {
  return MakeError(
      ErrorKind::kCapacity,
      absl::StrCat("a heap blob has at most ", HeapBlobStore::kMaxBlobBytes, " bytes, not ", size));
}

class HeapBlob final : public Blob {
 public:
  HeapBlob(std::shared_ptr<HeapBlobStore::State> state, absl::optional<uint64_t> size)
      : state_(std::move(state)),
        url_(absl::StrCat("heap:", state_->created.fetch_add(1))),
        declared_(size.has_value()) {
    if (declared_) bytes_ = state_->Keep(std::string(*size, '\0'));
    state_->live_blobs.fetch_add(1);
  }
  ~HeapBlob() override { state_->live_blobs.fetch_sub(1); }

  uint64_t size() const override {
    MutexLock lock(mutex_);
    return bytes_->size();
  }

  bool sealed() const override {
    MutexLock lock(mutex_);
    return sealed_;
  }

  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override {
    MutexLock lock(mutex_);
    if (offset >= bytes_->size()) return size_t{0};
    return bytes_->copy(out.data(), out.size(), offset);
  }

  absl::Status Write(uint64_t offset, absl::string_view bytes) override {
    MutexLock lock(mutex_);
    if (sealed_) return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed");
    const uint64_t limit = declared_ ? bytes_->size() : HeapBlobStore::kMaxBlobBytes;
    if (offset > limit || bytes.size() > limit - offset) {
      if (!declared_) return TooLarge(offset);
      return MakeError(ErrorKind::kInvalidArgument, "a write passes the blob's declared size");
    }
    if (offset + bytes.size() > bytes_->size()) bytes_->resize(offset + bytes.size(), '\0');
    std::copy(bytes.begin(), bytes.end(), bytes_->begin() + static_cast<ptrdiff_t>(offset));
    return absl::OkStatus();
  }

  absl::Status Seal(absl::optional<uint64_t> size) override {
    MutexLock lock(mutex_);
    if (state_->writable_mapping.load()) {
      return MakeError(ErrorKind::kBusy, "a writable mapping of the blob is open");
    }
    if (declared_ && size && *size != bytes_->size()) {
      return MakeError(ErrorKind::kInvalidArgument,
                       absl::StrCat("the blob was declared with ", bytes_->size(),
                                    " bytes and cannot be sealed with ", *size));
    }
    if (!declared_) {
      if (size && *size > HeapBlobStore::kMaxBlobBytes) return TooLarge(*size);
      if (size) growing_.resize(*size, '\0');
      bytes_ = state_->Keep(std::move(growing_));
    }
    sealed_ = true;
    return absl::OkStatus();
  }

  absl::StatusOr<Mapping> Map(MapAccess access) const override {
    MutexLock lock(mutex_);
    if (access == MapAccess::kReadWrite && sealed_) {
      return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed");
    }
    if (bytes_ == &growing_) {
      return MakeError(ErrorKind::kUnsupported, "a heap blob moves while it grows");
    }
    return Mapping::Borrow(absl::MakeSpan(bytes_->data(), bytes_->size()));
  }

  BlobDescriptor Describe() const override {
    MutexLock lock(mutex_);
    return UrlDescriptor{url_, bytes_->size()};
  }

 private:
  const std::shared_ptr<HeapBlobStore::State> state_;
  const std::string url_;
  const bool declared_;
  mutable Mutex mutex_;
  std::string growing_ ABSL_GUARDED_BY(mutex_);
  std::string* bytes_ ABSL_GUARDED_BY(mutex_) = &growing_;
  bool sealed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

HeapBlobStore::HeapBlobStore() : state_(std::make_shared<State>()) {}
HeapBlobStore::~HeapBlobStore() = default;

absl::StatusOr<std::unique_ptr<Blob>> HeapBlobStore::Create(absl::optional<uint64_t> size) {
  {
    MutexLock lock(state_->mutex);
    if (state_->fail_next) {
      const ErrorKind kind = *std::exchange(state_->fail_next, absl::nullopt);
      return MakeError(kind, "the heap blob store was told to fail");
    }
  }
  if (size && *size > kMaxBlobBytes) return TooLarge(*size);
  return std::make_unique<HeapBlob>(state_, size);
}

void HeapBlobStore::FailNextCreate(ErrorKind kind) {
  MutexLock lock(state_->mutex);
  state_->fail_next = kind;
}

void HeapBlobStore::PretendWritableMapping(bool open) { state_->writable_mapping.store(open); }

uint64_t HeapBlobStore::live_blobs() const { return state_->live_blobs.load(); }

}  // namespace packice
