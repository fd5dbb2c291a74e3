#include "packice/peers/eviction_spec.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "fifo_policies.h"
#include "gdsf_policy.h"
#include "packice/core/error.h"
#include "s3_fifo_policy.h"
#include "sieve_policy.h"

namespace packice {
namespace {

absl::Status Invalid(absl::string_view text, absl::string_view message) {
  return MakeError(ErrorKind::kInvalidArgument,
                   absl::StrCat("eviction policy \"", text, "\": ", message));
}

// Why it cannot be; empty when it can.
std::string Set(EvictionSpec& spec, absl::string_view key, absl::string_view value) {
  if (spec.kind != EvictionKind::kS3Fifo) {
    return absl::StrCat(EvictionKindName(spec.kind), " has no keys");
  }
  if (key == "promote") {
    if (absl::SimpleAtoi(value, &spec.promote) && spec.promote >= 1 && spec.promote <= 3) return "";
    return "promote is 1, 2 or 3 reads";
  }
  if (key == "small") {
    if (absl::SimpleAtod(value, &spec.small) && spec.small > 0 && spec.small < 1) return "";
    return "small is a part of the capacity, over 0 and under 1";
  }
  if (key == "ghost") {
    if (absl::SimpleAtod(value, &spec.ghost) && spec.ghost >= 0 && spec.ghost <= 10) return "";
    return "ghost is a part of the capacity, 0 to 10";
  }
  return absl::StrCat("no key \"", key, "\"; s3fifo has promote, small and ghost");
}

}  // namespace

absl::string_view EvictionKindName(EvictionKind kind) {
  switch (kind) {
    case EvictionKind::kS3Fifo:
      return "s3fifo";
    case EvictionKind::kLru:
      return "lru";
    case EvictionKind::kSieve:
      return "sieve";
    case EvictionKind::kGdsf:
      return "gdsf";
    case EvictionKind::kFifo:
      break;
  }
  return "fifo";
}

const std::vector<EvictionKind>& EvictionKinds() {
  static const auto* const kinds =
      new std::vector<EvictionKind>{EvictionKind::kS3Fifo, EvictionKind::kLru, EvictionKind::kSieve,
                                    EvictionKind::kGdsf, EvictionKind::kFifo};
  return *kinds;
}

std::string EvictionSpec::ToString() const {
  std::string text(EvictionKindName(kind));
  if (kind != EvictionKind::kS3Fifo) return text;
  const EvictionSpec usual;
  if (promote != usual.promote) absl::StrAppend(&text, ",promote=", promote);
  if (small != usual.small) absl::StrAppend(&text, ",small=", small);
  if (ghost != usual.ghost) absl::StrAppend(&text, ",ghost=", ghost);
  return text;
}

absl::StatusOr<EvictionSpec> ParseEvictionSpec(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  EvictionSpec spec;
  bool known = false;
  for (const EvictionKind kind : EvictionKinds()) {
    if (EvictionKindName(kind) != parts[0]) continue;
    spec.kind = kind;
    known = true;
  }
  if (!known) {
    return Invalid(text, absl::StrCat("there are ",
                                      absl::StrJoin(EvictionKinds(), ", ",
                                                    [](std::string* out, EvictionKind kind) {
                                                      absl::StrAppend(out, EvictionKindName(kind));
                                                    })));
  }
  for (size_t i = 1; i < parts.size(); ++i) {
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(parts[i], absl::MaxSplits('=', 1));
    const std::string why = Set(spec, pair.first, pair.second);
    if (!why.empty()) return Invalid(text, why);
  }
  return spec;
}

std::unique_ptr<EvictionPolicy> MakeEvictionPolicy(const EvictionSpec& spec,
                                                   absl::optional<uint64_t> capacity,
                                                   const Clock& clock) {
  switch (spec.kind) {
    case EvictionKind::kS3Fifo:
      return std::make_unique<S3FifoPolicy>(spec, capacity, clock);
    case EvictionKind::kLru:
      return std::make_unique<LruPolicy>(clock);
    case EvictionKind::kSieve:
      return std::make_unique<SievePolicy>(clock);
    case EvictionKind::kGdsf:
      return std::make_unique<GdsfPolicy>(clock);
    case EvictionKind::kFifo:
      break;
  }
  return std::make_unique<FifoPolicy>(clock);
}

}  // namespace packice
