// A configuration file, as it was written: keys, values and where they stand. What they mean is
// decided by the flags of the same names (app_tiers.cc). A value.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace packice::cli {

struct ConfigEntry {
  enum class Type { kString, kInteger, kNumber, kBoolean, kStrings };

  std::string key;
  Type type = Type::kString;
  std::vector<std::string> values;  // as text; several for kStrings alone
  int line = 0;
};

struct ConfigTable {
  std::vector<ConfigEntry> entries;  // in the order of their lines
  int line = 0;
};

struct Config {
  std::string file;
  ConfigTable top;
  std::vector<ConfigTable> tiers;  // the [[tier]] tables, in order

  // "FILE:LINE: ".
  std::string At(int line) const;
};

// Reads a TOML file (https://toml.io/en/v1.0.0). Blocks for it. `invalid_argument`, with file and
// line, when it is no TOML, or has values that no setting can have; and when it cannot be opened.
absl::StatusOr<Config> ReadConfig(const std::string& file);

}  // namespace packice::cli
