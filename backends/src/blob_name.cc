#include "packice/backends/blob_name.h"

#include <xxhash.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace packice {
namespace {

std::string Hex(uint64_t number) { return absl::StrCat(absl::Hex(number, absl::kZeroPad16)); }

}  // namespace

uint8_t BlobName::ShardOf(const ObjectId& id) {
  return static_cast<uint8_t>(XXH3_64bits(id.bytes().data(), id.bytes().size()));
}

std::string BlobName::ShardDirectory(uint8_t shard) {
  return absl::StrCat("objects/", absl::Hex(shard, absl::kZeroPad2));
}

std::string BlobName::attachment() const { return absl::StrCat("attachments/", Hex(number)); }

std::string BlobName::object() const {
  return absl::StrCat(ShardDirectory(shard), "/", Hex(number));
}

absl::optional<uint64_t> BlobName::ParseNumber(absl::string_view name) {
  uint64_t number = 0;
  // One spelling only: what is read must be written the same way.
  if (!absl::SimpleHexAtoi(name, &number) || Hex(number) != name) return absl::nullopt;
  return number;
}

}  // namespace packice
