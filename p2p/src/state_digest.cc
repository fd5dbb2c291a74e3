#include "state_digest.h"

#include <algorithm>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "absl/numeric/bits.h"

namespace packice {
namespace {

constexpr size_t kMembersInBucket = 16;
constexpr uint32_t kMaxStateBuckets = 4096;

uint64_t Fingerprint(const MemberStatement& statement) {
  return MixBits(statement.address_hash() ^ MixBits(statement.incarnation()));
}

uint64_t Bucket(const MemberStatement& statement, size_t buckets) {
  return statement.address_hash() & (buckets - 1);
}

uint32_t BucketsFor(size_t members, uint32_t most) {
  const auto wanted = static_cast<uint32_t>(
      std::min<size_t>(most, std::max<size_t>(1, members / kMembersInBucket)));
  return absl::bit_ceil(wanted);
}

// Each member that is known, the own one among them.
template <typename Visit>
void ForEach(const MemberTable& members, const StatementRef& self, const Visit& visit) {
  if (self) visit(MemberUpdate{self, MemberState::kAlive});
  for (MemberTable::Index i = 0; i < members.size(); ++i) {
    visit(MemberUpdate{members[i].statement, members[i].state});
  }
}

}  // namespace

bool Outranks(const MemberStatement& a, MemberState a_state, const MemberStatement& b,
              MemberState b_state) {
  return std::make_tuple(a.incarnation(), a_state) > std::make_tuple(b.incarnation(), b_state);
}

uint32_t DigestBuckets(size_t members) {
  return BucketsFor(members, DigestMessage::kMaxBuckets / 2);
}

std::vector<uint64_t> DigestSums(const MemberTable& members, const StatementRef& self,
                                 uint32_t buckets) {
  std::vector<uint64_t> sums(buckets);
  const auto add = [&](const MemberStatement& statement) {
    sums[Bucket(statement, buckets)] += Fingerprint(statement);
  };
  if (self) add(*self);
  for (MemberTable::Index i = 0; i < members.size(); ++i) {
    if (members[i].present()) add(*members[i].statement);
  }
  return sums;
}

absl::optional<StateMessage> AnswerToDigest(const MemberTable& members, const StatementRef& self,
                                            const DigestMessage& digest, size_t bytes,
                                            SplitMix& random) {
  const auto coarse = static_cast<uint32_t>(digest.sums.size());
  const std::vector<uint64_t> own = DigestSums(members, self, coarse);
  if (own == digest.sums) return absl::nullopt;

  // Finer than the other's buckets, which may know hardly anybody, so that some fit.
  const uint32_t fine = std::max(coarse, BucketsFor(members.size(), kMaxStateBuckets));
  std::vector<std::vector<MemberUpdate>> contents(fine);
  ForEach(members, self, [&](MemberUpdate update) {
    const uint64_t bucket = Bucket(*update.statement, fine);
    if (own[bucket & (coarse - 1)] != digest.sums[bucket & (coarse - 1)]) {
      contents[bucket].push_back(std::move(update));
    }
  });

  StateMessage state;
  state.covered.resize(fine);
  state.wants_answer = true;
  const uint64_t start = random.Below(fine);
  for (uint64_t i = 0; i < fine; ++i) {
    const uint64_t bucket = (start + i) & (fine - 1);
    if (own[bucket & (coarse - 1)] == digest.sums[bucket & (coarse - 1)]) continue;
    size_t needed = 0;
    for (const MemberUpdate& update : contents[bucket]) needed += WireBytes(update);
    if (needed > bytes && !state.members.empty()) {
      state.more = true;
      break;
    }
    bytes -= std::min(bytes, needed);
    state.covered[bucket] = true;
    for (MemberUpdate& update : contents[bucket]) state.members.push_back(std::move(update));
  }
  return state;
}

std::vector<MemberUpdate> NewerThan(const MemberTable& members, const StatementRef& self,
                                    const StateMessage& told, size_t bytes) {
  absl::flat_hash_map<uint64_t, const MemberUpdate*> heard;
  for (const MemberUpdate& update : told.members) heard[update.statement->address_hash()] = &update;
  std::vector<MemberUpdate> newer;
  ForEach(members, self, [&](MemberUpdate mine) {
    if (!told.covered[Bucket(*mine.statement, told.covered.size())]) return;
    const auto theirs = heard.find(mine.statement->address_hash());
    const bool known = theirs != heard.end();
    if (known &&
        !Outranks(*mine.statement, mine.state, *theirs->second->statement, theirs->second->state)) {
      return;
    }
    const bool gone = mine.state == MemberState::kDead || mine.state == MemberState::kLeft;
    const size_t needed = WireBytes(mine);
    if ((gone && !known) || needed > bytes) return;
    bytes -= needed;
    newer.push_back(std::move(mine));
  });
  return newer;
}

}  // namespace packice
