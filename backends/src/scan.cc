// The second half of recovery.h: comparing objects/ with the catalog while the node serves.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "directory_listing.h"
#include "packice/backends/quarantine.h"
#include "packice/backends/recovery.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// What is wrong with the file, at a glance; empty when nothing is.
absl::StatusOr<std::string> LookAt(const DataDirectory& directory, const CatalogBlob& blob) {
  const std::string relative = blob.name.object();
  struct stat info;
  if (fstatat(directory.fd(), relative.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return absl::StrCat(relative, " is missing");
    return ErrnoError(errno, absl::StrCat("cannot look at ", relative));
  }
  if (!S_ISREG(info.st_mode)) return absl::StrCat(relative, " is no regular file");
  if (static_cast<uint64_t>(info.st_size) == blob.size) return std::string();
  return absl::StrCat(relative, " has ", info.st_size, " bytes, and was sealed with ", blob.size);
}

struct Suspect {
  uint64_t serial;
  CatalogBlob blob;
  std::string why;
};

// Looks at every object's files. What is wrong may have been removed meanwhile, so it is looked at
// again when the walk through the catalog is over.
absl::Status FindDamage(const DataDirectory& directory, const Catalog& catalog,
                        const std::atomic<bool>& stop, ScanReport& report,
                        absl::FunctionRef<void(uint64_t, absl::string_view)> damaged) {
  std::vector<Suspect> suspects;
  absl::Status failure;
  absl::Status status = catalog.ForEach([&](const CatalogEntry& entry) {
    if (stop.load(std::memory_order_relaxed) || !failure.ok()) return;
    ++report.objects;
    for (const CatalogBlob& blob : entry.blobs) {
      absl::StatusOr<std::string> why = LookAt(directory, blob);
      if (!why.ok()) failure = why.status();
      if (!why.ok() || why->empty()) continue;
      suspects.push_back({entry.serial, blob, *std::move(why)});
      break;
    }
  });
  if (!status.ok()) return status;
  if (!failure.ok()) return failure;
  for (const Suspect& suspect : suspects) {
    absl::StatusOr<PieceSums> listed = catalog.Sums(suspect.blob.name);
    if (!listed.ok() && KindOf(listed.status()) == ErrorKind::kNotFound) continue;
    ++report.damaged_objects;
    damaged(suspect.serial, suspect.why);
  }
  return absl::OkStatus();
}

// Whether a file in a shard belongs to an object, or is so new that it may do so soon.
absl::StatusOr<bool> Belongs(const Catalog& catalog, uint8_t shard, absl::string_view name) {
  const absl::optional<uint64_t> number = BlobName::ParseNumber(name);
  if (!number.has_value()) return false;
  if (*number >= catalog.FirstSerial()) return true;  // made since this node started
  return catalog.Knows(BlobName{*number, shard});
}

absl::Status SetOrphansAside(const DataDirectory& directory, const Catalog& catalog,
                             const Clock& clock, uint8_t shard, ScanReport& report) {
  std::vector<std::string> orphans;
  const std::string path = BlobName::ShardDirectory(shard);
  absl::Status status = ListDirectory(directory.fd(), path, [&](const DirectoryEntry& entry) {
    absl::StatusOr<bool> belongs = Belongs(catalog, shard, entry.name);
    if (belongs.ok() && !*belongs) orphans.push_back(absl::StrCat(path, "/", entry.name));
    return belongs.status();
  });
  if (!status.ok()) return status;
  for (const std::string& orphan : orphans) {
    absl::StatusOr<std::string> place =
        SetAside(directory, orphan, "belongs to no object of the catalog", clock.WallTime());
    if (!place.ok() && KindOf(place.status()) == ErrorKind::kNotFound) continue;  // just unlinked
    if (!place.ok()) return place.status();
    ++report.orphans;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ScanReport> Scan(
    const DataDirectory& directory, const Catalog& catalog, const Clock& clock,
    const std::atomic<bool>& stop,
    absl::FunctionRef<void(uint64_t serial, absl::string_view why)> damaged) {
  ScanReport report;
  absl::Status status = FindDamage(directory, catalog, stop, report, damaged);
  for (int shard = 0; status.ok() && shard < DataDirectory::kShards; ++shard) {
    if (stop.load(std::memory_order_relaxed)) break;
    status = SetOrphansAside(directory, catalog, clock, static_cast<uint8_t>(shard), report);
  }
  if (!status.ok()) return status;
  return report;
}

}  // namespace packice
