// What the file of a blob is called: a number, so that no id of an object can lead out of the data
// directory, collide with another, or be too long for a file system.
//
//   while it is written  attachments/<number, 16 hex digits>
//   once it is sealed    objects/<shard, 2 hex digits>/<number>     objects/a7/000001000000002a
//
// A value; paths are relative to the data directory.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "packice/core/object_id.h"

namespace packice {

struct BlobName {
  uint64_t number = 0;  // a serial (Catalog::FirstSerial): never used twice
  uint8_t shard = 0;    // the directory below objects/; fixed when the blob is made

  // The low byte of XXH3-64 of the id's bytes.
  static uint8_t ShardOf(const ObjectId& id);
  static std::string ShardDirectory(uint8_t shard);  // "objects/a7"

  std::string attachment() const;  // "attachments/<number>"
  std::string object() const;      // "objects/<shard>/<number>"

  // The number of a file called `name`; only for what is spelled as above.
  static absl::optional<uint64_t> ParseNumber(absl::string_view name);

  friend bool operator==(const BlobName& a, const BlobName& b) {
    return a.number == b.number && a.shard == b.shard;
  }
};

}  // namespace packice
