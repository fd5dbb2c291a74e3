#include "catalog_log.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "file_size.h"
#include "packice/core/fd_blob.h"

namespace packice {
namespace {

constexpr size_t kHeaderBytes = 32;
constexpr size_t kFrameHeaderBytes = 24;
constexpr uint32_t kMagic = 0x377f0682;  // the lowest bit says how checksums read their words
constexpr uint32_t kVersion = 3007000;

uint32_t BigEndian(const char* bytes) {
  const auto* b = reinterpret_cast<const uint8_t*>(bytes);
  return (uint32_t{b[0]} << 24) | (uint32_t{b[1]} << 16) | (uint32_t{b[2]} << 8) | b[3];
}

uint32_t LittleEndian(const char* bytes) { return __builtin_bswap32(BigEndian(bytes)); }

// Section 4.2 of the format: a running checksum over pairs of words.
class Checksum {
 public:
  void SetBigEndian(bool big_endian) { big_endian_ = big_endian; }

  void Add(absl::string_view bytes) {
    for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
      s0_ += Word(bytes.data() + i) + s1_;
      s1_ += Word(bytes.data() + i + 4) + s0_;
    }
  }

  // Both halves, as they stand in a header.
  bool Is(const char* stored) const {
    return s0_ == BigEndian(stored) && s1_ == BigEndian(stored + 4);
  }

 private:
  uint32_t Word(const char* bytes) const {
    return big_endian_ ? BigEndian(bytes) : LittleEndian(bytes);
  }

  bool big_endian_ = false;
  uint32_t s0_ = 0;
  uint32_t s1_ = 0;
};

}  // namespace

absl::StatusOr<CatalogLogEnd> FindCatalogLogEnd(int fd) {
  CatalogLogEnd end;
  absl::StatusOr<uint64_t> length = FileSize(fd);
  if (!length.ok()) return length.status();
  if (*length == 0) return end;

  char header[kHeaderBytes] = {};
  if (auto n = ReadAt(fd, 0, absl::MakeSpan(header)); !n.ok()) return n.status();
  Checksum sum;
  sum.SetBigEndian((BigEndian(header) & 1) != 0);
  sum.Add(absl::string_view(header, 24));
  if (*length < kHeaderBytes || (BigEndian(header) & ~1u) != kMagic ||
      BigEndian(header + 4) != kVersion || !sum.Is(header + 24)) {
    end.torn = absl::StrCat("its header is not whole, so that all of its ", *length,
                            " bytes are passed over");
    return end;
  }
  const uint64_t page = BigEndian(header + 8);
  const absl::string_view salts(header + 16, 8);
  end.good_bytes = kHeaderBytes;

  std::string frame(kFrameHeaderBytes + page, '\0');
  uint64_t at = kHeaderBytes;
  while (at < *length) {
    absl::StatusOr<size_t> n = ReadAt(fd, at, absl::MakeSpan(&frame[0], frame.size()));
    if (!n.ok()) return n.status();
    const absl::string_view bytes(frame.data(), *n);
    // Whatever an earlier round of the log left has its salts.
    const size_t seen = std::min<size_t>(*n, 16);
    if (seen <= 8 || bytes.substr(8, seen - 8) != salts.substr(0, seen - 8)) break;
    if (*n < frame.size()) {
      end.torn =
          absl::StrCat("it ends in a page of which ", *n, " bytes of ", frame.size(), " are there");
      return end;
    }
    sum.Add(bytes.substr(0, 8));
    sum.Add(bytes.substr(kFrameHeaderBytes));
    if (!sum.Is(frame.data() + 16)) {
      end.torn = absl::StrCat("the page at byte ", at, " does not have its checksum");
      return end;
    }
    at += frame.size();
    if (BigEndian(frame.data() + 4) != 0) end.good_bytes = at;  // the last page of a commit
  }
  if (at > end.good_bytes) {
    end.torn = absl::StrCat("it ends in ", (at - end.good_bytes) / frame.size(),
                            " pages of a commit whose last page is missing");
  }
  return end;
}

}  // namespace packice
