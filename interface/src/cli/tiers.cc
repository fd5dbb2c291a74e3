#include "cli/tiers.h"

#include <filesystem>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/text.h"
#include "packice/backends/discard_log.h"
#include "packice/core/error.h"
#include "sdk/node_peer.h"

namespace packice::cli {
namespace {

using Kind = TierSpec::Kind;

constexpr char kDefaultData[] = "packice-data";

absl::Status Invalid(absl::string_view message) {
  return MakeError(ErrorKind::kInvalidArgument, message);
}

std::string DataOf(const ServeArgs& args) { return args.data.value_or(kDefaultData); }

bool IsTiered(const ServeArgs& args) {
  return args.impl == "tiered" || !args.hot.empty() || !args.cold.empty();
}

absl::StatusOr<TierSpec> OnlyTier(const ServeArgs& args) {
  if (!args.tier_flags.empty()) {
    return Invalid(
        absl::StrCat(absl::StrJoin(args.tier_flags, ", "), ": only for tiers; add --impl tiered"));
  }
  TierSpec tier;
  tier.capacity = args.capacity;
  tier.eviction = args.eviction;
  tier.verify_reads = args.verify_reads;
  if (args.impl == "fs") {
    tier.kind = Kind::kFiles;
    tier.data = DataOf(args);
  }
  return tier;
}

absl::StatusOr<TierSpec> HotTier(const ServeArgs& args) {
  TierSpec hot;
  hot.moves = args.moves;
  hot.eviction = args.eviction;
  if (args.capacity.has_value() && args.hot_capacity.has_value()) {
    return Invalid("--capacity and --hot-capacity are the same for tiers; leave one out");
  }
  hot.capacity = args.capacity.has_value() ? args.capacity : args.hot_capacity;
  if (args.hot == "fs") {
    if (args.hot_data.empty()) {
      return Invalid("--hot fs wants a directory of its own; give it with --hot-data DIR");
    }
    hot.kind = Kind::kFiles;
    hot.data = args.hot_data;
    hot.verify_reads = args.verify_reads;
  } else if (!args.hot_data.empty()) {
    return Invalid("--hot-data is the directory of a hot tier in files; add --hot fs");
  }
  return hot;
}

absl::StatusOr<TierSpec> ColdTier(const ServeArgs& args) {
  TierSpec cold;
  const bool files = args.cold.empty() || args.cold == "fs";
  const bool credentials = !args.cold_token_file.empty() || !args.cold_ca_file.empty();
  if (files) {
    cold.kind = Kind::kFiles;
    cold.data = DataOf(args);
    cold.capacity = args.cold_capacity;
    cold.eviction = args.eviction;
    cold.verify_reads = args.verify_reads;
    if (credentials) {
      return Invalid(
          "--cold-token-file and --cold-ca are for a cold node over HTTP; name it with --cold "
          "http://HOST:PORT, or leave them out");
    }
    return cold;
  }
  if (!sdk::IsNodeAddress(args.cold)) {
    return Invalid(absl::StrCat("--cold ", Printable(args.cold),
                                ": neither fs nor a node; a node is /path, unix:/path, "
                                "http://HOST:PORT or https://HOST:PORT"));
  }
  if (args.cold_capacity.has_value()) {
    return Invalid(absl::StrCat("--cold-capacity is for --cold fs; the node ", args.cold,
                                " has a --capacity of its own"));
  }
  cold.kind = Kind::kRemote;
  cold.target = {args.cold, args.cold_token_file, args.cold_ca_file};
  return cold;
}

bool AreTheSame(const std::string& one, const std::string& other) {
  std::error_code error;
  return std::filesystem::weakly_canonical(one, error) ==
         std::filesystem::weakly_canonical(other, error);
}

// Tables of a configuration file.
absl::Status CheckTables(const ServeArgs& args) {
  if (!args.impl.empty() || args.capacity.has_value() || !args.tier_flags.empty()) {
    std::vector<std::string> names = args.tier_flags;
    if (args.capacity.has_value()) names.insert(names.begin(), "--capacity");
    if (!args.impl.empty()) names.insert(names.begin(), "--impl");
    return Invalid(absl::StrCat(absl::StrJoin(names, ", "), ": the [[tier]] tables of ",
                                args.config, " say it all; leave out the one or the other"));
  }
  return absl::OkStatus();
}

// Where discards are remembered that a colder tier could not be told.
// A directory has room for one log; a node elsewhere is out of reach more often than a disk is, so
// its log goes first.
void PlaceDiscardLogs(const ServeArgs& args, std::vector<TierSpec>& tiers) {
  std::set<std::string> taken;
  for (size_t i = tiers.size() - 1; i-- > 0;) {
    const TierSpec& colder = tiers[i + 1];
    std::string directory = colder.data;
    if (colder.kind == Kind::kRemote) directory = args.data.value_or(tiers[i].data);
    if (directory.empty() || !taken.insert(directory).second) continue;
    tiers[i].discard_log = absl::StrCat(directory, "/", DiscardLog::kName);
  }
}

absl::Status CheckDirectories(const std::vector<TierSpec>& tiers) {
  for (size_t i = 0; i < tiers.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (tiers[i].kind == Kind::kFiles && tiers[j].kind == Kind::kFiles &&
          AreTheSame(tiers[i].data, tiers[j].data)) {
        return Invalid(absl::StrCat("two tiers have the data directory ", tiers[i].data,
                                    "; give each one of its own"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<TierSpec>> TiersOf(const ServeArgs& args) {
  std::vector<TierSpec> tiers = args.tiers;
  if (!tiers.empty()) {
    if (absl::Status status = CheckTables(args); !status.ok()) return status;
  } else if (!IsTiered(args)) {
    absl::StatusOr<TierSpec> only = OnlyTier(args);
    if (!only.ok()) return only.status();
    tiers.push_back(*std::move(only));
  } else {
    if (!args.impl.empty() && args.impl != "tiered") {
      return Invalid(absl::StrCat("--impl ", args.impl,
                                  " has no hot and no cold tier; leave out --impl, or --hot and "
                                  "--cold"));
    }
    absl::StatusOr<TierSpec> hot = HotTier(args);
    if (!hot.ok()) return hot.status();
    absl::StatusOr<TierSpec> cold = ColdTier(args);
    if (!cold.ok()) return cold.status();
    tiers = {*std::move(hot), *std::move(cold)};
  }
  for (TierSpec& tier : tiers) tier.memory = args.memory;
  if (absl::Status status = CheckDirectories(tiers); !status.ok()) return status;
  PlaceDiscardLogs(args, tiers);
  return tiers;
}

const char* ImplOf(const std::vector<TierSpec>& tiers) {
  if (tiers.size() > 1) return "tiered";
  return tiers.front().kind == Kind::kFiles ? "fs" : "mem";
}

}  // namespace packice::cli
