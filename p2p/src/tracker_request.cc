#include "tracker_request.h"

#include <cmath>
#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "packice/core/error.h"
#include "packice/core/object_id.h"
#include "packice/p2p/directory.h"

namespace packice {
namespace {

constexpr size_t kMaxAddress = 255;
constexpr size_t kMaxZone = 64;

absl::Status Invalid(absl::string_view what) {
  return MakeError(ErrorKind::kInvalidArgument, what);
}

bool IsId(absl::string_view bytes) { return !bytes.empty() && bytes.size() <= ObjectId::kMaxBytes; }

absl::Status CheckId(absl::string_view bytes) {
  if (IsId(bytes)) return absl::OkStatus();
  return Invalid(absl::StrCat("an object id has 1 to 255 bytes, this one has ", bytes.size()));
}

absl::Status CheckAddress(absl::string_view address) {
  const bool fits = address.size() <= kMaxAddress &&
                    absl::c_all_of(address, [](char c) { return absl::ascii_isgraph(c); });
  return fits ? absl::OkStatus() : Invalid("an address is up to 255 printable characters");
}

absl::Status CheckZone(absl::string_view zone) {
  return zone.size() <= kMaxZone ? absl::OkStatus() : Invalid("a zone is up to 64 bytes");
}

bool IsDigest(absl::string_view encoded) {
  return !encoded.empty() && ContentDigest::Decode(encoded).ok();
}

absl::Status CheckNode(const tracker::v1::Node& node) {
  if (node.address().empty()) return Invalid("who announces has an address");
  if (absl::Status status = CheckAddress(node.address()); !status.ok()) return status;
  if (!(node.load() >= 0 && node.load() <= 1)) return Invalid("a load is 0 to 1");
  return CheckZone(node.zone());
}

absl::Status CheckHolding(const tracker::v1::Holding& holding) {
  if (!IsId(holding.object_id())) return CheckId(holding.object_id());
  if (!IsDigest(holding.digest())) return Invalid("a holding has the digest of its content");
  if (holding.pieces_held() > holding.pieces()) return Invalid("more pieces held than there are");
  return absl::OkStatus();
}

}  // namespace

absl::Status Check(const tracker::v1::AnnounceRequest& request) {
  if (absl::Status status = CheckNode(request.node()); !status.ok()) return status;
  if (request.sequence() == 0) return Invalid("announces are counted from 1");
  for (const tracker::v1::Holding& holding : request.holdings()) {
    if (absl::Status status = CheckHolding(holding); !status.ok()) return status;
  }
  for (const std::string& id : request.withdrawn()) {
    if (absl::Status status = CheckId(id); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Check(const tracker::v1::WithdrawRequest& request) {
  for (const std::string& id : request.object_ids()) {
    if (absl::Status status = CheckId(id); !status.ok()) return status;
  }
  return CheckAddress(request.address());
}

absl::Status Check(const tracker::v1::LocateRequest& request) {
  if (absl::Status status = CheckId(request.object_id()); !status.ok()) return status;
  if (absl::Status status = CheckZone(request.zone()); !status.ok()) return status;
  if (request.max() > LocateRequest::kLimit) return Invalid("at most 256 holders are told");
  return CheckAddress(request.address());
}

absl::Status Check(const tracker::v1::ReportRequest& request) {
  if (absl::Status status = CheckId(request.object_id()); !status.ok()) return status;
  if (absl::Status status = CheckAddress(request.address()); !status.ok()) return status;
  return CheckAddress(request.holder());
}

absl::Status Check(const tracker::v1::WatchRequest& request) {
  if (request.prefix().size() <= ObjectId::kMaxBytes &&
      request.after().size() <= ObjectId::kMaxBytes) {
    return absl::OkStatus();
  }
  return Invalid("a prefix is no longer than an id");
}

}  // namespace packice
