#include "sdk/view_stream.h"

namespace packice::sdk {

ViewBuffer::ViewBuffer(absl::string_view bytes) {
  // streambuf has no read-only form; nothing here writes through these, and pbackfail is not
  // overridden.
  char* const begin = const_cast<char*>(bytes.data());
  setg(begin, begin, begin + bytes.size());
}

ViewBuffer::pos_type ViewBuffer::seekoff(off_type offset, std::ios_base::seekdir from,
                                         std::ios_base::openmode which) {
  if ((which & std::ios_base::in) == 0) return pos_type(off_type(-1));
  off_type base = 0;
  if (from == std::ios_base::cur) base = gptr() - eback();
  if (from == std::ios_base::end) base = egptr() - eback();
  const off_type target = base + offset;
  if (target < 0 || target > egptr() - eback()) return pos_type(off_type(-1));
  setg(eback(), eback() + target, egptr());
  return pos_type(target);
}

ViewBuffer::pos_type ViewBuffer::seekpos(pos_type position, std::ios_base::openmode which) {
  return seekoff(off_type(position), std::ios_base::beg, which);
}

std::streamsize ViewBuffer::showmanyc() { return -1; }

ViewStream::ViewStream(const absl::StatusOr<absl::string_view>& view)
    : std::istream(nullptr), buffer_(view.ok() ? *view : absl::string_view()) {
  rdbuf(&buffer_);  // clears the badbit that a missing buffer sets
  if (!view.ok()) setstate(std::ios_base::badbit);
}

}  // namespace packice::sdk
