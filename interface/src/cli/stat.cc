#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/text.h"
#include "packice/transport/codec.h"

namespace packice::cli {
namespace {

std::string ExactSize(uint64_t bytes) {
  return bytes < 1024 ? SizeText(bytes) : absl::StrCat(SizeText(bytes), " (", bytes, " B)");
}

std::string TimeOr(const absl::optional<absl::Time>& time, const char* otherwise) {
  return time.has_value() ? TimeText(*time) : otherwise;
}

}  // namespace

absl::Status Stat(const StatArgs& args) {
  absl::StatusOr<std::unique_ptr<Client>> client = Dial(args.target);
  if (!client.ok()) return client.status();
  const absl::StatusOr<ObjectInfo> info = (*client)->Stat(args.id);
  if (!info.ok()) return info.status();
  if (args.json) return Print(FormatReply(*info) + "\n");

  Table table({{"", Align::kLeft}, {"", Align::kLeft}});
  table.Add({"id", Printable(info->object_id.bytes())});
  table.Add({"state", info->state == ObjectState::kSealed ? "sealed" : "creating"});
  table.Add({"size", ExactSize(info->size())});
  if (info->blob_sizes.size() > 1) {
    table.Add({"blobs", absl::StrJoin(info->blob_sizes, ", ", [](std::string* out, uint64_t size) {
                 absl::StrAppend(out, SizeText(size));
               })});
  }
  if (!info->tiers.empty()) table.Add({"tiers", absl::StrJoin(info->tiers, ", ")});
  table.Add({"leases", absl::StrCat(info->leases)});
  table.Add({"created", TimeText(info->created_at)});
  table.Add({"sealed", TimeOr(info->sealed_at, "not yet")});
  table.Add({"expires", TimeOr(info->expires_at, "never")});
  table.Add({"meta", FormatMetadata(info->metadata)});
  return Print(table.Format(/*with_titles=*/false));
}

}  // namespace packice::cli
