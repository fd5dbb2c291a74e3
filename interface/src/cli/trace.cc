#include "cli/trace.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/text.h"
#include "packice/core/error.h"
#include "packice/core/unique_fd.h"

namespace packice::cli {
namespace {

constexpr size_t kReadBytes = 1 << 18;
// Longer lines are no trace: a binary file should fail before it has filled the memory.
constexpr size_t kMaxLineBytes = 1 << 16;

bool IsNumber(absl::string_view text) {
  double ignored;
  return absl::SimpleAtod(text, &ignored);
}

}  // namespace

void TraceReader::Close::operator()(gzFile_s* file) const { gzclose(file); }

TraceReader::TraceReader(std::string name, gzFile_s* file) : name_(std::move(name)), file_(file) {}

absl::StatusOr<TraceReader> TraceReader::Open(const std::string& path) {
  const bool standard = path == "-";
  UniqueFd fd(standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                       : open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) {
    return MakeError(ErrorKind::kNotFound, absl::StrCat("there is no trace ", path));
  }
  if (!fd) return ErrnoError(errno, absl::StrCat("cannot open ", path));
  gzFile file = gzdopen(fd.get(), "rb");
  if (file == nullptr) return ErrnoError(ENOMEM, absl::StrCat("cannot open ", path));
  fd.Release();
  gzbuffer(file, kReadBytes);
  return TraceReader(standard ? "stdin" : path, file);
}

absl::Status TraceReader::Malformed(absl::string_view what) const {
  return MakeError(ErrorKind::kInvalidArgument,
                   absl::StrCat(name_, ":", number_, ": ", what,
                                "; a trace has lines of the form time,obj_id,size"));
}

absl::Status TraceReader::Fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t old_size = buffer_.size();
  buffer_.resize(old_size + kReadBytes);
  const int got = gzread(file_.get(), &buffer_[old_size], kReadBytes);
  buffer_.resize(old_size + (got > 0 ? static_cast<size_t>(got) : 0));
  ended_ = got < static_cast<int>(kReadBytes) && gzeof(file_.get());
  int error = Z_OK;
  const char* const message = gzerror(file_.get(), &error);
  if (error == Z_OK || error == Z_STREAM_END) return absl::OkStatus();
  if (error == Z_ERRNO) return ErrnoError(errno, absl::StrCat("cannot read ", name_));
  return MakeError(ErrorKind::kCorrupt,
                   absl::StrCat("cannot unpack ", name_, " after line ", number_, ": ",
                                error == Z_BUF_ERROR ? "it ends too soon" : message));
}

absl::StatusOr<bool> TraceReader::NextText(absl::string_view& text) {
  size_t searched = begin_;
  while (true) {
    const size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos || (ended_ && begin_ < buffer_.size())) {
      ++number_;
      text = absl::string_view(buffer_).substr(begin_, end - begin_);
      begin_ = end == std::string::npos ? buffer_.size() : end + 1;
      if (text.size() > kMaxLineBytes) return Malformed("the line is too long");
      return true;
    }
    if (ended_) return false;
    if (buffer_.size() - begin_ > kMaxLineBytes) {
      ++number_;
      return Malformed("the line is too long");
    }
    searched = buffer_.size() - begin_;  // where the search goes on once Fill has moved it
    if (absl::Status filled = Fill(); !filled.ok()) return filled;
  }
}

absl::StatusOr<bool> TraceReader::Next(TraceLine& line) {
  absl::string_view text;
  while (true) {
    const absl::StatusOr<bool> more = NextText(text);
    if (!more.ok() || !*more) return more;
    absl::ConsumeSuffix(&text, "\r");
    if (absl::StripAsciiWhitespace(text).empty()) continue;
    const bool first = std::exchange(first_, false);
    const size_t one = text.find(',');
    const size_t two = one == text.npos ? one : text.find(',', one + 1);
    if (two == text.npos || text.find(',', two + 1) != text.npos) {
      return Malformed(
          absl::StrCat("\"", Printable(text.substr(0, 100)), "\" has not three fields"));
    }
    line.time = text.substr(0, one);
    line.object_id = text.substr(one + 1, two - one - 1);
    const absl::string_view size = text.substr(two + 1);
    const bool timed = IsNumber(line.time);
    const bool sized = absl::SimpleAtoi(size, &line.size);
    if (first && !timed && !sized) continue;
    if (!timed) {
      return Malformed(absl::StrCat("the time \"", Printable(line.time), "\" is no number"));
    }
    if (line.object_id.empty()) return Malformed("the obj_id is empty");
    if (!sized) {
      return Malformed(absl::StrCat("the size \"", Printable(size), "\" is no number of bytes"));
    }
    return true;
  }
}

uint64_t Trace::Footprint(bool ignore_sizes) const {
  if (ignore_sizes) return sizes.size();
  uint64_t bytes = 0;
  for (const uint64_t size : sizes) bytes += size;
  return bytes;
}

absl::StatusOr<Trace> LoadTrace(const std::string& path) {
  absl::StatusOr<TraceReader> reader = TraceReader::Open(path);
  if (!reader.ok()) return reader.status();
  Trace trace;
  absl::flat_hash_map<std::string, uint32_t> numbers;
  uint64_t footprint = 0;
  TraceLine line;
  while (true) {
    const absl::StatusOr<bool> more = reader->Next(line);
    if (!more.ok()) return more.status();
    if (!*more) break;
    const auto [at, fresh] =
        numbers.try_emplace(line.object_id, static_cast<uint32_t>(trace.sizes.size()));
    if (fresh) {
      if (trace.sizes.size() == std::numeric_limits<uint32_t>::max()) {
        return MakeError(ErrorKind::kCapacity, absl::StrCat(path,
                                                            " has more than 4,294,967,295 objects; "
                                                            "simulate a part of it"));
      }
      if (__builtin_add_overflow(footprint, line.size, &footprint)) {
        return MakeError(ErrorKind::kInvalidArgument,
                         absl::StrCat("the objects of ", path, " have more than 2^64 bytes"));
      }
      trace.sizes.push_back(line.size);
    } else if (trace.sizes[at->second] != line.size) {
      ++trace.size_changes;
    }
    trace.requests.push_back(at->second);
  }
  if (trace.requests.empty()) {
    return MakeError(ErrorKind::kInvalidArgument,
                     absl::StrCat("the trace ", path, " has no request"));
  }
  return trace;
}

}  // namespace packice::cli
