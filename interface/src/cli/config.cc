// The only source that compiles toml++, which is slow.
#include "cli/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/text.h"
#include "packice/core/error.h"

namespace packice::cli {
namespace {

using Type = ConfigEntry::Type;

int LineOf(const toml::node& node) { return static_cast<int>(node.source().begin.line); }

absl::Status Wrong(const Config& config, int line, absl::string_view message) {
  return MakeError(ErrorKind::kInvalidArgument, absl::StrCat(config.At(line), message));
}

absl::Status ReadValue(const Config& config, const toml::node& node, ConfigEntry& entry) {
  const std::string name = absl::StrCat("\"", Printable(entry.key), "\"");
  if (const auto* text = node.as_string()) {
    entry.type = Type::kString;
    entry.values = {text->get()};
  } else if (const auto* integer = node.as_integer()) {
    entry.type = Type::kInteger;
    entry.values = {absl::StrCat(integer->get())};
  } else if (const auto* number = node.as_floating_point()) {
    entry.type = Type::kNumber;
    entry.values = {absl::StrFormat("%.17g", number->get())};
  } else if (const auto* boolean = node.as_boolean()) {
    entry.type = Type::kBoolean;
    entry.values = {boolean->get() ? "true" : "false"};
  } else if (const toml::array* list = node.as_array()) {
    entry.type = Type::kStrings;
    for (const toml::node& each : *list) {
      const auto* text_in_list = each.as_string();
      if (text_in_list == nullptr) {
        return Wrong(config, LineOf(each), absl::StrCat(name, " is a list of strings"));
      }
      entry.values.push_back(text_in_list->get());
    }
  } else if (node.is_table()) {
    return Wrong(config, entry.line,
                 absl::StrCat("there is no table ", name, "; the only tables are [[tier]]"));
  } else {
    return Wrong(config, entry.line, absl::StrCat(name, " is a date; no setting is one"));
  }
  return absl::OkStatus();
}

// All but `except`.
absl::Status ReadTable(const Config& config, const toml::table& from, absl::string_view except,
                       ConfigTable& to) {
  to.line = LineOf(from);
  for (const auto& [key, node] : from) {
    if (absl::string_view(key.data(), key.length()) == except) continue;
    ConfigEntry entry;
    entry.key = std::string(key.str());
    entry.line = static_cast<int>(key.source().begin.line);
    if (absl::Status status = ReadValue(config, node, entry); !status.ok()) return status;
    to.entries.push_back(std::move(entry));
  }
  std::stable_sort(to.entries.begin(), to.entries.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  return absl::OkStatus();
}

}  // namespace

std::string Config::At(int line) const { return absl::StrCat(file, ":", line, ": "); }

absl::StatusOr<Config> ReadConfig(const std::string& file) {
  Config config;
  config.file = file;
  std::ifstream in(file, std::ios::binary);
  std::ostringstream bytes;
  if (in) bytes << in.rdbuf();
  if (!in || !bytes) {
    return MakeError(
        ErrorKind::kInvalidArgument,
        absl::StrCat("cannot read the configuration file ", Printable(file), "; see --config"));
  }
  const toml::parse_result parsed = toml::parse(bytes.str());
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return Wrong(config, static_cast<int>(error.source().begin.line),
                 absl::string_view(error.description().data(), error.description().size()));
  }
  const toml::table& top = parsed.table();
  if (absl::Status status = ReadTable(config, top, "tier", config.top); !status.ok()) return status;
  const toml::node* tiers = top.get("tier");
  if (tiers == nullptr) return config;
  const toml::array* list = tiers->as_array();
  if (list == nullptr || list->empty() || !list->is_homogeneous(toml::node_type::table)) {
    return Wrong(config, LineOf(*tiers), "a tier is a table of its own, [[tier]]");
  }
  for (const toml::node& node : *list) {
    absl::Status status = ReadTable(config, *node.as_table(), "", config.tiers.emplace_back());
    if (!status.ok()) return status;
  }
  return config;
}

}  // namespace packice::cli
