#include "packice/core/metadata.h"

#include "absl/strings/str_cat.h"
#include "packice/core/error.h"

namespace packice {

void Metadata::Set(absl::string_view key, absl::string_view json_value) {
  values_[std::string(key)] = std::string(json_value);
}

absl::optional<absl::string_view> Metadata::Find(absl::string_view key) const {
  const auto it = values_.find(key);
  if (it == values_.end()) return absl::nullopt;
  return absl::string_view(it->second);
}

void Metadata::Merge(const Metadata& newer) {
  for (const auto& [key, value] : newer.values_) values_[key] = value;
}

absl::Status Metadata::CheckSize() const {
  size_t bytes = 2;
  for (const auto& [key, value] : values_) bytes += key.size() + value.size() + 4;
  if (bytes <= kMaxBytes) return absl::OkStatus();
  return MakeError(ErrorKind::kInvalidArgument,
                   absl::StrCat("metadata has at most ", kMaxBytes, " bytes, this has ", bytes));
}

}  // namespace packice
