#include "member_table.h"

#include <algorithm>

namespace packice {

void MemberTable::Reserve(size_t members) {
  records_.reserve(members);
  index_.reserve(members);
  turns_.reserve(members);
}

MemberTable::Index MemberTable::Find(absl::string_view address) const {
  const auto found = index_.find(Key{AddressHash(address), address});
  return found == index_.end() ? kNone : *found;
}

MemberTable::Index MemberTable::Add(MemberRecord record) {
  const Index index = size();
  if (record.present()) ++present_;
  records_.push_back(std::move(record));
  index_.insert(index);
  // Among those whose turn is still to come, or the first of the next round.
  const size_t place = next_turn_ + random_.Below(turns_.size() - next_turn_ + 1);
  turns_.push_back(index);
  std::swap(turns_[place], turns_.back());
  return index;
}

void MemberTable::Set(Index index, MemberRecord record) {
  if (records_[index].present()) --present_;
  if (record.present()) ++present_;
  records_[index] = std::move(record);
}

void MemberTable::Remove(Index index) {
  const Index last = size() - 1;
  if (records_[index].present()) --present_;
  index_.erase(index);
  index_.erase(last);
  if (index != last) {
    records_[index] = std::move(records_[last]);
    records_.pop_back();
    index_.insert(index);
  } else {
    records_.pop_back();
  }
  // The removed one's turn goes to whom the index names now; the last one's own turn is dropped.
  const auto turn = std::find(turns_.begin(), turns_.end(), last);
  if (static_cast<size_t>(turn - turns_.begin()) < next_turn_) --next_turn_;
  turns_.erase(turn);
}

MemberTable::Index MemberTable::NextInTurn() {
  // At most the rest of this round and all of the next.
  for (size_t tries = 0; tries <= 2 * turns_.size(); ++tries) {
    if (next_turn_ >= turns_.size()) {
      random_.Shuffle(turns_);
      next_turn_ = 0;
      if (turns_.empty()) return kNone;
    }
    const Index index = turns_[next_turn_++];
    if (records_[index].present()) return index;
  }
  return kNone;
}

}  // namespace packice
