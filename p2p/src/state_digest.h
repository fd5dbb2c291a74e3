// How two members find out in which of the others their beliefs differ, and tell only those.
// Members are sorted into buckets by the hash of their address; a bucket's sum is over the
// incarnations of who is present. The dead are no part of it: who has forgotten them need not hear
// of them again. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "member_table.h"
#include "membership_message.h"

namespace packice {

// How many buckets a member that knows so many puts into a digest.
uint32_t DigestBuckets(size_t members);

// `self` may be null: it has left.
std::vector<uint64_t> DigestSums(const MemberTable& members, const StatementRef& self,
                                 uint32_t buckets);

// What to answer to a digest: nothing where all sums are equal. At most about `bytes`, in whole
// buckets, from a random one on.
absl::optional<StateMessage> AnswerToDigest(const MemberTable& members, const StatementRef& self,
                                            const DigestMessage& digest, size_t bytes,
                                            SplitMix& random);

// What this member knows better than `told` says, within its covered buckets. At most about
// `bytes`.
std::vector<MemberUpdate> NewerThan(const MemberTable& members, const StatementRef& self,
                                    const StateMessage& told, size_t bytes);

// Whether (incarnation, state) a holds against b.
bool Outranks(const MemberStatement& a, MemberState a_state, const MemberStatement& b,
              MemberState b_state);

}  // namespace packice
