#include "cli/app_swarm.h"

#include <string>
#include <vector>

#include "cli/app_commands.h"
#include "cli/commands.h"
#include "cli/flags.h"

namespace packice::cli {
namespace {

constexpr char kAddress[] = "HOST:PORT";

CLI::Option* AddAddress(CLI::App& app, const std::string& name, std::string& value,
                        const std::string& what) {
  return app.add_option(name, value, what)->type_name(kAddress);
}

CLI::Option* AddAddresses(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                          const std::string& what) {
  return app.add_option(name, values, what)->allow_extra_args(false)->type_name(kAddress);
}

std::vector<CLI::Option*> AddTls(CLI::App& app, const std::string& prefix, std::string& cert,
                                 std::string& key, std::string& ca) {
  return {
      app.add_option("--" + prefix + "tls-cert", cert,
                     "This one's certificate (PEM), which the other side asks for"),
      app.add_option("--" + prefix + "tls-key", key, "And its private key (PEM)"),
      app.add_option("--" + prefix + "tls-ca", ca, "Who signs the certificates of the fleet (PEM)"),
  };
}

// The tracker that is asked in the node's place.
void AddTrackerTarget(CLI::App& app, Target& target, TrackerAccess& tracker) {
  AddTarget(app, target);
  AddAddress(app, "--tracker", tracker.address, "Ask this tracker, not a node");
  AddTls(app, "", tracker.tls_cert, tracker.tls_key, tracker.tls_ca);
}

// A token belongs to whoever is asked.
void ShareToken(const Target& target, TrackerAccess& tracker) {
  tracker.token_file = target.token_file;
}

template <typename Args>
absl::Status WithToken(absl::Status (*run)(const Args&), Args args) {
  ShareToken(args.target, args.tracker);
  return run(args);
}

absl::Status RunMembers(const MembersArgs& args) { return WithToken(&Members, args); }
absl::Status RunLocate(const LocateArgs& args) { return WithToken(&Locate, args); }

}  // namespace

void AddSwarmFlags(CLI::App& app, SwarmSpec& spec) {
  std::vector<CLI::Option*> options = {
      AddAddress(app, "--p2p-listen", spec.listen,
                 "Where other nodes get objects of this one; port 0 takes a free one"),
      AddAddress(app, "--p2p-advertise", spec.advertise,
                 "What they dial; by default where it listens"),
      AddAddresses(app, "--tracker", spec.trackers,
                   "A tracker, which knows who holds what; may be repeated"),
      AddAddress(app, "--gossip-listen", spec.gossip_listen,
                 "Where members tell each other who is there and who holds what"),
      AddAddress(app, "--gossip-advertise", spec.gossip_advertise,
                 "What members dial; by default the host of --p2p-advertise, or where it listens"),
      AddAddresses(app, "--join", spec.join, "The gossip address of a member; may be repeated"),
      app.add_option("--gossip-seeds", spec.gossip_seeds,
                     "A file that remembers members, for the next start")
          ->type_name("FILE"),
      app.add_option("--zone", spec.zone, "Where the node stands; nodes of one zone come first"),
      app.add_option("--cluster", spec.cluster, "Only nodes of the same cluster are talked to")
          ->capture_default_str(),
      app.add_option("--digest", spec.digest,
                     "Of the pieces of objects that are made here: xxh3 finds damage, sha256 also "
                     "forgery")
          ->check(OneOf("--digest", {"xxh3", "sha256"}, {}))
          ->capture_default_str(),
      AddSize(app, "--up-limit", spec.up_limit, "Bytes a second that are given to other nodes"),
      AddSize(app, "--down-limit", spec.down_limit, "Bytes a second that are taken from them"),
      app.add_option("--origin", spec.origin.address,
                     "Where objects come from that no node has: a node, http://HOST:PORT, or any "
                     "web server, web+http://HOST:PORT/BASE")
          ->type_name("URL"),
      app.add_option("--origin-kind", spec.origin_kind, "What the origin is")
          ->check(OneOf("--origin-kind", {"packice", "web"}, {}))
          ->capture_default_str(),
      app.add_option("--origin-token-file", spec.origin.token_file,
                     "A file with the origin's token"),
      app.add_option("--origin-ca", spec.origin.ca_file,
                     "Certificates to trust, for an origin over https; by default the system's"),
      app.add_option("--p2p-token-file", spec.token_file,
                     "The fleet's token: nodes and trackers show it to each other"),
      app.add_option("--send-path", spec.send_path,
                     "How pieces go to the network: from memory, or by sendfile(2)")
          ->check(OneOf("--send-path", {"write", "sendfile"}, {}))
          ->capture_default_str(),
      app.add_flag("--p2p-insecure", spec.insecure,
                   "Listen beyond loopback without a token and without TLS"),
  };
  for (CLI::Option* option : AddTls(app, "p2p-", spec.tls_cert, spec.tls_key, spec.tls_ca)) {
    options.push_back(option);
  }
  for (CLI::Option* option : options) option->group("Swarm");
}

void AddTracker(CLI::App& app, Run& run) {
  auto [command, args] = Add<TrackerArgs>(
      app, run, "tracker", "Run a tracker, which knows which node holds what", &Tracker,
      R"(When ready, one line with its address goes to stdout. It remembers nothing on
disk: nodes tell it again within one interval of its start. SIGTERM and SIGINT
drain and end it.

Examples:
  packice tracker --listen 127.0.0.1:7700
  packice tracker --listen 10.0.0.9:7700 --token-file token --metrics-port 9100)");
  AddAddress(*command, "--listen", args->listen, "Where nodes reach it; port 0 takes a free one")
      ->capture_default_str();
  command->add_option("--metrics-port", args->metrics_port,
                      "Serve /metrics and /healthz over HTTP; 0 takes a free port");
  command->add_option("--metrics-host", args->metrics_host, "And on this address")
      ->capture_default_str();
  command->add_option("--token-file", args->access.token_file,
                      "Nodes must show the token in this file");
  AddTls(*command, "", args->access.tls_cert, args->access.tls_key, args->access.tls_ca);
  command->add_flag("--insecure", args->insecure,
                    "Listen beyond loopback without a token and without TLS");
  AddSeconds(*command, "--interval", args->interval, false,
             "How often nodes tell what they hold; after three of them without a word a node is "
             "gone [15]");
  command
      ->add_option("--origin-grants", args->origin_grants,
                   "Nodes that may read one object from the origin at a time")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  AddSeconds(*command, "--grace", args->grace, true, "How long draining may take [10]");
  command->add_option("-v,--verbosity", args->verbosity, "Of the log")->capture_default_str();
}

void AddFleet(CLI::App& app, Run& run) {
  auto [members, members_args] = Add<MembersArgs>(
      app, run, "members", "Tell who is in the swarm", &RunMembers,
      R"(A line for each member that the node knows: alive, suspect, dead or left. A node
without gossip knows its trackers and itself; a tracker tells how many nodes
there are. With --json an object a line.

Examples:
  packice members
  packice members --tracker 10.0.0.9:7700 --json)");
  AddTrackerTarget(*members, members_args->target, members_args->tracker);
  AddJson(*members, members_args->json);

  auto [locate, locate_args] = Add<LocateArgs>(
      app, run, "locate", "Tell who holds an object", &RunLocate,
      R"(The holders in the order that the node would ask them, with how much of the object
each has. A hint: what a holder then says counts.

Examples:
  packice locate models/a
  packice locate models/a --tracker 10.0.0.9:7700 --json)");
  locate->add_option("id", locate_args->id, "The object")->required();
  AddTrackerTarget(*locate, locate_args->target, locate_args->tracker);
  AddJson(*locate, locate_args->json);

  auto [peers, peers_args] = Add<PeersArgs>(
      app, run, "peers", "Tell what the node gives to others and gets from them", &Peers,
      R"(A line for each transfer that is under way, and one for each object that is being
copied here. With --json an object a line: transfers first.

Examples:
  packice peers
  packice peers models/a --json)");
  peers->add_option("id", peers_args->id, "Only of this object");
  AddTarget(*peers, peers_args->target);
  AddJson(*peers, peers_args->json);

  auto [prefetch, prefetch_args] = Add<PrefetchArgs>(
      app, run, "prefetch", "Bring objects of the swarm to the node", &Prefetch,
      R"(Ends when all are there, or have failed; the exit code is then that of the last
failure.

Examples:
  packice prefetch models/a models/b
  packice prefetch --prefix models/ --timeout 600)");
  prefetch->add_option("ids", prefetch_args->ids, "The objects");
  prefetch->add_option("--prefix", prefetch_args->prefix,
                       "All that some node holds whose ids start so");
  AddSeconds(*prefetch, "--timeout", prefetch_args->timeout, false, "How long they may take");
  AddTarget(*prefetch, prefetch_args->target);
  AddJson(*prefetch, prefetch_args->json);
}

void AddSimulateSwarm(CLI::App& app, Run& run) {
  auto [command, args] = Add<SimulateSwarmArgs>(
      app, run, "simulate-swarm", "Tell how an object would spread over many nodes", &SimulateSwarm,
      R"(Runs the piece transfer of real nodes in one process over a simulated network: one
source, --nodes others that want its object. Without --gossip it tells when they
have it, the least possible time as a part of that, and how many copies left the
source. With --gossip it runs membership instead, and tells how soon members that
crash are found. The same flags give the same run, down to the trace's hash.

Examples:
  packice simulate-swarm --nodes 256 --pieces 512
  packice simulate-swarm --nodes 64 --crashes 8 --liars 4 --tracker-outage 5 --json
  packice simulate-swarm --gossip --nodes 1000 --crashes 3 --loss 0.01)");
  const auto count = [cmd = command](const char* name, uint32_t& value, uint32_t most,
                                     const char* what) {
    return cmd->add_option(name, value, what)
        ->check(CLI::Range(uint32_t{0}, most))
        ->capture_default_str();
  };
  command->add_option("--nodes", args->nodes, "That want the object; of --gossip, all")
      ->check(CLI::Range(1, 20000))
      ->capture_default_str();
  command->add_option("--pieces", args->pieces, "Of the object")
      ->check(CLI::Range(1, 262144))
      ->capture_default_str();
  AddSize(*command, "--piece-size", args->piece_size, "Bytes of each [1MiB]");
  AddSize(*command, "--rate", args->rate, "Bytes a second of each node, either way [125MB]");
  command->add_option("--seed", args->seed, "Of all that is random")->capture_default_str();
  AddSeconds(*command, "--latency", args->latency, true,
             "One way; of --gossip, at most [0.0002; 0.01]");
  command->add_option("--zones", args->zones, "Nodes stand in so many")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  count("--crashes", args->crashes, 20000, "Nodes that crash; of --gossip, for good");
  count("--liars", args->liars, 20000, "Nodes that claim to have it, and send nothing or rubbish");
  count("--link-breaks", args->link_breaks, 1000000, "Links that break");
  count("--partitions", args->partitions, 1000, "Times that the nodes are cut in two for 3 s");
  count("--slow-nodes", args->slow_nodes, 20000, "Nodes with a tenth of the rate");
  AddSeconds(*command, "--tracker-outage", args->tracker_outage, true,
             "From the first second on, the tracker is out for so long [0]");
  command->add_flag("--gossip", args->gossip, "Simulate membership");
  command->add_option("--loss", args->loss, "gossip: of the messages")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  AddSeconds(*command, "--duration", args->duration, false, "gossip: of simulated time [60]");
  AddJson(*command, args->json);
}

}  // namespace packice::cli
