#include "cli/swarm_spec.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/text.h"
#include "packice/core/error.h"

namespace packice::cli {
namespace {

absl::Status Invalid(absl::string_view message) {
  return MakeError(ErrorKind::kInvalidArgument, message);
}

bool IsLoopback(absl::string_view host) {
  return host == "localhost" || host == "::1" || absl::StartsWith(host, "127.");
}

// Every address of the host: nothing that others could dial.
bool IsAny(absl::string_view host) { return host == "0.0.0.0" || host == "::"; }

std::string Join(absl::string_view host, absl::string_view port) {
  return absl::StrContains(host, ":") ? absl::StrCat("[", host, "]:", port)
                                      : absl::StrCat(host, ":", port);
}

absl::string_view PortOf(absl::string_view address) {
  return address.substr(address.rfind(':') + 1);
}

absl::Status CheckListener(const SwarmSpec& spec, const std::string& listen,
                           const std::string& advertise, absl::string_view flag,
                           absl::string_view advertise_flag) {
  const absl::StatusOr<std::string> host = HostOf(listen, flag);
  if (!host.ok()) return host.status();
  if (IsAny(*host) && advertise.empty()) {
    return Invalid(absl::StrCat(flag, " ", listen, " is nothing that others could dial; add ",
                                advertise_flag, " HOST:PORT"));
  }
  if (!IsLoopback(*host) && spec.token_file.empty() && !spec.has_tls() && !spec.insecure) {
    return Invalid(absl::StrCat("whoever reaches ", listen,
                                " could read every object: give the fleet a token "
                                "(--p2p-token-file) or certificates (--p2p-tls-cert), or say "
                                "--p2p-insecure"));
  }
  if (advertise.empty()) return absl::OkStatus();
  return HostOf(advertise, advertise_flag).status();
}

absl::Status CheckTls(const SwarmSpec& spec) {
  const bool all = !spec.tls_cert.empty() && !spec.tls_key.empty() && !spec.tls_ca.empty();
  const bool none = spec.tls_cert.empty() && spec.tls_key.empty() && spec.tls_ca.empty();
  if (all || none) return absl::OkStatus();
  return Invalid(
      "nodes prove to each other who they are: give all of --p2p-tls-cert, --p2p-tls-key and "
      "--p2p-tls-ca");
}

absl::Status CheckOrigin(SwarmSpec& spec) {
  const bool credentials = !spec.origin.token_file.empty() || !spec.origin.ca_file.empty();
  if (spec.origin.address.empty()) {
    return credentials ? Invalid("--origin-token-file and --origin-ca are for an --origin")
                       : absl::OkStatus();
  }
  std::string& address = spec.origin.address;
  if (absl::StartsWith(address, "web+")) {
    address.erase(0, 4);
    spec.origin_kind = "web";
  }
  if (absl::StartsWith(address, "http://") || absl::StartsWith(address, "https://")) {
    return absl::OkStatus();
  }
  return Invalid(absl::StrCat("--origin ", Printable(address),
                              ": neither http://... nor https://..., of a node or, as "
                              "web+http://..., of any web server"));
}

// Gossip listens beside the pieces where nothing else is said.
void PlaceGossip(SwarmSpec& spec, const std::string& host) {
  if (spec.gossip_listen.empty() && !spec.join.empty()) spec.gossip_listen = Join(host, "0");
  const absl::string_view port = PortOf(spec.gossip_listen);
  if (spec.gossip_listen.empty() || !spec.gossip_advertise.empty() || spec.advertise.empty() ||
      port == "0") {
    return;
  }
  const absl::StatusOr<std::string> advertised = HostOf(spec.advertise, "--p2p-advertise");
  if (advertised.ok()) spec.gossip_advertise = Join(*advertised, port);
}

}  // namespace

absl::StatusOr<std::string> HostOf(absl::string_view address, absl::string_view flag) {
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon != absl::string_view::npos && colon > 0 &&
      absl::SimpleAtoi(address.substr(colon + 1), &port) && port >= 0 && port <= 65535) {
    absl::string_view host = address.substr(0, colon);
    const bool bracketed = absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
    if (!host.empty() && bracketed == absl::StrContains(host, ":")) return std::string(host);
  }
  return Invalid(absl::StrCat(flag, " ", Printable(address),
                              ": not HOST:PORT, as in 10.0.0.1:7701 or [::1]:7701"));
}

absl::StatusOr<absl::optional<SwarmSpec>> CompleteSwarm(SwarmSpec spec) {
  if (spec.listen.empty() && !spec.has_directory()) {
    if (spec.origin.address.empty()) return absl::optional<SwarmSpec>();
    return Invalid("--origin is where a swarm's objects come from; add --p2p-listen HOST:PORT");
  }
  if (!spec.has_directory()) {
    return Invalid(
        "a node of a swarm learns from somebody who holds what: add --tracker HOST:PORT, or "
        "--gossip-listen HOST:PORT and --join HOST:PORT");
  }
  if (spec.listen.empty()) spec.listen = "127.0.0.1:0";
  const absl::StatusOr<std::string> host = HostOf(spec.listen, "--p2p-listen");
  if (!host.ok()) return host.status();
  PlaceGossip(spec, *host);
  absl::Status status = CheckTls(spec);
  status.Update(
      CheckListener(spec, spec.listen, spec.advertise, "--p2p-listen", "--p2p-advertise"));
  if (!spec.gossip_listen.empty()) {
    status.Update(CheckListener(spec, spec.gossip_listen, spec.gossip_advertise, "--gossip-listen",
                                "--gossip-advertise"));
  }
  for (const std::string& tracker : spec.trackers) {
    status.Update(HostOf(tracker, "--tracker").status());
  }
  for (const std::string& member : spec.join) status.Update(HostOf(member, "--join").status());
  status.Update(CheckOrigin(spec));
  if (!status.ok()) return status;
  return absl::make_optional(std::move(spec));
}

}  // namespace packice::cli
