#include "packice/backends/recovery.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bitset>
#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "directory_listing.h"
#include "packice/backends/quarantine.h"
#include "packice/core/error.h"

namespace packice {
namespace {

// Whether it was there.
absl::StatusOr<bool> Unlink(int directory, const std::string& relative) {
  if (unlinkat(directory, relative.c_str(), 0) == 0) return true;
  if (errno == ENOENT) return false;
  return ErrnoError(errno, absl::StrCat("cannot unlink ", relative));
}

bool IsRegularFile(const DirectoryEntry& entry) {
  struct stat info;
  return fstatat(entry.directory, std::string(entry.name).c_str(), &info, AT_SYMLINK_NOFOLLOW) ==
             0 &&
         S_ISREG(info.st_mode);
}

// The rows go with a later change, after the directories have been synced (Catalog::Forget).
absl::Status FinishRemovals(const DataDirectory& directory, Catalog& catalog,
                            RecoveryReport& report) {
  std::vector<BlobName> removed;
  absl::Status status =
      catalog.ForEachRemoved([&](const BlobName& name) { removed.push_back(name); });
  if (!status.ok()) return status;
  for (const BlobName& name : removed) {
    absl::StatusOr<bool> was_there = Unlink(directory.fd(), name.object());
    if (!was_there.ok()) return was_there.status();
    report.finished_removals += *was_there ? 1 : 0;
    catalog.Forget(name);
  }
  return absl::OkStatus();
}

absl::Status ClearAttachments(const DataDirectory& directory, const Clock& clock,
                              RecoveryReport& report) {
  std::vector<std::string> unfinished;
  std::vector<std::string> strange;
  absl::Status status =
      ListDirectory(directory.fd(), "attachments", [&](const DirectoryEntry& entry) {
        const bool ours = BlobName::ParseNumber(entry.name).has_value() && IsRegularFile(entry);
        (ours ? unfinished : strange).push_back(absl::StrCat("attachments/", entry.name));
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  for (const std::string& relative : unfinished) {
    absl::StatusOr<bool> was_there = Unlink(directory.fd(), relative);
    if (!was_there.ok()) return was_there.status();
  }
  report.unfinished_creates = unfinished.size();
  for (const std::string& relative : strange) {
    absl::StatusOr<std::string> place =
        SetAside(directory, relative, "found at start among the files being written, and is none",
                 clock.WallTime());
    if (!place.ok()) return place.status();
  }
  report.set_aside = strange.size();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RecoveryReport> Recover(const DataDirectory& directory, Catalog& catalog,
                                       const Clock& clock) {
  RecoveryReport report;
  report.last_shutdown_was_clean = catalog.LastShutdownWasClean();
  if (absl::Status status = FinishRemovals(directory, catalog, report); !status.ok()) {
    return status;
  }
  if (absl::Status status = ClearAttachments(directory, clock, report); !status.ok()) {
    return status;
  }
  return report;
}

}  // namespace packice
