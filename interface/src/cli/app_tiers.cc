#include "cli/app_tiers.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/config.h"
#include "cli/flags.h"
#include "packice/core/error.h"
#include "sdk/node_peer.h"

namespace packice::cli {
namespace {

constexpr char kTiers[] = "Tiers";

CLI::Option* AddCapacity(CLI::App& app, const std::string& name, absl::optional<uint64_t>& size,
                         const std::string& what) {
  return AddSize(app, name, size, what);
}

// How objects move from a tier to the next colder one and back.
std::vector<CLI::Option*> AddMoves(CLI::App& app, TierMoves& moves) {
  return {
      app.add_option_function<std::string>(
             "--write-policy",
             [&moves](const std::string& text) {
               moves.write_policy = text == "through" ? WritePolicy::kThrough : WritePolicy::kBack;
             },
             "When a seal is answered: once the hot tier has the object, or once the cold one has, "
             "too [back]")
          ->check(OneOf("--write-policy", {"back", "through"}, {})),
      AddSeconds(app, "--flush-after", moves.flush_after, true,
                 "After how long the cold tier gets an object in any case [30]"),
      app.add_option("--high-water", moves.high_water,
                     "Of the hot capacity: from here on the cold tier gets what it does not have")
          ->check(CLI::Range(0.0, 1.0))
          ->capture_default_str(),
      app.add_option("--low-water", moves.low_water, "And down to here")
          ->check(CLI::Range(0.0, 1.0))
          ->capture_default_str(),
      app.add_option("--promote-hits", moves.promote_hits,
                     "Reads from the cold tier that take an object to the hot one; 0: never")
          ->check(CLI::Range(0, 1000000))
          ->capture_default_str(),
      AddSeconds(app, "--promote-window", moves.promote_window, false, "Within this time [60]"),
      AddCapacity(app, "--promote-max", moves.promote_max,
                  "The largest object that they take there; by default a quarter of the hot "
                  "capacity"),
      app.add_option("--moves", moves.moves, "Objects that are moved at a time")
          ->check(CLI::Range(1, 1024))
          ->capture_default_str(),
  };
}

// What a file's value must be for an option.
const char* Wanted(const CLI::Option& option) {
  if (option.get_expected_max() == 0) return "true or false";
  const std::string type = option.get_type_name();
  if (absl::StartsWith(type, "SIZE")) return "a size, as \"4GiB\"";
  if (absl::StartsWith(type, "UINT") || absl::StartsWith(type, "INT")) return "an integer";
  if (absl::StartsWith(type, "FLOAT") || absl::StartsWith(type, "SECONDS")) return "a number";
  return option.get_items_expected_max() > 1 ? "a list of strings" : "a string";
}

bool Fits(const CLI::Option& option, ConfigEntry::Type type) {
  using Type = ConfigEntry::Type;
  const absl::string_view wanted = Wanted(option);
  if (wanted == "true or false") return type == Type::kBoolean;
  if (absl::StartsWith(wanted, "a size")) return type == Type::kString || type == Type::kInteger;
  if (wanted == "an integer") return type == Type::kInteger;
  if (wanted == "a number") return type == Type::kInteger || type == Type::kNumber;
  if (wanted == "a list of strings") return type == Type::kString || type == Type::kStrings;
  return type == Type::kString;
}

absl::Status ApplyEntry(CLI::Option& option, const ConfigEntry& entry, const std::string& at) {
  try {
    for (const std::string& value : entry.values) option.add_result(value);
    option.run_callback();
  } catch (const CLI::Error& error) {
    const bool unsupported = error.get_exit_code() == InfoOf(ErrorKind::kUnsupported).exit_code;
    return MakeError(unsupported ? ErrorKind::kUnsupported : ErrorKind::kInvalidArgument,
                     absl::StrCat(at, error.what()));
  }
  return absl::OkStatus();
}

absl::Status ApplyTable(CLI::App& app, const Config& config, const ConfigTable& table) {
  for (const ConfigEntry& entry : table.entries) {
    const std::string at = config.At(entry.line);
    CLI::Option* const option = entry.key == "help" || entry.key == "config"
                                    ? nullptr
                                    : app.get_option_no_throw("--" + entry.key);
    if (option == nullptr) {
      std::vector<std::string> known;
      for (const CLI::Option* each : app.get_options()) {
        const std::string name = each->get_lnames().empty() ? "" : each->get_lnames().front();
        if (!name.empty() && name != "help" && name != "config") known.push_back(name);
      }
      return MakeError(ErrorKind::kInvalidArgument,
                       absl::StrCat(at, "unknown key \"", Printable(entry.key),
                                    "\"; there is: ", absl::StrJoin(known, ", ")));
    }
    if (!Fits(*option, entry.type)) {
      return MakeError(ErrorKind::kInvalidArgument,
                       absl::StrCat(at, "\"", entry.key, "\" is ", Wanted(*option)));
    }
    if (option->count() > 0) continue;
    if (absl::Status status = ApplyEntry(*option, entry, at); !status.ok()) return status;
  }
  return absl::OkStatus();
}

const ConfigEntry* Find(const ConfigTable& table, const std::vector<CLI::Option*>& options) {
  for (const ConfigEntry& entry : table.entries) {
    for (const CLI::Option* option : options) {
      if (option->check_lname(entry.key)) return &entry;
    }
  }
  return nullptr;
}

absl::StatusOr<TierSpec> ReadTier(const Config& config, const ConfigTable& table, bool coldest) {
  TierSpec tier;
  std::string kind;
  CLI::App app;
  CLI::Option* const kind_option =
      app.add_option("--kind", kind)->check(OneOf("kind", {"mem", "fs"}, {}));
  const std::vector<CLI::Option*> remote = {
      app.add_option("--target", tier.target.address),
      app.add_option("--token-file", tier.target.token_file),
      app.add_option("--ca-file", tier.target.ca_file),
  };
  CLI::Option* const data = app.add_option("--data", tier.data);
  CLI::Option* const verify = app.add_flag("--verify-reads", tier.verify_reads);
  CLI::Option* const capacity = AddCapacity(app, "--capacity", tier.capacity, "");
  CLI::Option* const eviction = AddEviction(app, tier.eviction);
  const std::vector<CLI::Option*> moves = AddMoves(app, tier.moves);
  if (absl::Status status = ApplyTable(app, config, table); !status.ok()) return status;

  const auto wrong = [&](const ConfigEntry* entry, absl::string_view message) {
    return MakeError(
        ErrorKind::kInvalidArgument,
        absl::StrCat(config.At(entry == nullptr ? table.line : entry->line),
                     entry == nullptr ? "" : absl::StrCat("\"", entry->key, "\": "), message));
  };
  const bool is_remote = remote.front()->count() > 0;
  if (is_remote == (kind_option->count() > 0)) {
    return wrong(nullptr, "a tier has either a kind, \"mem\" or \"fs\", or a target");
  }
  tier.kind = is_remote      ? TierSpec::Kind::kRemote
              : kind == "fs" ? TierSpec::Kind::kFiles
                             : TierSpec::Kind::kMemory;
  if (const ConfigEntry* entry = Find(table, remote); entry != nullptr && !is_remote) {
    return wrong(entry, "only a tier with a target has one");
  }
  if (is_remote && !coldest) {
    return wrong(Find(table, remote), "only the last tier may be a node elsewhere");
  }
  if (is_remote && !sdk::IsNodeAddress(tier.target.address)) {
    return wrong(Find(table, remote),
                 "a node is /path, unix:/path, http://HOST:PORT or https://HOST:PORT");
  }
  if (const ConfigEntry* entry = Find(table, {capacity, eviction}); entry != nullptr && is_remote) {
    return wrong(entry, "a node elsewhere has one of its own");
  }
  const bool files = tier.kind == TierSpec::Kind::kFiles;
  if (const ConfigEntry* entry = Find(table, {data, verify}); entry != nullptr && !files) {
    return wrong(entry, "only for kind = \"fs\"");
  }
  if (files && tier.data.empty()) {
    return wrong(nullptr, "a tier of kind \"fs\" wants a directory: data = \"DIR\"");
  }
  if (const ConfigEntry* entry = Find(table, moves); entry != nullptr && coldest) {
    return wrong(entry, "it belongs to a tier that has a colder one below");
  }
  return tier;
}

}  // namespace

void AddTierFlags(CLI::App& app, ServeArgs& args) {
  std::vector<CLI::Option*> options = {
      app.add_option("--hot", args.hot, "Where what is used is kept: in memory, in files [mem]")
          ->check(OneOf("--hot", {"mem", "fs"}, {})),
      AddCapacity(app, "--hot-capacity", args.hot_capacity, "Bytes of the hot tier; as --capacity"),
      app.add_option("--hot-data", args.hot_data, "The directory of --hot fs")->type_name("DIR"),
      app.add_option("--cold", args.cold,
                     "Where the rest is kept: fs, in the files of --data, or another node, named "
                     "as for --target [fs]")
          ->type_name("fs|TARGET"),
      AddCapacity(app, "--cold-capacity", args.cold_capacity,
                  "Bytes of --cold fs; by default nine tenths of the file system"),
      app.add_option("--cold-token-file", args.cold_token_file,
                     "A file with the cold node's token, for http"),
      app.add_option("--cold-ca", args.cold_ca_file,
                     "Certificates to trust, for a cold node over https; by default the system's"),
  };
  for (CLI::Option* option : AddMoves(app, args.moves)) options.push_back(option);
  for (CLI::Option* option : options) option->group(kTiers);
  AddSeconds(app, "--flush-grace", args.flush_grace, true,
             "How long the cold tier may take, when the node ends, for what it does not have yet "
             "[300]")
      ->group(kTiers);
  app.add_option("--config", args.config,
                 "A TOML file of settings; its keys are these flags' names, which win over it")
      ->type_name("FILE");
}

absl::Status ApplyConfig(CLI::App& command, ServeArgs& args) {
  if (!args.config.empty()) {
    const absl::StatusOr<Config> config = ReadConfig(args.config);
    if (!config.ok()) return config.status();
    if (absl::Status status = ApplyTable(command, *config, config->top); !status.ok()) {
      return status;
    }
    for (size_t i = 0; i < config->tiers.size(); ++i) {
      absl::StatusOr<TierSpec> tier =
          ReadTier(*config, config->tiers[i], i + 1 == config->tiers.size());
      if (!tier.ok()) return tier.status();
      args.tiers.push_back(*std::move(tier));
    }
  }
  for (const CLI::Option* option : command.get_options()) {
    const bool of_tiers = option->get_group() == kTiers && !option->check_lname("flush-grace");
    if (of_tiers && option->count() > 0) args.tier_flags.push_back(option->get_name());
  }
  return absl::OkStatus();
}

}  // namespace packice::cli
