// Keeps, beside a tree, what the tree's disk would hold after a power loss: of a file what was
// synced of it, of a directory the names that it had when it was synced. As strict as POSIX allows:
// nothing reaches the disk unasked, and no file's sync takes its name along.
//
// What other processes write is seen at a file's first sync, which takes all there is; later ones
// take what this process wrote since. A sync by other means than fsync(2) and fdatasync(2), such as
// O_DSYNC or msync(2), is not one here.
//
// All that matters is in files (shadow_layout.h), because the process may be killed at any time,
// and so that the next process goes on with the same shadow. Thread-safe.
#pragma once

#include <sys/types.h>

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "listing.h"
#include "shadow_layout.h"
#include "tree.h"

namespace packice::faulty_disk {

class Shadow {
 public:
  // Goes on with the shadow in `root`.
  explicit Shadow(std::string root);

  // Before an existing file changes for the first time: notes what is durable of it.
  void Keep(int fd, const OpenFile& file);
  // After bytes of a file were written; with no range, after anything may have changed.
  void Wrote(ino_t inode, off_t from, off_t to);
  void Changed(ino_t inode);
  // Before a name goes away.
  void Bury(const std::string& path);

  // A sync. `with_mode`: fsync(2), not fdatasync(2).
  void SyncFile(int fd, const OpenFile& file, bool with_mode);
  void SyncDirectory(int fd, const OpenFile& directory);
  // A sync that failed: what it was to save will not be saved by any later one.
  void LoseFile(int fd, const OpenFile& file);
  void LoseDirectory(int fd, const OpenFile& directory);

 private:
  using Range = std::pair<off_t, off_t>;
  struct File {
    bool all = true;            // must be copied
    std::vector<Range> ranges;  // otherwise
  };

  File& FileOf(ino_t inode);
  Listing DurableEntries(ino_t directory) const;

  const ShadowLayout layout_;
  std::mutex mutex_;  // of what follows, and of the shadow's files
  std::set<ino_t> baseline_;
  std::map<ino_t, Listing> baseline_entries_;
  std::map<ino_t, File> files_;
  std::map<ino_t, Listing> lost_entries_;  // names that a failed sync was to save
};

}  // namespace packice::faulty_disk
