#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/copy.h"
#include "cli/file_tree.h"
#include "cli/parallel.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/text.h"
#include "packice/core/error.h"
#include "packice/core/mutex.h"
#include "packice/core/unique_fd.h"
#include "packice/transport/codec.h"

namespace packice::cli {
namespace {

// Small files are a matter of round trips, large ones of memory bandwidth; either has a few at once
// busy.
constexpr size_t kInFlight = 4;

struct Source {
  UniqueFd fd;
  struct stat info;
};

absl::StatusOr<Source> OpenSource(const std::string& path) {
  Source source;
  source.fd.Reset(path == "-" ? dup(STDIN_FILENO) : open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source.fd || fstat(source.fd.get(), &source.info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return MakeError(ErrorKind::kInvalidArgument, absl::StrCat("there is no file ", path));
    }
    return ErrnoError(errno, absl::StrCat("cannot open ", path));
  }
  return source;
}

absl::StatusOr<Sealed> PutOpen(Client& client, const Source& source, const std::string& id,
                               const PutArgs& args, Progress& progress) {
  CreateOptions options;
  options.metadata_json = args.meta;
  options.object_ttl = args.ttl;
  // What the kernel makes up as it is read, as in /proc, says that it is empty.
  const bool sized = args.source != "-" && S_ISREG(source.info.st_mode) && source.info.st_size > 0;
  absl::StatusOr<uint64_t> size = static_cast<uint64_t>(source.info.st_size);
  if (sized) options.sizes = {*size};
  absl::StatusOr<Writer> writer = client.Create(id, options);
  if (!writer.ok()) return writer.status();
  if (sized) {
    absl::Status status = CopyFile(source.fd.get(), *size, *writer, progress);
    if (!status.ok()) return status;
  } else {
    size = CopyStream(source.fd.get(), *writer, progress);
    if (!size.ok()) return size.status();
  }
  if (absl::Status status = writer->Seal(); !status.ok()) return status;
  return Sealed{writer->id(), *size};
}

absl::Status PrintSealed(const Sealed& sealed, bool json) {
  return Print(json ? FormatReply(sealed) + "\n" : Printable(sealed.object_id.bytes()) + "\n");
}

absl::Status PutOne(Client& client, const Source& source, const PutArgs& args) {
  absl::optional<uint64_t> total;
  if (S_ISREG(source.info.st_mode)) total = static_cast<uint64_t>(source.info.st_size);
  absl::StatusOr<Sealed> sealed;
  {
    Progress progress("put", total);
    sealed = PutOpen(client, source, args.id, args, progress);
  }
  if (!sealed.ok()) return Annotate(sealed.status(), args.source);
  return PrintSealed(*sealed, args.json);
}

absl::Status PutTree(Client& client, const PutArgs& args) {
  const absl::StatusOr<FileTree> tree = ScanTree(args.source);
  if (!tree.ok()) return tree.status();
  Progress progress("put", tree->bytes);
  Mutex output;
  return InParallel(tree->files.size(), kInFlight, [&](size_t i) {
    const FileTree::File& file = tree->files[i];
    absl::StatusOr<Source> source = OpenSource(file.path);
    if (!source.ok()) return source.status();
    absl::StatusOr<Sealed> sealed =
        PutOpen(client, *source, absl::StrCat(args.prefix, file.name), args, progress);
    if (!sealed.ok()) return Annotate(sealed.status(), file.path);
    MutexLock lock(output);
    return PrintSealed(*sealed, args.json);
  });
}

}  // namespace

absl::Status Put(const PutArgs& args) {
  absl::StatusOr<Source> source = OpenSource(args.source);
  if (!source.ok()) return source.status();
  const bool tree = S_ISDIR(source->info.st_mode);
  if (tree && !args.id.empty()) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat(args.source,
                                  " is a directory; its objects are named by "
                                  "--prefix, not by --id"));
  }
  if (!tree && !args.prefix.empty()) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("--prefix is for directories, and ", args.source,
                                  " is none; name the object with --id"));
  }
  absl::StatusOr<std::unique_ptr<Client>> client = Dial(args.target);
  if (!client.ok()) return client.status();
  return tree ? PutTree(**client, args) : PutOne(**client, *source, args);
}

}  // namespace packice::cli
