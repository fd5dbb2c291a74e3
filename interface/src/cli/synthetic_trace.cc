#include "cli/synthetic_trace.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/text.h"
#include "packice/core/error.h"

namespace packice::cli {
namespace {

constexpr uint64_t kMaxObjects = std::numeric_limits<uint32_t>::max();
constexpr uint64_t kMaxRequests = uint64_t{1} << 36;
constexpr uint64_t kMaxSize = uint64_t{1} << 40;

// Like std::mt19937_64 itself, and unlike the standard's distributions, the same everywhere.
double Uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

uint64_t Below(std::mt19937_64& random, uint64_t end) {
  return std::min(end - 1, static_cast<uint64_t>(Uniform(random) * static_cast<double>(end)));
}

// Ranks by rejection from the inverse of the distribution's continuous hull (Hoermann and
// Derflinger, 1996): constant time and memory for any number of objects.
class ZipfRanks {
 public:
  ZipfRanks(uint64_t objects, double alpha)
      : objects_(static_cast<double>(objects)),
        alpha_(alpha),
        low_(Area(1.5) - 1),
        high_(Area(objects_ + 0.5)),
        sure_(2 - AtArea(Area(2.5) - Height(2))) {}

  // From 0.
  uint64_t Next(std::mt19937_64& random) const {
    while (true) {
      const double area = high_ + Uniform(random) * (low_ - high_);
      const double x = AtArea(area);
      const double rank = std::clamp(std::floor(x + 0.5), 1.0, objects_);
      if (rank - x <= sure_ || area >= Area(rank + 0.5) - Height(rank)) {
        return static_cast<uint64_t>(rank) - 1;
      }
    }
  }

 private:
  double Height(double x) const { return std::exp(-alpha_ * std::log(x)); }
  double Area(double x) const {
    const double log = std::log(x);
    const double t = (1 - alpha_) * log;
    return log * (std::abs(t) > 1e-8 ? std::expm1(t) / t : 1 + t / 2);
  }
  double AtArea(double area) const {
    const double t = std::max(-1.0, area * (1 - alpha_));
    return std::exp(area * (std::abs(t) > 1e-8 ? std::log1p(t) / t : 1 - t / 2));
  }

  const double objects_;
  const double alpha_;
  const double low_;
  const double high_;
  const double sure_;
};

bool ParseSizes(absl::string_view text, ZipfOptions& options) {
  const std::pair<absl::string_view, absl::string_view> ends =
      absl::StrSplit(text, absl::MaxSplits('-', 1));
  const absl::StatusOr<uint64_t> least = ParseSize(ends.first);
  const absl::StatusOr<uint64_t> most = ends.second.empty() ? least : ParseSize(ends.second);
  if (!least.ok() || !most.ok() || *least < 1 || *least > *most || *most > kMaxSize) return false;
  options.min_size = *least;
  options.max_size = *most;
  return true;
}

// Why it cannot be; empty when it can.
std::string Set(absl::string_view key, absl::string_view value, ZipfOptions& options) {
  if (key == "objects") {
    if (absl::SimpleAtoi(value, &options.objects) && options.objects >= 1 &&
        options.objects <= kMaxObjects) {
      return "";
    }
    return absl::StrCat("objects is a number from 1 to ", kMaxObjects);
  }
  if (key == "requests") {
    if (absl::SimpleAtoi(value, &options.requests) && options.requests >= 1 &&
        options.requests <= kMaxRequests) {
      return "";
    }
    return absl::StrCat("requests is a number from 1 to ", kMaxRequests);
  }
  if (key == "alpha") {
    if (absl::SimpleAtod(value, &options.alpha) && options.alpha >= 0 && options.alpha <= 10) {
      return "";
    }
    return "alpha is a number from 0 to 10";
  }
  if (key == "seed") return absl::SimpleAtoi(value, &options.seed) ? "" : "seed is a number";
  if (key == "size") {
    return ParseSizes(value, options) ? "" : "size is SIZE or SIZE-SIZE, from 1 byte to 1 TiB";
  }
  return absl::StrCat("there is no key \"", Printable(key),
                      "\", but objects, requests, alpha, seed and size");
}

}  // namespace

absl::StatusOr<ZipfOptions> ParseSynthetic(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  std::string why = parts[0] == "zipf" ? "" : "there is zipf";
  ZipfOptions options;
  for (size_t i = 1; i < parts.size() && why.empty(); ++i) {
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(parts[i], absl::MaxSplits('=', 1));
    why = Set(pair.first, pair.second, options);
  }
  if (why.empty()) return options;
  return MakeError(ErrorKind::kInvalidArgument,
                   absl::StrCat("synthetic trace \"", Printable(text), "\": ", why));
}

Trace MakeZipf(const ZipfOptions& options) {
  std::mt19937_64 random(options.seed);
  const ZipfRanks ranks(options.objects, options.alpha);
  Trace trace;
  trace.requests.reserve(options.requests);
  std::vector<uint32_t> numbers(options.objects);  // by rank; 1 for those that are requested
  for (uint64_t i = 0; i < options.requests; ++i) {
    const uint64_t rank = ranks.Next(random);
    numbers[rank] = 1;
    trace.requests.push_back(static_cast<uint32_t>(rank));
  }
  std::vector<uint32_t> shuffled;
  for (const uint32_t requested : numbers) {
    if (requested != 0) shuffled.push_back(static_cast<uint32_t>(shuffled.size()));
  }
  for (size_t i = shuffled.size(); i > 1; --i) {
    std::swap(shuffled[i - 1], shuffled[Below(random, i)]);
  }
  for (uint32_t& number : numbers) {
    if (number == 0) continue;
    number = shuffled.back();
    shuffled.pop_back();
    const double range =
        static_cast<double>(options.max_size) / static_cast<double>(options.min_size);
    trace.sizes.push_back(
        std::min(options.max_size, static_cast<uint64_t>(static_cast<double>(options.min_size) *
                                                         std::pow(range, Uniform(random)))));
  }
  for (uint32_t& request : trace.requests) request = numbers[request];
  return trace;
}

}  // namespace packice::cli
