// The machine's own files as objects of a node, and the processes that put and read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "packice/core/object_id.h"

namespace packice {

struct TieredFile {
  std::string path;
  uint64_t size;
};

// Files of 1 KiB to 16 MiB, small, middling and large ones with about a third of `bytes` each; the
// same ones for the same machine.
std::vector<TieredFile> ChooseFiles(uint64_t bytes);
uint64_t BytesOf(const std::vector<TieredFile>& files);

void WriteFileList(const std::string& list, const std::vector<TieredFile>& files);
ObjectId TieredIdOf(size_t index);

// Roles of this program (child_process.h); each writes a line for every file that it handles to
// its output: the file's index, and a digest or the name of an error.
//   tiered_put  SOCKET LIST OUTPUT PART PARTS   puts every PARTS-th file
//   tiered_get  SOCKET LIST OUTPUT PART PARTS   reads every PARTS-th file
//   tiered_mix  SOCKET LIST OUTPUT SEED READS   reads as Zipf would, few files often; says "half"
//                                               in between
constexpr char kTieredPut[] = "tiered_put";
constexpr char kTieredGet[] = "tiered_get";
constexpr char kTieredMix[] = "tiered_mix";

}  // namespace packice
