// Request traces: text files of lines `time,obj_id,size`, compressed by gzip or not.
//
// time is a number in a unit of the trace's own, obj_id any text without a comma, size a whole
// number of bytes. A first line without numbers in its first and last field is a header; blank
// lines say nothing; lines end with LF or CRLF.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/output_file.h"

struct gzFile_s;  // zlib's

namespace packice::cli {

struct TraceLine {
  absl::string_view time;  // as it stands there
  absl::string_view object_id;
  uint64_t size = 0;  // bytes
};

// A trace, a line at a time, so that it may be longer than memory. Whether it is compressed is seen
// by its bytes, not by its name. Move-only; thread-compatible; blocks on its file.
class TraceReader {
 public:
  // "-" is stdin. `not_found`, `permission_denied`, `io`.
  static absl::StatusOr<TraceReader> Open(const std::string& path);

  // The next line, whose text is valid until the next call; false at the end. `invalid_argument`
  // with file and line where one cannot be read, `corrupt` where the compressed file is damaged or
  // ends too soon, `io`.
  absl::StatusOr<bool> Next(TraceLine& line);

 private:
  struct Close {
    void operator()(gzFile_s* file) const;
  };

  TraceReader(std::string name, gzFile_s* file);
  absl::StatusOr<bool> NextText(absl::string_view& text);
  absl::Status Fill();
  absl::Status Malformed(absl::string_view what) const;

  std::string name_;
  std::unique_ptr<gzFile_s, Close> file_;
  std::string buffer_;
  size_t begin_ = 0;  // of what is in the buffer and not read
  uint64_t number_ = 0;
  bool first_ = true;  // of the lines that are not blank
  bool ended_ = false;
};

// Writes a trace. Move-only; thread-compatible; blocks on its file.
class TraceWriter {
 public:
  // Compressed where `path` ends in .gz; "-" is stdout. The file appears when Close has succeeded,
  // whole, as OutputFile has it. Writes the header.
  static absl::StatusOr<TraceWriter> Create(const std::string& path);

  // `microseconds` since whatever the caller counts from. Of the id, what would end a field or a
  // line is written as %XX, as are control characters and % itself, so that different ids stay
  // different; TraceReader leaves them so. `io`.
  absl::Status Write(int64_t microseconds, absl::string_view object_id, uint64_t size);

  // What was written is on its way to the file: a reader of a live trace sees it. `io`.
  absl::Status Flush();

  // `io`. Without it nothing is left of a file that was to be made.
  absl::Status Close();

 private:
  struct CloseFile {
    void operator()(gzFile_s* file) const;
  };

  explicit TraceWriter(std::string path) : path_(std::move(path)) {}
  absl::Status WriteBuffer();

  std::string path_;
  std::unique_ptr<OutputFile> output_;  // null: stdout
  std::unique_ptr<gzFile_s, CloseFile> file_;
  std::string buffer_;
};

// A trace as a simulation wants it: in memory, objects by numbers. A value.
//
// An object's size is that of its first request, because an object of Packice never changes: a
// later line with another size is a request for the first one, and is counted in `size_changes`.
struct Trace {
  std::vector<uint32_t> requests;  // numbers of objects, in the order of their first request
  std::vector<uint64_t> sizes;     // by number; bytes
  uint64_t size_changes = 0;

  // Bytes of all objects; the number of objects with `ignore_sizes`.
  uint64_t Footprint(bool ignore_sizes) const;
};

// The whole of a trace. As TraceReader; `invalid_argument` also for one without a request,
// `capacity` for more than 2^32 - 1 objects.
absl::StatusOr<Trace> LoadTrace(const std::string& path);

}  // namespace packice::cli
