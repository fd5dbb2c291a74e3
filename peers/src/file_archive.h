// The archive of a node on disk: a Catalog for the objects, the files of a FileBlobStore for their
// bytes.
//
// Owned by one LocalPeer, whose store it is lent. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "packice/backends/catalog.h"
#include "packice/backends/data_directory.h"
#include "packice/backends/file_blob_store.h"
#include "packice/core/clock.h"
#include "packice/peers/archive.h"

namespace packice {

class FileArchive final : public Archive {
 public:
  // `store` and `clock` outlive this. `log` as LocalPeerOptions has it.
  FileArchive(std::shared_ptr<const DataDirectory> directory, std::shared_ptr<Catalog> catalog,
              FileBlobStore& store, const Clock& clock, std::function<void(absl::string_view)> log);

  uint64_t NextSerial() override { return store_.NextSerial(); }
  // A row that cannot be read is set aside, and the rest is visited.
  absl::Status ForEach(absl::FunctionRef<void(ArchivedObject)> visit) override;
  absl::StatusOr<std::string> Add(const Object& object, uint64_t serial, const Metadata& metadata,
                                  absl::Time sealed_at,
                                  absl::optional<absl::Time> expires_at) override;
  absl::Status Remove(uint64_t serial, const Object& object) override;
  absl::Status Rename(uint64_t serial, const ObjectId& to) override;
  std::shared_ptr<Object> Open(const ObjectId& id, absl::string_view rest) override;
  ObjectInfo Info(const ObjectId& id, absl::string_view rest) override;
  absl::Status Check(const Object& object, bool thoroughly) override;
  absl::Status Quarantine(uint64_t serial, const Object& object, absl::string_view why) override;

 private:
  absl::Status SetFilesAside(const std::vector<BlobName>& names, absl::string_view why);

  const std::shared_ptr<const DataDirectory> directory_;
  const std::shared_ptr<Catalog> catalog_;
  FileBlobStore& store_;
  const Clock& clock_;
  const std::function<void(absl::string_view)> log_;
};

}  // namespace packice
