#include "sdk/append_stream.h"

#include <utility>

namespace packice::sdk {

AppendBuffer::AppendBuffer(Append append) : append_(std::move(append)) {
  setp(buffer_.data(), buffer_.data() + buffer_.size());
}

absl::Status AppendBuffer::Flush() {
  const absl::string_view bytes(pbase(), static_cast<size_t>(pptr() - pbase()));
  setp(buffer_.data(), buffer_.data() + buffer_.size());
  if (status_.ok() && !bytes.empty()) status_ = append_(bytes);
  return status_;
}

AppendBuffer::int_type AppendBuffer::overflow(int_type c) {
  if (!Flush().ok()) return traits_type::eof();
  if (!traits_type::eq_int_type(c, traits_type::eof())) {
    *pptr() = traits_type::to_char_type(c);
    pbump(1);
  }
  return traits_type::not_eof(c);
}

int AppendBuffer::sync() { return Flush().ok() ? 0 : -1; }

std::streamsize AppendBuffer::xsputn(const char* data, std::streamsize size) {
  if (size < epptr() - pptr()) {
    traits_type::copy(pptr(), data, static_cast<size_t>(size));
    pbump(static_cast<int>(size));
    return size;
  }
  if (!Flush().ok()) return 0;
  if (size < epptr() - pptr()) return xsputn(data, size);
  status_ = append_(absl::string_view(data, static_cast<size_t>(size)));
  return status_.ok() ? size : 0;
}

AppendStream::AppendStream(AppendBuffer::Append append)
    : std::ostream(nullptr), buffer_(std::move(append)) {
  rdbuf(&buffer_);
}

absl::Status AppendStream::Flush() {
  absl::Status status = buffer_.Flush();
  if (!status.ok()) setstate(std::ios_base::badbit);
  return status;
}

}  // namespace packice::sdk
