#include "test_object.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace packice {

std::string TestObject::Metadata() const { return absl::StrCat(R"({"v":)", version, "}"); }

// splitmix64: quick, and every word depends on all of its seed.
std::string TestObject::Bytes(size_t blob) const {
  std::string bytes(sizes[blob], '\0');
  uint64_t state = version * 0x100 + blob;
  for (size_t at = 0; at < bytes.size(); at += sizeof(uint64_t)) {
    state += 0x9e3779b97f4a7c15;
    uint64_t word = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    word ^= word >> 31;
    std::memcpy(&bytes[at], &word, std::min(sizeof(word), bytes.size() - at));
  }
  return bytes;
}

}  // namespace packice
