// What a member says of itself at one incarnation: the record that all who know the member share.
//
// Immutable, and so thread-safe; counted references in eight bytes, because a member of a large
// fleet keeps one for each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace packice {

struct MemberMetadata {
  static constexpr size_t kMaxTextBytes = 128;  // of each of the texts

  std::string transfer_address;  // where it gives pieces; empty: it gives none
  std::string zone;
  std::string role;
  uint8_t load_percent = 0;
  uint64_t filter_version = 0;  // of what it holds; 0: it tells of nothing

  friend bool operator==(const MemberMetadata& a, const MemberMetadata& b) {
    return a.transfer_address == b.transfer_address && a.zone == b.zone && a.role == b.role &&
           a.load_percent == b.load_percent && a.filter_version == b.filter_version;
  }
  friend bool operator!=(const MemberMetadata& a, const MemberMetadata& b) { return !(a == b); }
};

// The same on each platform and in each process: members compare digests made of it.
uint64_t AddressHash(absl::string_view address);

class MemberStatement {
 public:
  static constexpr size_t kMaxAddressBytes = 128;
  // Far above what honest members come to.
  static constexpr uint64_t kMaxIncarnation = uint64_t{1} << 62;

  MemberStatement(std::string address, uint64_t incarnation, MemberMetadata metadata);

  // Whether it may be told to others: sizes and incarnation within their bounds.
  bool Valid() const;

  const std::string& address() const { return address_; }  // names the member
  uint64_t address_hash() const { return address_hash_; }
  uint64_t incarnation() const { return incarnation_; }
  const MemberMetadata& metadata() const { return metadata_; }

 private:
  friend class StatementRef;

  const std::string address_;
  const uint64_t address_hash_;
  const uint64_t incarnation_;
  const MemberMetadata metadata_;
  mutable std::atomic<uint32_t> references_{0};
};

class StatementRef {
 public:
  StatementRef() = default;
  // Takes it over.
  explicit StatementRef(const MemberStatement* statement) : statement_(statement) { Retain(); }
  StatementRef(const StatementRef& other) : statement_(other.statement_) { Retain(); }
  StatementRef(StatementRef&& other) noexcept
      : statement_(std::exchange(other.statement_, nullptr)) {}
  StatementRef& operator=(StatementRef other) noexcept {
    std::swap(statement_, other.statement_);
    return *this;
  }
  ~StatementRef() {
    if (statement_ != nullptr && statement_->references_.fetch_sub(1) == 1) delete statement_;
  }

  static StatementRef Make(std::string address, uint64_t incarnation, MemberMetadata metadata) {
    return StatementRef(new MemberStatement(std::move(address), incarnation, std::move(metadata)));
  }

  const MemberStatement& operator*() const { return *statement_; }
  const MemberStatement* operator->() const { return statement_; }
  explicit operator bool() const { return statement_ != nullptr; }

 private:
  void Retain() {
    if (statement_ != nullptr) statement_->references_.fetch_add(1, std::memory_order_relaxed);
  }

  const MemberStatement* statement_ = nullptr;
};

}  // namespace packice
