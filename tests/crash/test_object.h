// The objects that the crash tests put: bytes that follow from a number, so that nobody has to
// remember them and no two objects have the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace packice {

// Names one attempt to put an object; never used twice. The object has it in its metadata.
using Version = uint64_t;

struct TestObject {
  Version version = 0;
  std::vector<uint64_t> sizes;  // bytes, of each blob

  std::string Metadata() const;  // {"v":17}
  std::string Bytes(size_t blob) const;
};

}  // namespace packice
