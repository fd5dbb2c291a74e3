#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/simulation.h"
#include "cli/synthetic_trace.h"
#include "cli/table.h"
#include "cli/text.h"
#include "packice/core/error.h"
#include "packice/transport/codec.h"

namespace packice::cli {
namespace {

struct Capacity {
  absl::optional<double> part;  // of the footprint
  uint64_t size = 0;            // bytes or objects, where it is no part

  uint64_t Of(uint64_t footprint) const {
    if (!part.has_value()) return size;
    return std::max<uint64_t>(1, static_cast<uint64_t>(static_cast<double>(footprint) * *part));
  }
};

// "10%", "0.1" and "1.0" are parts; "1", "4096" and "1.5GiB" are sizes.
absl::StatusOr<Capacity> ParseCapacity(absl::string_view text) {
  Capacity capacity;
  absl::string_view number = text;
  const bool percent = absl::ConsumeSuffix(&number, "%");
  double value = 0;
  if ((percent || absl::StrContains(number, '.')) && absl::SimpleAtod(number, &value)) {
    if (percent) value /= 100;
    if (value > 0 && value <= 1) {
      capacity.part = value;
      return capacity;
    }
  } else if (const absl::StatusOr<uint64_t> size = ParseSize(text); size.ok() && *size > 0) {
    capacity.size = *size;
    return capacity;
  }
  return MakeError(ErrorKind::kInvalidArgument,
                   absl::StrCat("capacity \"", Printable(text),
                                "\" is neither a size such as 4GiB nor a part of the trace's "
                                "footprint such as 10% or 0.1"));
}

struct Row {
  SimulationOptions options;
  SimulationResult result;

  double RequestsPerSecond() const {
    const double seconds = absl::ToDoubleSeconds(result.elapsed);
    return seconds > 0 ? static_cast<double>(result.requests) / seconds : 0;
  }
};

std::string Format(const Trace& trace, const std::vector<Row>& rows) {
  const SimulationOptions& options = rows[0].options;
  const auto amount = [&](uint64_t n) {
    return options.ignore_sizes ? absl::StrCat(n) : SizeText(n);
  };
  std::string out = absl::StrCat(
      trace.requests.size(), " requests, ", trace.sizes.size(), " objects",
      options.ignore_sizes ? "" : absl::StrCat(" of ", SizeText(trace.Footprint(false))),
      trace.size_changes == 0
          ? "\n"
          : absl::StrCat("; ", trace.size_changes, " requests with another size than the first\n"));
  std::vector<Column> columns = {
      {"POLICY", Align::kLeft},        {"CAPACITY", Align::kRight},
      {"MISS RATIO", Align::kRight},   {"BYTE MISS RATIO", Align::kRight},
      {"MISSES", Align::kRight},       {"EVICTIONS", Align::kRight},
      {"MILLION REQ/S", Align::kRight}};
  if (options.lease_requests > 0) {
    columns.insert(
        columns.end() - 1,
        {{"SKIPS", Align::kRight}, {"PINNED", Align::kRight}, {"NO ROOM", Align::kRight}});
  }
  Table table(columns);
  for (const Row& row : rows) {
    const SimulationResult& result = row.result;
    std::vector<std::string> cells = {row.options.policy.ToString(),
                                      amount(row.options.capacity),
                                      absl::StrFormat("%.4f", result.RequestMissRatio()),
                                      absl::StrFormat("%.4f", result.ByteMissRatio()),
                                      absl::StrCat(result.misses),
                                      absl::StrCat(result.evictions),
                                      absl::StrFormat("%.1f", row.RequestsPerSecond() / 1e6)};
    if (options.lease_requests > 0) {
      cells.insert(cells.end() - 1, {absl::StrCat(result.skips),
                                     absl::StrFormat("%.1f %%", 100 * result.pinned_share),
                                     absl::StrCat(result.all_pinned)});
    }
    table.Add(std::move(cells));
  }
  return out + table.Format();
}

std::string FormatJson(const Trace& trace, const Row& row) {
  const SimulationOptions& options = row.options;
  const SimulationResult& result = row.result;
  const auto number = [](double value) { return absl::StrFormat("%.6f", value); };
  return absl::StrCat(
      "{\"policy\":", FormatString(options.policy.ToString()), ",\"capacity\":", options.capacity,
      ",\"lease_requests\":", options.lease_requests,
      ",\"ignore_sizes\":", options.ignore_sizes ? "true" : "false",
      ",\"objects\":", trace.sizes.size(), ",\"footprint\":", trace.Footprint(options.ignore_sizes),
      ",\"size_changes\":", trace.size_changes, ",\"requests\":", result.requests,
      ",\"misses\":", result.misses, ",\"request_miss_ratio\":", number(result.RequestMissRatio()),
      ",\"requested_bytes\":", result.requested_bytes, ",\"missed_bytes\":", result.missed_bytes,
      ",\"byte_miss_ratio\":", number(result.ByteMissRatio()), ",\"evictions\":", result.evictions,
      ",\"skips\":", result.skips, ",\"too_large\":", result.too_large,
      ",\"all_pinned\":", result.all_pinned, ",\"pinned_share\":", number(result.pinned_share),
      ",\"requests_per_second\":", absl::StrFormat("%.0f", row.RequestsPerSecond()), "}");
}

// One object for one row, an array for several.
std::string FormatJson(const Trace& trace, const std::vector<Row>& rows) {
  if (rows.size() == 1) return FormatJson(trace, rows[0]) + "\n";
  std::string out = "[";
  for (const Row& row : rows) {
    absl::StrAppend(&out, &row == rows.data() ? "\n" : ",\n", FormatJson(trace, row));
  }
  return out + "]\n";
}

}  // namespace

absl::Status Simulate(const SimulateArgs& args) {
  std::vector<EvictionSpec> policies;
  for (const std::string& text : args.policies) {
    const absl::StatusOr<EvictionSpec> policy = ParseEvictionSpec(text);
    if (!policy.ok()) return policy.status();
    policies.push_back(*policy);
  }
  std::vector<Capacity> capacities;
  for (const std::string& text : args.capacities) {
    const absl::StatusOr<Capacity> capacity = ParseCapacity(text);
    if (!capacity.ok()) return capacity.status();
    capacities.push_back(*capacity);
  }
  if (args.trace.empty() && args.synthetic.empty()) {
    return MakeError(
        ErrorKind::kInvalidArgument,
        "simulate: there is nothing to simulate; give --trace FILE or --synthetic zipf");
  }
  absl::StatusOr<Trace> trace = Trace{};
  if (args.synthetic.empty()) {
    trace = LoadTrace(args.trace);
  } else {
    const absl::StatusOr<ZipfOptions> zipf = ParseSynthetic(args.synthetic);
    if (!zipf.ok()) return zipf.status();
    trace = MakeZipf(*zipf);
  }
  if (!trace.ok()) return trace.status();
  const uint64_t footprint = trace->Footprint(args.ignore_sizes);
  std::vector<Row> rows;
  for (const EvictionSpec& policy : policies) {
    for (const Capacity& capacity : capacities) {
      Row row;
      row.options.policy = policy;
      row.options.capacity = capacity.Of(footprint);
      row.options.ignore_sizes = args.ignore_sizes;
      row.options.lease_requests = args.lease_requests;
      row.result = Simulation(*trace, row.options).Run();
      rows.push_back(std::move(row));
    }
  }
  return Print(args.json ? FormatJson(*trace, rows) : Format(*trace, rows));
}

}  // namespace packice::cli
