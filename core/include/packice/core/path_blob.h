// A blob behind a path, as a client sees it after a node named that path.
//
// Holds a descriptor that can only read, from the start: the bytes then stay readable when the node
// gives the file another name (it does so when it seals) or takes it away. It never keeps one that
// can write: the node's Seal is `busy` while somebody does. Does not seal: that is the node's part.
// A symbolic link and anything but a regular file are refused with `permission_denied`, so that
// whoever may put names beside the node's files gets no process to open what he could not.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "packice/core/blob.h"
#include "packice/core/unique_fd.h"

namespace packice {

// Opens the file at an absolute path to read it. `unavailable` when there is none that this process
// can reach; `permission_denied`, also for what is no regular file; `capacity`, `io`.
absl::StatusOr<UniqueFd> OpenRegularFile(const std::string& path);

// `corrupt` unless the open file ends where the blob does; `io`.
absl::Status CheckFileSize(int fd, const PathDescriptor& path);

class PathBlob final : public Blob {
 public:
  // Of a sealed blob. Errors as OpenRegularFile has them; `corrupt` when the file does not end
  // where the blob does.
  static absl::StatusOr<std::unique_ptr<PathBlob>> OpenSealed(PathDescriptor path);

  // Of one that is being created, with this process as its writer. `declared`: its size was
  // declared, so that it is a limit to writes; otherwise the file's size is the blob's.
  static absl::StatusOr<std::unique_ptr<PathBlob>> OpenWritable(PathDescriptor path, bool declared);

  // As the two above, over a descriptor that OpenRegularFile gave for this path.
  static absl::StatusOr<std::unique_ptr<PathBlob>> Sealed(PathDescriptor path, UniqueFd file);
  static std::unique_ptr<PathBlob> Writable(PathDescriptor path, UniqueFd file, bool declared);

  uint64_t size() const override;
  bool sealed() const override { return sealed_.load(std::memory_order_acquire); }
  absl::StatusOr<size_t> Read(uint64_t offset, absl::Span<char> out) const override;
  // Opens the path anew each time, and closes it again. `permission_denied` also when the node has
  // sealed the file, or another one has its name now; `lease_expired` when the node has removed it.
  absl::Status Write(uint64_t offset, absl::string_view bytes) override;
  // Only marks this process's view: the node has sealed the bytes.
  absl::Status Seal(absl::optional<uint64_t> size) override;
  // The node's Seal is `busy` as long as a kReadWrite mapping lives. Errors of Write.
  absl::StatusOr<Mapping> Map(MapAccess access) const override;
  BlobDescriptor Describe() const override;

 private:
  PathBlob(PathDescriptor path, UniqueFd file, bool writable, bool declared)
      : path_(std::move(path)), file_(std::move(file)), declared_(declared), sealed_(!writable) {}

  // The file, opened with these flags.
  absl::StatusOr<UniqueFd> Reopen(int flags) const;

  PathDescriptor path_;
  const UniqueFd file_;
  const bool declared_;
  std::atomic<bool> sealed_;
};

}  // namespace packice
