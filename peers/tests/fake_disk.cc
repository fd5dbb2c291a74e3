#include "fake_disk.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace packice {

// Its file goes with it, unless the archive has it.
class FakeFileBlob final : public Blob {
 public:
  FakeFileBlob(FakeDisk& disk, uint64_t file, absl::optional<uint64_t> declared, bool kept)
      : disk_(disk), file_(file), declared_(declared), kept_(kept) {}
  ~FakeFileBlob() override {
    MutexLock lock(disk_.mutex_);
    if (!kept_) disk_.files_.erase(file_);
  }

  uint64_t file() const { return file_; }
  void Keep(bool kept) { kept_ = kept; }

  uint64_t size() const override {
    MutexLock lock(disk_.mutex_);
    const auto it = disk_.files_.find(file_);
    return it == disk_.files_.end() ? 0 : it->second.bytes.size();
  }
  bool sealed() const override {
    MutexLock lock(disk_.mutex_);
    const auto it = disk_.files_.find(file_);
    return it == disk_.files_.end() || it->second.sealed;
  }
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override {
    MutexLock lock(disk_.mutex_);
    const auto it = disk_.files_.find(file_);
    if (it == disk_.files_.end()) return MakeError(ErrorKind::kIo, "the file is gone");
    const absl::string_view bytes = it->second.bytes;
    if (offset >= bytes.size()) return 0;
    return bytes.substr(offset).copy(out.data(), out.size());
  }
  absl::Status Write(uint64_t offset, absl::string_view bytes) override {
    MutexLock lock(disk_.mutex_);
    FakeDisk::File& file = disk_.files_.at(file_);
    if (file.sealed) return MakeError(ErrorKind::kPermissionDenied, "the file is sealed");
    const uint64_t end = offset + bytes.size();
    if (declared_ && end > *declared_) {
      return MakeError(ErrorKind::kInvalidArgument, "beyond the declared size");
    }
    if (file.bytes.size() < end) file.bytes.resize(end);
    std::copy(bytes.begin(), bytes.end(), file.bytes.begin() + static_cast<ptrdiff_t>(offset));
    return absl::OkStatus();
  }
  absl::Status Seal(absl::optional<uint64_t> size) override {
    MutexLock lock(disk_.mutex_);
    FakeDisk::File& file = disk_.files_.at(file_);
    if (size && declared_ && *size != *declared_) {
      return MakeError(ErrorKind::kInvalidArgument, "another size was declared");
    }
    if (size) file.bytes.resize(*size);
    file.sealed = true;
    file.sum = absl::HashOf(file.bytes);
    return absl::OkStatus();
  }
  absl::StatusOr<Mapping> Map(MapAccess access) const override {
    if (access == MapAccess::kReadWrite) {
      return sealed() ? MakeError(ErrorKind::kPermissionDenied, "the file is sealed")
                      : MakeError(ErrorKind::kUnsupported, "nothing maps a fake file");
    }
    MutexLock lock(mapped_mutex_);
    std::string& copy = mapped_.emplace_back();
    {
      MutexLock disk_lock(disk_.mutex_);
      copy = disk_.files_.at(file_).bytes;
    }
    return Mapping::Borrow(absl::MakeSpan(copy.data(), copy.size()));
  }
  BlobDescriptor Describe() const override { return UrlDescriptor{"fake:", size()}; }

 private:
  FakeDisk& disk_;
  const uint64_t file_;
  const absl::optional<uint64_t> declared_;
  std::atomic<bool> kept_;
  mutable Mutex mapped_mutex_;
  mutable std::deque<std::string> mapped_ ABSL_GUARDED_BY(mapped_mutex_);
};

class FakeBlobStore final : public BlobStore {
 public:
  explicit FakeBlobStore(FakeDisk& disk) : disk_(disk) {}

  absl::StatusOr<std::unique_ptr<Blob>> Create(absl::optional<uint64_t> size) override {
    MutexLock lock(disk_.mutex_);
    if (disk_.create_broken_ && disk_.create_failures_-- > 0) {
      return MakeError(*disk_.create_broken_, "the fake disk makes no files");
    }
    uint64_t used = size.value_or(0);
    for (const auto& [number, file] : disk_.files_) used += file.bytes.size();
    if (used > disk_.room_) return MakeError(ErrorKind::kCapacity, "the fake disk is full");
    const uint64_t number = ++disk_.last_file_;
    disk_.files_[number].bytes.resize(size.value_or(0));
    return std::make_unique<FakeFileBlob>(disk_, number, size, /*kept=*/false);
  }

 private:
  FakeDisk& disk_;
};

class FakeArchive final : public Archive {
 public:
  explicit FakeArchive(FakeDisk& disk) : disk_(disk) {}

  uint64_t NextSerial() override {
    MutexLock lock(disk_.mutex_);
    return ++disk_.last_serial_;
  }

  absl::Status ForEach(absl::FunctionRef<void(ArchivedObject)> visit) override {
    MutexLock lock(disk_.mutex_);
    if (absl::Status failure = disk_.Failure(); !failure.ok()) return failure;
    for (const auto& [serial, row] : disk_.rows_) {
      uint64_t footprint = 0;
      for (const uint64_t size : row.sizes) footprint += size;
      visit({row.id, serial, footprint, row.sealed_at, row.expires_at, absl::StrCat(serial)});
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Add(const Object& object, uint64_t serial, const Metadata& metadata,
                                  absl::Time sealed_at,
                                  absl::optional<absl::Time> expires_at) override {
    disk_.add.Pass();
    {
      MutexLock lock(disk_.mutex_);
      if (absl::Status failure = disk_.Failure(); !failure.ok()) return failure;
      FakeDisk::Row row{object.id(), metadata, object.created_at(), sealed_at, expires_at, {}, {}};
      for (const auto& blob : object.blobs()) {
        row.files.push_back(File(*blob).file());
        row.sizes.push_back(disk_.files_.at(row.files.back()).bytes.size());
      }
      for (auto it = disk_.rows_.begin(); it != disk_.rows_.end();) {
        it = it->second.id == object.id() ? disk_.rows_.erase(it) : std::next(it);
      }
      disk_.added_.emplace(serial, row);
      disk_.rows_.emplace(serial, std::move(row));
      disk_.Log("add", serial);
    }
    for (const auto& blob : object.blobs()) File(*blob).Keep(true);
    return absl::StrCat(serial);
  }

  absl::Status Remove(uint64_t serial, const Object& object) override {
    disk_.remove.Pass();
    {
      MutexLock lock(disk_.mutex_);
      if (absl::Status failure = disk_.Failure(); !failure.ok()) return failure;
      if (disk_.rows_.count(serial) > 0) disk_.Log("remove", serial);
      disk_.rows_.erase(serial);
    }
    for (const auto& blob : object.blobs()) File(*blob).Keep(false);
    return absl::OkStatus();
  }

  absl::Status Rename(uint64_t serial, const ObjectId& to) override {
    disk_.rename.Pass();
    MutexLock lock(disk_.mutex_);
    if (absl::Status failure = disk_.Failure(); !failure.ok()) return failure;
    for (const auto& [other, row] : disk_.rows_) {
      if (row.id == to) return MakeError(ErrorKind::kAlreadyExists, "two rows of one id");
    }
    disk_.Log("rename", serial, absl::StrCat(" ", to.bytes()));
    disk_.rows_.at(serial).id = to;
    return absl::OkStatus();
  }

  std::shared_ptr<Object> Open(const ObjectId& id, absl::string_view rest) override {
    MutexLock lock(disk_.mutex_);
    const FakeDisk::Row& row = RowOf(rest);
    Object::Blobs blobs;
    for (const uint64_t file : row.files) {
      blobs.push_back(std::make_shared<FakeFileBlob>(disk_, file, absl::nullopt, /*kept=*/true));
    }
    return std::make_shared<Object>(id, row.metadata, std::move(blobs), row.created_at,
                                    row.sealed_at);
  }

  ObjectInfo Info(const ObjectId& id, absl::string_view rest) override {
    MutexLock lock(disk_.mutex_);
    const FakeDisk::Row& row = RowOf(rest);
    ObjectInfo info;
    info.object_id = id;
    info.metadata = row.metadata;
    info.blob_sizes = row.sizes;
    info.created_at = row.created_at;
    info.sealed_at = row.sealed_at;
    return info;
  }

  absl::Status Check(const Object& object, bool thoroughly) override {
    disk_.check.Pass();
    MutexLock lock(disk_.mutex_);
    if (absl::Status failure = disk_.Failure(); !failure.ok()) return failure;
    for (const auto& [serial, row] : disk_.rows_) {
      if (row.files[0] != File(*object.blobs()[0]).file()) continue;
      for (size_t i = 0; i < row.files.size(); ++i) {
        const auto it = disk_.files_.find(row.files[i]);
        if (it == disk_.files_.end()) return MakeError(ErrorKind::kCorrupt, "its file is gone");
        if (it->second.bytes.size() != row.sizes[i]) {
          return MakeError(ErrorKind::kCorrupt, "its file has another length");
        }
        if (thoroughly && absl::HashOf(it->second.bytes) != it->second.sum) {
          return MakeError(ErrorKind::kCorrupt, "a piece fails its checksum");
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status Quarantine(uint64_t serial, const Object&, absl::string_view) override {
    MutexLock lock(disk_.mutex_);
    if (absl::Status failure = disk_.Failure(); !failure.ok()) return failure;
    disk_.Log("quarantine", serial);
    disk_.rows_.erase(serial);
    return absl::OkStatus();
  }

 private:
  static FakeFileBlob& File(Blob& blob) { return static_cast<FakeFileBlob&>(blob); }

  // As it was taken in: what a peer has in memory does not go with the row.
  const FakeDisk::Row& RowOf(absl::string_view rest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(disk_.mutex_) {
    uint64_t serial = 0;
    EXPECT_TRUE(absl::SimpleAtoi(rest, &serial));
    return disk_.added_.at(serial);
  }

  FakeDisk& disk_;
};

std::unique_ptr<BlobStore> FakeDisk::MakeStore() { return std::make_unique<FakeBlobStore>(*this); }
std::unique_ptr<Archive> FakeDisk::MakeArchive() { return std::make_unique<FakeArchive>(*this); }

std::vector<std::string> FakeDisk::log() const {
  MutexLock lock(mutex_);
  return log_;
}

std::map<std::string, FakeDisk::Row> FakeDisk::rows() const {
  MutexLock lock(mutex_);
  std::map<std::string, Row> rows;
  for (const auto& [serial, row] : rows_) rows.emplace(row.id.bytes(), row);
  return rows;
}

size_t FakeDisk::files() const {
  MutexLock lock(mutex_);
  return files_.size();
}

void FakeDisk::Break(absl::optional<ErrorKind> kind, int count) {
  MutexLock lock(mutex_);
  broken_ = kind;
  failures_ = count;
}

void FakeDisk::BreakCreate(absl::optional<ErrorKind> kind, int count) {
  MutexLock lock(mutex_);
  create_broken_ = kind;
  create_failures_ = count;
}

void FakeDisk::SetRoom(uint64_t bytes) {
  MutexLock lock(mutex_);
  room_ = bytes;
}

void FakeDisk::LoseFile(absl::string_view id) {
  MutexLock lock(mutex_);
  const File* lost = &FileOf(id);
  for (auto it = files_.begin(); it != files_.end(); ++it) {
    if (&it->second == lost) return static_cast<void>(files_.erase(it));
  }
}

void FakeDisk::CutFile(absl::string_view id) {
  MutexLock lock(mutex_);
  FileOf(id).bytes.pop_back();
}

void FakeDisk::FlipByte(absl::string_view id) {
  MutexLock lock(mutex_);
  FileOf(id).bytes[0] = '!';
}

absl::Status FakeDisk::Failure() {
  if (!broken_ || failures_-- <= 0) return absl::OkStatus();
  return MakeError(*broken_, "the fake disk is broken");
}

FakeDisk::File& FakeDisk::FileOf(absl::string_view id) {
  for (const auto& [serial, row] : rows_) {
    if (row.id.bytes() == id) return files_.at(row.files[0]);
  }
  ADD_FAILURE() << "no object " << id;
  return files_.begin()->second;
}

void FakeDisk::Log(absl::string_view what, uint64_t serial, absl::string_view more) {
  log_.push_back(absl::StrCat(what, " ", rows_.at(serial).id.bytes(), more));
}

}  // namespace packice
