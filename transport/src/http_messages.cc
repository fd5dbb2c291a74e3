#include "http_messages.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "codec_json.h"
#include "http_address.h"
#include "packice/core/error.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

std::string ListTarget(const ListRequest& list) {
  std::string target = absl::StrCat("/objects?limit=", list.limit);
  if (!list.prefix.empty()) absl::StrAppend(&target, "&prefix=", PercentEncode(list.prefix));
  if (!list.after.empty()) absl::StrAppend(&target, "&after=", PercentEncode(list.after));
  return target;
}

bool IsDigest(absl::string_view text) {
  return text.size() == 2 * Digest().size() && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isxdigit(static_cast<unsigned char>(c));
         });
}

bool IsSuccess(unsigned status) { return status >= 200 && status < 300; }

// Of an answer that does not say it in the protocol's words: from a proxy, or from no node at all.
ErrorKind KindOfStatus(unsigned status) {
  switch (status) {
    case 401:
    case 403:
    case 407:
      return ErrorKind::kPermissionDenied;
    case 408:
    case 504:
      return ErrorKind::kTimeout;
    case 413:
    case 414:
    case 431:
      return ErrorKind::kInvalidArgument;
    case 500:
      return ErrorKind::kInternal;
    default:
      // What is well and does not know a node's resources is no node.
      return status >= 500 ? ErrorKind::kUnavailable : ErrorKind::kUnsupported;
  }
}

}  // namespace

HttpMessage ToHttp(const Request& request) {
  HttpMessage message;
  message.method = "GET";
  switch (request.op) {
    case Op::kHello:
      message.target = "/version";
      return message;
    case Op::kStat: {
      const ObjectId& id = absl::get<StatRequest>(request.body).object_id;
      message.target = absl::StrCat("/objects/", PercentEncode(id.bytes()));
      return message;
    }
    case Op::kList:
      message.target = ListTarget(absl::get<ListRequest>(request.body));
      return message;
    case Op::kStats:
      message.target = "/stats";
      return message;
    case Op::kExtension:
      message.method = "POST";
      message.target = absl::StrCat("/ops/", absl::get<ExtensionRequest>(request.body).op);
      EncodeRequest(request, message.body);
      return message;
    default:
      message.method = "POST";
      message.target = absl::StrCat("/", OpName(request.op));
      EncodeRequest(request, message.body);
      return message;
  }
}

absl::Status FailureFromHttp(unsigned status, absl::string_view body) {
  DecodedReply decoded = DecodeReply(absl::StripAsciiWhitespace(body), Request());
  if (decoded.reply.ok()) {
    if (auto* failure = absl::get_if<absl::Status>(&*decoded.reply)) return *failure;
  }
  return MakeError(KindOfStatus(status),
                   absl::StrCat("the answer has status ", status, " and is no node's"));
}

absl::StatusOr<Reply> FromHttp(unsigned status, absl::string_view body, const Request& asked) {
  if (!IsSuccess(status)) return Reply(FailureFromHttp(status, body));
  DecodedReply decoded = DecodeReply(absl::StripAsciiWhitespace(body), asked);
  return std::move(decoded.reply);
}

absl::StatusOr<PieceSums> ReadSums(absl::string_view body) {
  const absl::Status malformed =
      MakeError(ErrorKind::kCorrupt, "the node's answer has no sums in it");
  json::Document document;
  if (!document.Parse(body, /*max_depth=*/4)) return malformed;
  if (document.root()->type != json::Type::kObject) return malformed;
  const json::Node* list = nullptr;
  absl::string_view piece_bytes;
  absl::string_view algorithm;
  json::ForEachMember(*document.root(), [&](absl::string_view key, const json::Node& value) {
    if (key == "pieces" && value.type == json::Type::kList) list = &value;
    if (key == "piece_bytes" && value.type == json::Type::kNumber) piece_bytes = value.text();
    if (key == "algorithm" && value.type == json::Type::kString) algorithm = value.text();
  });
  if (list == nullptr) return malformed;
  if (algorithm != "xxh3-128" || piece_bytes != absl::StrCat(PieceSums::kPieceBytes)) {
    return MakeError(ErrorKind::kUnsupported,
                     absl::StrCat("the node keeps sums of another kind: ", algorithm, " of each ",
                                  piece_bytes, " bytes"));
  }
  PieceSums sums;
  for (const json::Node* entry = list->begin(); entry != list->end(); entry = entry->next()) {
    if (entry->type != json::Type::kString || !IsDigest(entry->text())) return malformed;
    const std::string bytes = absl::HexStringToBytes(entry->text());
    std::copy(bytes.begin(), bytes.end(), sums.pieces.emplace_back().begin());
  }
  return sums;
}

bool IsRepeatable(const Request& request) {
  switch (request.op) {
    case Op::kAcquire:
      // A lease too many ends with its TTL; for as long, a second creator would find the first.
      return absl::get<AcquireRequest>(request.body).access == Access::kRead;
    case Op::kSeal:
    case Op::kDiscard:
    case Op::kRelocate:
    case Op::kExtension:  // nobody here knows what it does
      return false;
    case Op::kBatch: {
      const auto& batch = absl::get<std::unique_ptr<BatchRequest>>(request.body);
      return std::all_of(batch->requests.begin(), batch->requests.end(),
                         [](const auto& part) { return !part.ok() || IsRepeatable(*part); });
    }
    default:
      return true;
  }
}

}  // namespace packice
