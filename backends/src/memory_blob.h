// The blob that a MemoryBlobStore hands out: a tenant, wherever it lives at present. Owned by its
// Object; may outlive the store.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "packer.h"
#include "packice/core/blob.h"
#include "packice/core/error.h"
#include "tenant.h"

namespace packice {

class MemoryBlob final : public Blob {
 public:
  MemoryBlob(std::shared_ptr<Packer> packer, std::shared_ptr<Tenant> tenant)
      : packer_(std::move(packer)), tenant_(std::move(tenant)) {}
  ~MemoryBlob() override { packer_->Leave(tenant_); }

  uint64_t size() const override { return tenant_->home()->size(); }
  bool sealed() const override { return tenant_->home()->sealed(); }
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override {
    return tenant_->home()->Read(offset, out);
  }
  absl::Status Write(uint64_t offset, absl::string_view bytes) override {
    return tenant_->home()->Write(offset, bytes);
  }
  absl::Status Seal(absl::optional<uint64_t> size) override {
    // The packer is told once: from then on it owns the tenant's place.
    const std::shared_ptr<Blob> home = tenant_->home();
    if (home->sealed())
      return MakeError(ErrorKind::kPermissionDenied, "the blob is sealed already");
    absl::Status status = home->Seal(size);
    if (status.ok()) packer_->Sealed(tenant_);
    return status;
  }
  absl::StatusOr<Mapping> Map(MapAccess access) const override {
    return tenant_->home()->Map(access);
  }
  BlobDescriptor Describe() const override { return tenant_->home()->Describe(); }

 private:
  const std::shared_ptr<Packer> packer_;
  const std::shared_ptr<Tenant> tenant_;
};

}  // namespace packice
