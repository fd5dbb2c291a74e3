#include <string>

#include "absl/strings/str_cat.h"
#include "cli/app_commands.h"
#include "cli/app_swarm.h"
#include "cli/app_tiers.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/session.h"

namespace packice::cli {
namespace {

CLI::Option* AddSetting(CLI::App& app, const std::string& name, absl::optional<std::string>& value,
                        const std::string& what) {
  return app.add_option_function<std::string>(
      name, [&value](const std::string& text) { value = text; }, what);
}

void AddMemoryFlags(CLI::App& app, MemoryBlobStoreOptions& memory) {
  AddSize(app, "--segment-threshold", memory.segment_threshold,
          "mem: sealed blobs up to this size live together in shared segments [256KiB]");
  AddSeconds(app, "--idle-release", memory.idle_release, true,
             "mem: how long memory that no object uses is kept warm [60]");
  app.add_flag("--huge-pages", memory.pages.huge,
               "mem: segments of huge pages, where the system has them for shared memory");
  app.add_flag("--prefault", memory.pages.prefault,
               "mem: take the memory of a segment at once, not as it fills");
  app.add_flag("--lock-memory", memory.pages.lock,
               "mem: never swap segments out (ulimit -l bounds it)");
}

// Of everything but where objects are kept and how the node is reached.
void AddNodeFlags(CLI::App& app, ServeArgs& args) {
  args.socket = DefaultSocket();
  app.add_option("--socket", args.socket, "uds: the Unix socket")
      ->envname("PACKICE_SOCKET")
      ->capture_default_str();
  app.add_option("--host", args.host, "http: the address to listen on")->capture_default_str();
  app.add_option("--port", args.port, "http: the port; 0 takes a free one")
      ->envname("PACKICE_PORT")
      ->capture_default_str();
  AddSetting(app, "--data", args.data,
             "The directory of files, of the cold ones where there are tiers; with a cold node, "
             "where discards are remembered")
      ->envname("PACKICE_DATA")
      ->type_name("DIR")
      ->default_str("packice-data");
  AddSize(app, "--capacity", args.capacity,
          "Bytes of all objects, of the hot ones where there are tiers; by default half of the "
          "memory that this process may use (mem), or nine tenths of the file system (fs)");
  AddEviction(app, args.eviction);
  app.add_flag("--verify-reads", args.verify_reads,
               "fs: check an object's bytes whenever somebody acquires it");
  AddMemoryFlags(app, args.memory);
  app.add_option("--token-file", args.token_file,
                 "http: clients must show the token in this file; without one, only loopback is "
                 "served");
  app.add_flag("--insecure", args.insecure, "http: serve any address without a token");
  app.add_option("--tls-cert", args.tls_cert, "http: serve https, with this certificate (PEM)");
  app.add_option("--tls-key", args.tls_key, "http: and its private key (PEM)");
  app.add_option("--threads", args.threads, "Threads of each transport that serve connections")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  AddMicroseconds(app, "--busy-poll", args.busy_poll,
                  "uds: how long a thread that has served a request keeps its core busy looking "
                  "for the next one, before it sleeps [0]");
  app.add_option("--max-connections", args.max_connections,
                 "Of each transport; further ones are refused")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--max-in-flight", args.max_in_flight,
                 "http: requests that are worked on at a time; further ones are refused")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  AddSize(app, "--max-header-bytes", args.max_header_bytes,
          "http: of a request's line and headers [16KiB]");
  AddSize(app, "--max-body", args.max_body, "http: bytes of an object that is uploaded [1TiB]");
  AddSeconds(app, "--idle-timeout", args.idle_timeout, false,
             "http: how long a connection may do nothing [75]");
  AddSeconds(app, "--header-timeout", args.header_timeout, false,
             "http: how long a client may take to send a request's headers [10]");
  AddSeconds(app, "--stall-timeout", args.stall_timeout, false,
             "http: how long each 64 KiB of a body may take [30]");
  AddSeconds(app, "--grace", args.grace, true, "How long draining may take [10]");
  app.add_option("--events", args.events,
                 "How many events are kept for packice events and GET /events; 0: none")
      ->check(CLI::Range(0, 10000000))
      ->capture_default_str();
  app.add_option("-v,--verbosity", args.verbosity, "1: log every object's events")
      ->capture_default_str();
}

}  // namespace

void AddServe(CLI::App& app, Run& run) {
  auto [command, args] = Add<ServeArgs>(
      app, run, "serve", "Run a node", &Serve,
      R"(When ready, one line with every address goes to stdout. SIGTERM and SIGINT drain
and end the node; a second one ends it at once. The log goes to stderr.

Examples:
  packice serve --impl mem --transport uds --socket /run/packice.sock --capacity 8GiB
  packice serve --impl fs --data /var/lib/packice --transport uds --transport http
  packice serve --impl fs --transport http --host 0.0.0.0 --token-file token
  packice serve --impl tiered --capacity 4GiB --data /var/lib/packice
  packice serve --capacity 4GiB --cold http://big.example:8080 --data /var/lib/packice
  packice serve --config /etc/packice.toml
  packice serve --p2p-listen 10.0.0.1:7701 --tracker 10.0.0.9:7700 --p2p-token-file token)");
  command
      ->add_option("--impl", args->impl,
                   "Where objects are kept: in memory, in files, or in tiers [mem]")
      ->check(OneOf("--impl", {"mem", "fs", "tiered"}, {}));
  command->add_option("--transport", args->transports, "How the node is reached; may be repeated")
      ->check(OneOf("--transport", {"uds", "http"}, {}))
      ->allow_extra_args(false)
      ->default_str("uds");
  AddNodeFlags(*command, *args);
  AddTierFlags(*command, *args);
  AddSwarmFlags(*command, args->swarm);
  CLI::App* const serve = command;
  const std::shared_ptr<ServeArgs> held = args;
  serve->callback([&run, serve, held] {
    run = [serve, held]() -> absl::Status {
      if (absl::Status status = ApplyConfig(*serve, *held); !status.ok()) return status;
      return Serve(*held);
    };
  });
}

void AddOlderNode(CLI::App& app, Run& run) {
  struct Args {
    std::string adapter = "http";
    ServeArgs serve;
  };
  auto args = std::make_shared<Args>();
  app.footer(R"(The older name of `packice serve`:
  --adapter=http       packice serve --impl fs --transport http
  --adapter=uds-memfd  packice serve --impl mem --transport uds
Flags win over PACKICE_ADAPTER, PACKICE_PORT, PACKICE_DATA and PACKICE_SOCKET.

Older versions listened on 0.0.0.0. This one stays on loopback unless it is told
otherwise, with --host and either --token-file or --insecure.

Example:
  PACKICE_DATA=/var/lib/packice packice-node --adapter=http --port 8080)");
  app.add_option("--adapter", args->adapter,
                 "http: files, over HTTP; uds-memfd: memory, over a socket")
      ->envname("PACKICE_ADAPTER")
      ->check(OneOf("--adapter", {"http", "uds-memfd"}, {}))
      ->capture_default_str();
  AddNodeFlags(app, args->serve);
  app.callback([&run, args] {
    const bool files = args->adapter == "http";
    args->serve.impl = files ? "fs" : "mem";
    args->serve.transports = {files ? "http" : "uds"};
    run = [args] { return Serve(args->serve); };
  });
}

}  // namespace packice::cli
