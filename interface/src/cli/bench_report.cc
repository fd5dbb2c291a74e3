#include "cli/bench_report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/table.h"
#include "cli/text.h"

namespace packice::cli {
namespace {

double Microseconds(const BenchRow& row, double quantile) {
  return absl::ToDoubleMicroseconds(row.calls.Quantile(quantile));
}

double BytesPerSecond(const BenchRow& row) {
  return row.objects_per_second * static_cast<double>(row.size);
}

}  // namespace

std::string FormatBenchTable(absl::Span<const BenchRow> rows) {
  Table table({{"WORK", Align::kLeft},
               {"SIZE", Align::kRight},
               {"CLIENTS", Align::kRight},
               {"BATCH", Align::kRight},
               {"OPS/S", Align::kRight},
               {"GB/S", Align::kRight},
               {"P50 US", Align::kRight},
               {"P95 US", Align::kRight},
               {"P99 US", Align::kRight}});
  for (const BenchRow& row : rows) {
    table.Add({row.work, SizeText(row.size), absl::StrCat(row.clients), absl::StrCat(row.batch),
               absl::StrFormat("%.0f", row.objects_per_second),
               absl::StrFormat("%.3f", BytesPerSecond(row) / 1e9),
               absl::StrFormat("%.1f", Microseconds(row, 0.50)),
               absl::StrFormat("%.1f", Microseconds(row, 0.95)),
               absl::StrFormat("%.1f", Microseconds(row, 0.99))});
  }
  return table.Format();
}

std::string FormatBenchJson(absl::Span<const BenchRow> rows) {
  std::string out = "{\"results\":[";
  for (const BenchRow& row : rows) {
    absl::StrAppendFormat(
        &out,
        "%s\n{\"work\":\"%s\",\"size\":%d,\"clients\":%d,\"batch\":%d,\"calls\":%d,"
        "\"ops_per_second\":%.1f,\"bytes_per_second\":%.0f,\"p50_us\":%.3f,\"p95_us\":%.3f,"
        "\"p99_us\":%.3f}",
        &row == rows.data() ? "" : ",", row.work, row.size, row.clients, row.batch,
        row.calls.count(), row.objects_per_second, BytesPerSecond(row), Microseconds(row, 0.50),
        Microseconds(row, 0.95), Microseconds(row, 0.99));
  }
  return out + "]}\n";
}

}  // namespace packice::cli
