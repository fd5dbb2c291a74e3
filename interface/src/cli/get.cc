#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/copy.h"
#include "cli/download_watch.h"
#include "cli/file_tree.h"
#include "cli/output_file.h"
#include "cli/parallel.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "packice/core/error.h"

namespace packice::cli {
namespace {

constexpr size_t kInFlight = 4;
// Objects asked for in one message.
constexpr size_t kBatch = 32;

bool IsDirectory(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

absl::Status WriteFile(const Reader& reader, const std::string& path, Progress& progress) {
  absl::StatusOr<OutputFile> file = OutputFile::Create(path);
  if (!file.ok()) return file.status();
  if (absl::Status status = CopyOut(reader, file->fd(), progress); !status.ok()) {
    return Annotate(status, path);
  }
  return file->Commit();
}

absl::Status WriteBelow(const Reader& reader, const std::string& prefix,
                        const std::string& directory, Progress& progress) {
  const absl::StatusOr<std::string> name = PathBelow(prefix, reader.id().bytes());
  if (!name.ok()) return name.status();
  const std::filesystem::path path = std::filesystem::path(directory) / *name;
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) {
    return ErrnoError(error.value(),
                      absl::StrCat("cannot make the directory ", path.parent_path().string()));
  }
  return WriteFile(reader, path.string(), progress);
}

absl::Status GetOne(Client& client, const GetArgs& args) {
  const absl::StatusOr<Reader> reader = [&] {
    // The node may have to copy it from others first.
    const DownloadWatch watch(args.target, args.id);
    return client.Get(args.id, {.wait = args.wait});
  }();
  if (!reader.ok()) return reader.status();
  Progress progress("get", reader->size());
  if (args.output == "-") {
    return Annotate(CopyOut(*reader, STDOUT_FILENO, progress), "stdout");
  }
  if (IsDirectory(args.output)) return WriteBelow(*reader, args.id, args.output, progress);
  return WriteFile(*reader, args.output, progress);
}

absl::Status GetBatch(Client& client, absl::Span<const std::string> ids, const GetArgs& args,
                      Progress& progress) {
  for (const absl::StatusOr<Reader>& reader : client.GetMany(ids, {.wait = args.wait})) {
    if (!reader.ok()) {
      if (KindOf(reader.status()) == ErrorKind::kNotFound) continue;  // gone since it was listed
      return reader.status();
    }
    if (absl::Status status = WriteBelow(*reader, *args.prefix, args.output, progress);
        !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

struct Listing {
  std::vector<std::string> ids;
  uint64_t bytes = 0;
};

absl::StatusOr<Listing> ListSealed(Client& client, const std::string& prefix) {
  Listing listing;
  absl::Status status = ForEachPage(client, prefix, [&](const ListPage& page) {
    for (const ObjectInfo& object : page.objects) {
      if (object.state != ObjectState::kSealed) continue;
      listing.ids.emplace_back(object.object_id.bytes());
      listing.bytes += object.size();
    }
    return true;
  });
  if (!status.ok()) return status;
  return listing;
}

absl::Status GetTree(Client& client, const GetArgs& args) {
  const absl::StatusOr<Listing> listing = ListSealed(client, *args.prefix);
  if (!listing.ok()) return listing.status();
  if (listing->ids.empty()) {
    return MakeError(ErrorKind::kNotFound,
                     absl::StrCat("no sealed object's id starts with \"", *args.prefix, "\""));
  }
  // Before anything is written, so that an id which names no file stops it all.
  for (const std::string& id : listing->ids) {
    if (absl::Status status = PathBelow(*args.prefix, id).status(); !status.ok()) return status;
  }
  Progress progress("get", listing->bytes);
  const absl::Span<const std::string> ids = listing->ids;
  return InParallel((ids.size() + kBatch - 1) / kBatch, kInFlight, [&](size_t i) {
    return GetBatch(client, ids.subspan(i * kBatch, kBatch), args, progress);
  });
}

}  // namespace

absl::Status Get(const GetArgs& args) {
  if (args.prefix.has_value() == !args.id.empty()) {
    return MakeError(ErrorKind::kInvalidArgument, "get takes either an id or --prefix");
  }
  if (args.prefix.has_value() && args.output == "-") {
    return MakeError(ErrorKind::kInvalidArgument, "--prefix wants a directory, as in -o DIR");
  }
  absl::StatusOr<std::unique_ptr<Client>> client = Dial(args.target);
  if (!client.ok()) return client.status();
  return args.prefix.has_value() ? GetTree(**client, args) : GetOne(**client, args);
}

}  // namespace packice::cli
