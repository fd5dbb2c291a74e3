// What a Writer is made of.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "packice/core/mapping.h"
#include "packice/core/object.h"
#include "sdk/append_stream.h"
#include "sdk/lease_hold.h"

namespace packice::sdk {

// For one thread at a time. Never moves: its stream points back at it.
class WriterState {
 public:
  // `declared`: sizes were given, so that the blobs can be mapped.
  WriterState(Granted granted, bool declared);
  WriterState(const WriterState&) = delete;

  const ObjectId& id() const { return id_; }
  size_t blob_count() const { return spans_.size(); }
  bool sealed() const { return sealed_; }
  LeaseHold& lease() { return granted_.lease; }

  absl::Status Append(absl::string_view bytes);
  absl::Status WriteAt(uint64_t offset, absl::string_view bytes, size_t blob);
  absl::StatusOr<absl::Span<char>> Span(size_t blob);
  std::ostream& stream();

  absl::Status Seal(absl::string_view metadata_json);
  absl::Status Discard();

  // After Seal: nothing is to be written any more, so the descriptors may go.
  void DropBytes();
  // After Seal and before DropBytes: the same lease and object, to be read.
  bool has_bytes() const { return granted_.object != nullptr; }
  Granted Take() { return std::move(granted_); }

 private:
  struct MappedBlob {
    Mapping mapping;
    Quota::Share share;
    bool mapped = false;
  };

  absl::Status CheckWritable(size_t blob) const;
  absl::Status AppendUnbuffered(absl::string_view bytes);

  Granted granted_;
  const ObjectId id_;
  const bool declared_;
  bool sealed_ = false;
  uint64_t position_ = 0;  // where Append goes on, in blob 0
  std::vector<MappedBlob> spans_;
  std::unique_ptr<AppendStream> stream_;
};

}  // namespace packice::sdk
