// A self-signed certificate for "localhost" that is good for an hour, and its key.
#pragma once

#include <string>

namespace packice {

// As PEM files, which it makes.
void MakeCertificate(const std::string& cert_file, const std::string& key_file);

}  // namespace packice
