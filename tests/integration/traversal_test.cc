// Ids that look like paths are ids like others, on every endpoint, and so are lease ids that look
// like paths no leases. Whatever a client asks for, a node makes, reads and changes nothing outside
// its data directory; and it makes none in a place that is not its own.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "http_node_test.h"

namespace packice {
namespace {

using testing::AnyOf;
using testing::IsEmpty;
using testing::StartsWith;

// A file as it would be seen by who is not to have touched it. Times of reading are left out: not
// every file system keeps them.
std::string Look(const std::filesystem::path& path) {
  struct stat info = {};
  if (lstat(path.c_str(), &info) != 0) return "gone";
  std::string look = absl::StrCat(absl::Hex(info.st_mode), " ", info.st_uid, " ", info.st_size, " ",
                                  info.st_ino, " ", info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec);
  if (S_ISLNK(info.st_mode))
    absl::StrAppend(&look, " ", std::filesystem::read_symlink(path).string());
  if (S_ISREG(info.st_mode)) {
    std::ifstream file(path);
    absl::StrAppend(&look, "\n", std::string(std::istreambuf_iterator<char>(file), {}));
  }
  return look;
}

// All that is in a directory.
std::map<std::string, std::string> LookAround(const std::string& directory) {
  std::map<std::string, std::string> all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    all[entry.path().string()] = Look(entry.path());
  }
  return all;
}

std::string Escaped(absl::string_view id) {
  std::string path;
  for (const char c : id) {
    absl::StrAppend(&path, "%", absl::BytesToHexString(absl::string_view(&c, 1)));
  }
  return path;
}

std::string Quoted(absl::string_view id) {
  std::string json = "\"";
  for (const char c : id) {
    if (c == '"' || c == '\\') json.push_back('\\');
    if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(&json, "\\u00", absl::BytesToHexString(absl::string_view(&c, 1)));
    } else {
      json.push_back(c);
    }
  }
  return json + "\"";
}

enum class Medium { kMemory, kFiles };
void PrintTo(Medium medium, std::ostream* os) {
  *os << (medium == Medium::kMemory ? "Memory" : "Files");
}

// The node's socket and data directory are in a room of their own, in a house with other things.
class Traversal : public HttpNodeTest, public testing::WithParamInterface<Medium> {
 protected:
  static constexpr char kSecret[] = "the secret";

  void SetUp() override {
    ASSERT_TRUE(std::filesystem::create_directories(house_ / "room/data/objects"));
    std::filesystem::remove(house_ / "room/data/objects");
    std::ofstream(house_ / "secret") << kSecret;
    std::ofstream(house_ / "room/secret") << kSecret;
    std::filesystem::create_symlink("secret", house_ / "link");
    std::filesystem::create_directory(house_ / "objects");
    around_ = LookAroundData();
    passwd_ = Look("/etc/passwd");
    NodeFlags flags;
    if (GetParam() == Medium::kFiles) flags.data = data();
    StartHttpNode(flags);
  }

  void TearDown() override {
    HttpNodeTest::TearDown();
    EXPECT_EQ(LookAroundData(), around_);
    EXPECT_EQ(Look("/etc/passwd"), passwd_);
  }

  std::string data() const { return house_ / "room/data"; }
  // All but the data directory itself, whose own times may change.
  std::map<std::string, std::string> LookAroundData() const {
    std::map<std::string, std::string> all = LookAround(house_.path());
    for (auto it = all.begin(); it != all.end();) {
      it = absl::StartsWith(it->first, data()) ? all.erase(it) : std::next(it);
    }
    return all;
  }
  std::vector<std::string> Objects() const {
    std::vector<std::string> names;
    if (GetParam() == Medium::kMemory) return names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data())) {
      const std::string name = entry.path().string().substr(data().size() + 1);
      if (absl::StartsWith(name, "objects/") || absl::StartsWith(name, "attachments/")) {
        if (!entry.is_directory()) names.push_back(name);
      } else {
        EXPECT_THAT(name, AnyOf("packice.format", "lock", "catalog.sqlite", "catalog.sqlite-wal",
                                "catalog.sqlite-shm", "attachments", "objects", "quarantine"));
      }
    }
    return names;
  }

  // Every way from an id's creation to its end.
  void UseAsId(const std::string& id) {
    SCOPED_TRACE(absl::CHexEscape(id));
    const std::string object = absl::StrCat(" /objects/", Escaped(id));
    EXPECT_EQ(AskHttp("GET" + object).Outcome(), "404 not_found");
    EXPECT_EQ(AskHttp("GET" + object + "/data").Outcome(), "404 not_found");
    EXPECT_EQ(AskHttp("DELETE" + object).Outcome(), "404 not_found");
    ASSERT_EQ(AskHttp("PUT" + object, "bytes").status, 201);
    for (const std::string& name : Objects()) EXPECT_TRUE(IsNumbered(name)) << name;
    EXPECT_EQ(AskHttp("PUT" + object, "other").Outcome(), "409 already_exists");
    EXPECT_EQ(AskHttp("GET" + object).Json().Number("size"), 5);
    EXPECT_EQ(AskHttp("GET" + object + "/data").body, "bytes");
    const HttpReply listed = AskHttp(absl::StrCat("GET /objects?prefix=", Escaped(id)));
    EXPECT_EQ(listed.Json().Texts("object_id").size(), 1u) << listed.body;

    const HttpReply read =
        AskHttp("POST /acquire", absl::StrCat(R"({"intent":"read","object_id":)", Quoted(id), "}"));
    EXPECT_EQ(read.status, 200) << read.body;
    EXPECT_EQ(read.Json().Json("object_id"), listed.Json().Json("object_id"));
    if (GetParam() == Medium::kFiles) {
      EXPECT_TRUE(IsNumbered(std::string(absl::StripPrefix(
          read.Json().Text("path"), std::filesystem::canonical(data()).string() + "/"))))
          << read.body;
    }
    Release(read.Json().Text("lease_id"));
    Move(id, "elsewhere");
    Move("elsewhere", id);
    EXPECT_EQ(AskHttp("DELETE" + object).status, 200);
    EXPECT_EQ(AskHttp("GET" + object).Outcome(), "404 not_found");

    // With a lease and in the way of older clients.
    const HttpReply created =
        AskHttp("POST /acquire",
                absl::StrCat(R"({"intent":"create","objid":)", Quoted(id), R"(,"size":5})"));
    EXPECT_EQ(created.status, 200) << created.body;
    for (const std::string& name : Objects()) EXPECT_TRUE(IsNumbered(name)) << name;
    const std::string lease = created.Json().Text("lease_id");
    EXPECT_EQ(AskHttp(absl::StrCat("PUT /leases/", lease, "/blobs/0"), "12345").status, 200);
    Release(lease);
    EXPECT_THAT(Eventually([&] { return Objects().empty(); }), true);
  }

  void Move(const std::string& from, const std::string& to) {
    const HttpReply lease = AskHttp(
        "POST /acquire", absl::StrCat(R"({"intent":"write","object_id":)", Quoted(from), "}"));
    EXPECT_EQ(lease.status, 200) << lease.body;
    const HttpReply moved =
        AskHttp("POST /relocate", absl::StrCat(R"({"lease_id":")", lease.Json().Text("lease_id"),
                                               R"(","object_id":)", Quoted(to), "}"));
    EXPECT_EQ(moved.status, 200) << moved.body;
    Release(lease.Json().Text("lease_id"));
    for (const std::string& name : Objects()) EXPECT_TRUE(IsNumbered(name)) << name;
  }
  void Release(const std::string& lease) {
    EXPECT_EQ(AskHttp("POST /release", absl::StrCat(R"({"lease_id":")", lease, "\"}")).status, 200);
  }

  // "objects/a7/000001000000002a", "attachments/000001000000002a": nothing of an id's bytes.
  static bool IsNumbered(absl::string_view name) {
    if (absl::ConsumePrefix(&name, "objects/")) {
      if (name.size() < 4 || !absl::ascii_isxdigit(name[0]) || !absl::ascii_isxdigit(name[1]) ||
          name[2] != '/') {
        return false;
      }
      name.remove_prefix(3);
    } else if (!absl::ConsumePrefix(&name, "attachments/")) {
      return false;
    }
    return name.size() == 16 && std::all_of(name.begin(), name.end(), absl::ascii_isxdigit);
  }

  TemporaryDirectory house_;
  std::map<std::string, std::string> around_;
  std::string passwd_;
};

TEST_P(Traversal, IdsThatLookLikePaths) {
  std::string slashes(255, '/');
  std::string up;
  while (up.size() + 3 <= 250) up += "../";
  for (const std::string& id : {std::string("../../etc/passwd"),
                                std::string("../../../../../../../../etc/passwd"),
                                std::string("/etc/passwd"),
                                std::string("//etc//passwd"),
                                std::string("a/../../b"),
                                std::string("."),
                                std::string(".."),
                                std::string("./"),
                                std::string("../"),
                                std::string("/"),
                                std::string("//"),
                                slashes,
                                up,
                                up + "etc",
                                std::string("..\\..\\etc\\passwd"),
                                std::string("C:\\boot.ini"),
                                std::string("\\\\host\\share"),
                                std::string("..%2f..%2fetc%2fpasswd"),
                                std::string("%2e%2e/"),
                                std::string("%252e%252e%252f"),
                                std::string("a\0b", 3),
                                std::string("\0", 1),
                                std::string("../secret\0.txt", 14),
                                std::string("..\n../secret"),
                                std::string("~/.ssh/id"),
                                std::string("$HOME"),
                                std::string("file:///etc/passwd"),
                                std::string("/proc/self/environ"),
                                std::string("/dev/stdin"),
                                std::string("../secret"),
                                std::string("../../secret"),
                                std::string("../room/secret"),
                                house_ / "secret",
                                house_ / "room/secret",
                                house_ / "link",
                                std::string("../link"),
                                data(),
                                data() + "/catalog.sqlite",
                                std::string("catalog.sqlite"),
                                std::string("../catalog.sqlite"),
                                std::string("packice.format"),
                                std::string("../lock"),
                                std::string("objects/00"),
                                std::string("quarantine"),
                                std::string("..data"),
                                std::string("-rf"),
                                std::string("*"),
                                std::string("a/data"),
                                std::string("/data"),
                                std::string("data/../data"),
                                std::string("'; drop table objects; --"),
                                std::string("a' or '1'='1"),
                                std::string("％2e％2e／"),
                                std::string("‥/‥")}) {
    UseAsId(id);
  }
}

// As they stand in the target: nothing in it is resolved, neither by the dots nor by the slashes.
TEST_P(Traversal, TargetsThatLookLikePaths) {
  for (const char* target :
       {"/objects/../../etc/passwd", "/objects/..%2f..%2fetc%2fpasswd", "/objects/%2e%2e/%2e%2e",
        "/objects//etc/passwd", "/objects/%2fetc%2fpasswd", "/objects/./a", "/objects/a/../../b",
        "/objects/..;/a", "/objects/..%5c..%5csecret", "/objects/../secret/data",
        "/objects/..%2fsecret/data", "/objects/%00", "/objects/a%00.txt",
        "http://x/objects/../../etc/passwd", "/objects/%252e%252e%252fsecret"}) {
    EXPECT_EQ(AskHttp(absl::StrCat("GET ", target)).Outcome(), "404 not_found") << target;
  }
  for (const char* target :
       {"/../../etc/passwd", "/../secret", "/..%2fsecret", "/%2e%2e/secret", "//etc/passwd",
        "/etc/passwd", "/leases/../../etc/passwd", "/openapi.json/../secret", "/./openapi.json",
        "/metrics/../../secret", "file:///etc/passwd", "../secret", "/\\..\\secret"}) {
    EXPECT_EQ(AskHttp(absl::StrCat("GET ", target)).Outcome(), "404 not_found") << target;
    EXPECT_EQ(AskHttp(absl::StrCat("PUT ", target), "x").Outcome(), "404 not_found") << target;
  }
}

TEST_P(Traversal, LeaseIdsAndRangesThatLookLikePaths) {
  ASSERT_EQ(AskHttp("PUT /objects/a", "bytes").status, 201);
  for (const std::string& lease :
       {std::string("../../etc/passwd"), std::string("/etc/passwd"), std::string(".."),
        std::string("a\0b", 3), house_ / "secret", std::string(255, '/'), std::string("%2e%2e"),
        std::string("..\\..")}) {
    for (const char* op : {"seal", "discard", "renew", "relocate"}) {
      const HttpReply reply = AskHttp(
          absl::StrCat("POST /", op),
          absl::StrCat(R"({"ttl_seconds":1,"object_id":"b","lease_id":)", Quoted(lease), "}"));
      EXPECT_EQ(reply.Outcome(), "410 lease_expired") << op << " " << absl::CHexEscape(lease);
    }
    const std::string blob = absl::StrCat(" /leases/", Escaped(lease), "/blobs/0");
    EXPECT_EQ(AskHttp("GET" + blob).Outcome(), "410 lease_expired");
    EXPECT_EQ(AskHttp("GET" + blob + "/sums").Outcome(), "410 lease_expired");
    EXPECT_EQ(AskHttp("PUT" + blob, "x").Outcome(), "410 lease_expired");
  }
  for (const char* range : {"bytes=../../etc/passwd", "../../etc/passwd", "bytes=/etc/passwd-",
                            "bytes=0-..", "bytes=..-1"}) {
    HttpClient client = ConnectHttp();
    const HttpReply reply =
        client.Ask("GET /objects/a/data", "", absl::StrCat("Range: ", range, "\r\n"));
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "bytes");
  }
}

TEST_P(Traversal, PrefixesThatLookLikePaths) {
  for (const char* prefix : {"..%2f", "/", "%2fetc%2f", "..", "%2e%2e%2f..", "%00", "%ff", "*",
                             "%25", "a'%20or%20'1'='1"}) {
    const HttpReply list = AskHttp(absl::StrCat("GET /objects?prefix=", prefix));
    EXPECT_EQ(list.status, 200) << prefix;
    EXPECT_THAT(list.Json().Texts("object_id"), IsEmpty()) << prefix;
    EXPECT_EQ(AskHttp(absl::StrCat("GET /objects?after=", prefix)).status, 200);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Traversal, testing::Values(Medium::kMemory, Medium::kFiles),
                         testing::PrintToStringParamName());

// ---- Where a node may live ----

class Premises : public NodeTest {
 protected:
  // What comes of a node that is told to live there.
  std::string OutcomeIn(const std::string& data) const {
    NodeFlags flags;
    flags.path = path();
    flags.data = data;
    return NodeProcess(flags).outcome();
  }

  TemporaryDirectory house_;
};

TEST_F(Premises, ThatAreNotItsOwnAreLeftAlone) {
  std::ofstream(house_ / "file") << "precious";
  std::filesystem::create_directory(house_ / "foreign");
  std::ofstream(house_ / "foreign/file") << "precious";
  std::filesystem::create_directories(house_ / "alike/objects/00");
  std::ofstream(house_ / "alike/objects/00/1") << "precious";
  std::filesystem::create_directory(house_ / "hidden");
  std::ofstream(house_ / "hidden/.profile") << "precious";
  std::filesystem::create_symlink("file", house_ / "link to a file");
  std::filesystem::create_symlink("foreign", house_ / "link to a directory");
  std::filesystem::create_symlink("nowhere", house_ / "dangling");
  std::filesystem::create_symlink("round", house_ / "round");
  ASSERT_EQ(mkfifo((house_ / "pipe").c_str(), 0600), 0);
  const auto before = LookAround(house_.path());
  for (const char* name :
       {"file", "foreign", "alike", "hidden", "link to a file", "link to a directory", "pipe",
        "foreign/../foreign", "foreign/../file", "foreign/file", "."}) {
    EXPECT_EQ(OutcomeIn(house_ / name), "invalid_argument") << name;
  }
  for (const char* name : {"round", "dangling", "dangling/data", "file/data"}) {
    EXPECT_THAT(OutcomeIn(house_ / name), AnyOf("invalid_argument", "not_found", "io")) << name;
  }
  EXPECT_THAT(OutcomeIn("/proc"), AnyOf("invalid_argument", "permission_denied", "io"));
  EXPECT_THAT(OutcomeIn("/dev/null"), "invalid_argument");
  EXPECT_EQ(LookAround(house_.path()), before);
}

TEST_F(Premises, MayBeReachedThroughLinksAndDots) {
  std::filesystem::create_directories(house_ / "real/inner");
  std::filesystem::create_symlink("real", house_ / "link");
  for (const char* name : {"link/data", "link/../real/data", "real/inner/../data", "./real//data/",
                           "link/inner/../../link/data"}) {
    EXPECT_EQ(OutcomeIn(house_ / name), "ready") << name;
  }
  // All of these are one directory, and nothing was made beside it.
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(house_.path())) {
    const std::string name = entry.path().string().substr(house_.path().size() + 1);
    if (!absl::StartsWith(name, "real/data/")) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  EXPECT_THAT(names, testing::ElementsAre("link", "real", "real/data", "real/inner"));
}

TEST_F(Premises, WhosePartsLeadElsewhereAreRefused) {
  std::filesystem::create_directory(house_ / "elsewhere");
  std::ofstream(house_ / "file") << "precious";
  for (const char* part : {"objects", "attachments", "quarantine"}) {
    const std::string data = house_ / absl::StrCat("data of ", part);
    ASSERT_EQ(OutcomeIn(data), "ready");
    std::filesystem::remove_all(absl::StrCat(data, "/", part));
    std::filesystem::create_directory_symlink(house_ / "elsewhere", absl::StrCat(data, "/", part));
    EXPECT_EQ(OutcomeIn(data), "invalid_argument") << part;
  }
  for (const char* part : {"lock", "packice.format", "catalog.sqlite"}) {
    const std::string data = house_ / absl::StrCat("data of ", part);
    ASSERT_EQ(OutcomeIn(data), "ready");
    std::filesystem::remove(absl::StrCat(data, "/", part));
    std::filesystem::create_symlink(house_ / "file", absl::StrCat(data, "/", part));
    EXPECT_NE(OutcomeIn(data), "ready") << part;
  }
  EXPECT_TRUE(std::filesystem::is_empty(house_ / "elsewhere"));
  std::ifstream file(house_ / "file");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "precious");
}

}  // namespace
}  // namespace packice
