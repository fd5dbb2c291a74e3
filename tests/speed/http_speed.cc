// The speed of a node over HTTP, beside that of a bare Beast echo, of nginx and of dd, in one run:
// server and client take a core each.
//
//   http_speed [MEGABYTES] [SECONDS]     of the large object; of each measurement of pairs
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "beast_echo.h"
#include "packice/core/testing/path_blob_store.h"
#include "packice/core/testing/plain_peer.h"
#include "packice/peers/memory_peer.h"
#include "packice/transport/http_server.h"
#include "pinning.h"

namespace packice {
namespace {

constexpr int kConnections = 32;
constexpr int kServerCpu = 0;
constexpr int kClientCpu = 1;
constexpr int kAnyCpu = -1;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::abort();
}

UniqueFd Connect(uint16_t port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return UniqueFd();
  }
  const int one = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  return fd;
}

// Runs until this goes; pinned to a core, or not (-1).
class Forked {
 public:
  explicit Forked(int cpu, const std::function<void()>& serve) {
    child_ = fork();
    if (child_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    PinTo(cpu);
    serve();
    _exit(1);
  }
  ~Forked() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }

 private:
  pid_t child_;
};

// A port on which somebody may listen in a moment, and a socket that does.
UniqueFd Listen(uint16_t* port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) Die("bind");
  if (listen(fd.get(), 128) != 0) Die("listen");
  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  *port = ntohs(address.sin_port);
  return fd;
}

// A node with this peer in a process of its own; answers its port.
template <typename MakePeer>
std::unique_ptr<Forked> StartNode(int cpu, MakePeer make_peer, uint16_t* port) {
  int ready[2];
  if (pipe(ready) != 0) Die("pipe");
  auto forked = std::make_unique<Forked>(cpu, [&] {
    auto peer = make_peer();
    HttpServerOptions options;
    options.port = 0;
    options.threads = 1;
    auto server = HttpServer::Start(*peer, options);
    const uint16_t chosen = server.ok() ? (*server)->port() : 0;
    if (write(ready[1], &chosen, sizeof(chosen)) != sizeof(chosen)) Die("write");
    pause();
  });
  if (read(ready[0], port, sizeof(*port)) != sizeof(*port) || *port == 0) Die("node");
  close(ready[0]);
  close(ready[1]);
  return forked;
}

void SendAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) Die("send");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

// A small response, whole; its body.
std::string ReceiveSmall(int fd) {
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
    if (n <= 0) Die("recv");
    text.append(buffer, static_cast<size_t>(n));
    const size_t end = text.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    const size_t at = text.find("Content-Length: ");
    const size_t length = at == std::string::npos ? 0 : strtoul(&text[at + 16], nullptr, 10);
    if (text.size() >= end + 4 + length) return text.substr(end + 4);
  }
}

std::string Post(absl::string_view path, absl::string_view body) {
  return absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ",
                      "application/json\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
}

// Pairs of requests a second, over connections that are kept, none of them pipelined.
double PairsPerSecond(uint16_t port, double seconds, bool node) {
  std::vector<UniqueFd> sockets;
  for (int i = 0; i < kConnections; ++i) sockets.push_back(Connect(port));
  const std::string acquire =
      Post("/acquire", R"({"intent":"read","object_id":"model/layer-0001","ttl_seconds":60})");
  std::vector<std::string> releases(
      kConnections, Post("/release", R"({"lease_id":"0123456789abcdef0123456789abcdef"})"));
  uint64_t pairs = 0;
  const double start = Now();
  double end = start;
  while (end - start < seconds) {
    for (const UniqueFd& socket : sockets) SendAll(socket.get(), acquire);
    for (int i = 0; i < kConnections; ++i) {
      const std::string body = ReceiveSmall(sockets[i].get());
      if (!node) continue;
      if (body.compare(0, 13, "{\"lease_id\":\"") != 0) Die(body.c_str());
      std::string& release = releases[i];
      release.replace(release.size() - 34, 32, body, 13, 32);
    }
    for (int i = 0; i < kConnections; ++i) SendAll(sockets[i].get(), releases[i]);
    for (const UniqueFd& socket : sockets) ReceiveSmall(socket.get());
    pairs += kConnections;
    end = Now();
  }
  return static_cast<double>(pairs) / (end - start);
}

// Seconds that a GET takes. The client throws the bytes away uncopied (MSG_TRUNC, tcp(7)), so that
// the server is what is measured.
double Get(uint16_t port, absl::string_view path, uint64_t size) {
  const UniqueFd fd = Connect(port);
  const double start = Now();
  SendAll(fd.get(), absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\n\r\n"));
  std::string head;
  char c;
  while (head.size() < 4 || head.compare(head.size() - 4, 4, "\r\n\r\n") != 0) {
    if (recv(fd.get(), &c, 1, 0) != 1) Die("recv");
    head.push_back(c);
  }
  if (head.compare(0, 12, "HTTP/1.1 200") != 0) Die(head.c_str());
  while (size > 0) {
    const ssize_t n = recv(fd.get(), nullptr, std::min<uint64_t>(size, 1 << 20), MSG_TRUNC);
    if (n <= 0) Die("recv");
    size -= static_cast<uint64_t>(n);
  }
  return Now() - start;
}

double Put(uint16_t port, absl::string_view path, uint64_t size) {
  static const std::string& zeros = *new std::string(1 << 20, '\0');
  const UniqueFd fd = Connect(port);
  const double start = Now();
  SendAll(fd.get(),
          absl::StrCat("PUT ", path, " HTTP/1.1\r\nHost: x\r\nContent-Length: ", size, "\r\n\r\n"));
  for (uint64_t left = size; left > 0;) {
    const size_t n = std::min<uint64_t>(left, zeros.size());
    SendAll(fd.get(), absl::string_view(zeros).substr(0, n));
    left -= n;
  }
  if (ReceiveSmall(fd.get()).find("sealed") == std::string::npos) Die("put");
  return Now() - start;
}

void Delete(uint16_t port, absl::string_view path) {
  const UniqueFd fd = Connect(port);
  SendAll(fd.get(), absl::StrCat("DELETE ", path, " HTTP/1.1\r\nHost: x\r\n\r\n"));
  ReceiveSmall(fd.get());
}

double Dd(const std::string& file, uint64_t megabytes) {
  const double start = Now();
  const std::string command =
      absl::StrCat("dd if=/dev/zero of=", file, " bs=1M count=", megabytes, " 2>/dev/null");
  if (system(command.c_str()) != 0) Die("dd");
  return Now() - start;
}

// Serves a directory as Debian's package does it: sendfile on.
void ServeNginx(const std::string& directory, uint16_t port) {
  const std::string config = directory + "/nginx.conf";
  std::ofstream(config) << "daemon off; worker_processes 1; master_process off; pid " << directory
                        << "/nginx.pid; error_log " << directory << "/nginx.log;\n"
                        << "events {} http { access_log off; sendfile on; tcp_nopush on; "
                        << "default_type application/octet-stream; server { listen 127.0.0.1:"
                        << port << "; root " << directory << "; } }\n";
  execl("/usr/sbin/nginx", "nginx", "-p", directory.c_str(), "-c", config.c_str(), nullptr);
}

void MeasurePairs(double seconds) {
  uint16_t echo_port;
  const UniqueFd listener = Listen(&echo_port);
  const Forked echo(kServerCpu, [&] { ServeBeastEcho(listener.get()); });
  uint16_t port;
  const auto node = StartNode(
      kServerCpu, [] { return MakeMemoryPeer(); }, &port);
  Put(port, "/objects/model/layer-0001", 4096);
  double ours = 0, theirs = 0;
  for (int round = 0; round < 3; ++round) {  // in turns; the best of each
    theirs = std::max(theirs, PairsPerSecond(echo_port, seconds, /*node=*/false));
    ours = std::max(ours, PairsPerSecond(port, seconds, /*node=*/true));
  }
  std::printf("acquire + release      %10.0f pairs/s   beast echo %10.0f pairs/s   ratio %.2f\n",
              ours, theirs, ours / theirs);
}

void MeasureLarge(uint64_t megabytes) {
  std::string directory = "/tmp/packice-http-speed-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) Die("mkdtemp");
  const uint64_t size = megabytes << 20;
  struct Files {
    explicit Files(const std::string& path) : store(path) {}
    PathBlobStore store;
    PlainPeer peer{store, Clock::System(), RandomSource::System()};
  };
  uint16_t port;
  const auto node = StartNode(
      kAnyCpu,
      [&] {
        auto files = std::make_shared<Files>(directory);
        return std::shared_ptr<Peer>(files, &files->peer);
      },
      &port);
  double put = 1e9, dd = 1e9, get = 1e9, nginx = 1e9;
  for (int round = 0; round < 3; ++round) {
    unlink((directory + "/large").c_str());
    dd = std::min(dd, Dd(directory + "/large", megabytes));
    Delete(port, "/objects/large");
    put = std::min(put, Put(port, "/objects/large", size));
  }
  const double gib = static_cast<double>(size) / (1 << 30);
  std::printf("PUT %6zu MiB         %10.2f GiB/s       dd         %10.2f GiB/s       ratio %.2f\n",
              static_cast<size_t>(megabytes), gib / put, gib / dd, dd / put);
  if (access("/usr/sbin/nginx", X_OK) != 0) {
    std::printf("GET: nginx is not installed\n");
    std::filesystem::remove_all(directory);
    return;
  }
  uint16_t nginx_port;
  Listen(&nginx_port);  // free again at once
  const Forked other(kAnyCpu, [&] { ServeNginx(directory, nginx_port); });
  for (int i = 0; i < 1000 && !Connect(nginx_port); ++i) usleep(10000);
  for (int round = 0; round < 5; ++round) {
    nginx = std::min(nginx, Get(nginx_port, "/large", size));
    get = std::min(get, Get(port, "/objects/large/data", size));
  }
  std::printf("GET %6zu MiB         %10.2f GiB/s       nginx      %10.2f GiB/s       ratio %.2f\n",
              static_cast<size_t>(megabytes), gib / get, gib / nginx, nginx / get);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace packice

int main(int argc, char** argv) {
  uint64_t megabytes = 1024;
  double seconds = 2;
  if (argc > 1 && !absl::SimpleAtoi(argv[1], &megabytes)) return 2;
  if (argc > 2 && !absl::SimpleAtod(argv[2], &seconds)) return 2;
  // A large body passes through several threads; where they run is the kernel's affair.
  packice::MeasureLarge(megabytes);
  packice::PinTo(packice::kClientCpu);
  packice::MeasurePairs(seconds);
}
