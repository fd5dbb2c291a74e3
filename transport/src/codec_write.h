// Appends JSON text to a string. Every function appends valid JSON, whatever bytes it is given.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "packice/core/lease_id.h"
#include "packice/core/metadata.h"

namespace packice::json {

// Quoted and escaped. Bytes that are not UTF-8 become U+FFFD: JSON cannot carry them.
void AppendString(absl::string_view bytes, std::string& out);

// Whether JSON can carry these bytes as they are.
bool IsUtf8(absl::string_view bytes);

void AppendUnsigned(uint64_t value, std::string& out);

// In seconds: an integer when whole, otherwise with up to nine decimals. Infinite is null.
void AppendSeconds(absl::Duration duration, std::string& out);

// RFC 3339 in UTC. Times outside of the years 0 to 9999 become the nearest one inside.
void AppendTime(absl::Time time, std::string& out);

void AppendLeaseId(const LeaseId& id, std::string& out);

void AppendMetadata(const Metadata& metadata, std::string& out);

// The members of a JSON object, given as its text, each with a comma in front.
void AppendMembers(absl::string_view object, std::string& out);

}  // namespace packice::json
