#include "file_archive.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "object_rest.h"
#include "packice/backends/file_blob.h"
#include "packice/backends/metadata_text.h"
#include "packice/backends/quarantine.h"
#include "packice/core/error.h"

namespace packice {
namespace {

constexpr absl::string_view kNoMetadata = "{}";

// All blobs of this peer's store are files.
FileBlob& FileOf(const std::shared_ptr<Blob>& blob) { return static_cast<FileBlob&>(*blob); }

Metadata MetadataOf(const ObjectRest& rest) {
  if (rest.metadata.empty()) return Metadata();
  // Was read before, by ForEach, or written by Add.
  return MetadataFromText(rest.metadata).value_or(Metadata());
}

// What was asked for is so: somebody else has seen to it.
absl::Status NotFoundIsFine(absl::Status status) {
  if (!status.ok() && KindOf(status) == ErrorKind::kNotFound) return absl::OkStatus();
  return status;
}

}  // namespace

FileArchive::FileArchive(std::shared_ptr<const DataDirectory> directory,
                         std::shared_ptr<Catalog> catalog, FileBlobStore& store, const Clock& clock,
                         std::function<void(absl::string_view)> log)
    : directory_(std::move(directory)),
      catalog_(std::move(catalog)),
      store_(store),
      clock_(clock),
      log_(std::move(log)) {}

absl::Status FileArchive::ForEach(absl::FunctionRef<void(ArchivedObject)> visit) {
  struct Unreadable {
    uint64_t serial;
    std::vector<BlobName> files;
    std::string why;
  };
  std::vector<Unreadable> unreadable;
  const absl::Status status = catalog_->ForEach([&](const CatalogEntry& entry) {
    absl::StatusOr<ObjectId> id = ObjectId::Parse(entry.id);
    absl::Status readable = id.status();
    ObjectRest rest{entry.created_at, entry.sealed_at, {}, {}};
    if (entry.metadata != kNoMetadata) {
      rest.metadata = entry.metadata;
      if (readable.ok()) readable = MetadataFromText(entry.metadata).status();
    }
    ArchivedObject object;
    for (const CatalogBlob& blob : entry.blobs) {
      rest.blobs.push_back(blob);
      object.footprint += blob.footprint;
    }
    if (!readable.ok()) {
      Unreadable& row = unreadable.emplace_back();
      row.serial = entry.serial;
      for (const CatalogBlob& blob : entry.blobs) row.files.push_back(blob.name);
      row.why = absl::StrCat("its row in the catalog is damaged: ", readable.message());
      return;
    }
    object.id = *std::move(id);
    object.serial = entry.serial;
    object.sealed_at = entry.sealed_at;
    object.expires_at = entry.expires_at;
    object.rest = rest.Pack();
    visit(std::move(object));
  });
  if (!status.ok()) return status;
  for (const Unreadable& row : unreadable) {
    absl::Status aside = catalog_->Quarantine(row.serial, row.why);
    if (aside.ok()) aside = SetFilesAside(row.files, row.why);
    if (!aside.ok()) return aside;
    log_(absl::StrCat("object ", row.serial, " was set aside: ", row.why));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> FileArchive::Add(const Object& object, uint64_t serial,
                                             const Metadata& metadata, absl::Time sealed_at,
                                             absl::optional<absl::Time> expires_at) {
  const std::string text = metadata.empty() ? std::string(kNoMetadata) : MetadataToText(metadata);
  ObjectRest rest{object.created_at(), sealed_at, {}, {}};
  if (!metadata.empty()) rest.metadata = text;
  std::vector<PieceSums> sums;
  for (const auto& blob : object.blobs()) {
    absl::StatusOr<PieceSums> blob_sums = blob->Sums();
    if (!blob_sums.ok()) return blob_sums.status();
    sums.push_back(*std::move(blob_sums));
    rest.blobs.push_back({FileOf(blob).name(), blob->size(), blob->footprint()});
  }
  CatalogEntry entry;
  entry.serial = serial;
  entry.id = object.id().bytes();
  entry.metadata = text;
  entry.created_at = object.created_at();
  entry.sealed_at = sealed_at;
  entry.expires_at = expires_at;
  entry.blobs = rest.blobs;
  if (absl::Status status = catalog_->Add(entry, sums); !status.ok()) return status;
  for (const auto& blob : object.blobs()) FileOf(blob).Keep();
  return rest.Pack();
}

absl::Status FileArchive::Remove(uint64_t serial, const Object& object) {
  if (absl::Status status = NotFoundIsFine(catalog_->Remove(serial)); !status.ok()) return status;
  for (const auto& blob : object.blobs()) FileOf(blob).Drop();
  return absl::OkStatus();
}

absl::Status FileArchive::Rename(uint64_t serial, const ObjectId& to) {
  return catalog_->Rename(serial, to);
}

std::shared_ptr<Object> FileArchive::Open(const ObjectId& id, absl::string_view packed) {
  const ObjectRest rest = ObjectRest::Unpack(packed);
  Object::Blobs blobs;
  for (const CatalogBlob& blob : rest.blobs) {
    blobs.push_back(store_.Open(blob.name, blob.size, blob.footprint));
  }
  return std::make_shared<Object>(id, MetadataOf(rest), std::move(blobs), rest.created_at,
                                  rest.sealed_at);
}

ObjectInfo FileArchive::Info(const ObjectId& id, absl::string_view packed) {
  const ObjectRest rest = ObjectRest::Unpack(packed);
  ObjectInfo info;
  info.object_id = id;
  info.metadata = MetadataOf(rest);
  for (const CatalogBlob& blob : rest.blobs) info.blob_sizes.push_back(blob.size);
  info.created_at = rest.created_at;
  info.sealed_at = rest.sealed_at;
  return info;
}

absl::Status FileArchive::Check(const Object& object, bool thoroughly) {
  for (const auto& blob : object.blobs()) {
    if (absl::Status status = FileOf(blob).Verify(thoroughly); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status FileArchive::Quarantine(uint64_t serial, const Object& object, absl::string_view why) {
  if (absl::Status status = NotFoundIsFine(catalog_->Quarantine(serial, why)); !status.ok()) {
    return status;
  }
  std::vector<BlobName> names;
  for (const auto& blob : object.blobs()) names.push_back(FileOf(blob).name());
  return SetFilesAside(names, why);
}

absl::Status FileArchive::SetFilesAside(const std::vector<BlobName>& names, absl::string_view why) {
  for (const BlobName& name : names) {
    const absl::Status status =
        NotFoundIsFine(SetAside(*directory_, name.object(), why, clock_.WallTime()).status());
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace packice
