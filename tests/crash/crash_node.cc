#include "crash_node.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace packice {
namespace {

constexpr char kObject[] = R"({"object_id":")";

std::string ReadAll(int fd) {
  std::string bytes;
  char buffer[64 * 1024];
  off_t at = 0;
  for (ssize_t n; (n = pread(fd, buffer, sizeof(buffer), at)) > 0; at += n) {
    bytes.append(buffer, static_cast<size_t>(n));
  }
  return bytes;
}

// The program under test.
std::string Packice() {
  const char* const binary = std::getenv("PACKICE_BINARY");
  return binary != nullptr ? binary : BesideThisProgram("../../bin/packice");
}

// The text of each object of a list.
std::vector<std::string> ObjectTexts(const std::string& line) {
  std::vector<std::string> texts;
  for (size_t at = line.find(kObject); at != std::string::npos;) {
    const size_t next = line.find(kObject, at + 1);
    texts.push_back(line.substr(at, next - at));
    at = next;
  }
  return texts;
}

Response Page(RawClient& client, const std::string& after) {
  return client.Ask(absl::StrCat(R"({"op":"list","limit":200,"after":")", after, R"("})"));
}

}  // namespace

std::string CrashNode::data() const {
  return disk_ == nullptr ? directory_ / "data" : *disk_ / "data";
}

std::vector<std::string> CrashNode::WithLog(std::vector<std::string> command) const {
  std::vector<std::string> whole = {"/bin/sh", "-c", absl::StrCat("exec \"$@\" 2>>", log()), "sh"};
  whole.insert(whole.end(), command.begin(), command.end());
  return whole;
}

void CrashNode::StartOnly() {
  std::vector<std::string> command = {Packice(),     "serve",
                                      "--data",      data(),
                                      "--socket",    socket(),
                                      "--transport", "uds",
                                      "--port",      "0",
                                      "--transport", "http",
                                      "--impl",      tiered_.empty() ? "fs" : "tiered"};
  if (tiered_.empty()) {
    command.insert(command.end(), {"--capacity", "1G"});
  } else {
    command.insert(command.end(), tiered_.begin(), tiered_.end());
  }
  if (disk_ != nullptr) command = disk_->Command(command);
  process_ = ChildProcess::StartProgram(WithLog(command));
}

bool CrashNode::Start() {
  StartOnly();
  const std::string ready = process_->ReadLine();
  if (!ready.empty()) {
    int port = 0;
    const std::vector<std::string> words = absl::StrSplit(ready, ':');
    EXPECT_TRUE(absl::SimpleAtoi(words.back(), &port)) << ready;
    http_port_ = static_cast<uint16_t>(port);
    return true;
  }
  exit_code_ = process_->Wait();
  process_.reset();
  return false;
}

void CrashNode::Kill() {
  if (process_) process_->Kill();
  process_.reset();
}

int CrashNode::Stop() {
  process_->Signal(SIGTERM);
  const int code = process_->Wait();
  process_.reset();
  return code;
}

std::string CrashNode::Fsck() const {
  const std::string output = directory_ / "fsck";
  ChildProcess fsck =
      ChildProcess::StartProgram({"/bin/sh", "-c", absl::StrCat("exec \"$@\" >", output, " 2>&1"),
                                  "sh", Packice(), "fsck", "--data", data()});
  const int code = fsck.Wait();
  if (code == 0) return "";
  std::ifstream file(output);
  return absl::StrCat("fsck exits with ", code, ": ",
                      std::string(std::istreambuf_iterator<char>(file), {}));
}

std::string CrashNode::Log() const {
  constexpr std::streamoff kMuch = 4096;
  std::ifstream file(log(), std::ios::binary | std::ios::ate);
  file.seekg(std::max<std::streamoff>(0, file.tellg() - kMuch));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string Compare(const Response& grant, const TestObject& object) {
  const std::vector<std::string> paths = grant.Texts("path");
  const size_t count = paths.empty() ? grant.descriptors.size() : paths.size();
  if (count != object.sizes.size()) return absl::StrCat("has ", count, " blobs");
  for (size_t i = 0; i < count; ++i) {
    UniqueFd opened;
    if (!paths.empty()) opened.Reset(open(paths[i].c_str(), O_RDONLY | O_CLOEXEC));
    const int fd = paths.empty() ? grant.descriptors[i].get() : opened.get();
    if (fd < 0) return absl::StrCat("has no file ", paths[i]);
    const std::string bytes = ReadAll(fd);
    if (bytes.size() != object.sizes[i]) {
      return absl::StrCat("has ", bytes.size(), " instead of ", object.sizes[i], " bytes");
    }
    if (bytes != object.Bytes(i)) return "has other bytes";
  }
  return "";
}

std::vector<Sighting> LookAt(RawClient& client, const Ledger& ledger) {
  std::vector<Sighting> sightings;
  std::string after;
  do {
    const Response page = Page(client, after);
    after = page.Text("next");
    for (const std::string& text : ObjectTexts(page.line)) {
      const Response object{text, {}};
      Sighting sighting;
      sighting.id = object.Text("object_id");
      if (!object.Json("v").empty()) sighting.version = static_cast<Version>(object.Number("v"));
      absl::Time expires_at;
      if (absl::ParseTime(absl::RFC3339_full, object.Text("expires_at"), &expires_at, nullptr)) {
        sighting.expires_at = expires_at;
      }
      const absl::optional<TestObject> known = ledger.Find(sighting.version);
      const Response grant = client.Ask(ReadLine(sighting.id));
      if (grant.Kind() != "ok") {
        // It may expire between being listed and being read.
        if (grant.Kind() == "not_found" && sighting.expires_at) continue;
        sighting.complaint = absl::StrCat("cannot be read: ", grant.line);
      } else {
        if (known) sighting.complaint = Compare(grant, *known);
        client.Ask(LeaseLine("release", grant.Text("lease_id")));
      }
      sightings.push_back(std::move(sighting));
    }
  } while (!after.empty());
  return sightings;
}

std::vector<std::string> Listed(RawClient& client) {
  std::vector<std::string> texts;
  std::string after;
  do {
    const Response page = Page(client, after);
    after = page.Text("next");
    for (const std::string& text : ObjectTexts(page.line)) {
      const Response object{text, {}};
      texts.push_back(absl::StrCat(object.Text("object_id"), " ", object.Json("meta"), " ",
                                   object.Json("blobs"), " ", object.Text("created_at"), " ",
                                   object.Text("sealed_at"), " ", object.Text("expires_at")));
    }
  } while (!after.empty());
  return texts;
}

}  // namespace packice
