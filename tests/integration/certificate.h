// A self-signed certificate for "localhost" that is good for an hour, and its key.
#pragma once

#include <memory>
#include <string>

namespace packice {

// What a C library made and frees.
template <typename T, void (*Free)(T*)>
struct Freer {
  void operator()(T* t) const { Free(t); }
};
template <typename T, void (*Free)(T*)>
using Owned = std::unique_ptr<T, Freer<T, Free>>;

// As PEM files, which it makes.
void MakeCertificate(const std::string& cert_file, const std::string& key_file);

}  // namespace packice
