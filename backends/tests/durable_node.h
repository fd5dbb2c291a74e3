// A node's durable medium put together as a peer does it: directory, catalog, store, with objects
// of one blob each.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "data_directory_fixture.h"
#include "packice/backends/catalog.h"
#include "packice/backends/file_blob_store.h"
#include "packice/core/clock.h"
#include "packice/core/mutex.h"

namespace packice {

class DurableNode {
 public:
  DurableNode() { Start(); }

  const std::string& path() const { return path_; }
  const DataDirectory& directory() const { return *directory_; }
  Catalog& catalog() { return *catalog_; }
  const Clock& clock() const { return Clock::System(); }

  void Stop(bool cleanly) {
    if (cleanly) {
      EXPECT_THAT(catalog_->CloseCleanly(), IsOk());
    }
    store_.reset();
    catalog_.reset();
    directory_.reset();
  }
  void Start() {
    auto directory = DataDirectory::Open(path_);
    ASSERT_THAT(directory, IsOk());
    directory_ = *std::move(directory);
    auto catalog = Catalog::Open(*directory_, clock());
    ASSERT_THAT(catalog, IsOk());
    catalog_ = *std::move(catalog);
    FileBlobHooks hooks;
    hooks.sums = [this](const BlobName& name) { return catalog_->Sums(name); };
    hooks.unlinked = [this](const BlobName& name) { catalog_->Forget(name); };
    store_ = std::make_unique<FileBlobStore>(directory_, hooks, catalog_->FirstSerial());
  }
  void Restart(bool cleanly) {
    Stop(cleanly);
    Start();
  }

  std::unique_ptr<FileBlob> SealBlob(const std::string& id, const std::string& bytes) {
    auto blob = store_->CreateFor(*ObjectId::Parse(id), bytes.size());
    EXPECT_THAT(blob, IsOk());
    EXPECT_THAT((*blob)->Write(0, bytes), IsOk());
    EXPECT_THAT((*blob)->Seal(absl::nullopt), IsOk());
    return std::unique_ptr<FileBlob>(static_cast<FileBlob*>(blob->release()));
  }

  // Returns the serial.
  uint64_t Put(const std::string& id, const std::string& bytes) {
    std::unique_ptr<FileBlob> sealed = SealBlob(id, bytes);
    const CatalogBlob blob{sealed->name(), sealed->size(), sealed->footprint()};
    CatalogEntry entry;
    entry.serial = store_->NextSerial();
    entry.id = id;
    entry.metadata = "{}";
    entry.created_at = entry.sealed_at = clock().WallTime();
    entry.blobs = absl::MakeConstSpan(&blob, 1);
    const PieceSums sums = *sealed->Sums();
    EXPECT_THAT(catalog_->Add(entry, absl::MakeConstSpan(&sums, 1)), IsOk());
    sealed->Keep();
    return entry.serial;
  }

  void Discard(const std::string& id) {
    std::unique_ptr<FileBlob> blob = OpenBlob(id);
    EXPECT_THAT(catalog_->Remove(Find(id).first), IsOk());
    blob->Drop();
  }

  std::unique_ptr<FileBlob> OpenBlob(const std::string& id) {
    const CatalogBlob blob = Find(id).second;
    return store_->Open(blob.name, blob.size, blob.footprint);
  }
  std::string PathOf(const std::string& id) {
    return directory_->PathOf(Find(id).second.name.object());
  }
  std::string Get(const std::string& id) {
    std::unique_ptr<FileBlob> blob = OpenBlob(id);
    std::string bytes(blob->size(), '\0');
    EXPECT_THAT(blob->Read(0, absl::MakeSpan(&bytes[0], bytes.size())), IsOkAndHolds(bytes.size()));
    return bytes;
  }
  bool Has(const std::string& id) { return Find(id).first != 0; }

 private:
  std::pair<uint64_t, CatalogBlob> Find(const std::string& id) {
    std::pair<uint64_t, CatalogBlob> found;
    EXPECT_THAT(catalog_->ForEach([&](const CatalogEntry& entry) {
      if (entry.id == id) found = {entry.serial, entry.blobs[0]};
    }),
                IsOk());
    return found;
  }

  TemporaryDirectory temporary_;
  const std::string path_ = temporary_ / "data";
  std::shared_ptr<const DataDirectory> directory_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<FileBlobStore> store_;
};

}  // namespace packice
