#include "packice/backends/fsck.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/text.h"
#include "packice/core/clock.h"
#include "packice/core/error.h"
#include "packice/transport/codec.h"

namespace packice::cli {
namespace {

std::string Format(const FsckReport& report) {
  std::string out = absl::StrCat(report.objects, " objects, ", SizeText(report.bytes), ": ",
                                 report.findings.empty() ? "clean" : "damaged", "\n");
  if (report.findings.empty()) return out;
  Table table({{"WHAT", Align::kLeft},
               {"REPAIRED", Align::kLeft},
               {"OBJECT", Align::kLeft},
               {"FILE", Align::kLeft},
               {"DETAIL", Align::kLeft}});
  for (const Finding& finding : report.findings) {
    table.Add({absl::StrReplaceAll(NameOf(finding.kind), {{"_", " "}}),
               finding.repaired ? "yes" : "no",
               finding.object_id.empty() ? "-" : Printable(finding.object_id.bytes()),
               Printable(finding.path), Printable(finding.detail)});
  }
  return out + table.Format();
}

// {"objects":n,"bytes":n,"clean":bool,"findings":[{"kind","path","object_id","detail","repaired"}]}
std::string FormatJson(const FsckReport& report) {
  std::string out =
      absl::StrCat("{\"objects\":", report.objects, ",\"bytes\":", report.bytes,
                   ",\"clean\":", report.findings.empty() ? "true" : "false", ",\"findings\":[");
  for (const Finding& finding : report.findings) {
    const std::string id =
        finding.object_id.empty() ? "null" : FormatString(finding.object_id.bytes());
    absl::StrAppend(&out, &finding == report.findings.data() ? "" : ",", "\n{\"kind\":\"",
                    NameOf(finding.kind), "\",\"path\":", FormatString(finding.path),
                    ",\"object_id\":", id, ",\"detail\":", FormatString(finding.detail),
                    ",\"repaired\":", finding.repaired ? "true" : "false", "}");
  }
  return out + "]}\n";
}

// So that a script notices: also what was repaired had been damaged.
absl::Status Verdict(const FsckReport& report, const FsckArgs& args) {
  if (report.findings.empty()) return absl::OkStatus();
  const auto left = std::count_if(report.findings.begin(), report.findings.end(),
                                  [](const Finding& finding) { return !finding.repaired; });
  std::string what = absl::StrCat(args.data, ": ", report.findings.size(), " findings");
  if (!args.repair) {
    absl::StrAppend(&what, "; --repair sets aside what is damaged");
  } else if (left == 0) {
    absl::StrAppend(&what, ", all repaired; ", args.data, "/quarantine has what was set aside");
  } else {
    absl::StrAppend(&what, ", ", left, " of them could not be repaired");
  }
  return MakeError(ErrorKind::kCorrupt, what);
}

}  // namespace

absl::Status Fsck(const FsckArgs& args) {
  const absl::StatusOr<FsckReport> report =
      packice::Fsck(args.data, {.repair = args.repair}, Clock::System());
  if (!report.ok()) return report.status();
  absl::Status printed = Print(args.json ? FormatJson(*report) : Format(*report));
  if (printed.ok()) printed = FlushOutput();
  return printed.ok() ? Verdict(*report, args) : printed;
}

}  // namespace packice::cli
