#include "listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace packice::faulty_disk {

Listing ListDirectory(int at, const std::string& name) {
  Listing listing;
  const long fd = syscall(SYS_openat, at, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const directory = fd < 0 ? nullptr : fdopendir(static_cast<int>(fd));
  if (directory == nullptr) return listing;
  while (const dirent* const entry = readdir(directory)) {
    const std::string entry_name = entry->d_name;
    if (entry_name == "." || entry_name == "..") continue;
    if (entry->d_type != DT_REG && entry->d_type != DT_DIR) continue;
    listing[entry_name] = {entry->d_ino, entry->d_type == DT_DIR};
  }
  closedir(directory);
  return listing;
}

std::string TextOf(const Listing& listing) {
  std::ostringstream text;
  for (const auto& [name, entry] : listing) {
    text << (entry.directory ? "d " : "f ") << entry.inode << ' ' << name << '\n';
  }
  return text.str();
}

void ParseEntry(const std::string& line, Listing& listing) {
  std::istringstream words(line);
  std::string type, name;
  Entry entry;
  words >> type >> entry.inode;
  words.get();
  std::getline(words, name);
  entry.directory = type == "d";
  if (!name.empty()) listing[name] = entry;
}

Listing ReadListing(const std::string& path) {
  Listing listing;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) ParseEntry(line, listing);
  return listing;
}

}  // namespace packice::faulty_disk
