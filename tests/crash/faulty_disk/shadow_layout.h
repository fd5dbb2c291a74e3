// Where a shadow keeps what a power loss would leave of a tree. The library that is loaded into the
// process under test writes it, the test reads it (power_loss.h). Files are known by their inode's
// number, which stays theirs: a file that is unlinked gets another name in graves/.
//
//   baseline        what was durable when the shadow began: for each directory "D <inode>", then
//                   its entries (listing.h). Content of these files is that in the tree...
//   content/<inode> ...unless it was changed since: then the durable content is here. Of a file
//                   that is not in the baseline, too; nothing here: no byte is durable.
//   lost/<inode>    exists for a file of which bytes were lost in a failed sync
//   entries/<inode> a directory's durable entries, once it was synced
//   graves/<inode>  the file, after its last name was taken away
#pragma once

#include <sys/types.h>

#include <string>

namespace packice::faulty_disk {

inline constexpr char kTreeVariable[] = "PACKICE_FAULTY_DISK";           // the directory
inline constexpr char kShadowVariable[] = "PACKICE_FAULTY_DISK_SHADOW";  // may be left out
inline constexpr char kRulesVariable[] = "PACKICE_FAULTY_DISK_RULES";    // may be left out

struct ShadowLayout {
  std::string root;

  std::string Baseline() const { return root + "/baseline"; }
  std::string Content(ino_t inode) const { return root + "/content/" + std::to_string(inode); }
  std::string Lost(ino_t inode) const { return root + "/lost/" + std::to_string(inode); }
  std::string Entries(ino_t inode) const { return root + "/entries/" + std::to_string(inode); }
  std::string Graves() const { return root + "/graves"; }
  std::string Grave(ino_t inode) const { return Graves() + '/' + std::to_string(inode); }
};

}  // namespace packice::faulty_disk
