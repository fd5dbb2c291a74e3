// How values look to people. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace packice::cli {

// "4096", "4K", "4KiB", "1.5GiB": K, M, G and T are powers of 1024, KB, MB, GB and TB powers of
// 1000. `invalid_argument`.
absl::StatusOr<uint64_t> ParseSize(absl::string_view text);

// "17 B", "1.5 GiB".
std::string SizeText(uint64_t bytes);

// "0:07", "2:05:09", "3 d 4:05:09".
std::string DurationText(absl::Duration duration);

// RFC 3339, UTC, to the second.
std::string TimeText(absl::Time time);

// As it is, but for what a terminal would obey or cannot show: control characters, backslashes and
// bytes that are not UTF-8 become \n, \\, \xNN.
std::string Printable(absl::string_view text);

// Columns that the text takes, given that it is Printable.
size_t DisplayWidth(absl::string_view text);

}  // namespace packice::cli
