#include "codec_tiers.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "codec_fields.h"
#include "codec_write.h"

namespace packice::json {
namespace {

struct Count {
  Field field;
  uint64_t TierStats::*member;
};

constexpr Count kCounts[] = {
    {Field::kObjects, &TierStats::objects},
    {Field::kBytes, &TierStats::bytes},
    {Field::kHits, &TierStats::hits},
    {Field::kHitBytes, &TierStats::hit_bytes},
    {Field::kMisses, &TierStats::misses},
    {Field::kMissedBytes, &TierStats::missed_bytes},
    {Field::kEvictions, &TierStats::evictions},
    {Field::kDemotions, &TierStats::demotions},
    {Field::kDemotedBytes, &TierStats::demoted_bytes},
    {Field::kPromotions, &TierStats::promotions},
    {Field::kPromotedBytes, &TierStats::promoted_bytes},
    {Field::kQueued, &TierStats::queued},
    {Field::kQueuedBytes, &TierStats::queued_bytes},
    {Field::kMoving, &TierStats::moving},
    {Field::kDiscardsDue, &TierStats::discards_due},
};

// In the order of TierState.
constexpr absl::string_view kStates[] = {"ok", "slow", "full", "failing", "down"};

void AppendText(absl::string_view text, std::string& out) { out.append(text.data(), text.size()); }

void AppendRatio(absl::string_view key, uint64_t hit, uint64_t missed, std::string& out) {
  AppendText(key, out);
  if (hit + missed == 0) return AppendText("null", out);
  absl::StrAppend(
      &out, static_cast<double>(hit) / (static_cast<double>(hit) + static_cast<double>(missed)));
}

void AppendTier(const TierStats& tier, std::string& out) {
  AppendText("{\"name\":", out);
  AppendString(tier.name, out);
  AppendText(",\"state\":", out);
  AppendString(TierStateName(tier.state), out);
  AppendText(",\"reason\":", out);
  AppendString(tier.reason, out);
  AppendText(",\"capacity\":", out);
  if (tier.capacity.has_value()) {
    AppendUnsigned(*tier.capacity, out);
  } else {
    AppendText("null", out);
  }
  for (const auto& [field, member] : kCounts) {
    absl::StrAppend(&out, ",\"", FieldName(field), "\":");
    AppendUnsigned(tier.*member, out);
  }
  AppendRatio(",\"request_hit_ratio\":", tier.hits, tier.misses, out);
  AppendRatio(",\"byte_hit_ratio\":", tier.hit_bytes, tier.missed_bytes, out);
  AppendText(",\"coldest_age_seconds\":", out);
  AppendSeconds(tier.coldest_age.value_or(absl::InfiniteDuration()), out);
  out.push_back('}');
}

TierStats ReadTier(Fields& fields) {
  TierStats tier;
  fields.Need({Field::kName});
  tier.name = std::string(fields.String(Field::kName).value_or(""));
  tier.state = static_cast<TierState>(fields.Word(Field::kState, kStates).value_or(0));
  tier.reason = std::string(fields.String(Field::kReason).value_or(""));
  tier.capacity = fields.Integer(Field::kCapacity, 0, UINT64_MAX);
  for (const auto& [field, member] : kCounts) {
    tier.*member = fields.Integer(field, 0, UINT64_MAX).value_or(0);
  }
  tier.coldest_age = fields.Seconds(Field::kColdestAgeSeconds, /*zero_allowed=*/true);
  return tier;
}

}  // namespace

void AppendTiers(absl::Span<const TierStats> tiers, std::string& out) {
  out.push_back('[');
  for (size_t i = 0; i < tiers.size(); ++i) {
    if (i != 0) out.push_back(',');
    AppendTier(tiers[i], out);
  }
  out.push_back(']');
}

absl::StatusOr<std::vector<TierStats>> ReadTiers(const Node& list) {
  std::vector<TierStats> tiers;
  for (const Node* entry = list.begin(); entry != list.end(); entry = entry->next()) {
    Fields fields(*entry, ErrorKind::kCorrupt, "tiers", tiers.size());
    tiers.push_back(ReadTier(fields));
    if (!fields.ok()) return fields.status();
  }
  return tiers;
}

}  // namespace packice::json
