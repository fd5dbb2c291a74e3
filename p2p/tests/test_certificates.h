// Certificates for tests of TLS: an authority, and what it signed for this host.
#pragma once

#include <string>

#include "packice/p2p/tracker_server.h"

namespace packice {

// Writes PEM files named after `name` into `directory`: an authority of its own, and a certificate
// with its key that is good for 127.0.0.1 and localhost, for servers and clients.
GrpcTls MakeCertificates(const std::string& directory, const std::string& name);

}  // namespace packice
