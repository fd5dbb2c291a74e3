// Any bytes may come over a socket: as a request, or as an answer to one.
//
// Checks besides the sanitizers': what was decoded once is encoded the same for ever, every reply
// is one line that is read back, and the short cut for usual messages agrees with the general
// reader.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "packice/transport/codec.h"

namespace packice {
namespace {

void Check(bool holds, const char* what, absl::string_view text) {
  if (holds) return;
  std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(text.size()), text.data());
  std::abort();
}

std::string Encode(const Request& request) {
  std::string line;
  EncodeRequest(request, line);
  Check(line.find('\n') == line.size() - 1, "a request is one line", line);
  return line;
}

// With a space where JSON allows one, which the short cut for usual messages does not know.
std::string Unusual(absl::string_view text) {
  std::string unusual(text);
  if (!unusual.empty() && unusual[0] == '{') unusual.insert(1, " ");
  return unusual;
}

void FuzzRequest(absl::string_view text) {
  const DecodedRequest once = DecodeRequest(text);
  const DecodedRequest general = DecodeRequest(Unusual(text));
  Check(general.request.ok() == once.request.ok(), "the short cut errs as the general reader",
        text);
  // What a server answers to a request that it cannot read.
  Request asked;
  if (!once.request.ok()) {
    std::string answer;
    EncodeReply(once.request.status(), once.seq, answer);
    const DecodedReply reply = DecodeReply(answer, asked);
    Check(reply.reply.ok() && absl::holds_alternative<absl::Status>(*reply.reply),
          "a failure is an answer to anything", answer);
    Check(reply.seq == once.seq && PeekSeq(answer) == once.seq, "a seq is echoed", answer);
    return;
  }
  Check(once.seq == once.request->seq, "both seqs agree", text);
  const std::string line = Encode(*once.request);
  Check(Encode(*general.request) == line, "the short cut reads what the general reader does", text);
  const DecodedRequest twice = DecodeRequest(absl::string_view(line).substr(0, line.size() - 1));
  Check(twice.request.ok(), "what was encoded can be decoded", line);
  Check(Encode(*twice.request) == line, "decoding and encoding lose nothing", line);
}

std::vector<Request> EveryQuestion() {
  std::vector<Request> questions;
  for (int op = 0; op <= static_cast<int>(Op::kExtension); ++op) {
    Request request;
    request.op = static_cast<Op>(op);
    if (request.op == Op::kBatch) {
      auto batch = std::make_unique<BatchRequest>();
      Request acquire;
      acquire.op = Op::kAcquire;
      batch->requests.emplace_back(std::move(acquire));
      request.body = std::move(batch);
    }
    questions.push_back(std::move(request));
  }
  return questions;
}

void FuzzReply(absl::string_view text) {
  static const std::vector<Request>& questions = *new std::vector<Request>(EveryQuestion());
  for (const Request& asked : questions) {
    const DecodedReply once = DecodeReply(text, asked);
    const DecodedReply general = DecodeReply(Unusual(text), asked);
    Check(general.reply.ok() == once.reply.ok(), "the short cut errs as the general reader", text);
    if (!once.reply.ok()) continue;
    std::string line;
    EncodeReply(*once.reply, once.seq, line);
    std::string same;
    EncodeReply(*general.reply, general.seq, same);
    Check(same == line, "the short cut reads what the general reader does", text);
    Check(line.find('\n') == line.size() - 1, "a reply is one line", line);
    const DecodedReply twice = DecodeReply(line, asked);
    Check(twice.reply.ok() && twice.seq == once.seq, "what was encoded can be decoded", line);
    std::string again;
    EncodeReply(*twice.reply, twice.seq, again);
    Check(again == line, "decoding and encoding lose nothing", line);
  }
}

}  // namespace
}  // namespace packice

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  packice::FuzzRequest(text);
  packice::FuzzReply(text);
  packice::PeekSeq(text);
  if (const auto metadata = packice::ParseMetadata(text); metadata.ok()) {
    const std::string json = packice::FormatMetadata(*metadata);
    packice::Check(packice::ParseMetadata(json) == metadata, "metadata is read back", json);
  }
  return 0;
}
