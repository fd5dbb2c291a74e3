#include <unistd.h>
#include <zlib.h>

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/trace.h"
#include "packice/core/error.h"

namespace packice::cli {
namespace {

constexpr size_t kWriteBytes = 1 << 16;

void AppendEscaped(absl::string_view text, std::string& out) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte != 0x7F && byte != ',' && byte != '%') {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
}

}  // namespace

void TraceWriter::CloseFile::operator()(gzFile_s* file) const { gzclose(file); }

absl::StatusOr<TraceWriter> TraceWriter::Create(const std::string& path) {
  TraceWriter writer(path);
  int target = STDOUT_FILENO;
  if (path != "-") {
    absl::StatusOr<OutputFile> output = OutputFile::Create(path);
    if (!output.ok()) return output.status();
    writer.output_ = std::make_unique<OutputFile>(*std::move(output));
    target = writer.output_->fd();
  }
  // zlib closes the descriptor that it is given; OutputFile keeps its own. T: as it is.
  const int copy = dup(target);
  if (copy < 0) return ErrnoError(errno, absl::StrCat("cannot write ", path));
  gzFile file = gzdopen(copy, absl::EndsWith(path, ".gz") ? "wb6" : "wbT");
  if (file == nullptr) {
    close(copy);
    return ErrnoError(ENOMEM, absl::StrCat("cannot write ", path));
  }
  writer.file_.reset(file);
  writer.buffer_ = "time,obj_id,size\n";
  return writer;
}

absl::Status TraceWriter::WriteBuffer() {
  if (buffer_.empty()) return absl::OkStatus();
  const int wrote = gzwrite(file_.get(), buffer_.data(), static_cast<unsigned>(buffer_.size()));
  const int error = errno;
  const bool whole = wrote == static_cast<int>(buffer_.size());
  buffer_.clear();
  return whole ? absl::OkStatus() : ErrnoError(error, absl::StrCat("cannot write ", path_));
}

absl::Status TraceWriter::Write(int64_t microseconds, absl::string_view object_id, uint64_t size) {
  absl::StrAppend(&buffer_, microseconds, ",");
  AppendEscaped(object_id, buffer_);
  absl::StrAppend(&buffer_, ",", size, "\n");
  return buffer_.size() < kWriteBytes ? absl::OkStatus() : WriteBuffer();
}

absl::Status TraceWriter::Flush() {
  if (absl::Status wrote = WriteBuffer(); !wrote.ok()) return wrote;
  if (gzflush(file_.get(), Z_SYNC_FLUSH) == Z_OK) return absl::OkStatus();
  return ErrnoError(errno, absl::StrCat("cannot write ", path_));
}

absl::Status TraceWriter::Close() {
  absl::Status wrote = WriteBuffer();
  if (gzclose(file_.release()) != Z_OK && wrote.ok()) {
    wrote = ErrnoError(errno, absl::StrCat("cannot write ", path_));
  }
  if (!wrote.ok() || output_ == nullptr) return wrote;
  return output_->Commit();
}

}  // namespace packice::cli
