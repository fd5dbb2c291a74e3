#include "packice/backends/fsck.h"

#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "fsck_run.h"
#include "packice/backends/quarantine.h"
#include "packice/core/error.h"

namespace packice {

absl::string_view NameOf(FindingKind kind) {
  switch (kind) {
    case FindingKind::kTornCatalogTail:
      return "torn_catalog_tail";
    case FindingKind::kDamagedCatalog:
      return "damaged_catalog";
    case FindingKind::kMissingFile:
      return "missing_file";
    case FindingKind::kWrongSize:
      return "wrong_size";
    case FindingKind::kFlippedBits:
      return "flipped_bits";
    case FindingKind::kOrphanFile:
      return "orphan_file";
    case FindingKind::kUnfinishedCreate:
      return "unfinished_create";
    case FindingKind::kUnfinishedRemoval:
      return "unfinished_removal";
    case FindingKind::kUnknownFile:
      return "unknown_file";
  }
  return "";
}

absl::StatusOr<FsckReport> Fsck(absl::string_view path, const FsckOptions& options,
                                const Clock& clock) {
  absl::StatusOr<std::unique_ptr<DataDirectory>> directory = DataDirectory::OpenExisting(path);
  if (!directory.ok()) return directory.status();
  return FsckRun(**directory, options, clock).Run();
}

absl::StatusOr<FsckReport> FsckRun::Run() {
  using Step = absl::Status (FsckRun::*)();
  absl::Status status;
  for (Step step :
       {&FsckRun::CheckLog, &FsckRun::CheckTop, &FsckRun::CheckCatalog, &FsckRun::CheckObjects,
        &FsckRun::CheckAttachments, &FsckRun::CheckRemovals, &FsckRun::CheckShards}) {
    if (status = (this->*step)(); !status.ok()) break;
  }
  RemoveTraces();
  if (!status.ok()) return status;
  return std::move(report_);
}

Finding& FsckRun::Add(FindingKind kind, std::string path, std::string detail) {
  Finding finding;
  finding.kind = kind;
  finding.path = std::move(path);
  finding.detail = std::move(detail);
  report_.findings.push_back(std::move(finding));
  return report_.findings.back();
}

absl::Status FsckRun::AddAndSetAside(FindingKind kind, const std::string& path,
                                     std::string detail) {
  Finding& finding = Add(kind, path, std::move(detail));
  if (!options_.repair) return absl::OkStatus();
  absl::StatusOr<std::string> place = SetAside(
      directory_, path, absl::StrCat(NameOf(kind), ": ", finding.detail), clock_.WallTime());
  if (!place.ok()) return place.status();
  absl::StrAppend(&finding.detail, "; it is now ", *place);
  finding.repaired = true;
  return absl::OkStatus();
}

absl::Status FsckRun::AddAndUnlink(FindingKind kind, const std::string& path, std::string detail) {
  Finding& finding = Add(kind, path, std::move(detail));
  if (!options_.repair) return absl::OkStatus();
  if (unlinkat(directory_.fd(), path.c_str(), 0) != 0 && errno != ENOENT) {
    return ErrnoError(errno, absl::StrCat("cannot unlink ", path));
  }
  finding.repaired = true;
  return directory_.SyncDirectory(path.substr(0, path.find_last_of('/')));
}

}  // namespace packice
