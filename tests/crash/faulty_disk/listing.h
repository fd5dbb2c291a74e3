// What names a directory holds, and the text form in which that is kept.
//
// Used both in the process under test and in the test, so with the standard library only.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

namespace packice::faulty_disk {

struct Entry {
  ino_t inode = 0;
  bool directory = false;

  friend bool operator==(const Entry& a, const Entry& b) {
    return a.inode == b.inode && a.directory == b.directory;
  }
};

// Regular files and directories, by name. Names have no newline.
using Listing = std::map<std::string, Entry>;

// Of the directory `name`, seen from descriptor `at` (openat(2)); empty where there is none.
Listing ListDirectory(int at, const std::string& name);

// One line each: "f 1234 name".
std::string TextOf(const Listing& listing);
void ParseEntry(const std::string& line, Listing& listing);
// Empty where there is no such file.
Listing ReadListing(const std::string& path);

}  // namespace packice::faulty_disk
