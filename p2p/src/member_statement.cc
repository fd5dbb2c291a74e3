#include "member_statement.h"

#include <xxhash.h>

namespace packice {

uint64_t AddressHash(absl::string_view address) {
  return XXH3_64bits(address.data(), address.size());
}

MemberStatement::MemberStatement(std::string address, uint64_t incarnation, MemberMetadata metadata)
    : address_(std::move(address)),
      address_hash_(AddressHash(address_)),
      incarnation_(incarnation),
      metadata_(std::move(metadata)) {}

bool MemberStatement::Valid() const {
  return !address_.empty() && address_.size() <= kMaxAddressBytes &&
         incarnation_ <= kMaxIncarnation &&
         metadata_.transfer_address.size() <= MemberMetadata::kMaxTextBytes &&
         metadata_.zone.size() <= MemberMetadata::kMaxTextBytes &&
         metadata_.role.size() <= MemberMetadata::kMaxTextBytes;
}

}  // namespace packice
