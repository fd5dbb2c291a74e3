// A scripted server that answers as a node with one object does, but where a test says otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/types/optional.h"
#include "packice/core/mutex.h"
#include "packice/core/piece_sums.h"
#include "scripted_http_server.h"

namespace packice {

inline constexpr char kScriptedLease[] = "0123456789abcdef0123456789abcdef";

// A stand-in for a real hash: the sum of the bytes, and their number.
inline Digest ScriptedHash(absl::string_view bytes) {
  Digest digest = {};
  uint64_t sum = bytes.size();
  for (const char c : bytes) sum = sum * 31 + static_cast<unsigned char>(c);
  for (size_t i = 0; i < 8; ++i) digest[i] = static_cast<uint8_t>(sum >> (8 * i));
  return digest;
}

class ScriptedNode {
 public:
  using Request = ScriptedRequest;
  using Response = ScriptedResponse;
  // Answers in the place of the node; nothing: the node does.
  using Instead = std::function<absl::optional<Response>(const Request&)>;

  explicit ScriptedNode(std::string bytes = "", uint16_t port = 0)
      : bytes_(std::move(bytes)),
        server_([this](const Request& request) { return Answer(request); }, port) {}

  ScriptedHttpServer& server() { return server_; }
  std::string bytes() const {
    MutexLock lock(mutex_);
    return bytes_;
  }

  void Script(Instead instead) {
    MutexLock lock(mutex_);
    instead_ = std::move(instead);
  }
  // What acquires answer as the handle; by default bytes are streamed.
  void SetHandle(std::string handle) {
    MutexLock lock(mutex_);
    handle_ = std::move(handle);
  }

  static Response Json(std::string body, int status = 200) {
    Response response;
    response.status = status;
    response.headers = "Content-Type: application/json\r\n";
    response.body = std::move(body);
    return response;
  }
  static Response Failure(int status, absl::string_view kind) {
    return Json(absl::StrCat(R"({"error":{"kind":")", kind, R"(","message":"scripted"}})"), status);
  }
  static std::string Blob() { return absl::StrCat("/leases/", kScriptedLease, "/blobs/0"); }

  // The bytes of a GET with Range, as a good node answers.
  Response Range(const Request& request) const {
    MutexLock lock(mutex_);
    uint64_t first = 0, last = 0;
    if (!ParseRange(request.Header("range"), "bytes=", first, last)) return Failure(416, "io");
    Response response;
    response.status = 206;
    response.body = bytes_.substr(first, last - first + 1);
    response.headers =
        absl::StrCat("Content-Range: bytes ", first, "-", last, "/", bytes_.size(), "\r\n");
    return response;
  }
  Response Sums() const {
    MutexLock lock(mutex_);
    std::vector<std::string> sums;
    for (size_t at = 0; at < bytes_.size(); at += PieceSums::kPieceBytes) {
      const Digest digest =
          ScriptedHash(absl::string_view(bytes_).substr(at, PieceSums::kPieceBytes));
      sums.push_back(absl::StrCat("\"",
                                  absl::BytesToHexString(absl::string_view(
                                      reinterpret_cast<const char*>(digest.data()), digest.size())),
                                  "\""));
    }
    return Json(absl::StrCat(R"({"algorithm":"xxh3-128","piece_bytes":1048576,"pieces":[)",
                             absl::StrJoin(sums, ","), "]}"));
  }

 private:
  static bool ParseRange(const std::string& text, const std::string& prefix, uint64_t& first,
                         uint64_t& last) {
    if (text.compare(0, prefix.size(), prefix) != 0) return false;
    const std::pair<std::string, std::string> ends =
        absl::StrSplit(text.substr(prefix.size()), absl::MaxSplits('-', 1));
    return absl::SimpleAtoi(ends.first, &first) && absl::SimpleAtoi(ends.second, &last);
  }

  Response Answer(const Request& request) {
    Instead instead;
    {
      MutexLock lock(mutex_);
      instead = instead_;
    }
    if (instead) {
      if (absl::optional<Response> response = instead(request)) return *std::move(response);
    }
    if (request.target == "/version") {
      return Json(R"({"packice":"scripted","protocol":2,"features":["batch"]})");
    }
    if (request.target == Blob() && request.method == "GET") return Range(request);
    if (request.target == Blob() && request.method == "PUT") return Put(request);
    if (request.target == Blob() + "/sums") return Failure(501, "unsupported");
    if (request.target == "/acquire") return Grant(request.body);
    if (request.target == "/release") return Json(R"({"status":"released"})");
    if (request.target == "/renew") return Json(R"({"status":"renewed","ttl_seconds":60})");
    if (request.target == "/seal") {
      return Json(R"({"status":"sealed","object_id":"a","size":0})");
    }
    if (request.target == "/discard") return Json(R"({"status":"discarded"})");
    if (request.target == "/stats") return Json(R"({"objects":1})");
    return Failure(404, "not_found");
  }

  Response Grant(const std::string& body) const {
    MutexLock lock(mutex_);
    const bool create = body.find("\"create\"") != std::string::npos;
    const std::string handle = !handle_.empty() ? handle_
                                                : absl::StrCat(R"({"kind":"http","url":")", Blob(),
                                                               R"(","size":)", bytes_.size(), "}");
    return Json(absl::StrCat(
        R"({"lease_id":")", kScriptedLease, R"(","object_id":"a","intent":")",
        create ? "create" : "read", R"(","state":")", create ? "CREATING" : "SEALED",
        R"(","ttl_seconds":60,"meta":{},"size":)", bytes_.size(), R"(,"handles":[)", handle, "]}"));
  }

  Response Put(const Request& request) {
    MutexLock lock(mutex_);
    std::string range = request.Header("content-range");
    uint64_t first = 0, last = 0;
    range = range.substr(0, range.find('/'));
    if (!ParseRange(range, "bytes ", first, last) || last - first + 1 != request.body.size()) {
      return Failure(400, "invalid_argument");
    }
    if (bytes_.size() <= last) bytes_.resize(last + 1);
    bytes_.replace(first, request.body.size(), request.body);
    return Json(R"({"status":"written"})");
  }

  mutable Mutex mutex_;
  std::string bytes_ ABSL_GUARDED_BY(mutex_);
  std::string handle_ ABSL_GUARDED_BY(mutex_);
  Instead instead_ ABSL_GUARDED_BY(mutex_);
  ScriptedHttpServer server_;  // last: its threads use the above
};

}  // namespace packice
