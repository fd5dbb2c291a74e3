// The named points of a commit, as the faulty disk's rules know them (faulty_disk/rules.h): a call
// and a file of the data directory, whatever the order in which a node makes the calls.
#pragma once

namespace packice {

struct Step {
  const char* name;
  const char* selector;  // CALLS PATTERN
};

inline constexpr Step kAttachmentCreate = {"attachment.create", "create data/attachments/*"};
inline constexpr Step kBlobWrite = {"blob.write", "write data/attachments/*"};  // over HTTP
inline constexpr Step kBlobSync = {"blob.sync", "sync data/attachments/*|data/objects/*"};
inline constexpr Step kBlobRename = {"blob.rename", "rename data/objects/*"};
inline constexpr Step kDirectorySync = {"directory.sync", "syncdir data/objects/*"};
inline constexpr Step kCatalogWrite = {"catalog.write", "write data/catalog.sqlite*"};
inline constexpr Step kCatalogSync = {"catalog.sync", "sync data/catalog.sqlite*"};
inline constexpr Step kBlobUnlink = {"blob.unlink", "unlink data/objects/*"};
inline constexpr Step kAttachmentUnlink = {"attachment.unlink", "unlink data/attachments/*"};
// Syncs that are made now and then only: when the directory is made, and when the log is emptied.
inline constexpr Step kParentSync = {"parent.sync", "syncdir ."};
inline constexpr Step kTopSync = {"top.sync", "syncdir data"};
inline constexpr Step kShardsSync = {"shards.sync", "syncdir data/objects"};
inline constexpr Step kFormatSync = {"format.sync", "sync data/packice.format*"};
inline constexpr Step kCatalogLogSync = {"catalog_log.sync", "sync data/catalog.sqlite-wal"};
inline constexpr Step kCatalogFileSync = {"catalog_file.sync", "sync data/catalog.sqlite"};

// Those that a put and a discard come by.
inline constexpr Step kSteps[] = {kAttachmentCreate, kBlobWrite,     kBlobSync,
                                  kBlobRename,       kDirectorySync, kCatalogWrite,
                                  kCatalogSync,      kBlobUnlink,    kAttachmentUnlink};

// All that changes the disk, while a node starts for instance.
inline constexpr Step kAnyStep = {
    "any", "create,write,truncate,allocate,rename,link,unlink,mkdir,sync,syncdir *"};

}  // namespace packice
