// Finds out what a web server has at a place, by as few requests as can be. Used by WebPeer.
#pragma once

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "http_channel.h"
#include "http_version.h"

namespace packice {

struct WebFile {
  HttpVersion version;
  absl::optional<std::string> bytes;  // all of them, where they cannot be read by ranges
};

enum class ProbePurpose { kStat, kRead };
using Probed = absl::AnyInvocable<void(absl::StatusOr<WebFile>) &&>;

// Answers on the channel's thread. For kStat only the version counts. Errors are those of
// WebPeer::Acquire. `channel` outlives the answer.
void ProbeFile(HttpChannel& channel, const std::string& target, ProbePurpose purpose,
               Probed probed);

}  // namespace packice
