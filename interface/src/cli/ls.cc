#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/text.h"
#include "packice/transport/codec.h"

namespace packice::cli {
namespace {

std::string IdLines(const ListPage& page) {
  std::string out;
  for (const ObjectInfo& object : page.objects) {
    absl::StrAppend(&out, Printable(object.object_id.bytes()), "\n");
  }
  return out;
}

std::string Rows(const ListPage& page, bool with_titles) {
  // Wide enough for nearly all, so that the pages of a long listing line up.
  Table table({{"SIZE", Align::kRight, 10},
               {"STATE", Align::kLeft, 8},
               {"LEASES", Align::kRight},
               {"CREATED", Align::kLeft, 20},
               {"ID", Align::kLeft}});
  for (const ObjectInfo& object : page.objects) {
    table.Add({SizeText(object.size()),
               object.state == ObjectState::kSealed ? "sealed" : "creating",
               absl::StrCat(object.leases), TimeText(object.created_at),
               Printable(object.object_id.bytes())});
  }
  return table.Format(with_titles);
}

std::string JsonRows(const ListPage& page, bool first) {
  std::string out;
  for (const ObjectInfo& object : page.objects) {
    absl::StrAppend(&out, first ? "" : ",", "\n", FormatReply(object));
    first = false;
  }
  return out;
}

}  // namespace

absl::Status Ls(const LsArgs& args) {
  absl::StatusOr<std::unique_ptr<Client>> client = Dial(args.target);
  if (!client.ok()) return client.status();
  uint64_t left = args.limit.value_or(~uint64_t{0});
  bool first = true;
  if (args.json) {
    if (absl::Status status = Print("{\"objects\":["); !status.ok()) return status;
  }
  absl::Status status =
      ForEachPage(**client, args.prefix, [&](const ListPage& all) -> absl::StatusOr<bool> {
        ListPage page = all;
        page.objects.resize(std::min<uint64_t>(left, page.objects.size()));
        left -= page.objects.size();
        const std::string text = args.json       ? JsonRows(page, first)
                                 : args.ids_only ? IdLines(page)
                                                 : Rows(page, first);
        if (!page.objects.empty()) first = false;
        if (absl::Status printed = Print(text); !printed.ok()) return printed;
        return left > 0;
      });
  if (!status.ok() || !args.json) return status;
  return Print("],\"next\":null}\n");
}

}  // namespace packice::cli
